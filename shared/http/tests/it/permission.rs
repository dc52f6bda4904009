use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderValue, Request, StatusCode};
use insta::assert_snapshot;
use tidings_domain::caller::Caller;
use tidings_http::credential::{Holder, MintOptions, mint};
use tidings_http::{Admin, AnyScope, Organization};

use crate::support::{SECRET, TestClock, admin, application, credentials, get_as, organization, send};

fn router() -> Router {
    Router::new()
        .route("/any", get(async |_: tidings_http::Caller<AnyScope>| "in"))
        .route("/organization", get(async |_: tidings_http::Caller<Organization>| "in"))
        .route("/admin", get(async |caller: tidings_http::Caller<Admin>| caller.organization.to_string()))
        .with_state(credentials())
}

fn token(caller: &Caller) -> String {
    let options = MintOptions { caller, now: TestClock::new().now(), expires_in: Duration::from_secs(60) };
    mint(SECRET, options).unwrap()
}

#[tokio::test]
async fn a_permission_is_granted_to_whom_it_is_for() {
    let mut table = String::new();
    for (name, caller) in [("application", application()), ("organization", organization()), ("admin", admin())] {
        for path in ["/any", "/organization", "/admin"] {
            let answer = get_as(&router(), path, &token(&caller)).await;
            writeln!(table, "{name} {path}: {}", answer.lines().next().unwrap()).unwrap();
        }
    }
    assert_snapshot!(table, @"
    application /any: 200 OK
    application /organization: 403 Forbidden
    application /admin: 403 Forbidden
    organization /any: 200 OK
    organization /organization: 200 OK
    organization /admin: 403 Forbidden
    admin /any: 200 OK
    admin /organization: 200 OK
    admin /admin: 200 OK
    ");
}

#[tokio::test]
async fn what_is_permitted_too_little_is_told_so() {
    assert_snapshot!(get_as(&router(), "/organization", &token(&application())).await, @r#"
    403 Forbidden
    content-type: application/json
    {"code":"insufficient access","detail":"This credential does not reach this operation."}
    "#);
}

#[test]
fn an_application_is_no_admin_whatever_its_key_says() {
    let caller = Caller { scope: application().scope, ..admin() };
    assert!(tidings_http::Caller::<Admin>::permit(Holder { caller, token: None }).is_err());
}

#[tokio::test]
async fn the_header_has_one_bearer_token_in_any_case_of_its_scheme() {
    let good = token(&organization());
    let cases: [(&str, Vec<String>, StatusCode); 8] = [
        ("none", vec![], StatusCode::UNAUTHORIZED),
        ("token alone", vec![good.clone()], StatusCode::UNAUTHORIZED),
        ("scheme alone", vec!["Bearer".to_owned()], StatusCode::UNAUTHORIZED),
        ("other scheme", vec![format!("Basic {good}")], StatusCode::UNAUTHORIZED),
        ("twice", vec![format!("Bearer {good}"), format!("Bearer {good}")], StatusCode::UNAUTHORIZED),
        ("two in one", vec![format!("Bearer {good} {good}")], StatusCode::UNAUTHORIZED),
        ("lower case", vec![format!("bearer {good}")], StatusCode::OK),
        ("upper case", vec![format!("BEARER {good}")], StatusCode::OK),
    ];
    for (name, values, expected) in cases {
        let mut request = Request::get("/any").body(Body::empty()).unwrap();
        for value in values {
            request.headers_mut().append("authorization", HeaderValue::try_from(value).unwrap());
        }
        let response = send(&router(), request).await;
        assert_eq!(response.status(), expected, "{name}");
        let challenge = response.headers().get("www-authenticate").map(HeaderValue::as_bytes);
        assert_eq!(challenge.is_some(), expected == StatusCode::UNAUTHORIZED, "{name}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_token() {
    let mut request = Request::get("/any").body(Body::empty()).unwrap();
    request.headers_mut().insert("authorization", HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap());
    assert_eq!(send(&router(), request).await.status(), StatusCode::UNAUTHORIZED);
}
