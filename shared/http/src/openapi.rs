//! What all OpenAPI documents share: how errors look, and how a caller shows who it is.

use std::collections::BTreeMap;

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::error::ErrorCode;
use crate::extract::Idempotency;
use crate::fault::{Fault, FaultKind};

/// The name of the security scheme: an operation that needs a credential says
/// `security(("HTTPBearer" = []))`.
pub const BEARER: &str = "HTTPBearer";

/// The body of an answer that is an error.
#[derive(ToSchema)]
#[schema(title = "HttpError")]
#[expect(dead_code, reason = "a schema only: the answer itself is made by ApiError")]
pub struct HttpErrorOut {
    /// What is wrong, for a program.
    code: ErrorCode,
    /// What is wrong, for a person.
    detail: String,
}

/// The body of an answer to a request that can be read and breaks rules.
#[derive(ToSchema)]
#[schema(as = HTTPValidationError)]
#[expect(dead_code, reason = "a schema only: the answer itself is made by ApiError")]
pub struct HttpValidationError {
    /// Everything that is wrong.
    #[schema(inline = false)]
    detail: Vec<Fault>,
}

/// Adds the schemas of errors, the security scheme, and to every operation the errors that it can answer with:
/// which those are follows from what the operation takes. An answer that an operation itself describes stays.
pub fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let schemas = [
        (HttpErrorOut::name(), HttpErrorOut::schema()),
        (HttpValidationError::name(), HttpValidationError::schema()),
        (Fault::name(), Fault::schema()),
        (FaultKind::name(), FaultKind::schema()),
        (ErrorCode::name(), ErrorCode::schema()),
    ];
    components.schemas.extend(schemas.map(|(name, schema)| (name.into_owned(), schema)));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A JSON web token, or an API key (`tdk_...`)."))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            add_errors(operation);
            if path.starts_with(CONTRACT) {
                add_contract_errors(operation);
            }
        }
    }
}

/// Where the operations of the outbound API are.
const CONTRACT: &str = "/api/v1/";

/// Whoever speaks the contract is prepared for the same errors at every operation that needs a credential.
fn add_contract_errors(operation: &mut Operation) {
    if operation.security.iter().flatten().next().is_none() {
        return;
    }
    let errors = [
        (404, "It is not there"),
        (409, "It is there already, or somebody changes it at the same time"),
        (422, "The request breaks rules"),
        (429, "Too many requests"),
    ];
    for (status, description) in errors {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(error(status, description)));
    }
}

fn add_errors(operation: &mut Operation) {
    let takes = |place: ParameterIn| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == place,
            RefOr::Ref(_) => false,
        })
    };
    let needs_credential = operation.security.iter().flatten().next().is_some();
    let has_body = operation.request_body.is_some();
    // What takes every type of body looks at none, and answers what is in it by rules of its own.
    let has_read_body = has_body && !takes_every_type(operation);
    let (in_path, in_query, in_header) =
        (takes(ParameterIn::Path), takes(ParameterIn::Query), takes(ParameterIn::Header));
    let errors = [
        (has_body, 400, "The request cannot be read"),
        (needs_credential, 401, "No credential, or not a valid one"),
        (needs_credential, 403, "The credential is not enough"),
        (in_path, 404, "It is not there"),
        (in_header, 409, "The idempotency key is in use for another request, or for one that still runs"),
        (has_body, 413, "The body is too large"),
        (has_read_body, 415, "The body is not JSON"),
        (has_read_body || in_query || in_header, 422, "The request breaks rules"),
        (true, 500, "Internal error"),
        (needs_credential || in_path || has_body, 503, "Cannot be served right now; try again"),
    ];
    let responses: &mut BTreeMap<_, _> = &mut operation.responses.responses;
    for (_, status, description) in errors.into_iter().filter(|(applies, ..)| *applies) {
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(error(status, description)));
    }
}

fn takes_every_type(operation: &Operation) -> bool {
    match &operation.request_body {
        Some(RefOr::T(body)) => body.content.contains_key("*/*"),
        Some(RefOr::Ref(_)) | None => false,
    }
}

fn error(status: u16, description: &str) -> Response {
    let schema = if status == 422 { HttpValidationError::name() } else { HttpErrorOut::name() };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema.into_owned()))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

impl IntoParams for Idempotency {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255)).build();
        let description = "The caller's name for this request: the same request under it is answered the same.";
        let parameter = ParameterBuilder::new()
            .name(Self::HEADER)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema))
            .build();
        vec![parameter]
    }
}
