use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::caller::Caller;

use crate::arrange;
use crate::support::{Answer, Service, application, organization, token};

const PORTAL: &str = "/api/v1/auth/app-portal-access/acme";

async fn service() -> Service {
    let service = Service::start().await;
    arrange::application(&service.store, 1, 9, Some("acme")).await;
    arrange::application(&service.store, 1, 2, Some("other")).await;
    service
}

fn bearer(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_for_an_application_reaches_that_one_only() {
    let service = service().await;
    let token = bearer(&service.post(PORTAL, &json!({})).await);
    for (path, status) in [("/api/v1/app/acme", 200), ("/api/v1/app/other", 404), ("/api/v1/app", 403)] {
        assert_eq!(service.ask_as(&token, Method::GET, path).await.status, status, "{path}");
    }
    assert_eq!(service.call_as(&token, Method::POST, PORTAL, &json!({})).await.status, 403);
}

#[tokio::test]
async fn the_url_opens_the_console_with_the_token_behind_the_hash() {
    let service = service().await;
    let answer = service.post(PORTAL, &json!({})).await;
    let url = answer.json()["url"].as_str().unwrap().to_owned();
    let key = url.strip_prefix("http://tidings.example/console#key=").unwrap();
    let key: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(key).unwrap()).unwrap();
    let id = service.get("/api/v1/app/acme").await.json()["id"].clone();
    assert_eq!(key, json!({"appId": id, "token": bearer(&answer)}));

    let request = crate::support::request(&token(&organization(1)), Method::POST, PORTAL)
        .header("host", "internal:8080")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "hooks.example.com")
        .body("{}".into());
    let url = service.send(request.unwrap()).await.json()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://hooks.example.com/console#key="), "{url}");
    let nowhere = crate::support::request(&token(&organization(1)), Method::POST, PORTAL).body("{}".into());
    assert_snapshot!(service.send(nowhere.unwrap()).await.shown(), @r#"
    400
    {"code":"generic_error","detail":"The request names no host."}
    "#);
}

#[tokio::test]
async fn a_token_ends_after_28_days_or_when_it_was_asked_to() {
    for (body, seconds) in [(json!({}), 28 * 24 * 3600), (json!({"expiry": 3600}), 3600)] {
        let service = service().await;
        let token = bearer(&service.post(PORTAL, &body).await);
        let leeway = tidings_http::credential::LEEWAY;
        service.clock.advance(std::time::Duration::from_secs(seconds - 1) + leeway);
        assert_eq!(service.ask_as(&token, Method::GET, "/api/v1/app/acme").await.status, 200);
        service.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(service.ask_as(&token, Method::GET, "/api/v1/app/acme").await.status, 401);
    }
}

#[tokio::test]
async fn an_application_that_may_be_new_is_made() {
    let service = service().await;
    let body = json!({"application": {"name": "New", "metadata": {"plan": "gold"}}});
    for uid in ["new", "new"] {
        let answer = service.post(&format!("/api/v1/auth/app-portal-access/{uid}"), &body).await;
        let read = service.ask_as(&bearer(&answer), Method::GET, "/api/v1/app/new").await;
        assert_eq!((read.status, &read.json()["name"]), (200, &json!("New")));
    }
    assert_eq!(service.get("/api/v1/app").await.json()["data"].as_array().unwrap().len(), 3);
    // What is there stays as it is.
    service.post(PORTAL, &body).await;
    assert_eq!(service.get("/api/v1/app/acme").await.json()["name"], "application 9");
    for path in
        ["/api/v1/auth/app-portal-access/nobody", "/api/v1/auth/app-portal-access/app_0ujsswThIGTUYm2K8FjOOfXtY1K"]
    {
        assert_eq!(service.post(path, &json!({})).await.status, 404, "{path}");
    }
    let contradicting = json!({"application": {"name": "x", "uid": "another"}});
    let answer = service.post("/api/v1/auth/app-portal-access/nobody", &contradicting).await;
    assert_eq!(answer.status, 422);
}

#[tokio::test]
async fn feature_flags_go_with_the_token() {
    let service = service().await;
    let event_type = tidings_domain::event_type::EventType {
        feature_flags: vec!["beta".parse().unwrap()],
        ..arrange::imagined_event_type("a")
    };
    arrange::event_type(&service.store, &event_type).await;
    for (body, status) in
        [(json!({"featureFlags": ["beta"]}), 200), (json!({"featureFlags": []}), 404), (json!({}), 404)]
    {
        let token = bearer(&service.post(PORTAL, &body).await);
        assert_eq!(service.ask_as(&token, Method::GET, "/api/v1/event-type/a").await.status, status, "{body}");
    }
}

#[tokio::test]
async fn a_bad_request_for_a_token_is_422_with_every_fault() {
    let service = service().await;
    let mut answers = String::new();
    for body in [
        json!([]),
        json!({"expiry": 3599, "featureFlags": ["a b", 1], "application": {}}),
        json!({"expiry": 2_419_201, "featureFlags": "beta", "application": "acme"}),
        // Narrower tokens than we can make are refused, not made wider.
        json!({"readOnly": true, "capabilities": ["ViewBase"], "sessionId": "s"}),
    ] {
        write!(answers, "{body}\n{}", service.post(PORTAL, &body).await.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    []
      ["body"] type_error "must be an object"
    {"expiry":3599,"featureFlags":["a b",1],"application":{}}
      ["body","application","name"] value_error.missing "is required"
      ["body","featureFlags","0"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","featureFlags","1"] type_error "must be a string"
      ["body","expiry"] value_error "must be 3600 to 2419200"
    {"expiry":2419201,"featureFlags":"beta","application":"acme"}
      ["body","application"] type_error "must be an object"
      ["body","featureFlags"] type_error "must be a list"
      ["body","expiry"] value_error "must be 3600 to 2419200"
    {"readOnly":true,"capabilities":["ViewBase"],"sessionId":"s"}
      ["body","readOnly"] value_error.extra "is not known here"
      ["body","capabilities"] value_error.extra "is not known here"
      ["body","sessionId"] value_error.extra "is not known here"
    "#);
}

#[tokio::test]
async fn logging_out_takes_back_that_token_and_no_other() {
    let service = service().await;
    let [mut first, mut second] = [String::new(), String::new()];
    for token in [&mut first, &mut second] {
        *token = bearer(&service.post(PORTAL, &json!({})).await);
        service.clock.advance(std::time::Duration::from_secs(1));
    }
    assert_eq!(service.ask_as(&first, Method::GET, "/api/v1/app/acme").await.status, 200);
    let out = service.ask_as(&first, Method::POST, "/api/v1/auth/logout").await;
    assert_eq!((out.status, &*out.body), (204, ""));
    assert_eq!(service.ask_as(&first, Method::GET, "/api/v1/app/acme").await.status, 401);
    assert_eq!(service.ask_as(&first, Method::POST, "/api/v1/auth/logout").await.status, 401);
    assert_eq!(service.ask_as(&second, Method::GET, "/api/v1/app/acme").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_not_said_to_be() {
    let service = service().await;
    let (_, key) = arrange::api_key(&service.store, &application(), 2).await;
    for bearer in [token(&organization(1)), key] {
        assert_eq!(service.ask_as(&bearer, Method::POST, "/api/v1/auth/logout").await.status, 403);
    }
}

#[tokio::test]
async fn expire_all_takes_back_every_token_of_the_application_that_was_made_before() {
    let service = service().await;
    let before = bearer(&service.post(PORTAL, &json!({})).await);
    let other = bearer(&service.post("/api/v1/auth/app-portal-access/other", &json!({})).await);
    service.clock.advance(std::time::Duration::from_secs(10));
    let path = "/api/v1/auth/app/acme/expire-all";
    let expired = service.post(path, &json!({"expiry": 0})).await;
    assert_eq!((expired.status, &*expired.body), (204, ""));
    assert_eq!(service.ask_as(&before, Method::GET, "/api/v1/app/acme").await.status, 401);
    assert_eq!(service.ask_as(&other, Method::GET, "/api/v1/app/other").await.status, 200);
    let after = bearer(&service.post(PORTAL, &json!({})).await);
    assert_eq!(service.ask_as(&after, Method::GET, "/api/v1/app/acme").await.status, 200);
    let later = json!({"expiry": 60, "sessionIds": ["s"]});
    assert_snapshot!(service.post(path, &later).await.faults(), @r#"
    ["body","expiry"] value_error "must be 0: tokens are taken back at once"
    ["body","sessionIds"] value_error.extra "is not known here"
    "#);
    assert_eq!(service.call_as(&after, Method::POST, path, &json!({})).await.status, 403);
    assert_eq!(service.post("/api/v1/auth/app/nobody/expire-all", &json!({})).await.status, 404);
}

#[tokio::test]
async fn another_organization_gets_no_token_for_an_application() {
    let service = service().await;
    let theirs = token(&Caller { ..organization(2) });
    let id = arrange::imagined_application(1, 9, None).id;
    for name in ["acme".to_owned(), id.to_string()] {
        for path in [format!("/api/v1/auth/app-portal-access/{name}"), format!("/api/v1/auth/app/{name}/expire-all")] {
            assert_eq!(service.call_as(&theirs, Method::POST, &path, &json!({})).await.status, 404, "{path}");
        }
    }
}
