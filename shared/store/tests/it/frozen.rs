//! Items as past versions wrote them: every version since must read them. A change of a stored shape adds a folder; it
//! never changes one.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::api_key::ApiKeyHash;
use tidings_domain::caller::Scope;
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::names::Reference;
use tidings_domain::page::{Order, PageLimit};
use tidings_store::Store;

use crate::support::{at, store};

pub(crate) const ORGANIZATION: &str = "org_2dmHlPBrNdbSXHkUrzEyTQ3mEXz";
const APPLICATION: &str = "app_2dmHlPBrNdbSXHkUrzEyTQ3mEXz";
const JOB: &str = "job_2dmHlRqYhKBaVUuWxGxZ7IfOEEp";

pub(crate) async fn stored(fixture: &str) -> Store {
    let store = store().await;
    let items: Vec<HashMap<String, Value>> = serde_json::from_str(fixture).unwrap();
    for item in items {
        let item = item.into_iter().map(|(name, value)| (name, attribute(&value))).collect();
        store.client().put_item().table_name("tidings").set_item(Some(item)).send().await.unwrap();
    }
    store
}

fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text.clone()),
        ("N", Value::String(number)) => AttributeValue::N(number.clone()),
        ("B", Value::String(text)) => AttributeValue::B(STANDARD.decode(text).unwrap().into()),
        ("BOOL", Value::Bool(is)) => AttributeValue::Bool(*is),
        ("L", Value::Array(list)) => AttributeValue::L(list.iter().map(attribute).collect()),
        other => panic!("the fixtures hold no {other:?}"),
    }
}

pub(crate) fn organization() -> OrganizationId {
    ORGANIZATION.parse().unwrap()
}

#[tokio::test]
async fn jobs_of_version_1_are_read_and_what_is_unknown_beside_them_is_skipped() {
    let store = stored(include_str!("../fixtures/v1/job.json")).await;
    let read = store.job(organization(), JOB.parse().unwrap(), at(0)).await.unwrap().unwrap();
    insta::assert_debug_snapshot!(read);
}

#[tokio::test]
async fn agenda_entries_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/agenda.json")).await;
    let entry = store.due(0, Timestamp::from_millis(1_710_341_969_000), None, 10).await.unwrap().entries.remove(0);
    assert_eq!(entry.key.work.record.as_str(), format!("{ORGANIZATION}/{JOB}"));
    assert_eq!((entry.key.due.as_millis(), entry.tries), (1_710_341_969_000, 1));
    assert_eq!(entry.destination.as_deref(), Some("https://example.com"));
}

#[tokio::test]
async fn api_keys_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/api_key.json")).await;
    let key = store.api_keys(organization()).await.unwrap().remove(0);
    assert_eq!(store.api_key(&key.hash).await.unwrap(), Some(key.clone()));
    assert_eq!(
        key.hash,
        ApiKeyHash::from_stored("6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090".into())
    );
    assert_eq!((key.description.as_str(), key.created_at), ("for the warehouse", at(0)));
    assert!(matches!(key.caller.scope, Scope::Application(_)));
    assert_eq!((key.caller.organization, key.caller.organizations), (organization(), vec!["acme".to_owned()]));
}

#[tokio::test]
async fn applications_of_version_1_are_read_and_found_by_their_uids() {
    let store = stored(include_str!("../fixtures/v1/application.json")).await;
    let page = store.applications(organization(), None, Order::Ascending, PageLimit::default()).await.unwrap();
    let by_uid = Reference::<ApplicationId>::Uid("acme".parse().unwrap());
    assert_eq!(store.application(organization(), &by_uid).await.unwrap().as_ref(), page.data.first());
    insta::assert_debug_snapshot!(page);
}

#[tokio::test]
async fn endpoints_of_version_1_are_read_and_found_by_their_uids() {
    let store = stored(include_str!("../fixtures/v1/endpoint.json")).await;
    let application = APPLICATION.parse().unwrap();
    let page =
        store.endpoints(organization(), application, None, Order::Ascending, PageLimit::default()).await.unwrap();
    let by_uid = Reference::Uid("main".parse().unwrap());
    assert_eq!(store.endpoint(organization(), application, &by_uid).await.unwrap().as_ref(), page.data.first());
    insta::assert_debug_snapshot!(page);
}

#[tokio::test]
async fn event_types_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/event_type.json")).await;
    let page = store.event_types(organization(), true, None, Order::Ascending, PageLimit::default()).await.unwrap();
    insta::assert_debug_snapshot!(page);
}

#[tokio::test]
async fn background_tasks_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/background_task.json")).await;
    let (order, limit) = (Order::Ascending, PageLimit::default());
    let page = store.background_tasks(organization(), None, None, None, order, limit).await.unwrap();
    insta::assert_debug_snapshot!(page);
}
