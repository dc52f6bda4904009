//! The real binary behind a Lambda Runtime API, with the table over HTTP.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::ids::JobId;
use tidings_domain::job::JobStatus;
use tidings_harness::events::{HttpAnswer, HttpRequest};
use tidings_harness::{Environment, Fault, Function, Rule, Table};
use tidings_http::credential::{MintOptions, mint};
use tidings_runtime::Clock;

use crate::support::{ENCRYPTION_KEY, GOOD, SECRET, organization, redact};

fn function(table: &Table) -> Function {
    // As in template.yaml.
    Function::new(env!("CARGO_BIN_EXE_intake"))
        .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
        .env("TIDINGS_JWT_SECRET", SECRET)
        .env("TIDINGS_ENCRYPTION_KEY", ENCRYPTION_KEY)
        .table(table)
}

fn token() -> String {
    let options =
        MintOptions { caller: &organization(1), now: Clock::system().now(), expires_in: Duration::from_secs(3600) };
    mint(SECRET.as_bytes(), options).unwrap()
}

fn request() -> HttpRequest {
    HttpRequest::new("POST", "/webhook").bearer(&token()).header("content-type", "application/json").body(GOOD)
}

async fn invoke(environment: &Environment, event: &Value) -> HttpAnswer {
    let answer = environment.invoke(event).await.unwrap_or_else(|error| panic!("{error}"));
    HttpAnswer::read(&answer).unwrap_or_else(|| panic!("no HTTP answer: {answer}"))
}

/// That an answer names a job which the table holds.
async fn accepted(table: &Table, answer: &HttpAnswer) -> JobId {
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let id: JobId = answer.json()["jobId"].as_str().unwrap().parse().unwrap();
    assert_eq!(answer.headers["location"], format!("/webhook/{id}"));
    let now = Clock::system().now();
    let stored = table.store().job(organization(1).organization, id, now).await.unwrap().unwrap();
    assert_eq!((stored.job.status, stored.records.len()), (JobStatus::Pending, 2));
    id
}

#[tokio::test]
async fn both_front_doors_accept_jobs_into_the_table_with_a_warm_process() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let pid = environment.pid();
    let mut jobs = Vec::new();
    for event in [request().http_api(), request().rest_api(), request().http_api()] {
        jobs.push(accepted(&table, &invoke(&environment, &event).await).await);
    }
    jobs.dedup();
    assert_eq!(jobs.len(), 3);
    assert_eq!(environment.pid(), pid, "one process answered all of them");
    assert_eq!(table.meter().count("TransactWriteItems"), 3, "one call for each job");
}

#[tokio::test]
async fn a_body_in_base64_is_the_same_body() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    for mut event in [request().http_api(), request().rest_api()] {
        event["body"] = BASE64_STANDARD.encode(GOOD).into();
        event["isBase64Encoded"] = true.into();
        accepted(&table, &invoke(&environment, &event).await).await;
    }
    let binary = request().body(b"{\"providers\":[\"\xff\"]}".as_slice());
    for event in [binary.http_api(), binary.rest_api()] {
        assert_eq!(event["isBase64Encoded"], true);
        let answer = invoke(&environment, &event).await;
        assert_eq!((answer.status, &answer.json()["detail"]), (400, &json!("The body is not UTF-8 from byte 15 on.")));
    }
}

#[tokio::test]
async fn the_stage_is_no_part_of_a_rest_apis_path() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let mut event = request().rest_api();
    event["requestContext"]["stage"] = "webhook".into();
    accepted(&table, &invoke(&environment, &event).await).await;
    // What API Gateway's own console sends.
    event["requestContext"]["stage"] = "test-invoke-stage".into();
    accepted(&table, &invoke(&environment, &event).await).await;
}

#[tokio::test]
async fn an_idempotency_key_comes_through_both_front_doors() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let keyed = request().header("Idempotency-Key", "order 17");
    let first = accepted(&table, &invoke(&environment, &keyed.http_api()).await).await;
    let again = invoke(&environment, &keyed.rest_api()).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(accepted(&table, &again).await, first);
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_not_an_error_of_the_function() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let requests = [
        (HttpRequest::new("POST", "/webhook").body(GOOD), 401),
        (request().body("{"), 400),
        (request().body("{}"), 422),
        (HttpRequest::get("/webhook").bearer(&token()), 405),
        (HttpRequest::new("POST", "/nowhere").bearer(&token()), 404),
        (HttpRequest::new("POST", "/webhook").bearer(&token()).header("content-type", "text/plain").body(GOOD), 415),
        (request().body(format!("{GOOD}{}", " ".repeat(300_000))), 413),
        // No body at all.
        (HttpRequest::new("POST", "/webhook").bearer(&token()), 400),
    ];
    for (request, status) in requests {
        for event in [request.http_api(), request.rest_api()] {
            let answer = invoke(&environment, &event).await;
            assert_eq!(answer.status, status, "{event}");
            assert_eq!(answer.headers["content-type"], "application/json", "{event}");
        }
    }
    let too_large = [request().body(vec![b' '; 5 * 1024 * 1024])];
    assert_eq!(invoke(&environment, &too_large[0].http_api()).await.status, 413);
}

#[tokio::test]
async fn what_is_no_http_request_is_an_error_and_the_next_request_is_answered() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    for event in [json!({}), json!([]), json!("text"), tidings_harness::events::schedule()] {
        let error = environment.invoke(&event).await;
        assert!(error.is_err(), "{event} is answered with {error:?}");
    }
    accepted(&table, &invoke(&environment, &request().http_api()).await).await;
}

#[tokio::test]
async fn settings_that_are_wrong_keep_it_from_starting_and_are_all_named() {
    let table = Table::start().await;
    let environment = function(&table)
        .env("TIDINGS_JWT_SECRET", "hunter2")
        .env("GRACE_SECONDS", "0")
        .env("EGRESS_ALLOW", "everything")
        .env("PROVIDERS", "gas,,internet")
        .start()
        .await;
    let error = environment.time_to_first_next().await.unwrap_err();
    assert_snapshot!(error.error_type, @"Runtime.ExitError");
    let logs = environment.logs().join("\n");
    for name in ["TIDINGS_JWT_SECRET", "GRACE_SECONDS", "EGRESS_ALLOW", "PROVIDERS"] {
        assert!(logs.contains(name), "{name}: {logs}");
    }
    assert!(!logs.contains("hunter2") && !logs.contains("everything"), "{logs}");
}

#[tokio::test]
async fn without_its_table_it_starts_and_answers_503_until_the_table_is_there() {
    let table = Table::start().await;
    table.unplug().await;
    let environment = function(&table).start().await;
    let answer = invoke(&environment, &request().http_api()).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "1"));
    assert_snapshot!(String::from_utf8(answer.body).unwrap(), @r#"{"code":"unavailable","detail":"The service cannot answer right now."}"#);
    table.plug_in().await;
    accepted(&table, &invoke(&environment, &request().http_api()).await).await;
    // And when it goes away in between.
    table.unplug().await;
    assert_eq!(invoke(&environment, &request().rest_api()).await.status, 503);
    table.plug_in().await;
    accepted(&table, &invoke(&environment, &request().rest_api()).await).await;
}

#[tokio::test]
async fn a_table_that_throttles_or_refuses_is_an_answer_too() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    for (fault, status) in [(Fault::Throttled, 503), (Fault::InternalError, 503), (Fault::Refused, 500)] {
        table.faults().inject(Rule::new(fault));
        assert_eq!(invoke(&environment, &request().http_api()).await.status, status, "{fault:?}");
        table.faults().clear();
    }
    accepted(&table, &invoke(&environment, &request().http_api()).await).await;
}

#[tokio::test]
async fn it_logs_a_line_of_json_for_a_request_and_nothing_that_is_secret() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let answer = invoke(&environment, &request().query("secret", "hunter2").http_api()).await;
    let id = accepted(&table, &answer).await.to_string();
    tidings_harness::eventually("the line is there", || !environment.logs_with(r#""message":"request""#).is_empty())
        .await;
    let lines = environment.logs_with(r#""message":"request""#);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let mut line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["request_id"], *answer.headers["x-request-id"], "who has the answer finds the line");
    // The span is the runtime's own: its request id, and the trace.
    for name in ["duration_ms", "request_id", "span", "timestamp"] {
        assert!(line.as_object_mut().unwrap().remove(name).is_some(), "{name}: {line}");
    }
    assert_snapshot!(redact(&line.to_string()), @r#"{"status":201,"level":"INFO","message":"request","target":"tidings_http::app","method":"POST","route":"/webhook"}"#);
    let all = environment.logs().join("\n");
    for secret in [SECRET, &token()[..40], "hunter2", "example.com", &id] {
        assert!(!all.contains(secret), "{secret} is in the log: {all}");
    }
}
