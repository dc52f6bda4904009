use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderValue, Request};
use insta::assert_snapshot;
use tidings_http::{RequestId, finish};
use tower::ServiceExt as _;

use crate::support::{Log, get as get_from, send, shown};

#[expect(clippy::panic, reason = "what is tested")]
async fn panics() {
    panic!("the secret is 17");
}

fn router() -> Router {
    Router::new()
        .route("/webhook/{job}", get(async || "a job").delete(async || "gone"))
        .route("/webhook", post(async || "made"))
        .route("/panic", get(panics))
        .route("/page", get(async || ([("cache-control", "max-age=60")], "a page")))
}

#[tokio::test]
async fn an_unknown_route_is_404_with_our_body() {
    assert_snapshot!(get_from(&router(), "/nowhere").await, @r#"
    404 Not Found
    content-type: application/json
    {"code":"not_found","detail":"Not found."}
    "#);
}

#[tokio::test]
async fn a_wrong_method_is_405_with_our_body_and_the_methods_that_are_allowed() {
    let request = Request::put("/webhook/job_1").body(Body::empty()).unwrap();
    assert_snapshot!(shown(send(&router(), request).await).await, @r#"
    405 Method Not Allowed
    content-type: application/json
    allow: GET,HEAD,DELETE
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    "#);
}

#[tokio::test]
async fn a_panic_is_500_with_our_body_and_logged() {
    let log = Log::capture();
    let answer = get_from(&router(), "/panic").await;
    assert_snapshot!(answer, @r#"
    500 Internal Server Error
    content-type: application/json
    {"code":"server_error","detail":"Internal error."}
    "#);
    let log = log.text();
    assert_eq!(log.matches("a handler panicked: the secret is 17").count(), 1, "{log}");
    assert!(log.contains("ERROR") && log.contains("status=500"), "{log}");
}

#[tokio::test]
async fn every_request_is_one_line_of_the_log_without_its_query_path_or_headers() {
    let log = Log::capture();
    for path in ["/webhook/job_1?key=hidden", "/nowhere/hidden"] {
        let request = Request::get(path).header("authorization", "Bearer hidden").body(Body::empty()).unwrap();
        send(&router(), request).await;
    }
    let log = log.text();
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(!log.contains("hidden") && !log.contains("job_1"), "{log}");
    let fields = |line: &str| {
        let mut fields: Vec<_> = line.split_whitespace().filter(|field| field.contains('=')).collect();
        fields.retain(|field| !field.starts_with("duration_ms=") && !field.starts_with("request_id="));
        fields.join(" ")
    };
    assert_eq!(log.matches("duration_ms=").count(), 2, "{log}");
    assert_snapshot!(log.lines().map(fields).collect::<Vec<_>>().join("\n"), @r#"
    method="GET" route="/webhook/{job}" status=200
    method="GET" route="unmatched" status=404
    "#);
}

#[tokio::test]
async fn a_request_is_named_by_the_wiring_or_the_trace_or_anew() {
    let id = async |request: Request<Body>| {
        let response = send(&router(), request).await;
        response.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    let traced =
        |trace: &str| Request::get("/webhook/job_1").header("x-amzn-trace-id", trace).body(Body::empty()).unwrap();
    let root = "1-67891233-abcdef012345678912345678";
    assert_eq!(id(traced(&format!("Self=1-x;Root={root};Sampled=0"))).await, root);

    let mut named = traced(&format!("Root={root}"));
    named.extensions_mut().insert(RequestId(HeaderValue::from_static("8f5b4a4e")));
    assert_eq!(id(named).await, "8f5b4a4e");

    for made_up in ["Root=\"><script>", "Root=", "", "Root=x x x x x x x x x x x x x x x x x x "] {
        let made = id(traced(made_up)).await;
        assert!(made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made}");
    }
    assert_ne!(id(traced("")).await, id(traced("")).await);
}

#[tokio::test]
async fn what_a_handler_logs_has_the_requests_name() {
    let log = Log::capture();
    let router = Router::new().route("/", get(async || tracing::info!("inside")));
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.extensions_mut().insert(RequestId(HeaderValue::from_static("8f5b4a4e")));
    send(&router, request).await;
    let log = log.text();
    let line = log.lines().find(|line| line.contains("inside")).unwrap();
    assert!(line.contains("8f5b4a4e"), "{line}");
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_may_choose_its_own_caching() {
    for (path, caching) in [("/webhook/job_1", "no-store"), ("/nowhere", "no-store"), ("/page", "max-age=60")] {
        let response = send(&router(), Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(response.headers()["cache-control"], caching, "{path}");
    }
}

#[tokio::test]
async fn routers_that_were_merged_are_finished_together() {
    let merged = finish(Router::new().merge(router()).merge(Router::new().route("/other", get(async || "other"))));
    for (path, status) in [("/other", 200), ("/webhook/job_1", 200), ("/neither", 404)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(merged.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}
