//! The events that a platform tells of.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use insta::assert_snapshot;
use serde_json::{Map, Value, json};
use tidings_domain::event_type::EventType;
use tidings_domain::initialization::InitializationState;
use tidings_domain::names::Reference;
use tidings_domain::page::PageLimit;
use tidings_domain::platform_event::{DeliveredEvent, Property};
use tidings_store::Created;
use tidings_store::message::MessageFilter;

use crate::support::{NOW, Service, admin, organization, post_platform, shown, token};

const AT: &str = "2027-01-15T07:59:00.000Z";

/// A good event, with all that it must have.
fn event(event: DeliveredEvent) -> Map<String, Value> {
    let mut body = json!({"event": event.name(), "organizationId": "acme-1"}).as_object().unwrap().clone();
    for (name, property) in event.required() {
        let value = match property {
            Property::Text => "x",
            Property::Time => AT,
        };
        body.insert(name.to_owned(), value.into());
    }
    body
}

fn text(event: Map<String, Value>) -> String {
    Value::Object(event).to_string()
}

/// The payloads of the messages of `acme-1`, oldest first.
async fn payloads(service: &Service) -> Vec<(String, String)> {
    let (store, tenant) = (service.table.store(), organization(1).organization);
    let acme = store.application(tenant, &Reference::Uid("acme-1".parse().unwrap())).await.unwrap().unwrap();
    let filter = MessageFilter { with_payload: true, ..MessageFilter::default() };
    let limit = PageLimit::try_from(250).unwrap();
    let page = store.messages(tenant, acme.id, &filter, None, limit, service.clock.now()).await.unwrap();
    let mut messages = page.data;
    messages.sort_by_key(|message| (message.created_at, message.id));
    let payload = |bytes: Option<axum::body::Bytes>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    messages.into_iter().map(|message| (message.event_type.to_string(), payload(message.payload))).collect()
}

#[tokio::test]
async fn every_event_of_the_contract_is_delivered_as_it_came_with_its_time() {
    let service = Service::start().await;
    for &kind in DeliveredEvent::ALL {
        let answer = service.platform("events", text(event(kind))).await;
        assert!(answer.starts_with("202"), "{answer}");
        service.clock.advance(Duration::from_secs(1));
    }
    let mut table = String::new();
    for (name, payload) in payloads(&service).await {
        writeln!(table, "{name} {payload}").unwrap();
    }
    assert_snapshot!(table, @r#"
    sandbox.created {"event":"sandbox.created","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","state":"x","class":"x","timestamp":"2027-01-15T08:00:00.000Z"}
    sandbox.state.updated {"event":"sandbox.state.updated","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","oldState":"x","newState":"x","updatedAt":"2027-01-15T07:59:00.000Z","timestamp":"2027-01-15T08:00:01.000Z"}
    sandbox.desired-state.updated {"event":"sandbox.desired-state.updated","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","oldDesiredState":"x","newDesiredState":"x","updatedAt":"2027-01-15T07:59:00.000Z","timestamp":"2027-01-15T08:00:02.000Z"}
    snapshot.created {"event":"snapshot.created","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","name":"x","state":"x","timestamp":"2027-01-15T08:00:03.000Z"}
    snapshot.state.updated {"event":"snapshot.state.updated","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","name":"x","oldState":"x","newState":"x","updatedAt":"2027-01-15T07:59:00.000Z","timestamp":"2027-01-15T08:00:04.000Z"}
    snapshot.removed {"event":"snapshot.removed","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","name":"x","removedAt":"2027-01-15T07:59:00.000Z","timestamp":"2027-01-15T08:00:05.000Z"}
    volume.created {"event":"volume.created","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","name":"x","state":"x","timestamp":"2027-01-15T08:00:06.000Z"}
    volume.state.updated {"event":"volume.state.updated","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","name":"x","oldState":"x","newState":"x","updatedAt":"2027-01-15T07:59:00.000Z","timestamp":"2027-01-15T08:00:07.000Z"}
    volume.lastUsedAt.updated {"event":"volume.lastUsedAt.updated","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","name":"x","lastUsedAt":"2027-01-15T07:59:00.000Z","updatedAt":"2027-01-15T07:59:00.000Z","timestamp":"2027-01-15T08:00:08.000Z"}
    audit-log.created {"event":"audit-log.created","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","action":"x","targetType":"x","targetId":"x","timestamp":"2027-01-15T08:00:09.000Z"}
    audit-log.updated {"event":"audit-log.updated","organizationId":"acme-1","id":"x","createdAt":"2027-01-15T07:59:00.000Z","action":"x","targetType":"x","targetId":"x","updatedAt":"2027-01-15T07:59:00.000Z","timestamp":"2027-01-15T08:00:10.000Z"}
    "#);
}

#[tokio::test]
async fn an_event_is_answered_with_its_message() {
    let service = Service::start().await;
    assert_snapshot!(service.platform("events", text(event(DeliveredEvent::SandboxCreated))).await, @r#"
    202 Accepted
    {"event":"sandbox.created","organizationId":"acme-1","messageId":"msg_[id]"}
    "#);
}

#[tokio::test]
async fn what_the_platform_says_is_delivered_byte_for_byte() {
    let service = Service::start().await;
    let body = format!(
        "\n {{ \"event\" : \"volume.created\", \"organizationId\":\"acme-1\",\"id\":\"v\",\"createdAt\":\"{AT}\",\
         \"name\":\"n\",\"state\":\"s\",\"size\": 1.50 ,\"more\":{{\"z\":1,\"a\":12345678901234567890123}} }} \n"
    );
    assert!(service.platform("events", body.clone()).await.starts_with("202"));
    service.clock.advance(Duration::from_secs(1));
    let timed = body.replace("\"size\"", &format!("\"timestamp\":\"{AT}\", \"size\""));
    assert!(service.platform("events", timed.clone()).await.starts_with("202"));
    let inner = body.trim().trim_end_matches('}').trim_end();
    let added = format!("{inner},\"timestamp\":\"2027-01-15T08:00:00.000Z\"}}");
    let payloads: Vec<_> = payloads(&service).await.into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(payloads, [added, timed.trim().to_owned()]);
}

#[tokio::test]
async fn an_event_without_what_it_must_say_is_422_and_every_gap_is_named() {
    let service = Service::start().await;
    let mut table = String::new();
    for &kind in DeliveredEvent::ALL {
        let bare = json!({"event": kind.name(), "organizationId": "acme-1"});
        let answer = service.platform("events", bare.to_string()).await;
        let (status, body) = answer.split_once('\n').unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let gap = |fault: &Value| {
            assert_eq!(fault["type"], "value_error.missing");
            format!("{}.{}", fault["loc"][0].as_str().unwrap(), fault["loc"][1].as_str().unwrap())
        };
        let gaps: Vec<_> = body["detail"].as_array().unwrap().iter().map(gap).collect();
        writeln!(table, "{} {status} {}", kind.name(), gaps.join(" ")).unwrap();
        // And each of them alone.
        for (name, _) in kind.required() {
            let mut body = event(kind);
            body.remove(name);
            assert!(service.platform("events", text(body)).await.starts_with("422"), "{} without {name}", kind.name());
        }
    }
    assert_snapshot!(table, @"
    sandbox.created 422 Unprocessable Entity body.id body.createdAt body.state body.class
    sandbox.state.updated 422 Unprocessable Entity body.id body.createdAt body.oldState body.newState body.updatedAt
    sandbox.desired-state.updated 422 Unprocessable Entity body.id body.createdAt body.oldDesiredState body.newDesiredState body.updatedAt
    snapshot.created 422 Unprocessable Entity body.id body.createdAt body.name body.state
    snapshot.state.updated 422 Unprocessable Entity body.id body.createdAt body.name body.oldState body.newState body.updatedAt
    snapshot.removed 422 Unprocessable Entity body.id body.createdAt body.name body.removedAt
    volume.created 422 Unprocessable Entity body.id body.createdAt body.name body.state
    volume.state.updated 422 Unprocessable Entity body.id body.createdAt body.name body.oldState body.newState body.updatedAt
    volume.lastUsedAt.updated 422 Unprocessable Entity body.id body.createdAt body.name body.lastUsedAt body.updatedAt
    audit-log.created 422 Unprocessable Entity body.id body.createdAt body.action body.targetType body.targetId
    audit-log.updated 422 Unprocessable Entity body.id body.createdAt body.action body.targetType body.targetId body.updatedAt
    ");
    assert_eq!(service.written().await, "", "something was written");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_refused_with_every_fault() {
    let service = Service::start().await;
    let mut table = String::new();
    let wrong = json!({
        "event": "sandbox.created", "organizationId": "a b", "id": "", "createdAt": "yesterday", "state": 7,
        "class": null, "timestamp": null, "more": [],
    });
    let cases = [
        ("no JSON", "{".to_owned()),
        ("a list", "[]".to_owned()),
        ("nothing", "{}".to_owned()),
        ("an unknown event", json!({"event": "sandbox.deleted", "id": 1}).to_string()),
        ("no name", json!({"event": ["sandbox.created"], "organizationId": "a"}).to_string()),
        ("everything", wrong.to_string()),
        ("nothing of an organization", json!({"event": "organization.created"}).to_string()),
    ];
    for (name, body) in cases {
        writeln!(table, "--- {name}\n{}", service.platform("events", body).await).unwrap();
    }
    assert_snapshot!(table, @r#"
    --- no JSON
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1."}
    --- a list
    422 Unprocessable Entity
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- nothing
    422 Unprocessable Entity
    {"detail":[{"loc":["body","event"],"msg":"is required","type":"value_error.missing"},{"loc":["body","organizationId"],"msg":"is required","type":"value_error.missing"}]}
    --- an unknown event
    422 Unprocessable Entity
    {"detail":[{"loc":["body","event"],"msg":"is not an event of the platform","type":"value_error"},{"loc":["body","organizationId"],"msg":"is required","type":"value_error.missing"}]}
    --- no name
    422 Unprocessable Entity
    {"detail":[{"loc":["body","event"],"msg":"must be a string","type":"type_error"}]}
    --- everything
    422 Unprocessable Entity
    {"detail":[{"loc":["body","organizationId"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["body","id"],"msg":"must be 1 to 1024 characters long","type":"value_error"},{"loc":["body","createdAt"],"msg":"must be a date and time as in RFC 3339","type":"value_error"},{"loc":["body","state"],"msg":"must be a string","type":"type_error"},{"loc":["body","class"],"msg":"must be a string","type":"type_error"},{"loc":["body","timestamp"],"msg":"must be a string","type":"type_error"}]}
    --- nothing of an organization
    422 Unprocessable Entity
    {"detail":[{"loc":["body","organizationId"],"msg":"is required","type":"value_error.missing"}]}
    "#);
    assert_eq!(service.written().await, "", "something was written");
}

#[tokio::test]
async fn a_schema_of_its_type_is_checked_and_says_where() {
    let service = Service::start().await;
    let event_type = EventType {
        organization: organization(1).organization,
        name: "sandbox.created".parse().unwrap(),
        description: String::new(),
        archived: false,
        deprecated: false,
        schemas: json!({"1": {"properties": {"state": {"enum": ["started"]}}}}).as_object().cloned(),
        check_schema: true,
        feature_flags: Vec::new(),
        group_name: None,
        created_at: NOW,
        updated_at: NOW,
    };
    assert_eq!(service.table.store().create_event_type(&event_type, None).await.unwrap(), Created::Written);
    assert_snapshot!(service.platform("events", text(event(DeliveredEvent::SandboxCreated))).await, @r#"
    422 Unprocessable Entity
    {"detail":[{"loc":["body","state"],"msg":"value is not one of \"started\"","type":"value_error"}]}
    "#);
}

#[tokio::test]
async fn a_new_organization_is_initialized_once() {
    let service = Service::start().await;
    let body = json!({"event": "organization.created", "organizationId": "acme-1", "name": "Acme"}).to_string();
    assert_snapshot!(service.platform("events", body.clone()).await, @r#"
    202 Accepted
    {"event":"organization.created","organizationId":"acme-1","messageId":null}
    "#);
    let (store, tenant) = (service.table.store(), organization(1).organization);
    let acme = "acme-1".parse().unwrap();
    let first = store.initialization(tenant, &acme).await.unwrap().unwrap();
    assert_eq!((first.state, first.created_at), (InitializationState::Pending, NOW));
    let before = service.written().await;
    assert!(before.contains("#initialization#org_[id]/acme-1"), "{before}");
    service.clock.advance(Duration::from_secs(1));
    assert!(service.platform("events", body).await.starts_with("202"));
    assert_eq!((store.initialization(tenant, &acme).await.unwrap(), service.written().await), (Some(first), before));
    assert_eq!(service.count("message").await, 0);
}

#[tokio::test]
async fn the_same_event_under_a_key_is_one_message() {
    let service = Service::start().await;
    let bearer = token(&admin(1));
    let body = text(event(DeliveredEvent::AuditLogCreated));
    let keyed = || {
        let request = post_platform(&bearer, "events").header("idempotency-key", "17");
        request.body(Body::from(body.clone())).unwrap()
    };
    let first = shown(service.send(keyed()).await).await;
    service.clock.advance(Duration::from_secs(5));
    let again = shown(service.send(keyed()).await).await;
    assert_eq!(again, format!("202 Accepted\nidempotent-replayed: true\n{}", first.split_once('\n').unwrap().1));
    assert_eq!(service.count("message").await, 1);
}
