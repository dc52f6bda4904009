//! Messages that are refused: each with its status and every fault by name. Nothing of them is written.

use std::fmt::Write as _;

use axum::body::Body;
use insta::assert_snapshot;
use serde_json::json;
use tidings_domain::message::{MAX_PAYLOAD_BYTES, RETENTION};

use crate::support::{NOW, Service, post_message, shown};

async fn table<B: Into<Body>>(cases: impl IntoIterator<Item = (&'static str, B)>) -> String {
    let service = Service::start().await;
    service.acme().await;
    let mut table = String::new();
    for (name, body) in cases {
        writeln!(table, "--- {name}\n{}", service.message(body).await).unwrap();
    }
    assert_eq!(service.count("message").await, 0, "something was written");
    table
}

fn with(more: &serde_json::Value) -> String {
    let mut body = json!({"eventType": "a", "payload": {}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

/// A body whose payload is an object of so many bytes.
fn large(bytes: usize) -> String {
    let payload = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
    assert_eq!(payload.len(), bytes);
    format!(r#"{{"eventType":"a","payload":{payload}}}"#)
}

#[tokio::test]
async fn what_is_not_json_with_one_meaning_is_400() {
    let deep = |levels: usize| {
        format!(r#"{{"eventType":"a","payload":{{"a":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", b"".to_vec()),
        ("cut off", br#"{"eventType":"a","payload":{"#.to_vec()),
        ("not UTF-8 in the payload", b"{\"eventType\":\"a\",\"payload\":{\"a\":\"\xff\"}}".to_vec()),
        ("a property twice in the payload", br#"{"eventType":"a","payload":{"a":1,"a":2}}"#.to_vec()),
        ("a property twice deep inside", br#"{"eventType":"a","payload":{"a":[{"b":1,"\u0062":2}]}}"#.to_vec()),
        ("two payloads", br#"{"eventType":"a","payload":{},"payload":{"a":1}}"#.to_vec()),
        ("two payloads in two spellings", br#"{"eventType":"a","payload":{},"\u0070ayload":{"a":1}}"#.to_vec()),
        ("half of a pair", br#"{"eventType":"a","payload":{"a":"\ud800"}}"#.to_vec()),
        ("too deep", deep(63).into_bytes()),
        ("a hundred thousand levels", deep(100_000).into_bytes()),
        ("a comment", br#"{"eventType":"a","payload":{/**/}}"#.to_vec()),
        ("no number", br#"{"eventType":"a","payload":{"a":NaN}}"#.to_vec()),
    ];
    assert_snapshot!(table(cases).await, @r#"
    --- nothing
    400 Bad Request
    {"code":"generic_error","detail":"The body is empty where JSON is expected."}
    --- cut off
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 28."}
    --- not UTF-8 in the payload
    400 Bad Request
    {"code":"generic_error","detail":"The body is not UTF-8 from byte 33 on."}
    --- a property twice in the payload
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: in property \"payload\", counted from its start: property \"a\" twice in one object at line 1 column 10."}
    --- a property twice deep inside
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: in property \"payload\", counted from its start: property \"b\" twice in one object at line 1 column 21."}
    --- two payloads
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: property \"payload\" twice in one object at line 1 column 48."}
    --- two payloads in two spellings
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: property \"payload\" twice in one object at line 1 column 53."}
    --- half of a pair
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: in property \"payload\", counted from its start: unexpected end of hex escape at line 1 column 13."}
    --- too deep
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: in property \"payload\", counted from its start: nested more than 64 levels deep at line 1 column 69."}
    --- a hundred thousand levels
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: in property \"payload\", counted from its start: nested more than 64 levels deep at line 1 column 68."}
    --- a comment
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: key must be a string at line 1 column 29."}
    --- no number
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: expected value at line 1 column 33."}
    "#);
    let service = Service::start().await;
    service.acme().await;
    assert!(service.message(deep(62)).await.starts_with("202"), "as deep as it may be");
}

#[tokio::test]
async fn a_payload_of_more_than_256_kib_is_413() {
    let service = Service::start().await;
    service.acme().await;
    assert!(service.message(large(MAX_PAYLOAD_BYTES)).await.starts_with("202"), "the largest");
    assert_snapshot!(service.message(large(MAX_PAYLOAD_BYTES + 1)).await, @r#"
    413 Payload Too Large
    {"code":"payload_too_large","detail":"The body is larger than 262144 bytes."}
    "#);
    assert_snapshot!(service.message(large(2 * MAX_PAYLOAD_BYTES)).await, @r#"
    413 Payload Too Large
    {"code":"payload_too_large","detail":"The body is larger than 327680 bytes."}
    "#);
    let said = post_message("acme").header("content-length", "100000000").body(Body::empty()).unwrap();
    assert!(shown(service.send(said).await).await.starts_with("413"), "unread");
    let padded = format!("{}{}", large(100), " ".repeat(300_000));
    assert!(service.message(padded).await.starts_with("202"), "white space around it is not part of it");
    assert_eq!(service.count("message").await, 2);
}

#[tokio::test]
async fn what_breaks_rules_is_422_with_everything_that_is_wrong() {
    let names = |count: usize| (0..count).map(|number| format!("n{number}")).collect::<Vec<_>>();
    assert_snapshot!(table([
        ("a list", "[]".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("a payload that is no object", json!({"eventType": "a", "payload": []}).to_string()),
        ("a payload that is null", json!({"eventType": "a", "payload": null}).to_string()),
        ("a payload that is a text", json!({"eventType": "a", "payload": "{}"}).to_string()),
        ("other types", with(&json!({"eventType": 1, "eventId": 2, "channels": 3, "tags": 4, "application": 5}))),
        ("no names", with(&json!({"eventType": "a b", "eventId": "", "channels": ["a", "b#"], "tags": ["\u{e9}"]}))),
        ("no channels", with(&json!({"channels": []}))),
        ("too many", with(&json!({"channels": names(6), "tags": names(9)}))),
        ("repeats", with(&json!({"channels": ["a", "a"], "tags": ["b", "b"]}))),
        ("too long", with(&json!({"eventType": "a".repeat(257), "eventId": "a".repeat(257)}))),
        ("kept too shortly", with(&json!({"payloadRetentionPeriod": 4}))),
        ("kept too long", with(&json!({"payloadRetentionPeriod": 91}))),
        ("hours", with(&json!({"payloadRetentionHours": 119}))),
        ("two lengths", with(&json!({"payloadRetentionPeriod": 5, "payloadRetentionHours": 121}))),
        ("what peers can", with(&json!({"transformationsParams": {}, "deliverAt": "2030-01-01T00:00:00Z"}))),
        ("what nobody knows", with(&json!({"data": {}, "event_type": "b"}))),
        ("an application without a name", with(&json!({"application": {"uid": "a", "throttleRate": 0, "x": 1}}))),
    ])
    .await, @r#"
    --- a list
    422 Unprocessable Entity
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- an empty object
    422 Unprocessable Entity
    {"detail":[{"loc":["body","eventType"],"msg":"is required","type":"value_error.missing"},{"loc":["body","payload"],"msg":"is required","type":"value_error.missing"}]}
    --- a payload that is no object
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payload"],"msg":"must be an object","type":"type_error"}]}
    --- a payload that is null
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payload"],"msg":"must be an object","type":"type_error"}]}
    --- a payload that is a text
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payload"],"msg":"must be an object","type":"type_error"}]}
    --- other types
    422 Unprocessable Entity
    {"detail":[{"loc":["body","eventType"],"msg":"must be a string","type":"type_error"},{"loc":["body","eventId"],"msg":"must be a string","type":"type_error"},{"loc":["body","channels"],"msg":"must be a list","type":"type_error"},{"loc":["body","tags"],"msg":"must be a list","type":"type_error"},{"loc":["body","application"],"msg":"must be an object","type":"type_error"}]}
    --- no names
    422 Unprocessable Entity
    {"detail":[{"loc":["body","eventType"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["body","eventId"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["body","channels","1"],"msg":"must be 1 to 128 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["body","tags","0"],"msg":"must be 1 to 128 letters, digits, `-`, `_` or `.`","type":"value_error"}]}
    --- no channels
    422 Unprocessable Entity
    {"detail":[{"loc":["body","channels"],"msg":"must have 1 to 5 items","type":"value_error"}]}
    --- too many
    422 Unprocessable Entity
    {"detail":[{"loc":["body","channels"],"msg":"must have 1 to 5 items","type":"value_error"},{"loc":["body","tags"],"msg":"must have 0 to 8 items","type":"value_error"}]}
    --- repeats
    422 Unprocessable Entity
    {"detail":[{"loc":["body","channels","1"],"msg":"is there twice","type":"value_error"},{"loc":["body","tags","1"],"msg":"is there twice","type":"value_error"}]}
    --- too long
    422 Unprocessable Entity
    {"detail":[{"loc":["body","eventType"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["body","eventId"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"}]}
    --- kept too shortly
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payloadRetentionPeriod"],"msg":"must be 5 to 90","type":"value_error"}]}
    --- kept too long
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payloadRetentionPeriod"],"msg":"must be 5 to 90","type":"value_error"}]}
    --- hours
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payloadRetentionHours"],"msg":"must be 120 to 2160","type":"value_error"}]}
    --- two lengths
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payloadRetentionHours"],"msg":"must be as long as `payloadRetentionPeriod`, or left out","type":"value_error"}]}
    --- what peers can
    422 Unprocessable Entity
    {"detail":[{"loc":["body","transformationsParams"],"msg":"is not supported: leave it out, or null","type":"value_error"},{"loc":["body","deliverAt"],"msg":"is not supported: leave it out, or null","type":"value_error"}]}
    --- what nobody knows
    422 Unprocessable Entity
    {"detail":[{"loc":["body","data"],"msg":"is not known here","type":"value_error.extra"},{"loc":["body","event_type"],"msg":"is not known here","type":"value_error.extra"}]}
    --- an application without a name
    422 Unprocessable Entity
    {"detail":[{"loc":["body","application","name"],"msg":"is required","type":"value_error.missing"},{"loc":["body","application","throttleRate"],"msg":"must be 1 to 65535","type":"value_error"},{"loc":["body","application","x"],"msg":"is not known here","type":"value_error.extra"}]}
    "#);
}

#[tokio::test]
async fn an_application_to_make_has_the_paths_uid() {
    let service = Service::start().await;
    let body = with(&json!({"application": {"name": "Acme", "uid": "other"}}));
    assert_snapshot!(service.message(body).await, @r#"
    422 Unprocessable Entity
    {"detail":[{"loc":["body","application","uid"],"msg":"must be the uid in the path, or be left out","type":"value_error"}]}
    "#);
    assert_eq!(service.written().await, "", "something was written");
}

#[tokio::test]
async fn a_payload_is_kept_5_to_90_days_said_in_days_or_hours() {
    let service = Service::start().await;
    let acme = service.acme().await;
    for (said, days) in [
        (json!({}), 90),
        (json!({"payloadRetentionPeriod": 5}), 5),
        (json!({"payloadRetentionPeriod": 90}), 90),
        (json!({"payloadRetentionHours": 120}), 5),
        (json!({"payloadRetentionHours": 2160}), 90),
        (json!({"payloadRetentionPeriod": 6, "payloadRetentionHours": 144}), 6),
    ] {
        let answer = post_message("acme").body(with(&said).into()).unwrap();
        let answer = service.send(answer).await;
        assert_eq!(answer.status(), 202, "{said}");
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        let id = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["id"].as_str().unwrap().parse().unwrap();
        let stored = service.table.store().message(acme.organization, acme.id, id, NOW).await.unwrap().unwrap();
        assert_eq!(stored.payload_until, NOW + RETENTION / 90 * days, "{said}");
    }
}
