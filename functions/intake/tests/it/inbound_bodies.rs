//! Bodies that cannot be what they are sent as: 400 with every fault, and the request is kept.

use std::fmt::Write as _;

use insta::assert_snapshot;
use tidings_domain::source::SourceKind;

use crate::support::inbound::{DOCEBO_BODY, Sender, new_transaction};
use crate::support::{Service, shown};

/// What a group of so many payloads is sent as.
fn group(payloads: usize) -> String {
    let payloads = vec!["{}"; payloads].join(",");
    format!(r#"{{"message_id":"m","event":"e","fired_by_batch_action":false,"payloads":[{payloads}]}}"#)
}

/// A good request but for its payload.
fn with(payload: &str) -> String {
    format!(r#"{{"message_id":"m","event":"e","fired_by_batch_action":false{payload}}}"#)
}

fn nested(depth: usize) -> String {
    with(&format!(r#","payload":{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)))
}

/// What Docebo is answered to each of these bodies, of which none is accepted and all are kept.
async fn refused(bodies: &[(&str, Vec<u8>)]) -> String {
    let sender = Sender::of(SourceKind::Docebo);
    let mut answers = String::new();
    for (name, body) in bodies {
        let service = Service::start().await;
        let (source, path) = service.source_for(&sender).await;
        let answer = shown(service.send(sender.sends(&path, body.clone())).await).await;
        writeln!(answers, "--- {name}\n{}", answer.replace("},{", "},\n  {")).unwrap();
        let [error] = service.errors(&source).await.try_into().unwrap();
        let kept = &body[..body.len().min(16 * 1024)];
        assert_eq!((error.status, &*error.body, error.body_bytes), (400, kept, body.len()), "{name}");
        let told: serde_json::Value = serde_json::from_str(answer.split_once('\n').unwrap().1).unwrap();
        assert_eq!(error.faults.len(), told["detail"].as_array().unwrap().len(), "{name}");
        assert_eq!(service.count("transaction").await, 0, "{name}");
    }
    answers
}

#[tokio::test]
async fn what_is_no_json_with_one_meaning_is_refused_and_kept() {
    let bodies = [
        ("nothing", b"".to_vec()),
        ("no JSON", b"{".to_vec()),
        ("a form", b"event=a&message_id=b".to_vec()),
        ("two documents", format!("{DOCEBO_BODY}{DOCEBO_BODY}").into_bytes()),
        ("not UTF-8", b"{\"event\":\"\xff\"}".to_vec()),
        ("a byte order mark", [b"\xef\xbb\xbf", DOCEBO_BODY.as_bytes()].concat()),
        ("UTF-16", DOCEBO_BODY.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("half of a character", br#"{"event":"\ud800"}"#.to_vec()),
        ("a property twice", br#"{"event":"a","event":"b"}"#.to_vec()),
        ("a property twice, spelled otherwise", br#"{"event":"a","\u0065vent":"b"}"#.to_vec()),
        ("a property twice in a payload", with(r#","payload":{"user_id":1,"user_id":2}"#).into_bytes()),
        ("a number out of range", with(r#","payload":{"a":1e999}"#).into_bytes()),
        ("nested too deep", nested(64).into_bytes()),
        ("nested without end", "[".repeat(100_000).into_bytes()),
    ];
    assert_snapshot!(refused(&bodies).await, @r#"
    --- nothing
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is empty where JSON is expected.","type":"value_error"}]}
    --- no JSON
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1.","type":"value_error"}]}
    --- a form
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: expected value at line 1 column 1.","type":"value_error"}]}
    --- two documents
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: trailing characters at line 6 column 51.","type":"value_error"}]}
    --- not UTF-8
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not UTF-8 from byte 10 on.","type":"value_error"}]}
    --- a byte order mark
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: expected value at line 1 column 1.","type":"value_error"}]}
    --- UTF-16
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: key must be a string at line 1 column 2.","type":"value_error"}]}
    --- half of a character
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: unexpected end of hex escape at line 1 column 17.","type":"value_error"}]}
    --- a property twice
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: property \"event\" twice in one object at line 1 column 20.","type":"value_error"}]}
    --- a property twice, spelled otherwise
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: property \"event\" twice in one object at line 1 column 25.","type":"value_error"}]}
    --- a property twice in a payload
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: property \"user_id\" twice in one object at line 1 column 92.","type":"value_error"}]}
    --- a number out of range
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: number out of range at line 1 column 80.","type":"value_error"}]}
    --- nested too deep
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: nested more than 64 levels deep at line 1 column 138.","type":"value_error"}]}
    --- nested without end
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"The body is not acceptable JSON: nested more than 64 levels deep at line 1 column 65.","type":"value_error"}]}
    "#);
}

#[tokio::test]
async fn every_fault_of_docebos_body_is_told_and_the_request_is_kept() {
    let long = format!(r#"{{"message_id":"{}","event":"{}"}}"#, "m".repeat(257), "e".repeat(201));
    let bodies = [
        ("null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a text", b"\"{}\"".to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("wrong types", br#"{"message_id":1,"event":null,"fired_by_batch_action":"false","payload":[]}"#.to_vec()),
        ("empty texts", br#"{"message_id":"","event":"","fired_by_batch_action":false,"payload":{}}"#.to_vec()),
        ("long texts", long.into_bytes()),
        ("no payload", with("").into_bytes()),
        ("a payload that is null", with(r#","payload":null"#).into_bytes()),
        ("both", with(r#","payload":{},"payloads":[{}]"#).into_bytes()),
        ("both, and both wrong", with(r#","payload":1,"payloads":{}"#).into_bytes()),
        ("no payloads", group(0).into_bytes()),
        ("26 payloads", group(26).into_bytes()),
        ("payloads that are none", with(r#","payloads":[{},1,null,[],"a",{}]"#).into_bytes()),
    ];
    assert_snapshot!(refused(&bodies).await, @r#"
    --- null
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- a list
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- a text
    400 Bad Request
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- an empty object
    400 Bad Request
    {"detail":[{"loc":["body","message_id"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","event"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","fired_by_batch_action"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","payload"],"msg":"is required, or `payloads`","type":"value_error.missing"}]}
    --- wrong types
    400 Bad Request
    {"detail":[{"loc":["body","message_id"],"msg":"must be a string","type":"type_error"},
      {"loc":["body","event"],"msg":"must be a string","type":"type_error"},
      {"loc":["body","fired_by_batch_action"],"msg":"must be true or false","type":"type_error"},
      {"loc":["body","payload"],"msg":"must be an object","type":"type_error"}]}
    --- empty texts
    400 Bad Request
    {"detail":[{"loc":["body","message_id"],"msg":"must be 1 to 256 characters long","type":"value_error"},
      {"loc":["body","event"],"msg":"must be 1 to 200 characters long","type":"value_error"}]}
    --- long texts
    400 Bad Request
    {"detail":[{"loc":["body","message_id"],"msg":"must be 1 to 256 characters long","type":"value_error"},
      {"loc":["body","event"],"msg":"must be 1 to 200 characters long","type":"value_error"},
      {"loc":["body","fired_by_batch_action"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","payload"],"msg":"is required, or `payloads`","type":"value_error.missing"}]}
    --- no payload
    400 Bad Request
    {"detail":[{"loc":["body","payload"],"msg":"is required, or `payloads`","type":"value_error.missing"}]}
    --- a payload that is null
    400 Bad Request
    {"detail":[{"loc":["body","payload"],"msg":"must be an object","type":"type_error"}]}
    --- both
    400 Bad Request
    {"detail":[{"loc":["body","payloads"],"msg":"must not be there beside `payload`","type":"value_error"}]}
    --- both, and both wrong
    400 Bad Request
    {"detail":[{"loc":["body","payload"],"msg":"must be an object","type":"type_error"},
      {"loc":["body","payloads"],"msg":"must be a list","type":"type_error"},
      {"loc":["body","payloads"],"msg":"must not be there beside `payload`","type":"value_error"}]}
    --- no payloads
    400 Bad Request
    {"detail":[{"loc":["body","payloads"],"msg":"must have 1 to 25 items","type":"value_error"}]}
    --- 26 payloads
    400 Bad Request
    {"detail":[{"loc":["body","payloads"],"msg":"must have 1 to 25 items","type":"value_error"}]}
    --- payloads that are none
    400 Bad Request
    {"detail":[{"loc":["body","payloads","1"],"msg":"must be an object","type":"type_error"},
      {"loc":["body","payloads","2"],"msg":"must be an object","type":"type_error"},
      {"loc":["body","payloads","3"],"msg":"must be an object","type":"type_error"},
      {"loc":["body","payloads","4"],"msg":"must be an object","type":"type_error"}]}
    "#);
}

#[tokio::test]
async fn what_is_just_within_the_rules_is_accepted() {
    let sender = Sender::of(SourceKind::Docebo);
    let longest = format!(
        r#"{{"message_id":"{}","event":"{}","fired_by_batch_action":true,"payload":{{}}}}"#,
        "\u{1f600}".repeat(256),
        "é".repeat(200)
    );
    let service = Service::start().await;
    let (_, path) = service.source_for(&sender).await;
    for (number, body) in [group(1), group(25), nested(62), longest].into_iter().enumerate() {
        let body = body.replace(r#""m""#, &format!("\"m{number}\""));
        new_transaction(service.send(sender.sends(&path, body)).await).await;
    }
    assert_eq!(service.kept().await, (4, 0));
}

#[tokio::test]
async fn a_body_is_not_decompressed_and_its_type_is_not_looked_at() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Docebo);
    let (source, path) = service.source_for(&sender).await;
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];
    let mut request = sender.sends(&path, gzip);
    request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    assert_snapshot!(shown(service.send(request).await).await, @r#"
    400 Bad Request
    {"detail":[{"loc":["header","content-encoding"],"msg":"must be left out: bodies are not decompressed","type":"value_error"},{"loc":["body"],"msg":"The body is not UTF-8 from byte 1 on.","type":"value_error"}]}
    "#);
    let [error] = service.errors(&source).await.try_into().unwrap();
    assert_eq!((&*error.body, error.headers.0[0].1.as_str()), (gzip.as_slice(), "gzip"));
    for types in [vec![], vec!["text/plain"], vec!["application/x-www-form-urlencoded", "x"]] {
        let mut request = sender.request(&path);
        request.headers_mut().remove("content-type");
        request.headers_mut().insert("content-encoding", "Identity".parse().unwrap());
        for one in types {
            request.headers_mut().append("content-type", one.parse().unwrap());
        }
        new_transaction(service.send(request).await).await;
    }
}
