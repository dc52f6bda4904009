use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use insta::assert_snapshot;
use tidings_http::{ApiError, ErrorCode, Fault, FaultKind, Proof};
use utoipa::PartialSchema as _;

use crate::support;

const SECRET_CAUSE: &str = "table tidings at 10.0.0.7 refused";

type Make = fn() -> ApiError;

/// Every way to make an error, in the order of the statuses.
const ALL: [(&str, Make); 17] = [
    ("malformed", || ApiError::malformed("The body is not JSON.")),
    ("malformed_body", || {
        ApiError::malformed_body(vec![Fault::new(FaultKind::Type, "must be a string").within("event").within("body")])
    }),
    ("limit_reached", || ApiError::limit_reached("There are 10 old secrets already.")),
    ("authentication_failed", ApiError::authentication_failed),
    ("unverified login", || ApiError::unverified(Proof::Login)),
    ("unverified signature", || ApiError::unverified(Proof::Signature)),
    ("insufficient_access", ApiError::insufficient_access),
    ("not_found", ApiError::not_found),
    ("method_not_allowed", ApiError::method_not_allowed),
    ("conflict", || ApiError::conflict("There is one already.")),
    ("conflict_retry", || ApiError::conflict_retry(Duration::from_millis(1500))),
    ("payload_too_large", || ApiError::payload_too_large(1024)),
    ("unsupported_media_type", ApiError::unsupported_media_type),
    ("invalid", || ApiError::invalid_body(vec![Fault::new(FaultKind::Missing, "is required").within("callbackUrl")])),
    ("too_many_requests", || ApiError::too_many_requests(Duration::ZERO)),
    ("internal", || ApiError::internal(io::Error::other(SECRET_CAUSE))),
    ("unavailable", || ApiError::unavailable(io::Error::other(SECRET_CAUSE))),
];

async fn answer_of(make: Make) -> String {
    let router = Router::new().route("/", get(async move || Err::<(), _>(make())));
    support::get(&router, "/").await
}

#[tokio::test]
async fn every_error_has_its_status_headers_and_body() {
    let mut all = String::new();
    for (name, make) in ALL {
        writeln!(all, "--- {name}\n{}", answer_of(make).await).unwrap();
    }
    assert_snapshot!(all, @r#"
    --- malformed
    400 Bad Request
    content-type: application/json
    {"code":"generic_error","detail":"The body is not JSON."}
    --- malformed_body
    400 Bad Request
    content-type: application/json
    {"detail":[{"loc":["body","event"],"msg":"must be a string","type":"type_error"}]}
    --- limit_reached
    400 Bad Request
    content-type: application/json
    {"code":"limit_reached","detail":"There are 10 old secrets already."}
    --- authentication_failed
    401 Unauthorized
    content-type: application/json
    www-authenticate: Bearer
    {"code":"authentication_failed","detail":"A valid bearer token or API key is needed."}
    --- unverified login
    401 Unauthorized
    content-type: application/json
    www-authenticate: Basic realm="tidings", charset="UTF-8"
    {"code":"authentication_failed","detail":"The request could not be verified."}
    --- unverified signature
    401 Unauthorized
    content-type: application/json
    www-authenticate: Signature realm="tidings"
    {"code":"authentication_failed","detail":"The request could not be verified."}
    --- insufficient_access
    403 Forbidden
    content-type: application/json
    {"code":"insufficient access","detail":"This credential does not reach this operation."}
    --- not_found
    404 Not Found
    content-type: application/json
    {"code":"not_found","detail":"Not found."}
    --- method_not_allowed
    405 Method Not Allowed
    content-type: application/json
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    --- conflict
    409 Conflict
    content-type: application/json
    {"code":"conflict","detail":"There is one already."}
    --- conflict_retry
    409 Conflict
    content-type: application/json
    retry-after: 2
    {"code":"conflict","detail":"Another request is changing the same at this moment."}
    --- payload_too_large
    413 Payload Too Large
    content-type: application/json
    {"code":"payload_too_large","detail":"The body is larger than 1024 bytes."}
    --- unsupported_media_type
    415 Unsupported Media Type
    content-type: application/json
    {"code":"unsupported_media_type","detail":"The body must be JSON: `content-type: application/json`."}
    --- invalid
    422 Unprocessable Entity
    content-type: application/json
    {"detail":[{"loc":["body","callbackUrl"],"msg":"is required","type":"value_error.missing"}]}
    --- too_many_requests
    429 Too Many Requests
    content-type: application/json
    retry-after: 1
    {"code":"too_many_requests","detail":"Too many requests."}
    --- internal
    500 Internal Server Error
    content-type: application/json
    {"code":"server_error","detail":"Internal error."}
    --- unavailable
    503 Service Unavailable
    content-type: application/json
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    "#);
}

#[tokio::test]
async fn every_code_of_the_openapi_document_is_answered_by_some_error() {
    let schema = serde_json::to_value(ErrorCode::schema()).unwrap();
    let published: HashSet<_> =
        schema["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    let mut answered = HashSet::new();
    for (_, make) in ALL {
        let answer = answer_of(make).await;
        let body: serde_json::Value = serde_json::from_str(answer.lines().last().unwrap()).unwrap();
        answered.extend(body["code"].as_str().map(str::to_owned));
    }
    assert_eq!(answered, published);
}

#[tokio::test]
async fn a_5xx_shows_no_cause_and_logs_it_once_with_its_chain_and_route() {
    #[derive(Debug, thiserror::Error)]
    #[error("the job could not be written")]
    struct Outer(#[source] io::Error);

    for (make, level) in [
        ((|| ApiError::internal(Outer(io::Error::other(SECRET_CAUSE)))) as Make, "ERROR"),
        (|| ApiError::unavailable(Outer(io::Error::other(SECRET_CAUSE))), " WARN"),
    ] {
        let log = support::Log::capture();
        let router = Router::new().route("/webhook/{job}", get(async move || Err::<(), _>(make())));
        let answer = support::get(&router, "/webhook/job_1?token=hidden").await;
        assert!(!answer.contains(SECRET_CAUSE) && !answer.contains("written"), "{answer}");
        let log = log.text();
        let line = log.lines().find(|line| line.starts_with(level)).unwrap();
        assert_eq!(log.matches(SECRET_CAUSE).count(), 1, "{log}");
        assert!(line.contains(&format!("the job could not be written: {SECRET_CAUSE}")), "{line}");
        assert!(line.contains("/webhook/{job}") && line.contains("request_id"), "{line}");
        assert!(!log.contains("hidden"), "{log}");
    }
}

#[tokio::test]
async fn an_answer_lists_a_bounded_number_of_faults() {
    let answer = answer_of(|| {
        ApiError::invalid_body((0..5000).map(|_| Fault::new(FaultKind::Unknown, "is not known here")).collect())
    });
    assert_eq!(answer.await.matches("value_error.extra").count(), tidings_http::MAX_FAULTS);
}

#[test]
fn a_fault_is_also_one_line_for_whoever_keeps_it() {
    let fault = Fault::new(FaultKind::Type, "must be an object").within("3").within("payloads").within("body");
    assert_eq!(fault.to_string(), "body.payloads.3: must be an object");
    assert_eq!(Fault::new(FaultKind::Value, "is empty").to_string(), "is empty");
}
