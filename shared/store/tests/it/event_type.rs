use std::time::Duration;

use tidings_domain::event_type::EventType;
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_store::{Created, Repetition, Replaced, Store};

use crate::application::kept;
use crate::support::{NOW, organization, store};

/// An event type of organization 1. Names start with one another: `e`, `e1`, `e11`, ...
pub(crate) fn event_type(number: u16) -> EventType {
    let name = if number == 0 { "e".to_owned() } else { format!("e{number}") };
    EventType {
        organization: organization(1),
        name: name.parse().unwrap(),
        description: String::new(),
        archived: false,
        deprecated: false,
        schemas: None,
        check_schema: false,
        feature_flags: Vec::new(),
        group_name: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn later(before: &EventType) -> EventType {
    EventType { updated_at: before.updated_at + Duration::from_millis(1), ..before.clone() }
}

async fn read(store: &Store, number: u16) -> Option<EventType> {
    store.event_type(organization(1), &event_type(number).name).await.unwrap()
}

#[tokio::test]
async fn an_event_type_is_read_back_as_it_was_written_its_schemas_digit_for_digit() {
    let store = store().await;
    let json = r#"{"2":{"z":1,"a":1e+300,"":"x","n":18446744073709551615,"f":0.1},"1":{"examples":[{"k":null}]}}"#;
    let full = EventType {
        description: "user was made".to_owned(),
        deprecated: true,
        schemas: Some(serde_json::from_str(json).unwrap()),
        check_schema: true,
        feature_flags: vec!["beta".parse().unwrap()],
        group_name: Some("users".to_owned()),
        ..event_type(1)
    };
    assert_eq!(store.create_event_type(&full, None).await.unwrap(), Created::Written);
    let stored = read(&store, 1).await.unwrap();
    assert_eq!(serde_json::to_string(&stored.schemas).unwrap(), json);
    assert_eq!(stored, full);
    let _ = store.create_event_type(&event_type(2), None).await.unwrap();
    assert_eq!(read(&store, 2).await, Some(event_type(2)));
}

#[tokio::test]
async fn a_name_is_one_event_types_in_its_organization() {
    let store = store().await;
    let _ = store.create_event_type(&event_type(1), Some(&kept("a", "x"))).await.unwrap();
    assert_eq!(store.create_event_type(&event_type(1), None).await.unwrap(), Created::UidTaken);
    let repeated = store.create_event_type(&event_type(1), Some(&kept("a", "y"))).await.unwrap();
    assert_eq!(repeated, Created::Repeated(Repetition::Same(kept("a", "x").answer)));
    let theirs = EventType { organization: organization(2), description: "theirs".to_owned(), ..event_type(1) };
    assert_eq!(store.create_event_type(&theirs, None).await.unwrap(), Created::Written);
    assert_eq!(read(&store, 1).await, Some(event_type(1)));
    assert_eq!(store.event_type(organization(3), &event_type(1).name).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_from_an_old_state_is_not_made() {
    let store = store().await;
    let _ = store.create_event_type(&event_type(1), None).await.unwrap();
    let after = EventType { description: "new".to_owned(), ..later(&event_type(1)) };
    assert_eq!(store.replace_event_type(&event_type(1), &after).await.unwrap(), Replaced::Written);
    assert_eq!(store.replace_event_type(&event_type(1), &later(&after)).await.unwrap(), Replaced::Changed);
    assert_eq!(read(&store, 1).await, Some(after));
    let gone = store.replace_event_type(&event_type(2), &later(&event_type(2))).await.unwrap();
    assert_eq!((gone, read(&store, 2).await), (Replaced::Changed, None));
}

#[tokio::test]
async fn a_deleted_event_type_is_gone_and_its_name_is_free() {
    let store = store().await;
    let _ = store.create_event_type(&event_type(1), None).await.unwrap();
    assert!(!store.delete_event_type(organization(2), &event_type(1).name).await.unwrap(), "another organization's");
    assert!(store.delete_event_type(organization(1), &event_type(1).name).await.unwrap());
    assert!(!store.delete_event_type(organization(1), &event_type(1).name).await.unwrap(), "twice");
    assert_eq!(read(&store, 1).await, None);
    assert_eq!(store.create_event_type(&event_type(1), None).await.unwrap(), Created::Written);
}

#[tokio::test]
async fn pages_without_archived_event_types_are_full_until_the_last() {
    let store = store().await;
    for number in 0..60 {
        let archived = number % 10 != 0;
        let _ = store.create_event_type(&EventType { archived, ..event_type(number) }, None).await.unwrap();
    }
    let list = async |include, position, order, limit| {
        let limit = PageLimit::try_from(limit).unwrap();
        let page = store.event_types(organization(1), include, position, order, limit).await.unwrap();
        let names: Vec<_> = page.data.into_iter().map(|event_type| event_type.name.to_string()).collect();
        (names, page.done)
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let after = |name: &str| Some(Position::After(name.parse().unwrap()));
    let before = |name: &str| Some(Position::Before(name.parse().unwrap()));
    assert_eq!(list(false, None, Order::Ascending, 4).await, (names(&["e", "e10", "e20", "e30"]), false));
    assert_eq!(list(false, after("e30"), Order::Ascending, 4).await, (names(&["e40", "e50"]), true));
    assert_eq!(list(false, after("e30"), Order::Ascending, 2).await, (names(&["e40", "e50"]), true));
    assert_eq!(list(false, before("e40"), Order::Ascending, 3).await, (names(&["e10", "e20", "e30"]), false));
    assert_eq!(list(false, before("e30"), Order::Ascending, 3).await, (names(&["e", "e10", "e20"]), true));
    assert_eq!(list(false, None, Order::Descending, 2).await, (names(&["e50", "e40"]), false));
    assert_eq!(list(false, before("e20"), Order::Descending, 2).await, (names(&["e40", "e30"]), false));
    assert_eq!(list(true, None, Order::Ascending, 3).await, (names(&["e", "e1", "e10"]), false));
    let Page { data, done } = store
        .event_types(organization(1), true, None, Order::Ascending, PageLimit::try_from(60).unwrap())
        .await
        .unwrap();
    assert_eq!((data.len(), done), (60, true));
}

#[tokio::test]
async fn a_process_sees_its_own_changes_of_event_types_at_once() {
    let store = store().await;
    let name = event_type(1).name;
    let seen = async || store.cached_event_type(organization(1), &name, NOW).await.unwrap();
    assert_eq!(seen().await, None);
    let _ = store.create_event_type(&event_type(1), None).await.unwrap();
    assert_eq!(seen().await.as_deref(), Some(&event_type(1)));
    let after = EventType { archived: true, ..later(&event_type(1)) };
    let _ = store.replace_event_type(&event_type(1), &after).await.unwrap();
    assert_eq!(seen().await.as_deref(), Some(&after));
    let _ = store.delete_event_type(organization(1), &name).await.unwrap();
    assert_eq!(seen().await, None);
}
