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
    note: Option<Option<String>>,
}

impl FromJson for JobIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let providers: Option<Vec<ProviderId>> = object.required("providers");
        if providers.as_ref().is_some_and(Vec::is_empty) {
            object.refuse("providers", "must not be empty");
        }
        let callback_url = object.required("callbackUrl");
        let note = object.optional("note");
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

#[tokio::test]
async fn a_body_is_read_or_refused_with_everything_that_is_wrong() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let large = format!("{GOOD}{}", " ".repeat(600));
    let cases: [(&str, &[u8]); 24] = [
        ("good", GOOD.as_bytes()),
        ("note is null", br#"{"providers":["gas"],"callbackUrl":"https://example.com/","note":null}"#),
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
        ("no object", b"[]"),
        ("null", b"null"),
        ("nothing in it", b"{}"),
        ("everything wrong", br#"{"providers":"gas","callbackUrl":7,"note":false,"extra":1,"more":{}}"#),
        ("wrong inside", br#"{"providers":["gas",1,"a/b"],"callbackUrl":"ftp://example.com"}"#),
        ("empty list", br#"{"providers":[],"callbackUrl":"https://example.com/"}"#),
    ];
    let mut table = String::new();
    for (name, body) in cases {
        writeln!(table, "--- {name}\n{}", answer(body.to_vec(), Some("application/json")).await).unwrap();
    }
    assert_snapshot!(table, @"");
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
    assert_snapshot!(table, @"");
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
    assert_snapshot!(answer(Body::from_stream(broken), None).await, @"");
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
