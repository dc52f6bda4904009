//! The real binary behind a Lambda Runtime API, with the table over HTTP.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::caller::Caller;
use tidings_harness::events::{HttpAnswer, HttpRequest};
use tidings_harness::{Environment, Function, Table};
use tidings_http::credential::{MintOptions, mint};
use tidings_runtime::Clock;

use crate::arrange;
use crate::inbound;
use crate::support::{SECRET, application, organization};

fn unset() -> Function {
    // As in template.yaml.
    Function::new(env!("CARGO_BIN_EXE_api"))
        .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
        .env("TIDINGS_ENCRYPTION_KEY", "an encryption key of the tests that is long enough")
}

fn function(table: &Table) -> Function {
    unset().env("TIDINGS_JWT_SECRET", SECRET).table(table)
}

/// A token that is good now, by the clock that the process has.
fn token(caller: &Caller) -> String {
    let options = MintOptions { caller, now: Clock::system().now(), expires_in: Duration::from_secs(3600) };
    mint(SECRET.as_bytes(), options).unwrap()
}

fn get(path: &str) -> HttpRequest {
    HttpRequest::get(path).bearer(&token(&organization(1)))
}

async fn invoke(environment: &Environment, event: &Value) -> HttpAnswer {
    let answer = environment.invoke(event).await.unwrap_or_else(|error| panic!("{error}: {event}"));
    HttpAnswer::read(&answer).unwrap_or_else(|| panic!("no HTTP answer: {answer}"))
}

/// What is answered to a request, which must be the same through both front doors.
async fn ask(environment: &Environment, request: &HttpRequest) -> HttpAnswer {
    let http = invoke(environment, &request.http_api()).await;
    let rest = invoke(environment, &request.rest_api()).await;
    assert_eq!((http.status, http.json()), (rest.status, rest.json()), "the front doors differ");
    http
}

#[tokio::test]
async fn health_is_answered_without_a_table_or_a_credential() {
    let environment =
        unset().env("TIDINGS_JWT_SECRET", SECRET).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").start().await;
    let answer = ask(&environment, &HttpRequest::get("/api/v1/health")).await;
    assert_eq!((answer.status, answer.body), (204, Vec::new()));
}

#[tokio::test]
async fn jobs_are_read_and_listed_through_both_front_doors() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let job = arrange::failed(table.store(), 1).await;
    arrange::pending(table.store(), 2).await;
    let read = ask(&environment, &get(&format!("/webhook/{}", job.id))).await;
    assert_eq!((read.status, &read.json()["status"]), (200, &json!("failed")));
    let listed = ask(&environment, &get("/webhook").query("status", "failed").query("limit", "1")).await;
    assert_eq!(listed.json()["data"][0]["jobId"], job.id.to_string());
    assert_eq!(listed.json()["done"], true);
    let bad = ask(&environment, &get("/webhook").query("limit", "0")).await;
    assert_eq!(bad.status, 422);
    let twice = ask(&environment, &get("/webhook").query("limit", "1").query("limit", "2")).await;
    assert_eq!(twice.status, 422, "a REST API gives every value of a parameter, too");
}

#[tokio::test]
async fn a_credential_is_looked_at_through_both_front_doors() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let bearers = [(None, 401), (Some("x".to_owned()), 401), (Some(token(&application())), 403)];
    for (bearer, status) in bearers {
        let request = HttpRequest::get("/webhook");
        let request = bearer.into_iter().fold(request, |request, bearer| request.bearer(&bearer));
        assert_eq!(ask(&environment, &request).await.status, status);
    }
}

#[tokio::test]
async fn what_is_changed_by_one_process_is_seen_by_another() {
    let table = Table::start().await;
    let (one, other) = (function(&table).start().await, function(&table).start().await);
    let create = HttpRequest::post("/api/v1/api-key", &json!({"description": "ci"})).bearer(&token(&organization(1)));
    let created = invoke(&one, &create.http_api()).await;
    assert_eq!(created.status, 201);
    let (key, id) = (created.json()["key"].as_str().unwrap().to_owned(), created.json()["id"].clone());
    let list = HttpRequest::get("/api/v1/api-key").bearer(&key).rest_api();
    assert_eq!(invoke(&other, &list).await.json()["data"][0]["id"], id);

    let job = arrange::failed(table.store(), 1).await;
    let retry = HttpRequest::new("POST", &format!("/webhook/{}/retry", job.id)).bearer(&key);
    assert_eq!(invoke(&other, &retry.http_api()).await.status, 202);
    assert_eq!(invoke(&one, &retry.rest_api()).await.status, 409);

    let revoke = HttpRequest::new("DELETE", &format!("/api/v1/api-key/{}", id.as_str().unwrap())).bearer(&key);
    assert_eq!(invoke(&one, &revoke.http_api()).await.status, 204);
    let anew = function(&table).start().await;
    assert_eq!(invoke(&anew, &list).await.status, 401);
}

#[tokio::test]
async fn odd_paths_are_answered_and_end_nothing() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let pid = environment.pid();
    for path in
        ["/webhook/a%20b", "/webhook/%ff", "/webhook/..", "/webhook/%2e%2e/", "//webhook", "/", "/webhook/\u{e4}"]
    {
        for event in [get(path).http_api(), get(path).rest_api()] {
            assert_eq!(invoke(&environment, &event).await.status, 404, "{path}");
        }
    }
    assert_eq!(environment.pid(), pid);
}

#[tokio::test]
async fn the_page_and_the_document_come_as_text() {
    let environment =
        unset().env("TIDINGS_JWT_SECRET", SECRET).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").start().await;
    let page = ask(&environment, &HttpRequest::get("/docs")).await;
    assert_eq!((page.status, page.headers["content-type"].as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.headers.contains_key("content-security-policy"));
    let document = ask(&environment, &HttpRequest::get("/openapi.json")).await;
    assert_eq!(document.body, api::routes::docs::OPENAPI.as_bytes());
    let raw = environment.invoke(&HttpRequest::get("/docs").http_api()).await.unwrap();
    assert_eq!(raw["isBase64Encoded"], false);
}

#[tokio::test]
async fn without_its_secret_it_does_not_start_and_says_so() {
    let table = Table::start().await;
    let environment = unset().table(&table).start().await;
    let error = environment.time_to_first_next().await.unwrap_err();
    assert_snapshot!(error.error_type, @"Runtime.ExitError");
    let logs = environment.logs().join("\n");
    assert!(logs.contains("TIDINGS_JWT_SECRET: must be set"), "{logs}");
}

#[tokio::test]
async fn settings_that_are_wrong_are_all_named() {
    let environment = unset()
        .env("TIDINGS_JWT_SECRET", "hunter2")
        .env("GRACE_SECONDS", "soon")
        .env("TIDINGS_JWKS", "{}")
        .start()
        .await;
    environment.time_to_first_next().await.unwrap_err();
    let logs = environment.logs().join("\n");
    for name in ["TIDINGS_JWT_SECRET", "GRACE_SECONDS"] {
        assert!(logs.contains(name), "{name}: {logs}");
    }
    assert!(!logs.contains("hunter2"), "{logs}");
}

#[tokio::test]
async fn a_bad_table_of_preconfigured_endpoints_stops_the_start_with_all_of_its_faults() {
    let table = Table::start().await;
    let environment = function(&table)
        .env("PRECONFIGURED_ENDPOINTS", r#"[{"suffix":"a/b","eventTypes":[]}]"#)
        .env("PRECONFIGURED_BASE_URL", "https://example.com/?/")
        .start()
        .await;
    environment.time_to_first_next().await.unwrap_err();
    let logs = environment.logs().join("\n");
    for fault in ["[0].suffix", "[0].description", "[0].eventTypes", "PRECONFIGURED_BASE_URL"] {
        assert!(logs.contains(fault), "{fault}: {logs}");
    }
}

#[tokio::test]
async fn with_another_server_it_starts_and_says_that_it_is_not_there() {
    let table = Table::start().await;
    let environment = function(&table)
        .env("SVIX_AUTH_TOKEN", "sk_test.eu")
        .env("SVIX_SERVER_URL", "http://127.0.0.1:9")
        .start()
        .await;
    let answer = ask(&environment, &get("/api/webhooks/status")).await;
    let expected = json!({"enabled": true, "provider": "svix", "healthy": false,
        "error": "the delivery provider refused the connection"});
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn without_its_table_it_answers_503_until_the_table_is_there() {
    let table = Table::start().await;
    let job = arrange::pending(table.store(), 1).await;
    table.unplug().await;
    let environment = function(&table).start().await;
    let read = get(&format!("/webhook/{}", job.id));
    let answer = ask(&environment, &read).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "1"));
    table.plug_in().await;
    assert_eq!(ask(&environment, &read).await.status, 200);
    table.unplug().await;
    assert_eq!(ask(&environment, &read).await.status, 503);
    table.plug_in().await;
    assert_eq!(ask(&environment, &read).await.status, 200);
}

#[tokio::test]
async fn lists_of_enrollments_come_in_and_go_out_as_text_through_both_front_doors() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let source = arrange::source(table.store(), 1, 1, None).await;
    let path = inbound::below(&source, "/enrollments");
    let csv = "user_id,course_id,username\r\n1,2,j\u{e4}ne\r\n";
    let import = HttpRequest::new("POST", &path).bearer(&token(&organization(1))).header("content-type", "text/csv");
    let import = import.body(csv);
    assert_eq!(invoke(&environment, &import.http_api()).await.json()["created"], 1);
    assert_eq!(invoke(&environment, &import.rest_api()).await.json()["rows"][0]["row"], 1);
    for format in ["csv", "ndjson"] {
        let export = get(&format!("{path}/export")).query("format", format);
        let mut texts = Vec::new();
        for event in [export.http_api(), export.rest_api()] {
            let answer = environment.invoke(&event).await.unwrap();
            // A REST API hands Base64 on as it is.
            assert_eq!(answer["isBase64Encoded"], json!(false), "{format}: {answer}");
            texts.push(answer["body"].as_str().unwrap().to_owned());
        }
        assert!(texts[0].contains("j\u{e4}ne"), "{texts:?}");
        assert_eq!(texts[0], texts[1]);
    }
}
