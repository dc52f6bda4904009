use std::time::Duration;

use tidings_domain::application::Application;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::event_type::EventType;
use tidings_domain::names::{Reference, Uid};
use tidings_domain::operational;
use tidings_harness::Table;

use crate::application::application;
use crate::endpoint::endpoint;
use crate::event_type::event_type;
use crate::support::{at, organization};

/// Changed by another process, or by this one, an application is what it is: the first after three seconds, the second at
/// once.
#[tokio::test]
async fn an_application_is_kept_for_three_seconds_but_for_the_processes_own_writes() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    let before = application(1);
    let _ = elsewhere.create_application(&before, None).await.unwrap();
    let reference = Reference::Id(before.id);
    let name = async |millis: u64| {
        let now = at(0) + Duration::from_millis(millis);
        here.cached_application(before.organization, &reference, now).await.unwrap().unwrap().name.clone()
    };
    assert_eq!(name(0).await, before.name);
    let after = Application { name: "elsewhere".to_owned(), updated_at: at(50), ..before.clone() };
    let _ = elsewhere.replace_application(&before, &after).await.unwrap();
    table.meter().reset();
    assert_eq!(name(2999).await, before.name);
    assert_eq!(table.meter().total().count, 0);
    assert_eq!(name(3000).await, "elsewhere");
    let own = Application { name: "here".to_owned(), updated_at: at(60), ..after.clone() };
    let _ = here.replace_application(&after, &own).await.unwrap();
    assert_eq!(name(3001).await, "here");
    // Clones are the same process.
    assert!(here.clone().delete_application(&own, at(90)).await.unwrap());
    let gone = here.cached_application(before.organization, &reference, at(4)).await.unwrap();
    assert_eq!(gone, None);
}

#[tokio::test]
async fn an_application_is_forgotten_under_its_old_uid_too() {
    let table = Table::start().await;
    let store = table.store();
    let before = Application { uid: Some("old".parse().unwrap()), ..application(1) };
    let _ = store.create_application(&before, None).await.unwrap();
    let found = async |uid: &str| {
        let reference = Reference::Uid(uid.parse::<Uid>().unwrap());
        store.cached_application(before.organization, &reference, at(0)).await.unwrap().is_some()
    };
    assert_eq!((found("old").await, found("new").await), (true, false));
    let after = Application { uid: Some("new".parse().unwrap()), updated_at: at(50), ..before.clone() };
    let _ = store.replace_application(&before, &after).await.unwrap();
    assert_eq!((found("old").await, found("new").await), (false, true));
}

#[tokio::test]
async fn receivers_are_an_application_with_all_its_endpoints() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    let own = application(1);
    let receivers = async |second| here.cached_receivers(own.organization, own.id, at(second)).await.unwrap();
    assert_eq!(receivers(0).await, None);
    let _ = elsewhere.create_application(&own, None).await.unwrap();
    let first = receivers(0).await.unwrap();
    assert_eq!((&first.application, first.endpoints.len(), first.complete), (&own, 0, true));
    for number in 0..3 {
        let _ = elsewhere.create_endpoint(&endpoint(number), None, None).await.unwrap();
    }
    assert_eq!(receivers(2).await.unwrap().endpoints.len(), 0);
    let found = receivers(3).await.unwrap();
    let expected: Vec<Endpoint> = (0..3).map(endpoint).collect();
    assert_eq!(found.endpoints.iter().map(|endpoint| (**endpoint).clone()).collect::<Vec<_>>(), expected);
    table.meter().reset();
    assert_eq!(receivers(5).await.unwrap(), found);
    assert_eq!(table.meter().total().count, 0);
    let _ = here.create_endpoint(&endpoint(3), None, None).await.unwrap();
    assert_eq!(receivers(5).await.unwrap().endpoints.len(), 4);
    assert!(here.delete_endpoint(&endpoint(0), None).await.unwrap());
    assert_eq!(receivers(5).await.unwrap().endpoints.len(), 3);
}

#[tokio::test]
async fn of_more_than_a_thousand_endpoints_none_are_kept() {
    let table = Table::start().await;
    let store = table.store();
    let own = application(1);
    let _ = store.create_application(&own, None).await.unwrap();
    for number in 0..1000 {
        let _ = store.create_endpoint(&endpoint(number), None, None).await.unwrap();
    }
    let receivers = store.cached_receivers(own.organization, own.id, at(0)).await.unwrap().unwrap();
    assert_eq!((receivers.endpoints.len(), receivers.complete), (1000, true));
    let _ = store.create_endpoint(&endpoint(1000), None, None).await.unwrap();
    let receivers = store.cached_receivers(own.organization, own.id, at(0)).await.unwrap().unwrap();
    assert_eq!((receivers.endpoints.len(), receivers.complete), (0, false));
}

#[tokio::test]
async fn that_there_is_no_event_type_is_kept_too() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    let own: EventType = event_type(1);
    let found = async |second| here.cached_event_type(own.organization, &own.name, at(second)).await.unwrap().is_some();
    assert!(!found(0).await);
    let _ = elsewhere.create_event_type(&own, None).await.unwrap();
    table.meter().reset();
    assert!(!found(2).await);
    assert_eq!(table.meter().total().count, 0);
    assert!(found(3).await);
    assert!(here.delete_event_type(own.organization, &own.name).await.unwrap());
    assert!(!found(3).await);
    let _ = here.create_event_type(&own, None).await.unwrap();
    assert!(found(3).await);
}

#[tokio::test]
async fn the_operational_recipient_is_the_application_named_like_its_organization() {
    let table = Table::start().await;
    let store = table.store();
    let recipient = async |second| store.operational_recipient(organization(1), at(second)).await.unwrap();
    assert_eq!(recipient(0).await, None);
    let own = Application { uid: Some(operational::recipient(organization(1))), ..application(1) };
    let _ = store.create_application(&own, None).await.unwrap();
    assert_eq!(recipient(0).await.as_deref(), Some(&own));
    assert!(store.delete_application(&own, at(90)).await.unwrap());
    assert_eq!(recipient(0).await, None);
}
