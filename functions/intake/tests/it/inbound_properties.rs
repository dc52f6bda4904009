//! Whatever is sent: nothing vanishes, and nothing makes the door fall.

use axum::body::Body;
use http::{HeaderValue, Request};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use crate::support::Service;
use crate::support::inbound::{DOCEBO_BODY, Sender};

/// Bodies that look like what they are not.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"event\":"),
        Just("\"type\":"),
        Just("\"message_id\":"),
        Just("\"payload\":"),
        Just("\"payloads\":"),
        Just("\"fired_by_batch_action\":"),
        Just("\"id\":"),
        Just("\"event_id\":"),
        Just("\"challenge\":"),
        Just("\"url_verification\""),
        Just("\"a\""),
        Just("true"),
        Just("null"),
        Just("{}"),
        Just("[{}]"),
        Just("1e5"),
        Just("-0"),
        Just(" "),
        Just("\\u0000"),
    ];
    let noise = proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes()),
        noise,
        // A good one with some bytes of it changed.
        proptest::collection::vec((0..DOCEBO_BODY.len(), any::<u8>()), 1..5).prop_map(|changes| {
            let mut body = DOCEBO_BODY.as_bytes().to_vec();
            for (place, byte) in changes {
                body[place] = byte;
            }
            body
        }),
        (0..DOCEBO_BODY.len()).prop_map(|end| DOCEBO_BODY.as_bytes()[..end].to_vec()),
    ]
}

/// A service with a source of every kind, each with its kind as its uid.
async fn service() -> Service {
    let service = Service::start().await;
    for (number, sender) in (1..).zip(Sender::all()) {
        sender.source(service.table.store(), number, Some(sender.kind().code())).await;
    }
    service
}

/// A text as a header's value, if it can be one.
fn value(bytes: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(bytes).ok()
}

#[test]
fn whatever_a_sender_signs_is_a_transaction_or_a_transaction_error() {
    let runtime = Runtime::new().unwrap();
    let senders: Vec<_> = Sender::all();
    let service = runtime.block_on(service());
    let outcome =
        TestRunner::new(ProptestConfig::with_cases(300)).run(&(any_body(), 0..senders.len()), |(body, sender)| {
            let sender = &senders[sender];
            let path = format!("/in/{}", sender.kind());
            let before = runtime.block_on(service.kept());
            let status = runtime.block_on(service.send(sender.sends(&path, body.clone()))).status().as_u16();
            let after = runtime.block_on(service.kept());
            let gained = (after.0 - before.0, after.1 - before.1);
            let fits = match status {
                200 => gained == (1, 0) || gained == (0, 0),
                400 | 409 => gained == (0, 1),
                _ => false,
            };
            prop_assert!(fits, "{} {status} {gained:?}", sender.kind());
            Ok(())
        });
    outcome.unwrap();
}

#[test]
fn whatever_stands_in_a_header_is_an_answer() {
    const NAMES: [&str; 16] = [
        "authorization",
        "content-encoding",
        "content-length",
        "stripe-signature",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-github-delivery",
        "x-github-event",
        "x-hub-signature-256",
        "x-shopify-hmac-sha256",
        "x-shopify-webhook-id",
        "x-slack-request-timestamp",
        "x-slack-signature",
        "x-thing-id",
        "x-thing-signature",
    ];
    let runtime = Runtime::new().unwrap();
    let senders: Vec<_> = Sender::all();
    let service = runtime.block_on(service());
    let text = prop_oneof![
        any::<Vec<u8>>(),
        "(Basic |v0=|v1,|t=|sha256=)?[a-zA-Z0-9+/=:,. ]{0,80}".prop_map(String::into_bytes),
        "[0-9]{0,25}".prop_map(String::into_bytes),
    ];
    let changes = proptest::collection::vec((0..NAMES.len(), text, any::<bool>()), 1..4);
    let outcome =
        TestRunner::new(ProptestConfig::with_cases(500)).run(&(changes, 0..senders.len()), |(all, sender)| {
            let mut request = senders[sender].request(&format!("/in/{}", senders[sender].kind()));
            for (name, text, is_more) in all {
                let Some(value) = value(&text) else { continue };
                if is_more {
                    request.headers_mut().append(NAMES[name], value);
                } else {
                    request.headers_mut().insert(NAMES[name], value);
                }
            }
            let status = runtime.block_on(service.send(request)).status().as_u16();
            prop_assert!(matches!(status, 200 | 400 | 401 | 409 | 413), "{status}");
            Ok(())
        });
    outcome.unwrap();
}

#[test]
fn whatever_is_asked_is_an_answer_that_no_browser_runs() {
    let runtime = Runtime::new().unwrap();
    let service = runtime.block_on(service());
    let part = prop_oneof![
        Just("challenge=".to_owned()),
        Just("hub.challenge=".to_owned()),
        Just("hub.verify_token=".to_owned()),
        Just("&".to_owned()),
        "[!-~&&[^#]]{0,20}",
        "(%[0-9A-F]{2}){0,8}",
    ];
    let query = proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat());
    let outcome = TestRunner::new(ProptestConfig::with_cases(500)).run(&query, |query| {
        let Ok(request) = Request::get(format!("/in/github?{query}")).body(Body::empty()) else { return Ok(()) };
        let response = runtime.block_on(service.send(request));
        let (status, headers) = (response.status().as_u16(), response.headers());
        prop_assert!(matches!(status, 200 | 400 | 401), "{status}");
        let is_data =
            ["application/json", "text/plain; charset=utf-8"].contains(&headers["content-type"].to_str().unwrap());
        prop_assert!(is_data && headers["x-content-type-options"] == "nosniff", "{headers:?}");
        Ok(())
    });
    outcome.unwrap();
}
