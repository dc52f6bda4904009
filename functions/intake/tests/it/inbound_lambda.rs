//! The doors of the real binary, behind both forms of API Gateway.

use serde_json::Value;
use tidings_domain::source::SourceKind;
use tidings_harness::events::{HttpAnswer, HttpRequest};
use tidings_harness::{Environment, Function, Table};
use tidings_runtime::Clock;

use crate::support::inbound::{DOCEBO_BODY, Sender};
use crate::support::{ENCRYPTION_KEY, SECRET, organization};

fn function(table: &Table) -> Function {
    Function::new(env!("CARGO_BIN_EXE_intake"))
        .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
        .env("TIDINGS_JWT_SECRET", SECRET)
        .env("TIDINGS_ENCRYPTION_KEY", ENCRYPTION_KEY)
        .env("INBOUND_ORGANIZATION", organization(1).organization.to_string())
        .table(table)
}

async fn invoke(environment: &Environment, event: &Value) -> HttpAnswer {
    let answer = environment.invoke(event).await.unwrap_or_else(|error| panic!("{error}"));
    HttpAnswer::read(&answer).unwrap_or_else(|| panic!("no HTTP answer: {answer}"))
}

/// What a sender sends now, with a body of its own.
fn request(sender: &Sender, path: &str, body: &[u8]) -> HttpRequest {
    let mut request = HttpRequest::new("POST", path).header("content-type", "application/json").body(body);
    for (name, value) in &sender.headers {
        request = request.header(name, *value);
    }
    for (name, value) in sender.proof(body, Clock::system().now()) {
        request = request.header(name, value);
    }
    request
}

#[tokio::test]
async fn webhooks_of_every_kind_come_through_both_front_doors_byte_for_byte() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    for (number, sender) in (1..).zip(Sender::all()) {
        let source = sender.source(table.store(), number, Some(sender.kind().code())).await;
        let path = format!("/in/{}", source.id);
        let body = format!("\r\n{}\n ", sender.body);
        let sent = request(&sender, &path, body.as_bytes());
        for (event, encoded) in
            [(sent.http_api(), false), (sent.rest_api(), false), (sent.http_api(), true), (sent.rest_api(), true)]
        {
            let mut event = event;
            if encoded {
                use base64::Engine as _;
                event["body"] = base64::prelude::BASE64_STANDARD.encode(&body).into();
                event["isBase64Encoded"] = true.into();
            }
            let answer = invoke(&environment, &event).await;
            assert_eq!(answer.status, 200, "{} {}", sender.kind(), String::from_utf8_lossy(&answer.body));
            let id = answer.json()["newTransaction"]["id"].as_str().unwrap().parse().unwrap();
            let now = Clock::system().now();
            let kept = table.store().transaction_by_id(&source, id, now).await.unwrap().unwrap();
            assert_eq!((&*kept.body, kept.event.as_str()), (body.as_bytes(), sender.event));
        }
    }
    let docebo = Sender::of(SourceKind::Docebo);
    let other = DOCEBO_BODY.replace("wh-2024", "wh-2025");
    let sent = request(&docebo, "/transaction", other.as_bytes());
    assert_eq!(invoke(&environment, &sent.http_api()).await.status, 200);
    assert_eq!(invoke(&environment, &sent.rest_api()).await.headers["idempotent-replayed"], "true");
}

#[tokio::test]
async fn refusals_and_questions_come_through_both_front_doors_and_no_secret_is_logged() {
    let table = Table::start().await;
    let docebo = Sender::of(SourceKind::Docebo);
    docebo.source(table.store(), 1, Some("docebo")).await;
    let github = Sender::of(SourceKind::Github);
    let source = github.source(table.store(), 2, None).await;
    let path = format!("/in/{}", source.id);
    let environment = function(&table).start().await;
    let not_text = request(&docebo, "/transaction", b"{\"event\":\"\xff\"}");
    let forged =
        |value: &str| HttpRequest::new("POST", "/transaction").header("authorization", value).body(DOCEBO_BODY);
    let unsigned = || HttpRequest::new("POST", &path).header("x-hub-signature-256", "sha256=5ec4e7").body("{}");
    for (request, status) in [
        (not_text, 400),
        (request(&docebo, "/transaction", b""), 400),
        (request(&docebo, "/transaction", &vec![b' '; 300_000]), 413),
        (request(&docebo, "/transaction", &vec![b' '; 2 * 1024 * 1024]), 413),
        (forged("Basic c2VjcmV0Om9mIHNvbWVib2R5"), 401),
        // As an HTTP API joins two of them.
        (forged("Basic ZG9jZWJvOmh1bnRlcjI6IGEgcGFzcw==").header("authorization", "Basic eDp5"), 401),
        (unsigned(), 401),
        (HttpRequest::new("POST", "/in/nobody").body("{}"), 404),
        (HttpRequest::get(&path).query("hub.challenge", "1158201444"), 200),
        (HttpRequest::get(&path).query("hub.challenge", "1").query("hub.verify_token", "guessed"), 401),
        (HttpRequest::get("/transaction"), 200),
        (HttpRequest::new("DELETE", "/transaction"), 405),
    ] {
        for event in [request.http_api(), request.rest_api()] {
            let answer = invoke(&environment, &event).await;
            assert_eq!(answer.status, status, "{event:.400}");
            if request.http_api().to_string().contains("1158201444") {
                assert_eq!(
                    (&*answer.body, &*answer.headers["content-type"]),
                    (b"1158201444".as_slice(), "text/plain; charset=utf-8")
                );
            }
        }
    }
    let logs = environment.logs().join("\n");
    assert!(logs.contains("inbound request was not verified") && logs.contains("/in/{source}"), "{logs}");
    for secret in
        ["hunter2", "ZG9jZWJv", "c2VjcmV0", "5ec4e7", "guessed", "1158201444", "jane", "13250", "nobody", "Secret to"]
    {
        assert!(!logs.contains(secret), "{secret}: {logs}");
    }
}

#[tokio::test]
async fn without_an_inbound_organization_sources_are_known_by_their_ids_only() {
    let table = Table::start().await;
    let docebo = Sender::of(SourceKind::Docebo);
    let source = docebo.source(table.store(), 1, Some("docebo")).await;
    let environment = function(&table).env("INBOUND_ORGANIZATION", "").start().await;
    for (path, status) in [("/transaction", 404), ("/in/docebo", 404), (&*format!("/in/{}", source.id), 200)] {
        let sent = request(&docebo, path, DOCEBO_BODY.as_bytes());
        assert_eq!(invoke(&environment, &sent.http_api()).await.status, status, "{path}");
    }
}
