use std::fmt::Write as _;

use axum::Router;
use axum::body::Body;
use axum::routing::get as route;
use http::{HeaderValue, Request};
use insta::assert_snapshot;
use tidings_domain::Timestamp;
use tidings_domain::idempotency::Answer;
use tidings_domain::ids::JobId;
use tidings_domain::job::JobStatus;
use tidings_domain::names::EventTypeName;
use tidings_domain::page::{Order, Page};
use tidings_http::{
    ApiError, FromQuery, Idempotency, ListQuery, ListResponse, OrderedListQuery, Path, Query, QueryString, Reply,
    accepted, created, no_content, ok,
};

use crate::support::{get, send, shown};

struct JobsQuery {
    list: ListQuery<JobId>,
    status: Option<JobStatus>,
    types: Vec<String>,
}

impl FromQuery for JobsQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let list = ListQuery::from_query(query)?;
        let status = query.one("status", |text| {
            JobStatus::ALL.into_iter().find(|status| status.code() == text).ok_or("must be pending, complete or failed")
        });
        let types = query.all("types", |text| if text.is_empty() { Err("is empty") } else { Ok(text.to_owned()) });
        Some(Self { list, status, types })
    }
}

fn job() -> JobId {
    JobId::new(Timestamp::from_millis(1_700_000_000_000), [3; 15])
}

#[tokio::test]
async fn a_query_is_read_or_refused_with_everything_that_is_wrong() {
    let router = Router::new().route(
        "/",
        route(async |Query(JobsQuery { list, status, types }): Query<JobsQuery>| {
            format!("{} {:?} {status:?} {types:?}", list.limit.get(), list.iterator)
        }),
    );
    let id = job();
    let mut table = String::new();
    for query in [
        String::new(),
        format!("?limit=250&iterator={id}&status=pending&types=a&types=b%20c&types=a"),
        format!("?iterator=-{id}"),
        "?utm_source=mail&limit=1".to_owned(),
        "?limit=251&iterator=x&status=PENDING&types=".to_owned(),
        "?limit=0".to_owned(),
        "?limit=".to_owned(),
        "?limit=-1".to_owned(),
        "?limit=1&limit=2".to_owned(),
        "?limit=%FF".to_owned(),
    ] {
        let answer = get(&router, &format!("/{query}")).await;
        let (first, last) = (answer.lines().next().unwrap(), answer.lines().last().unwrap());
        writeln!(table, "{}\n  {first}\n  {last}", query.replace(&id.to_string(), "[id]")).unwrap();
    }
    assert_snapshot!(table.replace(&id.to_string(), "[id]"), @r#"
      200 OK
      50 None None []
    ?limit=250&iterator=[id]&status=pending&types=a&types=b%20c&types=a
      200 OK
      250 Some(After([id])) Some(Pending) ["a", "b c"]
    ?iterator=-[id]
      200 OK
      50 Some(Before([id])) None []
    ?utm_source=mail&limit=1
      200 OK
      1 None None []
    ?limit=251&iterator=x&status=PENDING&types=
      422 Unprocessable Entity
      {"detail":[{"loc":["query","limit"],"msg":"must be a number from 1 to 250","type":"value_error"},{"loc":["query","iterator"],"msg":"must be `job_` followed by 27 letters or digits","type":"value_error"},{"loc":["query","status"],"msg":"must be pending, complete or failed","type":"value_error"},{"loc":["query","types"],"msg":"is empty","type":"value_error"}]}
    ?limit=0
      422 Unprocessable Entity
      {"detail":[{"loc":["query","limit"],"msg":"must be a number from 1 to 250","type":"value_error"}]}
    ?limit=
      422 Unprocessable Entity
      {"detail":[{"loc":["query","limit"],"msg":"must be a number from 1 to 250","type":"value_error"}]}
    ?limit=-1
      422 Unprocessable Entity
      {"detail":[{"loc":["query","limit"],"msg":"must be a number from 1 to 250","type":"value_error"}]}
    ?limit=1&limit=2
      422 Unprocessable Entity
      {"detail":[{"loc":["query","limit"],"msg":"must be there once","type":"value_error"}]}
    ?limit=%FF
      422 Unprocessable Entity
      {"detail":[{"loc":["query","limit"],"msg":"must be a number from 1 to 250","type":"value_error"}]}
    "#);
}

#[tokio::test]
async fn an_id_of_another_kind_in_the_path_names_nothing() {
    let router = Router::new()
        .route("/job/{id}", route(async |Path(id): Path<JobId>| id.to_string()))
        .route("/two/{a}/{b}", route(async |Path(_): Path<JobId>| "never"));
    assert!(get(&router, &format!("/job/{}", job())).await.starts_with("200"));
    for path in ["/job/x", "/job/org_2YRGXmV2kOvLdvU3tNaHPUGy5Pw", "/job/%FF"] {
        assert!(get(&router, path).await.starts_with("404"), "{path}");
    }
    assert!(get(&router, "/two/a/b").await.starts_with("500"));
}

#[tokio::test]
async fn an_idempotency_key_is_optional_and_well_formed() {
    let router = Router::new().route(
        "/",
        route(async |Idempotency(key): Idempotency| key.map_or("none".to_owned(), |key| key.as_str().to_owned())),
    );
    let mut table = String::new();
    let long = "k".repeat(256);
    let cases: [&[&[u8]]; 6] = [&[], &[b"order 17"], &[b""], &[long.as_bytes()], &[b"caf\xc3\xa9"], &[b"a", b"a"]];
    for values in cases {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        for value in values {
            request.headers_mut().append("idempotency-key", HeaderValue::from_bytes(value).unwrap());
        }
        let answer = shown(send(&router, request).await).await;
        let (first, last) = (answer.lines().next().unwrap(), answer.lines().last().unwrap());
        writeln!(table, "{first}: {last}").unwrap();
    }
    assert_snapshot!(table, @r#"
    200 OK: none
    200 OK: order 17
    422 Unprocessable Entity: {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    422 Unprocessable Entity: {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    422 Unprocessable Entity: {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    422 Unprocessable Entity: {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    "#);
}

#[tokio::test]
async fn answers_have_their_status_headers_and_body() {
    let body = || serde_json::json!({"jobId": "job_1"});
    let router = Router::new()
        .route("/ok", route(async move || ok(&body())))
        .route("/created", route(async move || created("/webhook/job_1".to_owned(), &body())))
        .route("/accepted", route(async move || accepted(&body())))
        .route("/none", route(async || no_content()))
        .route(
            "/again",
            route(async move || {
                let kept = created("/webhook/job_1".to_owned(), &body())?.answer().clone();
                Ok::<_, ApiError>(Reply::replayed(kept))
            }),
        )
        .route(
            "/bad",
            route(async || Reply::from(Answer { status: 201, location: Some("a\nb".to_owned()), body: String::new() })),
        );
    let mut table = String::new();
    for path in ["/ok", "/created", "/accepted", "/none", "/again", "/bad"] {
        writeln!(table, "--- {path}\n{}", get(&router, path).await).unwrap();
    }
    assert_snapshot!(table, @r#"
    --- /ok
    200 OK
    content-type: application/json
    {"jobId":"job_1"}
    --- /created
    201 Created
    content-type: application/json
    location: /webhook/job_1
    {"jobId":"job_1"}
    --- /accepted
    202 Accepted
    content-type: application/json
    {"jobId":"job_1"}
    --- /none
    204 No Content

    --- /again
    201 Created
    content-type: application/json
    location: /webhook/job_1
    idempotent-replayed: true
    {"jobId":"job_1"}
    --- /bad
    500 Internal Server Error
    content-type: application/json
    {"code":"server_error","detail":"Internal error."}
    "#);
}

#[test]
fn a_page_is_listed_with_the_contracts_names() {
    let page = Page { data: vec![1, 2], done: false };
    let list = ListResponse::new(page, |number| format!("id_{number}"), |number| number * 10);
    assert_snapshot!(serde_json::to_string(&list).unwrap(), @r#"{"data":[10,20],"iterator":"id_2","prevIterator":"-id_1","done":false}"#);
    let empty = ListResponse::new(Page { data: vec![], done: true }, |_: &u8| String::new(), |number| number);
    assert_snapshot!(serde_json::to_string(&empty).unwrap(), @r#"{"data":[],"iterator":null,"prevIterator":null,"done":true}"#);
}

struct TimesQuery {
    order: Order,
    before: Option<Timestamp>,
    with_content: Option<bool>,
    event_types: Vec<String>,
}

impl FromQuery for TimesQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let event_types = query.list("event_types", |text| text.parse().map(|name: EventTypeName| name.to_string()));
        let (before, with_content) = (query.time("before"), query.flag("with_content"));
        Some(Self { order: OrderedListQuery::<JobId>::from_query(query)?.order, before, with_content, event_types })
    }
}

#[tokio::test]
async fn times_flags_orders_and_lists_are_read_from_a_query() {
    let router = Router::new().route(
        "/",
        route(async |Query(TimesQuery { order, before, with_content, event_types }): Query<TimesQuery>| {
            format!("{order:?} {before:?} {with_content:?} {event_types:?}")
        }),
    );
    let mut table = String::new();
    for query in [
        "",
        "?order=descending&before=2024-03-13T14:58:26.007Z&with_content=false&event_types=a,b&event_types=b&event_types=c",
        "?before=2024-03-13T15:58:26%2B01:00",
        "?order=desc&before=yesterday&with_content=1&event_types=a,,b",
    ] {
        let answer = get(&router, &format!("/{query}")).await;
        writeln!(table, "{query}\n  {}", answer.lines().last().unwrap()).unwrap();
    }
    assert_snapshot!(table, @r#"

      Ascending None None []
    ?order=descending&before=2024-03-13T14:58:26.007Z&with_content=false&event_types=a,b&event_types=b&event_types=c
      Descending Some(Timestamp(1710341906007)) Some(false) ["a", "b", "c"]
    ?before=2024-03-13T15:58:26%2B01:00
      Ascending Some(Timestamp(1710341906000)) None []
    ?order=desc&before=yesterday&with_content=1&event_types=a,,b
      {"detail":[{"loc":["query","event_types"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["query","before"],"msg":"must be a date and time as in RFC 3339","type":"value_error"},{"loc":["query","with_content"],"msg":"must be `true` or `false`","type":"value_error"},{"loc":["query","order"],"msg":"must be `ascending` or `descending`","type":"value_error"}]}
    "#);
}
