use std::fmt::Write as _;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;

use crate::support::{Service, organization, shown, token};

#[tokio::test]
async fn another_method_or_route_is_answered_with_our_body() {
    let service = Service::start().await;
    let mut answers = String::new();
    for (method, path) in [
        ("GET", "/webhook"),
        ("PUT", "/webhook"),
        ("DELETE", "/webhook"),
        ("OPTIONS", "/webhook"),
        ("BREW", "/webhook"),
        ("POST", "/"),
        ("POST", "/webhook/"),
        ("POST", "/webhooks"),
        ("POST", "//webhook"),
        ("POST", "/WEBHOOK"),
        ("POST", "/webhook%00"),
        ("POST", "/prod/webhook"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", token(&organization(1))))
            .body(Body::empty())
            .unwrap();
        writeln!(answers, "--- {method} {path}\n{}", shown(service.send(request).await).await).unwrap();
    }
    assert_snapshot!(answers, @r#"
    --- GET /webhook
    405 Method Not Allowed
    allow: POST
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    --- PUT /webhook
    405 Method Not Allowed
    allow: POST
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    --- DELETE /webhook
    405 Method Not Allowed
    allow: POST
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    --- OPTIONS /webhook
    405 Method Not Allowed
    allow: POST
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    --- BREW /webhook
    405 Method Not Allowed
    allow: POST
    {"code":"method_not_allowed","detail":"This path does not take this method."}
    --- POST /
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    --- POST /webhook/
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    --- POST /webhooks
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    --- POST //webhook
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    --- POST /WEBHOOK
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    --- POST /webhook%00
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    --- POST /prod/webhook
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    "#);
}

#[tokio::test]
async fn a_query_string_changes_nothing() {
    let service = Service::start().await;
    let mut request = crate::support::post().body(Body::from(crate::support::GOOD)).unwrap();
    *request.uri_mut() = "/webhook?status=failed&x=%ff".parse().unwrap();
    assert!(shown(service.send(request).await).await.starts_with("201"));
}
