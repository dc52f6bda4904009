use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use insta::assert_snapshot;
use provider::{State, router};
use tower::ServiceExt as _;

/// Status, content type and body.
async fn ask(failure_probability: f64, method: &str, path: &str) -> String {
    let router = tidings_http::finish(router(State { failure_probability }));
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let content_type = parts.headers["content-type"].to_str().unwrap();
    let body = body.collect().await.unwrap().to_bytes();
    format!("{}\n{content_type}\n{}", parts.status, std::str::from_utf8(&body).unwrap())
}

#[tokio::test]
async fn gas_and_internet_have_their_bills_as_the_contract_writes_them() {
    assert_snapshot!(ask(0.0, "GET", "/providers/gas").await, @r#"
    200 OK
    application/json
    [{"billedOn":"2020-04-07T15:03:14.257Z","amount":22.27},{"billedOn":"2020-05-07T15:03:14.257Z","amount":30}]
    "#);
    assert_snapshot!(ask(0.0, "GET", "/providers/internet").await, @r#"
    200 OK
    application/json
    [{"billedOn":"2020-02-07T15:03:14.257Z","amount":15.12},{"billedOn":"2020-03-07T15:03:14.257Z","amount":15.12}]
    "#);
}

#[tokio::test]
async fn an_unknown_provider_is_404() {
    assert_snapshot!(ask(0.0, "GET", "/providers/water").await, @r#"
    404 Not Found
    application/json
    {"code":"not_found","detail":"Not found."}
    "#);
    let expected = ask(0.0, "GET", "/providers/water").await;
    for path in
        ["/providers/GAS", "/providers/g%20s", "/providers/%ff", "/providers/", "/providers", "/providers/gas/1"]
    {
        assert_eq!(ask(0.0, "GET", path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_failure_on_purpose_is_500_as_plain_text() {
    assert_snapshot!(ask(1.0, "GET", "/providers/gas").await, @"
    500 Internal Server Error
    text/plain; charset=utf-8
    #fail
    ");
}

#[tokio::test]
async fn none_fails_at_probability_0_and_all_fail_at_1() {
    for _ in 0..200 {
        assert!(ask(0.0, "GET", "/providers/gas").await.starts_with("200"));
        assert!(ask(1.0, "GET", "/providers/internet").await.starts_with("500"));
    }
}

#[tokio::test]
async fn about_the_share_that_was_set_fails() {
    let (mut failed, all) = (0_u32, 2000);
    for _ in 0..all {
        failed += u32::from(ask(0.25, "GET", "/providers/gas").await.starts_with("500"));
    }
    // Six standard deviations around 500: wrong once in some hundred million runs.
    assert!((384..=616).contains(&failed), "{failed} of {all}");
}

#[tokio::test]
async fn another_method_is_405() {
    assert_snapshot!(ask(1.0, "POST", "/providers/gas").await, @r#"
    405 Method Not Allowed
    application/json
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    "#);
}
