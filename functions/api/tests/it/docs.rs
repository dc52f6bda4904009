use http::Method;
use insta::assert_snapshot;

use crate::support::Service;

#[tokio::test]
async fn health_is_204_without_a_body() {
    assert_snapshot!(Service::start().await.ask_as("", Method::GET, "/api/v1/health").await.shown(), @"204");
}

#[tokio::test]
async fn the_document_is_the_committed_one() {
    let answer = Service::start().await.get("/openapi.json").await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "application/json"));
    assert_eq!(answer.body, api::routes::docs::OPENAPI);
    assert!(answer.json().is_object());
}

#[tokio::test]
async fn the_page_may_run_its_own_script_and_ask_only_its_own_server() {
    let answer = Service::start().await.get("/docs").await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    assert_snapshot!(answer.headers["content-security-policy"].to_str().unwrap(), @"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'");
    assert!(answer.body.starts_with("<!doctype html>"));
    for other in ["src=\"http", "src=\"//", "href=\"http", "@import", "url(http"] {
        assert!(!answer.body.contains(other), "the page asks somebody else for something: {other}");
    }
}

#[tokio::test]
async fn another_method_is_405_with_those_that_are_allowed() {
    let service = Service::start().await;
    for (path, allowed) in
        [("/api/v1/health", "GET,HEAD"), ("/webhook", "GET,HEAD,POST"), ("/api/v1/api-key", "POST,GET,HEAD")]
    {
        let answer = service.ask(Method::PATCH, path).await;
        assert_eq!((answer.status, answer.headers["allow"].to_str().unwrap()), (405, allowed), "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::start().await;
    for path in ["/webhook", "/openapi.json", "/docs"] {
        let answer = service.ask(Method::HEAD, path).await;
        assert_eq!((answer.status, &*answer.body), (200, ""), "{path}");
    }
}
