//! Payloads against the schemas of their event types.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::event_type::EventType;
use tidings_store::{Created, Replaced};

use crate::support::{NOW, Service, organization};

fn event_type(schema: &Value) -> EventType {
    EventType {
        organization: organization(1).organization,
        name: "user.signup".parse().unwrap(),
        description: String::new(),
        archived: false,
        deprecated: false,
        schemas: json!({"1": {"required": ["old"]}, "2": schema}).as_object().cloned(),
        check_schema: true,
        feature_flags: Vec::new(),
        group_name: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn with(event_type: &EventType) -> Service {
    let service = Service::start().await;
    service.acme().await;
    assert_eq!(service.table.store().create_event_type(event_type, None).await.unwrap(), Created::Written);
    service
}

fn body(payload: &Value) -> String {
    json!({"eventType": "user.signup", "payload": payload}).to_string()
}

#[tokio::test]
async fn a_payload_that_breaks_its_types_schema_is_422_with_every_fault() {
    let schema = json!({
        "required": ["email"],
        "properties": {"email": {"type": "string"}, "lines": {"items": {"required": ["sku"]}}},
    });
    let service = with(&event_type(&schema)).await;
    assert!(service.message(body(&json!({"email": "a@example.com"}))).await.starts_with("202"));
    assert_snapshot!(service.message(body(&json!({"email": 7, "lines": [{"sku": 1}, {}]}))).await, @r#"
    422 Unprocessable Entity
    {"detail":[{"loc":["body","payload","email"],"msg":"value is not of type \"string\"","type":"value_error"},{"loc":["body","payload","lines","1"],"msg":"\"sku\" is a required property","type":"value_error"}]}
    "#);
    assert_eq!(service.count("message").await, 1);
}

#[tokio::test]
async fn a_refused_payload_makes_no_application() {
    let service = with(&event_type(&json!({"required": ["email"]}))).await;
    let body = r#"{"eventType":"user.signup","payload":{},"application":{"name":"New"}}"#;
    let answer = service.send(crate::support::post_message("new").body(body.into()).unwrap()).await;
    assert_eq!((answer.status().as_u16(), service.count("application").await), (422, 1));
}

#[tokio::test]
async fn a_payload_is_not_looked_at_when_checking_is_off_or_its_type_unknown() {
    let unchecked = EventType { check_schema: false, ..event_type(&json!(false)) };
    assert!(with(&unchecked).await.message(body(&json!({}))).await.starts_with("202"));
    let other = EventType { name: "other".parse().unwrap(), ..event_type(&json!(false)) };
    assert!(with(&other).await.message(body(&json!({}))).await.starts_with("202"));
}

#[tokio::test]
async fn a_message_of_an_archived_type_is_accepted() {
    let archived = EventType { archived: true, ..event_type(&json!({})) };
    assert!(with(&archived).await.message(body(&json!({}))).await.starts_with("202"));
}

#[tokio::test]
async fn a_changed_schema_counts_from_then_on() {
    let before = event_type(&json!({"required": ["email"]}));
    let service = with(&before).await;
    assert!(service.message(body(&json!({}))).await.starts_with("422"));
    let later = NOW + Duration::from_secs(1);
    let after = EventType { updated_at: later, ..event_type(&json!({"required": ["name"]})) };
    // By another process: this one may believe what it knows for three seconds.
    let changed = service.table.store().replace_event_type(&before, &after).await.unwrap();
    assert_eq!(changed, Replaced::Written);
    service.clock.advance(Duration::from_secs(4));
    assert!(service.message(body(&json!({"name": 1}))).await.starts_with("202"));
    assert!(service.message(body(&json!({"email": 1}))).await.starts_with("422"));
}
