use std::fmt::Write as _;

use axum::body::Body;
use axum::routing::post;
use axum::{Extension, Router};
use http::Request;
use insta::assert_snapshot;
use tidings_http::{BodyLimit, Fault, FromJsonAround, JsonAround, Object, RawMember};

use crate::support::{send, shown};

struct MessageIn {
    event_type: String,
    payload: RawMember,
}

impl FromJsonAround for MessageIn {
    const RAW: &'static str = "payload";

    fn from_json_around(mut rest: Object, raw: Option<RawMember>) -> Result<Self, Vec<Fault>> {
        let event_type = rest.required("eventType");
        let payload = rest.required_object("payload", raw);
        rest.finish(|| Some(Self { event_type: event_type?, payload: payload? }))
    }
}

async fn show(JsonAround { value: MessageIn { event_type, payload }, raw }: JsonAround<MessageIn>) -> String {
    format!("{event_type} {:?} of {} bytes", payload.bytes, raw.len())
}

async fn answer(body: &str, content_type: &str) -> String {
    let router = Router::new().route("/", post(show)).layer(Extension(BodyLimit(200)));
    let request = Request::post("/").header("content-type", content_type).body(Body::from(body.to_owned())).unwrap();
    let answer = shown(send(&router, request).await).await;
    format!("{} {}", answer.lines().next().unwrap(), answer.lines().last().unwrap())
}

#[tokio::test]
async fn one_property_stays_as_it_was_sent() {
    let mut table = String::new();
    for body in [
        r#"{"eventType":"a","payload":{ "b":1.0 ,"a":[] }}"#,
        r#"{"payload":{},"eventType":"a"}"#,
        r#"{"eventType":"a"}"#,
        r#"{"eventType":"a","payload":[{}]}"#,
        r#"{"eventType":1,"payload":null,"more":true}"#,
        r"[]",
        r#""payload""#,
        "",
        r#"{"eventType":"a","payload":{"a":1,"a":2}}"#,
        r#"{"eventType":"a","payload":{}"#,
    ] {
        writeln!(table, "{body}\n  {}", answer(body, "application/json").await).unwrap();
    }
    assert_snapshot!(table, @r#"
    {"eventType":"a","payload":{ "b":1.0 ,"a":[] }}
      200 OK a b"{ \"b\":1.0 ,\"a\":[] }" of 47 bytes
    {"payload":{},"eventType":"a"}
      200 OK a b"{}" of 30 bytes
    {"eventType":"a"}
      422 Unprocessable Entity {"detail":[{"loc":["body","payload"],"msg":"is required","type":"value_error.missing"}]}
    {"eventType":"a","payload":[{}]}
      422 Unprocessable Entity {"detail":[{"loc":["body","payload"],"msg":"must be an object","type":"type_error"}]}
    {"eventType":1,"payload":null,"more":true}
      422 Unprocessable Entity {"detail":[{"loc":["body","eventType"],"msg":"must be a string","type":"type_error"},{"loc":["body","payload"],"msg":"must be an object","type":"type_error"},{"loc":["body","more"],"msg":"is not known here","type":"value_error.extra"}]}
    []
      422 Unprocessable Entity {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    "payload"
      422 Unprocessable Entity {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}

      400 Bad Request {"code":"generic_error","detail":"The body is empty where JSON is expected."}
    {"eventType":"a","payload":{"a":1,"a":2}}
      400 Bad Request {"code":"generic_error","detail":"The body is not acceptable JSON: in property \"payload\", counted from its start: property \"a\" twice in one object at line 1 column 10."}
    {"eventType":"a","payload":{}
      400 Bad Request {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 29."}
    "#);
}

#[tokio::test]
async fn the_rules_for_bodies_hold() {
    let body = format!(r#"{{"eventType":"a","payload":{{"a":"{}"}}}}"#, "x".repeat(200));
    assert!(answer(&body, "application/json").await.starts_with("413"));
    assert!(answer("{}", "text/plain").await.starts_with("415"));
}
