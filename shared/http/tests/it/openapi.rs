use std::fmt::Write as _;

use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::Value;
use tidings_domain::ids::JobId;
use tidings_http::openapi::complete;
use tidings_http::{
    AnyScope, Caller, Credentials, Fault, FromJson, Idempotency, Json, ListQuery, ListResponse, Object,
    OrderedListQuery, Path, Query, Reply, no_content,
};
use utoipa::{IntoParams as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::support::credentials;

#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema")]
struct JobIn {
    providers: Vec<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema")]
struct JobOut {
    job_id: String,
}

impl FromJson for JobIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let providers = object.required("providers");
        object.finish(|| Some(Self { providers: providers? }))
    }
}

#[utoipa::path(
    post, path = "/webhook", params(Idempotency), request_body = JobIn, security(("HTTPBearer" = [])),
    responses((status = 201, body = JobOut), (status = 409, description = "Its own words")),
)]
async fn create(_: Caller<AnyScope>, _: Idempotency, _: Json<JobIn>) -> Reply {
    no_content()
}

#[utoipa::path(
    get, path = "/webhook", params(ListQuery<JobId>), security(("HTTPBearer" = [])),
    responses((status = 200, body = ListResponse<JobOut>)),
)]
async fn list(_: Caller<AnyScope>, _: Query<ListQuery<JobId>>) -> Reply {
    no_content()
}

#[utoipa::path(get, path = "/webhook/{id}", params(("id" = String, Path)), responses((status = 200, body = JobOut)))]
async fn read(_: Path<JobId>) -> Reply {
    no_content()
}

#[utoipa::path(
    get, path = "/api/v1/api-key", security(("HTTPBearer" = [])), responses((status = 200, body = JobOut)),
)]
async fn keys(_: Caller<AnyScope>) -> Reply {
    no_content()
}

#[utoipa::path(get, path = "/health", responses((status = 204)))]
async fn health() -> Reply {
    no_content()
}

fn document() -> Value {
    let (_, mut document) = OpenApiRouter::<Credentials>::new()
        .routes(routes!(create, list))
        .routes(routes!(read))
        .routes(routes!(keys))
        .routes(routes!(health))
        .with_state::<()>(credentials())
        .split_for_parts();
    complete(&mut document);
    serde_json::to_value(document).unwrap()
}

#[test]
fn every_operation_lists_the_errors_that_it_can_answer_with() {
    let document = document();
    let mut table = String::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().cloned().collect();
            writeln!(table, "{method} {path}: {}", statuses.join(" ")).unwrap();
        }
    }
    assert_snapshot!(table, @"
    get /webhook: 200 401 403 422 500 503
    post /webhook: 201 400 401 403 409 413 415 422 500 503
    get /webhook/{id}: 200 404 500 503
    get /api/v1/api-key: 200 401 403 404 409 422 429 500 503
    get /health: 204 500
    ");
    let described = &document["paths"]["/webhook"]["post"]["responses"]["409"]["description"];
    assert_eq!(described, "Its own words");
}

#[test]
fn errors_have_the_contracts_schemas() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for name in ["HttpErrorOut", "HTTPValidationError", "ValidationErrorItem", "ErrorCode", "FaultKind"] {
        assert!(schemas[name].is_object(), "{name}: {schemas:#}");
    }
    assert_snapshot!(serde_json::to_string(&schemas["ErrorCode"]["enum"]).unwrap(), @r#"["authentication_failed","conflict","generic_error","insufficient access","limit_reached","method_not_allowed","not_found","payload_too_large","server_error","too_many_requests","unavailable","unsupported_media_type"]"#);
    assert_snapshot!(serde_json::to_string(&schemas["HTTPValidationError"]).unwrap(), @r##"{"type":"object","description":"The body of an answer to a request that can be read and breaks rules.","required":["detail"],"properties":{"detail":{"type":"array","items":{"$ref":"#/components/schemas/ValidationErrorItem"},"description":"Everything that is wrong."}}}"##);
    assert_snapshot!(serde_json::to_string(&schemas["ValidationErrorItem"]["properties"]["loc"]).unwrap(), @r#"{"type":"array","items":{"type":"string"},"description":"The way to it, from `body`, `query`, `path` or `header` on. Positions in lists are numbers as text."}"#);
    assert_snapshot!(serde_json::to_string(&document["components"]["securitySchemes"]).unwrap(), @r#"{"HTTPBearer":{"type":"http","scheme":"bearer","description":"A JSON web token, or an API key (`tdk_...`)."}}"#);
}

#[test]
fn what_a_document_refers_to_is_in_it() {
    let document = document();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn a_list_takes_a_limit_and_an_iterator() {
    assert_json_snapshot!(document()["paths"]["/webhook"]["get"]["parameters"], @r#"
    [
      {
        "name": "limit",
        "in": "query",
        "description": "How many at most.",
        "required": false,
        "schema": {
          "type": "integer",
          "default": 50,
          "maximum": 250,
          "minimum": 1
        }
      },
      {
        "name": "iterator",
        "in": "query",
        "description": "The `iterator` of the page before, or the `prevIterator` of the page after.",
        "required": false,
        "schema": {
          "type": "string"
        }
      }
    ]
    "#);
}

#[test]
fn a_list_that_runs_either_way_takes_an_order_too() {
    let parameters = OrderedListQuery::<JobId>::into_params(|| None);
    let parameters = serde_json::to_value(parameters).unwrap();
    assert_eq!(parameters.as_array().unwrap().len(), 3);
    assert_json_snapshot!(parameters[2], @r#"
    {
      "name": "order",
      "in": "query",
      "description": "Which way the list runs.",
      "required": false,
      "schema": {
        "type": "string",
        "default": "ascending",
        "enum": [
          "ascending",
          "descending"
        ]
      }
    }
    "#);
}
