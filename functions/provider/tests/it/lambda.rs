//! The real binary behind a Lambda Runtime API.

use insta::assert_snapshot;
use tidings_harness::Function;
use tidings_harness::events::{HttpAnswer, HttpRequest};

fn function() -> Function {
    // As in template.yaml.
    Function::new(env!("CARGO_BIN_EXE_provider")).env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
}

#[tokio::test]
async fn both_front_doors_reach_the_route() {
    let environment = function().env("FAILURE_PROBABILITY", "0").start().await;
    let request = HttpRequest::get("/providers/gas");
    for event in [request.http_api(), request.rest_api()] {
        let answer = HttpAnswer::read(&environment.invoke(&event).await.unwrap()).unwrap();
        assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/json"));
        assert_eq!(answer.json()[0]["amount"], 22.27);
    }
}

#[tokio::test]
async fn a_failure_on_purpose_is_an_answer_and_not_an_error_of_the_function() {
    let environment = function().env("FAILURE_PROBABILITY", "1").start().await;
    let answer = environment.invoke(&HttpRequest::get("/providers/gas").http_api()).await.unwrap();
    let answer = HttpAnswer::read(&answer).unwrap();
    assert_eq!((answer.status, &*answer.body), (500, b"#fail".as_slice()));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn half_of_the_requests_fail_where_nothing_is_set() {
    let environment = function().start().await;
    let mut statuses = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let answer = environment.invoke(&HttpRequest::get("/providers/internet").http_api()).await.unwrap();
        statuses.insert(HttpAnswer::read(&answer).unwrap().status);
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 500]);
}

#[tokio::test]
async fn a_share_that_is_none_keeps_it_from_starting() {
    let environment = function().env("FAILURE_PROBABILITY", "1.5").start().await;
    let error = environment.time_to_first_next().await.unwrap_err();
    assert_snapshot!(error.error_type, @"Runtime.ExitError");
    let logs = environment.logs().join("\n");
    assert!(logs.contains("FAILURE_PROBABILITY: must be a number from 0 to 1"), "{logs}");
}
