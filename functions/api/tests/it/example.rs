use std::fmt::Write as _;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::caller::Caller;
use tidings_domain::delivery::Delivery;
use tidings_domain::event_type::EventType;
use tidings_domain::ids::MessageId;
use tidings_domain::message::Route;

use crate::arrange::{self, GRACE, imagined_event_type};
use crate::outbound::{Acme, at};
use crate::support::{Answer, NOW, application, organization, request, token};

const PATH: &str = "/api/v1/app/acme/endpoint/hook/send-example";

async fn define(acme: &Acme, name: &str, schema: Value) {
    let event_type = EventType { schemas: json!({"1": schema}).as_object().cloned(), ..imagined_event_type(name) };
    arrange::event_type(acme.store(), &event_type).await;
}

fn id(answer: &Answer) -> MessageId {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_ping_can_always_be_sent() {
    let acme = Acme::start().await;
    let answer = acme.service.post(PATH, &json!({"eventType": "svix.ping"})).await;
    assert_snapshot!(answer.shown().replace(&id(&answer).to_string(), "msg_[id]"), @r#"
    200
    {"id":"msg_[id]","eventType":"svix.ping","eventId":null,"channels":null,"tags":null,"payload":{"type":"svix.ping","success":true,"message":"This is a test message. Whoever reads it takes webhooks from here."},"timestamp":"2027-01-15T08:00:00.000Z"}
    "#);
}

#[tokio::test]
async fn an_example_goes_to_one_endpoint_whatever_it_wants_and_to_no_other() {
    let acme = Acme::start().await;
    let picky = acme.endpoint(2, |endpoint| endpoint.event_types = Some(vec!["other".parse().unwrap()])).await;
    let path = format!("/api/v1/app/acme/endpoint/{}/send-example", picky.id);
    let message = id(&acme.service.post(&path, &json!({"eventType": "svix.ping"})).await);
    let (organization, application) = (acme.application.organization, acme.application.id);
    let stored = acme.store().message(organization, application, message, NOW).await.unwrap().unwrap();
    assert_eq!(acme.owed(&stored.work(Route::Endpoints)).await, [], "it is not fanned out");
    let delivery = Delivery { organization, application, endpoint: picky.id, message };
    let owed = acme.owed(&delivery.work()).await;
    let [entry] = &owed[..] else { panic!("{owed:?}") };
    assert_eq!((entry.key.due, entry.note.as_deref()), (NOW + GRACE, Some("manual")));
    let read = acme.service.get(&format!("/api/v1/app/acme/msg/{message}")).await;
    assert_eq!(read.json()["payload"]["success"], json!(true));
}

#[tokio::test]
async fn the_payload_is_an_example_of_the_types_schema() {
    let acme = Acme::start().await;
    define(&acme, "many", json!({"examples": [{"a": 1}, {"a": 2}]})).await;
    define(&acme, "one", json!({"example": {"b": 1}})).await;
    define(&acme, "svix.ping", json!({"examples": [{"mine": true}]})).await;
    for (body, expected) in [
        (json!({"eventType": "many"}), json!({"a": 1})),
        (json!({"eventType": "many", "exampleIndex": 1}), json!({"a": 2})),
        (json!({"eventType": "one", "exampleIndex": null}), json!({"b": 1})),
        (json!({"eventType": "svix.ping"}), json!({"mine": true})),
    ] {
        assert_eq!(acme.service.post(PATH, &body).await.json()["payload"], expected, "{body}");
    }
}

#[tokio::test]
async fn a_type_without_an_example_is_422() {
    let acme = Acme::start().await;
    arrange::event_type(acme.store(), &imagined_event_type("bare")).await;
    define(&acme, "none", json!({"type": "object"})).await;
    define(&acme, "list", json!({"examples": [[1]]})).await;
    let mut all = String::new();
    for body in [
        json!({}),
        json!({"eventType": "a b"}),
        json!({"eventType": "unknown"}),
        json!({"eventType": "bare"}),
        json!({"eventType": "none"}),
        json!({"eventType": "list"}),
        json!({"eventType": "svix.ping", "exampleIndex": 1}),
    ] {
        let answer = acme.service.post(PATH, &body).await;
        write!(all, "{body}\n{}", answer.faults()).unwrap();
    }
    assert_snapshot!(all, @r#"
    {}
      ["body","eventType"] value_error.missing "is required"
    {"eventType":"a b"}
      ["body","eventType"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
    {"eventType":"unknown"}
      ["body","eventType"] value_error "is not a type that exists"
    {"eventType":"bare"}
      ["body","eventType"] value_error "has no such example in its schema"
    {"eventType":"none"}
      ["body","eventType"] value_error "has no such example in its schema"
    {"eventType":"list"}
      ["body","eventType"] value_error "has an example that is no object"
    {"eventType":"svix.ping","exampleIndex":1}
      ["body","eventType"] value_error "has no such example in its schema"
    "#);
}

#[tokio::test]
async fn an_application_sends_examples_of_the_types_that_it_may_see() {
    let acme = Acme::start().await;
    let flagged = EventType {
        feature_flags: vec!["beta".parse().unwrap()],
        schemas: json!({"1": {"example": {}}}).as_object().cloned(),
        ..imagined_event_type("hidden")
    };
    arrange::event_type(acme.store(), &flagged).await;
    let with = Caller { feature_flags: flagged.feature_flags.clone(), ..application() };
    let body = json!({"eventType": "hidden"});
    assert_eq!(acme.service.post_as(&token(&application()), PATH, &body).await.status, 422);
    assert_eq!(acme.service.post_as(&token(&with), PATH, &body).await.status, 200);
    assert_eq!(acme.service.post(PATH, &body).await.status, 200);
    assert_eq!(acme.service.post_as(&token(&organization(2)), PATH, &body).await.status, 404);
}

#[tokio::test]
async fn a_disabled_endpoint_gets_no_example() {
    let acme = Acme::start().await;
    acme.store().disable_endpoint(&acme.endpoint, at(100), None).await.unwrap();
    let answer = acme.service.post(PATH, &json!({"eventType": "svix.ping"})).await;
    assert_snapshot!(answer.shown(), @r#"
    409
    {"code":"conflict","detail":"This endpoint is disabled: it gets nothing until it is enabled."}
    "#);
}

#[tokio::test]
async fn an_example_is_sent_once_under_a_key() {
    let acme = Acme::start().await;
    let send = || {
        let request = request(&token(&organization(1)), Method::POST, PATH).header("idempotency-key", "once");
        acme.service.send(request.body(r#"{"eventType":"svix.ping"}"#.into()).unwrap())
    };
    let first = send().await;
    assert_eq!(id(&send().await), id(&first));
    assert_eq!(acme.service.get("/api/v1/app/acme/msg").await.json()["data"].as_array().unwrap().len(), 1);
}
