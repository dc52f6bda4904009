use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use tidings_http::credential::{MintOptions, mint};

use crate::support::{GOOD, NOW, SECRET, Service, application, organization, post, post_as, shown, token};

async fn answer(service: &Service, request: http::request::Builder) -> String {
    shown(service.send(request.body(Body::from(GOOD)).unwrap()).await).await
}

#[tokio::test]
async fn no_credential_and_every_bad_one_are_the_same_401() {
    let service = Service::start().await;
    let options = MintOptions { caller: &organization(1), now: NOW, expires_in: Duration::from_secs(60) };
    let good = token(&organization(1));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let with = |value: &str| Request::post("/webhook").header("authorization", value);
    let expected = answer(&service, Request::post("/webhook")).await;
    assert_snapshot!(expected, @r#"
    401 Unauthorized
    www-authenticate: Bearer
    {"code":"authentication_failed","detail":"A valid bearer token or API key is needed."}
    "#);
    for (name, request) in [
        ("empty", with("")),
        ("no scheme", with(&good)),
        ("another scheme", with(&format!("Basic {good}"))),
        ("no token", with("Bearer ")),
        ("no JWT", post_as("x")),
        ("another secret", post_as(&mint(b"another secret, which is long enough", options).unwrap())),
        ("without a signature", post_as(&format!("{head}."))),
        ("a signature of another", post_as(&format!("{head}x.{signature}"))),
        ("an API key that is none", post_as(&format!("tdk_{}", "A".repeat(43)))),
        ("something like an API key", post_as("tdk_")),
        ("very long", post_as(&"x".repeat(100_000))),
        ("two of them", post().header("authorization", format!("Bearer {good}"))),
    ] {
        assert_eq!(answer(&service, request).await, expected, "{name}");
    }
    let short = mint(SECRET.as_bytes(), options).unwrap();
    service.clock.advance(Duration::from_secs(121));
    assert_eq!(answer(&service, post_as(&short)).await, expected, "expired");
    assert_eq!(service.written().await, "", "something was written");
}

#[tokio::test]
async fn an_applications_token_is_403() {
    let service = Service::start().await;
    assert_snapshot!(answer(&service, post_as(&token(&application()))).await, @r#"
    403 Forbidden
    {"code":"insufficient access","detail":"This credential does not reach this operation."}
    "#);
    assert_eq!(service.written().await, "", "something was written");
}

#[tokio::test]
async fn who_is_not_known_learns_nothing_about_its_request() {
    let service = Service::start().await;
    let mut answers = String::new();
    for (name, request) in [
        ("not JSON", Request::post("/webhook").body(Body::from("{"))),
        ("a bad key", Request::post("/webhook").header("idempotency-key", "").body(Body::from(GOOD))),
        ("too large", Request::post("/webhook").body(Body::from(" ".repeat(300_000)))),
    ] {
        let answer = shown(service.send(request.unwrap()).await).await;
        writeln!(answers, "{name}: {}", answer.lines().next().unwrap()).unwrap();
    }
    assert_snapshot!(answers, @"
    not JSON: 401 Unauthorized
    a bad key: 401 Unauthorized
    too large: 401 Unauthorized
    ");
}
