//! How webhooks are named by their senders: what is missing, and what is too long.

use std::fmt::Write as _;

use http::HeaderValue;
use insta::assert_snapshot;
use tidings_domain::source::SourceKind;

use crate::support::inbound::Sender;
use crate::support::{Service, shown};

#[tokio::test]
async fn what_a_kind_must_have_and_has_not_is_told_beside_what_is_wrong_with_the_body() {
    let mut answers = String::new();
    for kind in SourceKind::ALL {
        let mut sender = Sender::of(kind);
        if kind != SourceKind::Standard {
            // Without it no request of that kind is signed.
            sender.headers.clear();
        }
        for body in ["{}", "{"] {
            let service = Service::start().await;
            let (_, path) = service.source_for(&sender).await;
            let answer = shown(service.send(sender.sends(&path, body)).await).await;
            let answer = if answer.starts_with("200") { "200 OK".to_owned() } else { answer.replace("},{", "},\n  {") };
            writeln!(answers, "--- {kind} {body}\n{answer}").unwrap();
        }
    }
    assert_snapshot!(answers, @r#"
    --- docebo {}
    400 Bad Request
    {"detail":[{"loc":["body","message_id"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","event"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","fired_by_batch_action"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","payload"],"msg":"is required, or `payloads`","type":"value_error.missing"}]}
    --- docebo {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"}]}
    --- generic {}
    200 OK
    --- generic {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"}]}
    --- github {}
    400 Bad Request
    {"detail":[{"loc":["header","x-github-delivery"],"msg":"is required","type":"value_error.missing"}]}
    --- github {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"},
      {"loc":["header","x-github-delivery"],"msg":"is required","type":"value_error.missing"}]}
    --- none {}
    200 OK
    --- none {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"}]}
    --- shopify {}
    400 Bad Request
    {"detail":[{"loc":["header","x-shopify-webhook-id"],"msg":"is required","type":"value_error.missing"}]}
    --- shopify {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"},
      {"loc":["header","x-shopify-webhook-id"],"msg":"is required","type":"value_error.missing"}]}
    --- slack {}
    200 OK
    --- slack {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"}]}
    --- standard {}
    200 OK
    --- standard {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"}]}
    --- stripe {}
    400 Bad Request
    {"detail":[{"loc":["body","id"],"msg":"is required","type":"value_error.missing"}]}
    --- stripe {
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"}]}
    "#);
}

#[tokio::test]
async fn ids_and_events_have_bounds_wherever_they_stand() {
    let mut answers = String::new();
    let (id, event) = ("i".repeat(257), "e".repeat(201));
    for (kind, header, value) in [
        (SourceKind::Github, "x-github-delivery", &id),
        (SourceKind::Github, "x-github-event", &event),
        (SourceKind::Shopify, "x-shopify-webhook-id", &String::new()),
        (SourceKind::Generic, "x-thing-id", &id),
        (SourceKind::Generic, "x-thing-event", &event),
    ] {
        let service = Service::start().await;
        let sender = Sender::of(kind);
        let (_, path) = service.source_for(&sender).await;
        let mut request = sender.request(&path);
        request.headers_mut().insert(header, value.parse().unwrap());
        writeln!(answers, "--- {header}\n{}", shown(service.send(request).await).await).unwrap();
        for other in [HeaderValue::from_static("another"), HeaderValue::from_bytes(b"\xff").unwrap()] {
            let mut request = sender.request(&path);
            request.headers_mut().append(header, other);
            let answer = shown(service.send(request).await).await;
            assert!(answer.starts_with("400") && answer.contains("must be there once"), "{header}: {answer}");
        }
    }
    for (kind, body) in [
        (SourceKind::Stripe, format!(r#"{{"id":"{id}","type":"{event}"}}"#)),
        (SourceKind::Stripe, r#"{"id":7,"type":7}"#.to_owned()),
        (SourceKind::Slack, r#"{"event_id":"","event":[]}"#.to_owned()),
        (SourceKind::Slack, format!(r#"{{"event":{{"type":"{event}"}}}}"#)),
        (SourceKind::None, format!(r#"{{"event":"{event}"}}"#)),
    ] {
        let service = Service::start().await;
        let sender = Sender::of(kind);
        let (_, path) = service.source_for(&sender).await;
        let answer = shown(service.send(sender.sends(&path, body)).await).await;
        writeln!(answers, "--- {kind}\n{answer}").unwrap();
    }
    assert_snapshot!(answers, @r#"
    --- x-github-delivery
    400 Bad Request
    {"detail":[{"loc":["header","x-github-delivery"],"msg":"must be 1 to 256 characters long","type":"value_error"}]}
    --- x-github-event
    400 Bad Request
    {"detail":[{"loc":["header","x-github-event"],"msg":"must be at most 200 characters long","type":"value_error"}]}
    --- x-shopify-webhook-id
    400 Bad Request
    {"detail":[{"loc":["header","x-shopify-webhook-id"],"msg":"must be 1 to 256 characters long","type":"value_error"}]}
    --- x-thing-id
    400 Bad Request
    {"detail":[{"loc":["header","x-thing-id"],"msg":"must be 1 to 256 characters long","type":"value_error"}]}
    --- x-thing-event
    400 Bad Request
    {"detail":[{"loc":["header","x-thing-event"],"msg":"must be at most 200 characters long","type":"value_error"}]}
    --- stripe
    400 Bad Request
    {"detail":[{"loc":["body","id"],"msg":"must be 1 to 256 characters long","type":"value_error"},{"loc":["body","type"],"msg":"must be at most 200 characters long","type":"value_error"}]}
    --- stripe
    400 Bad Request
    {"detail":[{"loc":["body","id"],"msg":"must be a string","type":"type_error"}]}
    --- slack
    400 Bad Request
    {"detail":[{"loc":["body","event_id"],"msg":"must be 1 to 256 characters long","type":"value_error"}]}
    --- slack
    400 Bad Request
    {"detail":[{"loc":["body","event","type"],"msg":"must be at most 200 characters long","type":"value_error"}]}
    --- none
    400 Bad Request
    {"detail":[{"loc":["body","event"],"msg":"must be at most 200 characters long","type":"value_error"}]}
    "#);
}
