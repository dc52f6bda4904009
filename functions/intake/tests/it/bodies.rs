//! Bodies that are refused: each with its status and every fault by name. Nothing of them is written.

use std::fmt::Write as _;

use axum::body::Body;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{GOOD, Service, post, shown};

async fn table<B: Into<Body>>(cases: impl IntoIterator<Item = (&'static str, B)>) -> String {
    let service = Service::start().await;
    let mut table = String::new();
    for (name, body) in cases {
        writeln!(table, "--- {name}\n{}", service.post(body).await).unwrap();
    }
    assert_eq!(service.written().await, "", "something was written");
    table
}

fn with(providers: &serde_json::Value, callback_url: &serde_json::Value) -> String {
    json!({"providers": providers, "callbackUrl": callback_url}).to_string()
}

fn asking(providers: &serde_json::Value) -> String {
    with(providers, &"https://example.com/complete".into())
}

#[tokio::test]
async fn what_is_not_json_is_400() {
    let cases: [(&str, &[u8]); 9] = [
        ("nothing", b""),
        ("a form", b"providers=gas&callbackUrl=https://example.com"),
        ("cut off", br#"{"providers":["gas""#),
        ("something behind it", br#"{"providers":["gas"],"callbackUrl":"https://example.com"} {}"#),
        ("not UTF-8", b"{\"providers\":[\"g\xffs\"]}"),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("a property twice", br#"{"providers":["gas"],"callbackUrl":"https://a.example","providers":["internet"]}"#),
        ("a property twice, spelled in two ways", br#"{"callbackUrl":"https://a.example","callback\u0055rl":"x"}"#),
        ("a number out of range", b"[1e400]"),
    ];
    assert_snapshot!(table(cases).await, @r#"
    --- nothing
    400 Bad Request
    {"code":"generic_error","detail":"The body is empty where JSON is expected."}
    --- a form
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: expected value at line 1 column 1."}
    --- cut off
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing a list at line 1 column 19."}
    --- something behind it
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: trailing characters at line 1 column 59."}
    --- not UTF-8
    400 Bad Request
    {"code":"generic_error","detail":"The body is not UTF-8 from byte 16 on."}
    --- a byte order mark
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: expected value at line 1 column 1."}
    --- a property twice
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: property \"providers\" twice in one object at line 1 column 66."}
    --- a property twice, spelled in two ways
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: property \"callbackUrl\" twice in one object at line 1 column 53."}
    --- a number out of range
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: number out of range at line 1 column 6."}
    "#);
}

#[tokio::test]
async fn what_is_nested_too_deep_is_400() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let inside = |levels| GOOD.replace(r#""gas""#, &nested(levels));
    let cases = [("65 lists", nested(65)), ("a hundred thousand lists", nested(100_000)), ("inside", inside(63))];
    assert_snapshot!(table(cases).await, @r#"
    --- 65 lists
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: nested more than 64 levels deep at line 1 column 66."}
    --- a hundred thousand lists
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: nested more than 64 levels deep at line 1 column 65."}
    --- inside
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: nested more than 64 levels deep at line 1 column 78."}
    "#);
    // What is deep, and not too deep, is looked at.
    assert!(Service::start().await.post(nested(64)).await.starts_with("422"));
}

#[tokio::test]
async fn what_is_too_large_is_413_said_or_not() {
    let service = Service::start().await;
    let padded = |bytes: usize| format!("{GOOD}{}", " ".repeat(bytes - GOOD.len()));
    let said = post().header("content-length", (256 * 1024 + 1).to_string()).body(Body::empty()).unwrap();
    let answers = [service.post(padded(256 * 1024 + 1)).await, shown(service.send(said).await).await];
    assert_snapshot!(answers[0], @r#"
    413 Payload Too Large
    {"code":"payload_too_large","detail":"The body is larger than 262144 bytes."}
    "#);
    assert_eq!(answers[0], answers[1]);
    assert!(service.post(padded(256 * 1024)).await.starts_with("201"));
    assert_eq!(service.jobs().await, 1);
}

#[tokio::test]
async fn what_says_that_it_is_not_json_is_415() {
    let service = Service::start().await;
    let mut answers = String::new();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""] {
        let mut request = post().body(Body::from(GOOD)).unwrap();
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        writeln!(answers, "--- {content_type:?}\n{}", shown(service.send(request).await).await).unwrap();
    }
    assert_snapshot!(answers, @r#"
    --- "text/plain"
    415 Unsupported Media Type
    {"code":"unsupported_media_type","detail":"The body must be JSON: `content-type: application/json`."}
    --- "application/x-www-form-urlencoded"
    415 Unsupported Media Type
    {"code":"unsupported_media_type","detail":"The body must be JSON: `content-type: application/json`."}
    --- "application/xml"
    415 Unsupported Media Type
    {"code":"unsupported_media_type","detail":"The body must be JSON: `content-type: application/json`."}
    --- "json"
    415 Unsupported Media Type
    {"code":"unsupported_media_type","detail":"The body must be JSON: `content-type: application/json`."}
    --- ""
    415 Unsupported Media Type
    {"code":"unsupported_media_type","detail":"The body must be JSON: `content-type: application/json`."}
    "#);
    for content_type in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/cloudevents+json"] {
        let mut request = post().body(Body::from(GOOD)).unwrap();
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        assert!(shown(service.send(request).await).await.starts_with("201"), "{content_type}");
    }
}

#[tokio::test]
async fn a_body_without_a_content_type_is_taken_as_json() {
    let mut request = post().body(Body::from(GOOD)).unwrap();
    request.headers_mut().remove("content-type");
    assert!(shown(Service::start().await.send(request).await).await.starts_with("201"));
}

#[tokio::test]
async fn what_has_other_types_or_properties_is_422() {
    let url = json!("https://example.com/complete");
    assert_snapshot!(table([
        ("a list", "[]".to_owned()),
        ("null", "null".to_owned()),
        ("a text", r#""gas""#.to_owned()),
        ("an empty object", "{}".to_owned()),
        ("one property missing", json!({"providers": ["gas"]}).to_string()),
        ("null in place of values", with(&json!(null), &json!(null))),
        ("other types", with(&json!("gas"), &json!(["https://example.com"]))),
        ("other types inside", asking(&json!([1, null, ["gas"], "gas"]))),
        ("a property in another spelling", json!({"Providers": ["gas"], "callbackURL": url}).to_string()),
        ("more properties", json!({"providers": ["gas"], "callbackUrl": url, "data": 1, "id": 2}).to_string()),
    ])
    .await, @r#"
    --- a list
    422 Unprocessable Entity
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- null
    422 Unprocessable Entity
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- a text
    422 Unprocessable Entity
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- an empty object
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers"],"msg":"is required","type":"value_error.missing"},{"loc":["body","callbackUrl"],"msg":"is required","type":"value_error.missing"}]}
    --- one property missing
    422 Unprocessable Entity
    {"detail":[{"loc":["body","callbackUrl"],"msg":"is required","type":"value_error.missing"}]}
    --- null in place of values
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers"],"msg":"must be a list","type":"type_error"},{"loc":["body","callbackUrl"],"msg":"must be a string","type":"type_error"}]}
    --- other types
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers"],"msg":"must be a list","type":"type_error"},{"loc":["body","callbackUrl"],"msg":"must be a string","type":"type_error"}]}
    --- other types inside
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers","0"],"msg":"must be a string","type":"type_error"},{"loc":["body","providers","1"],"msg":"must be a string","type":"type_error"},{"loc":["body","providers","2"],"msg":"must be a string","type":"type_error"}]}
    --- a property in another spelling
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers"],"msg":"is required","type":"value_error.missing"},{"loc":["body","callbackUrl"],"msg":"is required","type":"value_error.missing"},{"loc":["body","Providers"],"msg":"is not known here","type":"value_error.extra"},{"loc":["body","callbackURL"],"msg":"is not known here","type":"value_error.extra"}]}
    --- more properties
    422 Unprocessable Entity
    {"detail":[{"loc":["body","data"],"msg":"is not known here","type":"value_error.extra"},{"loc":["body","id"],"msg":"is not known here","type":"value_error.extra"}]}
    "#);
}

#[tokio::test]
async fn providers_that_cannot_be_asked_are_422() {
    let many: Vec<_> = (0..51).map(|number| format!("p{number}")).collect();
    assert_snapshot!(table([
        ("none", asking(&json!([]))),
        ("unknown ones", asking(&json!(["gas", "water", "GAS"]))),
        ("repeats", asking(&json!(["gas", "internet", "gas", "gas"]))),
        ("unknown repeats", asking(&json!(["water", "water"]))),
        ("no names", asking(&json!(["", "a/b", "../gas", "gas ", "g\u{e4}s", "a".repeat(65)]))),
    ])
    .await, @r#"
    --- none
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers"],"msg":"must name at least one provider","type":"value_error"}]}
    --- unknown ones
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers","1"],"msg":"is not a known provider","type":"value_error"},{"loc":["body","providers","2"],"msg":"is not a known provider","type":"value_error"}]}
    --- repeats
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers","2"],"msg":"is named twice","type":"value_error"},{"loc":["body","providers","3"],"msg":"is named twice","type":"value_error"}]}
    --- unknown repeats
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers","0"],"msg":"is not a known provider","type":"value_error"},{"loc":["body","providers","1"],"msg":"is not a known provider","type":"value_error"}]}
    --- no names
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers","0"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"},{"loc":["body","providers","1"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"},{"loc":["body","providers","2"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"},{"loc":["body","providers","3"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"},{"loc":["body","providers","4"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"},{"loc":["body","providers","5"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"}]}
    "#);
    let too_many = table([("too many", asking(&json!(many)))]).await;
    assert!(too_many.starts_with("--- too many\n422"), "{too_many}");
    assert!(too_many.contains(r#"{"loc":["body","providers"],"msg":"must name at most 50 providers""#), "{too_many}");
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let body =
        json!({"providers": ["gas", "gas", 7, "water", "a/b"], "callbackUrl": "http://127.0.0.1/", "x": 1, "y": 2});
    assert_snapshot!(table([("all of it", body.to_string())]).await.replace("},{", "},\n{"), @r#"
    --- all of it
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers","1"],"msg":"is named twice","type":"value_error"},
    {"loc":["body","providers","2"],"msg":"must be a string","type":"type_error"},
    {"loc":["body","providers","3"],"msg":"is not a known provider","type":"value_error"},
    {"loc":["body","providers","4"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"},
    {"loc":["body","callbackUrl"],"msg":"the host is not a public address","type":"value_error"},
    {"loc":["body","x"],"msg":"is not known here","type":"value_error.extra"},
    {"loc":["body","y"],"msg":"is not known here","type":"value_error.extra"}]}
    "#);
}

#[tokio::test]
async fn an_answer_lists_a_hundred_faults_at_most_and_long_names_cut() {
    let service = Service::start().await;
    let faulty = asking(&json!(vec!["?"; 10_000]));
    let answer = service.post(faulty).await;
    assert_eq!(answer.matches(r#""loc""#).count(), 100);
    let named = json!({"a".repeat(10_000): 1, "providers": ["gas"], "callbackUrl": "https://example.com"}).to_string();
    let answer = service.post(named).await;
    assert!(answer.len() < 300, "{answer}");
}
