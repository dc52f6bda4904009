//! Triggered events: what is taken, what is refused, and what is written.

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use tidings_domain::agenda::Kind;
use tidings_domain::application::Application;
use tidings_domain::broadcast::{Broadcast, FOLLOWED_AFTER};
use tidings_domain::broker::{self, EventName};
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::ids::{EndpointId, MessageId};
use tidings_domain::message::{MAX_PAYLOAD_BYTES, Message};
use tidings_domain::metadata::Metadata;
use tidings_domain::names::Reference;
use tidings_harness::{Fault, Rule};
use tidings_store::Subscribed;

use crate::support::{NOW, Service, application, organization, shown, token};

const EVENT: &str = "upload_image";

fn request_as(bearer: &str, event: &str, body: impl Into<Body>) -> Request<Body> {
    let path = format!("/api/v0/trigger-event/{event}");
    Request::post(path).header("authorization", format!("Bearer {bearer}")).body(body.into()).unwrap()
}

/// The status and the body, without the job's id.
async fn trigger(service: &Service, event: &str, body: impl Into<Body>) -> String {
    shown(service.send(request_as(&token(&organization(1)), event, body)).await).await
}

async fn brokers(service: &Service) -> Application {
    let (uid, name) = (broker::application_uid(), broker::APPLICATION_NAME);
    let organization = organization(1).organization;
    let made = service.table.store().ensure_application(organization, &uid, name, NOW, [1; 15]).await.unwrap();
    Application::clone(&made)
}

/// Registers a URL for an event.
async fn pair(service: &Service, event: &str, number: u8) -> EndpointId {
    let application = brokers(service).await;
    let event: EventName = event.to_owned().try_into().unwrap();
    let url = format!("https://example.com/{number}").try_into().unwrap();
    let endpoint = Endpoint {
        id: EndpointId::new(NOW, [number; 15]),
        organization: application.organization,
        application: application.id,
        uid: Some(event.endpoint_uid(&url)),
        url,
        description: String::new(),
        event_types: Some(vec![event.event_type()]),
        channels: None,
        disabled: false,
        throttle_rate: None,
        metadata: Metadata::default(),
        retry_schedule: Some(broker::retry_schedule()),
        timeout: None,
        keys: Sealed(Vec::new()),
        headers: None,
        token: None,
        retried: Retried::Transient,
        failing_since: None,
        created_at: NOW,
        updated_at: NOW,
    };
    let store = service.table.store();
    let subscribed = store.subscribe(application.organization, &event, &endpoint, None, None).await.unwrap();
    assert!(matches!(subscribed, Subscribed::New));
    endpoint.id
}

/// Triggers the event, and reads what was written of it.
async fn written(service: &Service, event: &str, body: impl Into<Body>) -> (Message, Broadcast) {
    let response = service.send(request_as(&token(&organization(1)), event, body)).await;
    assert_eq!(response.status(), 202);
    let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let id: MessageId = answer["jobId"].as_str().unwrap().parse().unwrap();
    let Application { organization, id: application, .. } = brokers(service).await;
    let store = service.table.store();
    let message = store.message(organization, application, id, NOW).await.unwrap().unwrap();
    (message, store.broadcast(organization, application, id).await.unwrap().unwrap())
}

#[tokio::test]
async fn a_trigger_is_accepted_with_its_job() {
    let service = Service::start().await;
    pair(&service, EVENT, 1).await;
    assert_snapshot!(trigger(&service, EVENT, r#"{"a":1}"#).await, @r#"
    202 Accepted
    {"jobId":"msg_[id]"}
    "#);
}

#[tokio::test]
async fn every_url_of_the_event_at_this_moment_gets_it_and_no_other() {
    let service = Service::start().await;
    let first = pair(&service, EVENT, 1).await;
    pair(&service, "upload_video", 2).await;
    let second = pair(&service, EVENT, 3).await;
    let (message, broadcast) = written(&service, EVENT, "{}").await;
    assert_eq!((broadcast.receivers, broadcast.subject.as_str()), (vec![first, second], EVENT));
    assert_eq!((broadcast.created_at, broadcast.ended), (message.created_at, None));
    let store = service.table.store();
    let (organization, reference) = (message.organization, Reference::Id(first));
    let endpoint = store.endpoint(organization, message.application, &reference).await.unwrap().unwrap();
    assert!(endpoint.wants(&message), "the fan-out finds it");
    let third = pair(&service, EVENT, 4).await;
    assert_eq!(written(&service, EVENT, "{}").await.1.receivers, [first, second, third]);
}

#[tokio::test]
async fn the_body_is_the_payload_byte_for_byte_where_it_used_to_be_ignored() {
    let service = Service::start().await;
    pair(&service, EVENT, 1).await;
    for body in ["{ \"a\" : 1.00,\n\"\\u00e9\":[1E2] }", "[]", "null", "\"text\"", "0"] {
        let (message, _) = written(&service, EVENT, format!("\n {body} \r\n")).await;
        assert_eq!(message.payload.unwrap(), body);
    }
    for body in ["", " \n"] {
        let (message, _) = written(&service, EVENT, body).await;
        assert_eq!(message.payload.unwrap(), "{}", "nothing is an empty object");
    }
}

#[tokio::test]
async fn a_trigger_is_written_at_once_with_what_it_owes() {
    let service = Service::with(&[("GRACE_SECONDS", "7")]).await;
    pair(&service, EVENT, 1).await;
    let (message, broadcast) = written(&service, EVENT, "{}").await;
    let store = service.table.store();
    let mut owed = Vec::new();
    for shard in 0..tidings_domain::agenda::SHARDS {
        let far = NOW + std::time::Duration::from_secs(60);
        owed.extend(store.due(shard, far, None, 50).await.unwrap().entries);
    }
    owed.sort_by_key(|entry| entry.key.due);
    let entries: Vec<_> = owed.iter().map(|entry| (entry.key.work.kind, entry.key.due)).collect();
    let grace = std::time::Duration::from_secs(7);
    assert_eq!(entries, [(Kind::Broadcast, NOW + FOLLOWED_AFTER), (Kind::Message, NOW + grace)]);
    assert_eq!((&owed[0].key.work, message.created_at), (&broadcast.work(), NOW));
}

#[tokio::test]
async fn an_event_that_nobody_wants_is_not_found_and_nothing_is_written() {
    let service = Service::start().await;
    let before = service.written().await;
    assert_snapshot!(trigger(&service, EVENT, "{}").await, @r#"
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    "#);
    assert!(trigger(&service, "ab", "{}").await.starts_with("404"));
    assert_eq!(service.written().await, before);
    pair(&service, EVENT, 1).await;
    let theirs = service.send(request_as(&token(&organization(2)), EVENT, "{}")).await;
    assert_eq!(theirs.status(), 404, "another organization's");
}

#[tokio::test]
async fn a_name_is_percent_decoded() {
    let service = Service::start().await;
    pair(&service, "upload image/1 \u{e9}", 1).await;
    let (_, broadcast) = written(&service, "upload%20image%2F1%20%C3%A9", "{}").await;
    assert_eq!(broadcast.subject, "upload image/1 \u{e9}");
    assert_eq!(written(&service, "%20upload%20image%2F1%20%C3%A9", "{}").await.1.receivers.len(), 1);
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let service = Service::start().await;
    pair(&service, EVENT, 1).await;
    let before = service.written().await;
    assert_snapshot!(trigger(&service, EVENT, "{").await, @r#"
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1."}
    "#);
    assert_snapshot!(trigger(&service, EVENT, r#"{"a":1,"a":2}"#).await, @r#"
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: property \"a\" twice in one object at line 1 column 10."}
    "#);
    let mut form = request_as(&token(&organization(1)), EVENT, "a=1");
    form.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(service.send(form).await.status(), 415);
    assert_eq!(service.written().await, before);
}

#[tokio::test]
async fn a_payload_is_as_large_as_a_messages() {
    let service = Service::start().await;
    pair(&service, EVENT, 1).await;
    let of = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let (message, _) = written(&service, EVENT, of(MAX_PAYLOAD_BYTES)).await;
    assert_eq!(message.payload.unwrap().len(), MAX_PAYLOAD_BYTES);
    assert_snapshot!(trigger(&service, EVENT, of(MAX_PAYLOAD_BYTES + 1)).await, @r#"
    413 Payload Too Large
    {"code":"payload_too_large","detail":"The body is larger than 262144 bytes."}
    "#);
}

#[tokio::test]
async fn only_an_organization_may_trigger() {
    let service = Service::start().await;
    pair(&service, EVENT, 1).await;
    assert_eq!(service.send(request_as(&token(&application()), EVENT, "{}")).await.status(), 403);
    assert_eq!(service.send(request_as("nobody", EVENT, "{}")).await.status(), 401);
}

#[tokio::test]
async fn what_cannot_be_written_is_not_accepted() {
    for fault in [Fault::Throttled, Fault::InternalError, Fault::Unreachable] {
        let service = Service::start().await;
        pair(&service, EVENT, 1).await;
        let before = service.written().await;
        service.table.faults().inject(Rule::new(fault).on("TransactWriteItems"));
        assert!(trigger(&service, EVENT, "{}").await.starts_with("503"), "{fault:?}");
        service.table.faults().clear();
        assert_eq!(service.written().await, before, "{fault:?}");
    }
}
