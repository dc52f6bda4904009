use std::fmt::Write as _;

use axum::body::Body;
use complete::router;
use http::Request;
use http_body_util::BodyExt as _;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const PATH: &str = "/complete";

async fn send(request: Request<Body>) -> (u16, String) {
    let (parts, body) = tidings_http::finish(router()).oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (parts.status.as_u16(), String::from_utf8(body).unwrap())
}

async fn post(body: impl Into<Body>) -> (u16, String) {
    send(Request::post(PATH).header("content-type", "application/json").body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_callback_is_answered_with_what_it_says() {
    let (status, body) =
        post(r#"{"jobId":"job_1","data":[{"providerId":"gas","data":[{"amount":22.27},30,null]}]}"#).await;
    assert_eq!(status, 200);
    assert_snapshot!(body, @r#"{"message":{"jobId":"job_1","data":[{"providerId":"gas","data":[{"amount":22.27},30,null]}]}}"#);
}

#[tokio::test]
async fn what_it_says_is_not_changed_on_the_way() {
    for payload in [
        json!({"jobId": "", "data": []}),
        json!({"jobId": "\u{1f514} \"quoted\" \\", "data": [[], {}, "", 0, -1, 1.5, true, null, {"z": 1, "a": {"b": []}}]}),
        json!({"jobId": "job_1", "data": [u64::MAX, i64::MIN, 0.1, 1e300, 22.27]}),
    ] {
        let (status, body) = post(payload.to_string()).await;
        assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, json!({"message": payload})));
    }
}

#[tokio::test]
async fn exactly_these_two_properties_are_taken() {
    let mut answers = String::new();
    for body in [
        json!({}),
        json!([]),
        json!(null),
        json!({"jobId": "job_1"}),
        json!({"data": []}),
        json!({"jobId": 1, "data": {}}),
        json!({"jobId": null, "data": null}),
        json!({"jobId": ["job_1"], "data": "[]"}),
        json!({"jobId": "job_1", "data": [], "status": "complete"}),
        json!({"jobid": "job_1", "Data": []}),
    ] {
        let (status, answer) = post(body.to_string()).await;
        writeln!(answers, "{body}\n  {status} {answer}").unwrap();
    }
    assert_snapshot!(answers, @r#"
    {}
      422 {"detail":[{"loc":["body","jobId"],"msg":"is required","type":"value_error.missing"},{"loc":["body","data"],"msg":"is required","type":"value_error.missing"}]}
    []
      422 {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    null
      422 {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    {"jobId":"job_1"}
      422 {"detail":[{"loc":["body","data"],"msg":"is required","type":"value_error.missing"}]}
    {"data":[]}
      422 {"detail":[{"loc":["body","jobId"],"msg":"is required","type":"value_error.missing"}]}
    {"jobId":1,"data":{}}
      422 {"detail":[{"loc":["body","jobId"],"msg":"must be a string","type":"type_error"},{"loc":["body","data"],"msg":"must be a list","type":"type_error"}]}
    {"jobId":null,"data":null}
      422 {"detail":[{"loc":["body","jobId"],"msg":"must be a string","type":"type_error"},{"loc":["body","data"],"msg":"must be a list","type":"type_error"}]}
    {"jobId":["job_1"],"data":"[]"}
      422 {"detail":[{"loc":["body","jobId"],"msg":"must be a string","type":"type_error"},{"loc":["body","data"],"msg":"must be a list","type":"type_error"}]}
    {"jobId":"job_1","data":[],"status":"complete"}
      422 {"detail":[{"loc":["body","status"],"msg":"is not known here","type":"value_error.extra"}]}
    {"jobid":"job_1","Data":[]}
      422 {"detail":[{"loc":["body","jobId"],"msg":"is required","type":"value_error.missing"},{"loc":["body","data"],"msg":"is required","type":"value_error.missing"},{"loc":["body","jobid"],"msg":"is not known here","type":"value_error.extra"},{"loc":["body","Data"],"msg":"is not known here","type":"value_error.extra"}]}
    "#);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_like_everywhere() {
    for (body, expected) in [("", 400), ("{", 400), (r#"{"jobId":"a","jobId":"b","data":[]}"#, 400)] {
        assert_eq!(post(body).await.0, expected, "{body}");
    }
    assert_eq!(post(" ".repeat(300_000)).await.0, 413);
    let text = Request::post(PATH).header("content-type", "text/plain").body(Body::from("{}")).unwrap();
    assert_eq!(send(text).await.0, 415);
    assert_eq!(send(Request::get(PATH).body(Body::empty()).unwrap()).await.0, 405);
    assert_eq!(send(Request::post("/").body(Body::empty()).unwrap()).await.0, 404);
}

#[tokio::test]
async fn no_credential_is_needed_and_none_is_looked_at() {
    let request = Request::post(PATH).header("authorization", "Bearer nonsense");
    let (status, _) = send(request.body(r#"{"jobId":"job_1","data":[]}"#.into()).unwrap()).await;
    assert_eq!(status, 200);
}
