use std::collections::HashSet;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use insta::assert_snapshot;
use tidings_http::{ApiError, ErrorCode, Fault, FaultKind};
use utoipa::PartialSchema as _;

use crate::support;

const SECRET_CAUSE: &str = "table tidings at 10.0.0.7 refused";

type Make = fn() -> ApiError;

/// Every way to make an error, in the order of the statuses.
const ALL: [(&str, Make); 13] = [
    ("malformed", || ApiError::malformed("The body is not JSON.")),
    ("authentication_failed", ApiError::authentication_failed),
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
        all.push_str(&format!("--- {name}\n{}\n", answer_of(make).await));
    }
    assert_snapshot!(all, @"");
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
        let (log, guard) = support::Log::capture();
        let router = Router::new().route("/webhook/{job}", get(async move || Err::<(), _>(make())));
        let answer = support::get(&router, "/webhook/job_1?token=hidden").await;
        drop(guard);
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
