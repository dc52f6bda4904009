use std::fmt::Write as _;

use http::Method;
use insta::assert_snapshot;
use serde_json::json;

use crate::endpoint::{service, service_with_endpoint};
use crate::support::{Service, organization, request, token};

const SECRET: &str = "/api/v1/app/acme/endpoint/hook/secret";
const ROTATE: &str = "/api/v1/app/acme/endpoint/hook/secret/rotate";
const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

async fn key(service: &Service) -> String {
    service.get(SECRET).await.json()["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_that_is_given_is_the_one_that_is_shown() {
    let service = service().await;
    for (uid, given, shown) in [
        ("a", KEY, KEY),
        ("b", &KEY["whsec_".len()..], KEY),
        ("c", "whsk_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "whpk_iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="),
    ] {
        let body = json!({"url": "https://example.com/", "uid": uid, "secret": given});
        let created = service.post("/api/v1/app/acme/endpoint", &body).await;
        assert!(created.status == 201 && !created.body.contains("whs"), "{created:?}");
        let read = service.get(&format!("/api/v1/app/acme/endpoint/{uid}/secret")).await;
        assert_eq!((read.status, read.json()), (200, json!({"key": shown})));
    }
}

#[tokio::test]
async fn a_secret_is_made_when_none_is_given() {
    let service = service_with_endpoint().await;
    let first = key(&service).await;
    assert!(first.starts_with("whsec_") && first.len() == "whsec_".len() + 32, "{first}");
    service.put("/api/v1/app/acme/endpoint/other", &json!({"url": "https://example.com/"})).await;
    let other = service.get("/api/v1/app/acme/endpoint/other/secret").await;
    assert_ne!(other.json()["key"], first.as_str());
}

#[tokio::test]
async fn a_rotated_secret_is_another_or_the_one_that_is_given() {
    let service = service_with_endpoint().await;
    let before = key(&service).await;
    let rotated = service.post(ROTATE, &json!({})).await;
    assert_eq!((rotated.status, &*rotated.body), (204, ""));
    assert_ne!(key(&service).await, before);
    assert_eq!(service.post(ROTATE, &json!({"key": KEY, "gracePeriodSeconds": 0})).await.status, 204);
    assert_eq!(key(&service).await, KEY);
    assert_eq!(service.post(ROTATE, &json!({"key": null, "gracePeriodSeconds": null})).await.status, 204);
}

/// Their second version reads an answer here, and fails on none; their first passes it over.
#[tokio::test]
async fn client_libraries_that_read_the_new_secret_get_it() {
    let service = service_with_endpoint().await;
    for (agent, status) in [
        ("svix-libs/2.9.1/python python/3.11.7 Linux/x86_64", 200),
        ("svix-libs/1.99.1/javascript", 204),
        ("svix-libs/two", 204),
        ("curl/8.0", 204),
    ] {
        let request = request(&token(&organization(1)), Method::POST, ROTATE).header("user-agent", agent);
        let answer = service.send(request.body("{}".into()).unwrap()).await;
        assert_eq!(answer.status, status, "{agent}");
        if status == 200 {
            assert_eq!(answer.json()["key"], key(&service).await.as_str());
        }
    }
}

#[tokio::test]
async fn an_eleventh_old_secret_is_one_too_many_until_the_grace_of_one_is_over() {
    let service = service_with_endpoint().await;
    for _ in 0..10 {
        assert_eq!(service.post(ROTATE, &json!({"gracePeriodSeconds": 60})).await.status, 204);
    }
    assert_snapshot!(service.post(ROTATE, &json!({})).await.shown(), @r#"
    400
    {"code":"limit_reached","detail":"Ten old secrets are still good: wait until one is not, or rotate with a grace of 0."}
    "#);
    // With one that was given, and that is not good any more, there is room.
    service.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(service.post(ROTATE, &json!({})).await.status, 204);
    assert_eq!(service.post(ROTATE, &json!({"gracePeriodSeconds": 0})).await.status, 204);
}

#[tokio::test]
async fn a_bad_rotation_is_422_and_shows_no_secret() {
    let service = service_with_endpoint().await;
    let mut answers = String::new();
    for body in [
        json!({"key": "whsec_c2hvcnQ=", "gracePeriodSeconds": 604_801}),
        json!({"key": "c2hvcnQ", "gracePeriodSeconds": -1}),
        json!({"key": 1, "gracePeriodSeconds": "1", "secret": "c2hvcnQ"}),
        json!({"key": "whpk_iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="}),
        json!([]),
    ] {
        let answer = service.post(ROTATE, &body).await;
        assert!(!answer.body.contains("c2hvcnQ"), "{answer:?}");
        write!(answers, "{body}\n{}", answer.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    {"key":"whsec_c2hvcnQ=","gracePeriodSeconds":604801}
      ["body","key"] value_error "must be the base64 of 24 to 75 bytes, with or without `whsec_` before it"
      ["body","gracePeriodSeconds"] value_error "must be 0 to 604800 seconds (7 days)"
    {"key":"c2hvcnQ","gracePeriodSeconds":-1}
      ["body","key"] value_error "must be the base64 of 24 to 75 bytes, with or without `whsec_` before it"
      ["body","gracePeriodSeconds"] type_error "must be a whole number, not negative"
    {"key":1,"gracePeriodSeconds":"1","secret":"c2hvcnQ"}
      ["body","key"] type_error "must be a string"
      ["body","gracePeriodSeconds"] type_error "must be a whole number, not negative"
      ["body","secret"] value_error.extra "is not known here"
    {"key":"whpk_iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="}
      ["body","key"] value_error "must be the base64 of 24 to 75 bytes, with or without `whsec_` before it"
    []
      ["body"] type_error "must be an object"
    "#);
}

#[tokio::test]
async fn the_table_does_not_hold_a_secret() {
    let service = service_with_endpoint().await;
    let send = crate::support::request(&token(&organization(1)), Method::POST, ROTATE)
        .header("idempotency-key", "one")
        .body(json!({"key": KEY}).to_string().into());
    assert_eq!(service.send(send.unwrap()).await.status, 204);
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    let all = service.store.client().scan().table_name("tidings").send().await.unwrap();
    assert!(!format!("{:?}", all.items).contains(&KEY["whsec_".len()..]));
}
