use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Request;
use insta::assert_snapshot;
use serde_json::json;
use tidings_domain::source::SourceKey;

use crate::arrange;
use crate::source::{SOURCES, keys, login};
use crate::support::{NOW, Service};

const ROTATE: &str = "/api/v1/source/docebo/secret/rotate";

async fn service() -> Service {
    let service = Service::start().await;
    arrange::source(&service.store, 1, 1, Some("docebo")).await;
    let hub = json!({"name": "hub", "kind": "github", "secret": "first"});
    assert_eq!(service.post(SOURCES, &hub).await.status, 201);
    service
}

/// What is accepted so many seconds after the tests' first moment, the newest first.
async fn accepted(service: &Service, name: &str, seconds: u64) -> Vec<SourceKey> {
    let at = NOW + Duration::from_secs(seconds);
    keys(service, name).await.unwrap().accepted(at).cloned().collect()
}

#[tokio::test]
async fn the_old_secret_is_accepted_until_its_grace_is_over() {
    let service = service().await;
    let rotated = service.post(ROTATE, &json!({"password": "second"})).await;
    assert_eq!((rotated.status, &*rotated.body), (204, ""));
    assert_eq!(accepted(&service, "docebo", 86_399).await, [login("second"), login("correct horse")]);
    assert_eq!(accepted(&service, "docebo", 86_400).await, [login("second")]);
    let jane = json!({"username": "jane", "password": "third", "gracePeriodSeconds": 60});
    assert_eq!(service.post(ROTATE, &jane).await.status, 204);
    let jane = SourceKey::Login { username: "jane".to_owned(), password: "third".to_owned() };
    assert_eq!(accepted(&service, "docebo", 59).await, [jane.clone(), login("second"), login("correct horse")]);
    assert_eq!(accepted(&service, "docebo", 60).await, [jane, login("correct horse")]);
    let hub = format!("{SOURCES}/hub/secret/rotate");
    assert_eq!(service.post(&hub, &json!({"secret": "second", "gracePeriodSeconds": 0})).await.status, 204);
    assert_eq!(accepted(&service, "hub", 0).await, [SourceKey::Secret("second".to_owned())]);
}

/// What the door of the source answers to a webhook with this login.
async fn knock(service: &Service, login: &str) -> u16 {
    let body = json!({"message_id": "wh-1", "event": "course.updated", "fired_by_batch_action": false, "payload": {}});
    let request = Request::post("/in/docebo")
        .header("authorization", format!("Basic {}", BASE64_STANDARD.encode(login)))
        .body(body.to_string().into());
    service.send(request.unwrap()).await.status
}

#[tokio::test]
async fn the_door_opens_to_what_is_accepted_at_the_time() {
    let service = service().await;
    let (old, new) = ("docebo:correct horse", "docebo:second");
    assert_eq!((knock(&service, old).await, knock(&service, new).await), (200, 401));
    service.post(ROTATE, &json!({"password": "second", "gracePeriodSeconds": 60})).await;
    assert_eq!((knock(&service, old).await, knock(&service, new).await), (200, 200));
    service.clock.advance(Duration::from_secs(60));
    assert_eq!((knock(&service, old).await, knock(&service, new).await), (401, 200));
    service.patch("/api/v1/source/docebo", &json!({"password": "third"})).await;
    assert_eq!((knock(&service, new).await, knock(&service, "docebo:third").await), (401, 200));
    service.delete("/api/v1/source/docebo").await;
    assert_eq!(knock(&service, "docebo:third").await, 404);
}

#[tokio::test]
async fn a_repeated_rotation_keeps_one_old_secret() {
    let service = service().await;
    for _ in 0..12 {
        assert_eq!(service.post(ROTATE, &json!({"password": "second"})).await.status, 204);
    }
    assert_eq!(accepted(&service, "docebo", 0).await, [login("second"), login("correct horse")]);
}

#[tokio::test]
async fn an_eleventh_old_secret_is_one_too_many_until_the_grace_of_one_is_over() {
    let service = service().await;
    for number in 0..10 {
        let body = json!({"password": format!("{number}"), "gracePeriodSeconds": 60});
        assert_eq!(service.post(ROTATE, &body).await.status, 204);
    }
    assert_snapshot!(service.post(ROTATE, &json!({"password": "x"})).await.shown(), @r#"
    400
    {"code":"limit_reached","detail":"Ten old secrets are still good: wait until one is not, or rotate with a grace of 0."}
    "#);
    service.clock.advance(Duration::from_secs(61));
    assert_eq!(service.post(ROTATE, &json!({"password": "x"})).await.status, 204);
}

#[tokio::test]
async fn a_bad_rotation_is_422_and_shows_no_secret() {
    let service = service().await;
    let mut answers = String::new();
    for (name, body) in [
        ("docebo", json!({})),
        ("docebo", json!({"username": "hunter2"})),
        ("docebo", json!({"secret": "hunter2", "gracePeriodSeconds": 604_801})),
        ("docebo", json!({"password": "hunter2", "username": "a:b", "key": "hunter2"})),
        ("hub", json!({"password": "hunter2", "gracePeriodSeconds": "1"})),
        ("hub", json!({"secret": " hunter2"})),
        ("hub", json!([])),
    ] {
        let answer = service.post(&format!("{SOURCES}/{name}/secret/rotate"), &body).await;
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
        write!(answers, "{body}\n{}", answer.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    {}
      ["body","password"] value_error.missing "is required"
    {"username":"hunter2"}
      ["body","password"] value_error.missing "is required"
    {"secret":"hunter2","gracePeriodSeconds":604801}
      ["body","secret"] value_error "is not for a source of kind `docebo`, which logs in"
      ["body","password"] value_error.missing "is required"
      ["body","gracePeriodSeconds"] value_error "must be 0 to 604800 seconds (7 days)"
    {"password":"hunter2","username":"a:b","key":"hunter2"}
      ["body","username"] value_error "must not hold a colon"
      ["body","key"] value_error.extra "is not known here"
    {"password":"hunter2","gracePeriodSeconds":"1"}
      ["body","password"] value_error "is not for a source of kind `github`, which signs with a secret"
      ["body","secret"] value_error.missing "is required"
      ["body","gracePeriodSeconds"] type_error "must be a whole number, not negative"
    {"secret":" hunter2"}
      ["body","secret"] value_error "must not begin or end with white space"
    []
      ["body"] type_error "must be an object"
    "#);
}

#[tokio::test]
async fn a_source_that_verifies_nothing_has_nothing_to_rotate() {
    let service = service().await;
    service.post(SOURCES, &json!({"name": "open", "kind": "none"})).await;
    let answer = service.post(&format!("{SOURCES}/open/secret/rotate"), &json!({"secret": "x"})).await;
    assert_snapshot!(answer.shown(), @r#"
    409
    {"code":"conflict","detail":"This source verifies nothing: it has no secret."}
    "#);
    assert_eq!(service.post(&format!("{SOURCES}/nobody/secret/rotate"), &json!({"secret": "x"})).await.status, 404);
}
