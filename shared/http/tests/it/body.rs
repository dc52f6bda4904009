use std::fmt::Write as _;

use axum::body::Body;
use axum::routing::post;
use axum::{Extension, Router};
use futures::stream;
use http::Request;
use insta::assert_snapshot;
use serde_json::Value;
use tidings_domain::job::ProviderId;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{BodyLimit, Fault, FromJson, Json, Object};

use crate::support::{send, shown};

struct JobIn {
    providers: Vec<ProviderId>,
    callback_url: WebhookUrl,
    note: Option<String>,
}

impl FromJson for JobIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let providers: Option<Vec<ProviderId>> = object.required("providers");
        if providers.as_ref().is_some_and(Vec::is_empty) {
            object.refuse("providers", "must not be empty");
        }
        let callback_url = object.required("callbackUrl");
        let note = object.optional::<Option<String>>("note").flatten();
        object.finish(|| Some(Self { providers: providers?, callback_url: callback_url?, note }))
    }
}

async fn show(Json { value, raw }: Json<JobIn>) -> String {
    let JobIn { providers, callback_url, note } = value;
    format!("{providers:?} {callback_url:?} {note:?} from {} bytes", raw.len())
}

fn router() -> Router {
    Router::new().route("/", post(show)).layer(Extension(BodyLimit(600)))
}

async fn answer(body: impl Into<Body>, content_type: Option<&str>) -> String {
    let mut request = Request::post("/");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    shown(send(&router(), request.body(body.into()).unwrap()).await).await.replace("content-type: ", "")
}

const GOOD: &str = r#"{"providers":["gas","internet"],"callbackUrl":"https://example.com/complete"}"#;

async fn table(cases: &[(&str, &[u8])]) -> String {
    let mut table = String::new();
    for (name, body) in cases {
        writeln!(table, "--- {name}\n{}", answer(body.to_vec(), Some("application/json")).await).unwrap();
    }
    table
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_with_the_place() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let large = format!("{GOOD}{}", " ".repeat(600));
    let table = table(&[
        ("empty", b""),
        ("white space", b"  "),
        ("not JSON", b"providers=gas"),
        ("cut off", br#"{"providers":["gas""#),
        ("something behind it", br"{} {}"),
        ("comment", b"{} // really"),
        ("single quotes", b"{'providers': []}"),
        ("NaN", b"[NaN]"),
        ("a number out of range", b"[1e400]"),
        ("not UTF-8", b"{\"providers\":[\"\xff\"]}"),
        ("half of a surrogate pair", br#"["\ud800"]"#),
        ("byte order mark", b"\xef\xbb\xbf{}"),
        ("too deep", deep.as_bytes()),
        ("too large", large.as_bytes()),
        ("a property twice", br#"{"providers":["gas"],"providers":["internet"]}"#),
        ("a property twice, spelled in two ways", br#"{"a":1,"\u0061":2}"#),
    ])
    .await;
    assert_snapshot!(table, @r#"
    --- empty
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is empty where JSON is expected."}
    --- white space
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing a value at line 1 column 2."}
    --- not JSON
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: expected value at line 1 column 1."}
    --- cut off
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing a list at line 1 column 19."}
    --- something behind it
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: trailing characters at line 1 column 4."}
    --- comment
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: trailing characters at line 1 column 4."}
    --- single quotes
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: key must be a string at line 1 column 2."}
    --- NaN
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: expected value at line 1 column 2."}
    --- a number out of range
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: number out of range at line 1 column 6."}
    --- not UTF-8
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not UTF-8 from byte 15 on."}
    --- half of a surrogate pair
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: unexpected end of hex escape at line 1 column 9."}
    --- byte order mark
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: expected value at line 1 column 1."}
    --- too deep
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: nested more than 64 levels deep at line 1 column 65."}
    --- too large
    413 Payload Too Large
    application/json
    {"code":"payload_too_large","detail":"The body is larger than 600 bytes."}
    --- a property twice
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: property \"providers\" twice in one object at line 1 column 32."}
    --- a property twice, spelled in two ways
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body is not acceptable JSON: property \"a\" twice in one object at line 1 column 15."}
    "#);
}

#[tokio::test]
async fn a_body_that_breaks_rules_is_refused_with_all_of_its_faults() {
    let table = table(&[
        ("good", GOOD.as_bytes()),
        ("note is null", br#"{"providers":["gas"],"callbackUrl":"https://example.com/","note":null}"#),
        ("no object", b"[]"),
        ("null", b"null"),
        ("nothing in it", b"{}"),
        ("everything wrong", br#"{"providers":"gas","callbackUrl":7,"note":false,"extra":1,"more":{}}"#),
        ("wrong inside", br#"{"providers":["gas",1,"a/b"],"callbackUrl":"ftp://example.com"}"#),
        ("empty list", br#"{"providers":[],"callbackUrl":"https://example.com/"}"#),
    ])
    .await;
    assert_snapshot!(table, @r#"
    --- good
    200 OK
    text/plain; charset=utf-8
    [ProviderId("gas"), ProviderId("internet")] https://example.com/complete None from 77 bytes
    --- note is null
    200 OK
    text/plain; charset=utf-8
    [ProviderId("gas")] https://example.com/ None from 70 bytes
    --- no object
    422 Unprocessable Entity
    application/json
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- null
    422 Unprocessable Entity
    application/json
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- nothing in it
    422 Unprocessable Entity
    application/json
    {"detail":[{"loc":["body","providers"],"msg":"is required","type":"value_error.missing"},{"loc":["body","callbackUrl"],"msg":"is required","type":"value_error.missing"}]}
    --- everything wrong
    422 Unprocessable Entity
    application/json
    {"detail":[{"loc":["body","providers"],"msg":"must be a list","type":"type_error"},{"loc":["body","callbackUrl"],"msg":"must be a string","type":"type_error"},{"loc":["body","note"],"msg":"must be a string","type":"type_error"},{"loc":["body","extra"],"msg":"is not known here","type":"value_error.extra"},{"loc":["body","more"],"msg":"is not known here","type":"value_error.extra"}]}
    --- wrong inside
    422 Unprocessable Entity
    application/json
    {"detail":[{"loc":["body","providers","1"],"msg":"must be a string","type":"type_error"},{"loc":["body","providers","2"],"msg":"must be 1 to 64 letters, digits, `_` or `-`","type":"value_error"},{"loc":["body","callbackUrl"],"msg":"must start with http:// or https://","type":"value_error"}]}
    --- empty list
    422 Unprocessable Entity
    application/json
    {"detail":[{"loc":["body","providers"],"msg":"must not be empty","type":"value_error"}]}
    "#);
}

#[tokio::test]
async fn a_body_that_is_said_to_be_something_else_is_refused() {
    let mut table = String::new();
    for content_type in [
        None,
        Some("application/json"),
        Some("Application/JSON; charset=utf-8"),
        Some("application/cloudevents+json"),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("text/json"),
        Some("application/jsonp"),
        Some("json"),
        Some(""),
    ] {
        let answer = answer(GOOD, content_type).await;
        writeln!(table, "{content_type:?}: {}", answer.lines().next().unwrap()).unwrap();
    }
    assert_snapshot!(table, @r#"
    None: 200 OK
    Some("application/json"): 200 OK
    Some("Application/JSON; charset=utf-8"): 200 OK
    Some("application/cloudevents+json"): 200 OK
    Some("text/plain"): 415 Unsupported Media Type
    Some("application/x-www-form-urlencoded"): 415 Unsupported Media Type
    Some("text/json"): 415 Unsupported Media Type
    Some("application/jsonp"): 415 Unsupported Media Type
    Some("json"): 415 Unsupported Media Type
    Some(""): 415 Unsupported Media Type
    "#);
}

#[tokio::test]
async fn a_body_without_a_length_is_not_read_beyond_the_limit() {
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>("[".repeat(100)));
    let answer = answer(Body::from_stream(endless), None).await;
    assert!(answer.starts_with("413"), "{answer}");
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_large_is_not_read() {
    let never = stream::pending::<Result<&str, std::io::Error>>();
    let request = Request::post("/").header("content-length", "601").body(Body::from_stream(never)).unwrap();
    assert_eq!(send(&router(), request).await.status(), 413);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_callers_fault() {
    let broken = stream::iter([Ok("{"), Err(std::io::Error::other("connection reset"))]);
    assert_snapshot!(answer(Body::from_stream(broken), None).await, @r#"
    400 Bad Request
    application/json
    {"code":"generic_error","detail":"The body ended before its time."}
    "#);
}

#[tokio::test]
async fn names_that_are_given_back_are_cut() {
    let body = format!(r#"{{"{}":1}}"#, "é".repeat(250));
    let answer = answer(body, None).await;
    assert_eq!(answer.matches('é').count(), 100, "{answer}");
}

#[tokio::test]
async fn a_route_that_does_not_say_takes_256_kib() {
    let router = Router::new().route("/", post(async |_: Json<Value>| "in"));
    for (bytes, status) in [(256 * 1024, 200), (256 * 1024 + 1, 413)] {
        let body = format!("\"{}\"", "x".repeat(bytes - 2));
        let response = send(&router, Request::post("/").body(Body::from(body)).unwrap()).await;
        assert_eq!(response.status(), status, "{bytes}");
    }
}
