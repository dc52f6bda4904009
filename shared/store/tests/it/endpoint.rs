use std::collections::BTreeMap;
use std::time::Duration;

use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::ids::{EndpointId, MessageId};
use tidings_domain::message::{Message, RETENTION, Route};
use tidings_domain::metadata::Metadata;
use tidings_domain::names::Reference;
use tidings_domain::page::{Order, PageLimit};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_store::message::NewMessage;
use tidings_store::{Created, Repetition, Replaced, Store, StoreError};

use crate::application::{application, kept};
use crate::support::{NOW, all_due, at, organization, store};

/// An endpoint of application 1 of organization 1. Higher numbers are younger.
pub(crate) fn endpoint(number: u16) -> Endpoint {
    let created_at = NOW + Duration::from_millis(4 * u64::from(number));
    Endpoint {
        id: EndpointId::new(created_at, [5; 15]),
        organization: organization(1),
        application: application(1).id,
        uid: None,
        url: WebhookUrl::try_from("https://example.com/hook".to_owned()).unwrap(),
        description: String::new(),
        event_types: None,
        channels: None,
        disabled: false,
        throttle_rate: None,
        metadata: Metadata::default(),
        retry_schedule: None,
        timeout: None,
        keys: Sealed(vec![0, 255, number.to_be_bytes()[1]]),
        headers: None,
        token: None,
        retried: Retried::All,
        failing_since: None,
        created_at,
        updated_at: created_at,
    }
}

/// A message of application 1 of organization 1.
pub(crate) fn message(number: u16) -> Message {
    let created_at = NOW + Duration::from_millis(4 * u64::from(number));
    Message {
        id: MessageId::new(created_at, [6; 15]),
        organization: organization(1),
        application: application(1).id,
        event_type: "endpoint.created".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        payload: Some("{}".into()),
        payload_until: created_at + RETENTION,
        created_at,
    }
}

/// A store in which the endpoints above have their application.
pub(crate) async fn store_with_application() -> Store {
    let store = store().await;
    let _ = store.create_application(&application(1), None).await.unwrap();
    store
}

fn named(number: u16, uid: &str) -> Endpoint {
    Endpoint { uid: Some(uid.parse().unwrap()), ..endpoint(number) }
}

fn later(before: &Endpoint) -> Endpoint {
    Endpoint { updated_at: before.updated_at + Duration::from_millis(1), ..before.clone() }
}

async fn read(store: &Store, number: u16) -> Option<Endpoint> {
    let id = Reference::Id(endpoint(number).id);
    store.endpoint(organization(1), application(1).id, &id).await.unwrap()
}

async fn read_by_uid(store: &Store, uid: &str) -> Option<Endpoint> {
    store.endpoint(organization(1), application(1).id, &Reference::Uid(uid.parse().unwrap())).await.unwrap()
}

async fn create(store: &Store, endpoint: &Endpoint) -> Created {
    store.create_endpoint(endpoint, None, None).await.unwrap()
}

/// Whether the message with this number is there and owed.
async fn told(store: &Store, number: u16) -> bool {
    let message = message(number);
    let stored = store.message(organization(1), message.application, message.id, at(0)).await.unwrap();
    let is_owed = all_due(store, at(1_000)).await.iter().any(|entry| entry.key.work == message.work(Route::Endpoints));
    assert_eq!(stored.is_some(), is_owed);
    is_owed
}

#[tokio::test]
async fn an_endpoint_is_read_back_as_it_was_written_by_its_id_and_by_its_uid() {
    let store = store_with_application().await;
    let full = Endpoint {
        description: "caf\u{e9}".to_owned(),
        event_types: Some(vec!["user.created".parse().unwrap(), "user.deleted".parse().unwrap()]),
        channels: Some(vec!["eu".parse().unwrap()]),
        disabled: true,
        throttle_rate: Some(50.try_into().unwrap()),
        metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]).try_into().unwrap(),
        retry_schedule: Some("5,60x1440".parse().unwrap()),
        timeout: Some(Duration::from_secs(20)),
        keys: Sealed((0..=255).collect()),
        headers: Some(Sealed(vec![1, 2, 3])),
        token: Some(Sealed(vec![4, 5])),
        retried: Retried::Transient,
        failing_since: Some(at(7)),
        ..named(1, "main")
    };
    assert_eq!(create(&store, &full).await, Created::Written);
    assert_eq!(read(&store, 1).await, Some(full.clone()));
    assert_eq!(read_by_uid(&store, "main").await, Some(full));
    let _ = create(&store, &endpoint(2)).await;
    assert_eq!(read(&store, 2).await, Some(endpoint(2)));
    let none = Endpoint { event_types: Some(Vec::new()), channels: Some(Vec::new()), ..endpoint(3) };
    let _ = create(&store, &none).await;
    assert_eq!(read(&store, 3).await, Some(none), "an empty list is not the same as none");
}

#[tokio::test]
async fn an_endpoint_is_found_in_its_own_application_and_tenant_only() {
    let store = store_with_application().await;
    let _ = store.create_application(&application(2), None).await.unwrap();
    let _ = create(&store, &named(1, "main")).await;
    for reference in [Reference::Id(endpoint(1).id), Reference::Uid("main".parse().unwrap())] {
        let elsewhere = store.endpoint(organization(1), application(2).id, &reference).await.unwrap();
        assert_eq!(elsewhere, None, "another application's");
        let elsewhere = store.endpoint(organization(2), application(1).id, &reference).await.unwrap();
        assert_eq!(elsewhere, None, "another organization's");
    }
    let theirs = Endpoint { application: application(2).id, ..named(2, "main") };
    assert_eq!(create(&store, &theirs).await, Created::Written, "a uid is an application's own");
    assert_eq!(read_by_uid(&store, "main").await, Some(named(1, "main")));
}

#[tokio::test]
async fn an_endpoint_needs_its_application() {
    let store = store_with_application().await;
    let _ = store.delete_application(&application(1), at(30)).await.unwrap();
    let refused = store.create_endpoint(&named(1, "main"), None, None).await;
    assert!(matches!(refused, Err(StoreError::Contended)), "{refused:?}");
    let theirs = Endpoint { organization: organization(2), ..endpoint(1) };
    assert!(store.create_endpoint(&theirs, None, None).await.is_err(), "another organization's");
    assert_eq!(read(&store, 1).await, None);
    assert_eq!(read_by_uid(&store, "main").await, None);
}

#[tokio::test]
async fn a_uid_is_one_endpoints_and_moves_with_the_change() {
    let store = store_with_application().await;
    let _ = create(&store, &named(1, "main")).await;
    let _ = create(&store, &endpoint(2)).await;
    assert_eq!(create(&store, &named(3, "main")).await, Created::UidTaken);
    assert_eq!(read(&store, 3).await, None);
    let renamed = Endpoint { uid: named(1, "main").uid, ..later(&endpoint(2)) };
    assert_eq!(store.replace_endpoint(&endpoint(2), &renamed, None).await.unwrap(), Replaced::UidTaken);
    assert_eq!(read(&store, 2).await, Some(endpoint(2)));

    let moved = Endpoint { uid: named(1, "new").uid, ..later(&named(1, "main")) };
    assert_eq!(store.replace_endpoint(&named(1, "main"), &moved, None).await.unwrap(), Replaced::Written);
    assert_eq!(read_by_uid(&store, "main").await, None);
    assert_eq!(read_by_uid(&store, "new").await, Some(moved));
    assert_eq!(store.replace_endpoint(&endpoint(2), &renamed, None).await.unwrap(), Replaced::Written);
}

#[tokio::test]
async fn what_is_told_is_written_with_what_it_tells_or_not_at_all() {
    let store = store_with_application().await;
    let _ = create(&store, &endpoint(0)).await;
    let messages: Vec<_> = (0..8).map(message).collect();
    let news: Vec<_> =
        messages.iter().map(|message| NewMessage { message, due: at(30), route: Route::Endpoints }).collect();
    let _ = store.create_endpoint(&named(1, "main"), Some(&news[0]), Some(&kept("a", "x"))).await.unwrap();
    assert!(told(&store, 0).await);
    let taken = store.create_endpoint(&named(2, "main"), Some(&news[1]), None).await.unwrap();
    assert_eq!((taken, told(&store, 1).await), (Created::UidTaken, false));
    let repeated = store.create_endpoint(&named(3, "main"), Some(&news[1]), Some(&kept("a", "y"))).await.unwrap();
    let first = Created::Repeated(Repetition::Same(kept("a", "x").answer));
    assert_eq!((repeated, told(&store, 1).await), (first, false));

    let before = named(1, "main");
    let after = later(&before);
    let _ = store.replace_endpoint(&before, &after, Some(&news[2])).await.unwrap();
    assert!(told(&store, 2).await);
    let stale = store.replace_endpoint(&before, &after, Some(&news[3])).await.unwrap();
    assert_eq!((stale, told(&store, 3).await), (Replaced::Changed, false));

    assert!(store.disable_endpoint(&after, at(9), Some(&news[4])).await.unwrap());
    assert!(told(&store, 4).await);
    assert!(!store.disable_endpoint(&after, at(9), Some(&news[5])).await.unwrap(), "twice");
    assert!(!told(&store, 5).await);

    assert!(store.delete_endpoint(&after, Some(&news[6])).await.unwrap());
    assert!(told(&store, 6).await);
    assert!(!store.delete_endpoint(&after, Some(&news[7])).await.unwrap(), "twice");
    assert!(!told(&store, 7).await);
}

#[tokio::test]
async fn an_endpoint_fails_from_its_first_failure_until_it_succeeds() {
    let store = store_with_application().await;
    let _ = create(&store, &endpoint(1)).await;
    store.endpoint_failed(&endpoint(1), at(1)).await.unwrap();
    store.endpoint_failed(&endpoint(1), at(2)).await.unwrap();
    let failing = read(&store, 1).await.unwrap();
    assert_eq!(failing, Endpoint { failing_since: Some(at(1)), ..endpoint(1) });
    store.endpoint_failed(&failing, at(3)).await.unwrap();
    store.endpoint_recovered(&endpoint(1)).await.unwrap();
    assert_eq!(read(&store, 1).await.unwrap(), failing, "who saw no failure sees no end of it");
    store.endpoint_recovered(&failing).await.unwrap();
    assert_eq!(read(&store, 1).await, Some(endpoint(1)));
    store.endpoint_recovered(&failing).await.unwrap();
    store.endpoint_failed(&endpoint(9), at(1)).await.unwrap();
    assert_eq!(read(&store, 9).await, None, "an endpoint that is gone does not come back");
}

#[tokio::test]
async fn a_change_does_not_undo_a_failure_that_came_meanwhile() {
    let store = store_with_application().await;
    let _ = create(&store, &endpoint(1)).await;
    store.endpoint_failed(&endpoint(1), at(1)).await.unwrap();
    let outcome = store.replace_endpoint(&endpoint(1), &later(&endpoint(1)), None).await.unwrap();
    assert_eq!(outcome, Replaced::Changed);
    let failing = read(&store, 1).await.unwrap();
    let enabled = Endpoint { failing_since: None, ..later(&failing) };
    assert_eq!(store.replace_endpoint(&failing, &enabled, None).await.unwrap(), Replaced::Written);
    assert_eq!(read(&store, 1).await, Some(enabled));
}

#[tokio::test]
async fn an_endpoint_is_disabled_for_the_failures_that_were_seen_and_no_others() {
    let store = store_with_application().await;
    let _ = create(&store, &endpoint(1)).await;
    store.endpoint_failed(&endpoint(1), at(1)).await.unwrap();
    let failing = read(&store, 1).await.unwrap();
    // Somebody changed it meanwhile, and it fails all the same.
    let changed = Endpoint { description: "new".to_owned(), updated_at: at(10), ..failing.clone() };
    let _ = store.replace_endpoint(&failing, &changed, None).await.unwrap();
    assert!(store.disable_endpoint(&failing, at(10), None).await.unwrap());
    let disabled = read(&store, 1).await.unwrap();
    // In the same millisecond as the other change, and still another change.
    let updated_at = at(10) + Duration::from_millis(1);
    assert_eq!(disabled, Endpoint { disabled: true, updated_at, ..changed.clone() });
    let stale = store.replace_endpoint(&changed, &later(&changed), None).await.unwrap();
    assert_eq!(stale, Replaced::Changed, "who did not see it does not enable it");

    let _ = create(&store, &endpoint(2)).await;
    store.endpoint_failed(&endpoint(2), at(1)).await.unwrap();
    let failing = read(&store, 2).await.unwrap();
    store.endpoint_recovered(&failing).await.unwrap();
    assert!(!store.disable_endpoint(&failing, at(10), None).await.unwrap(), "it recovered");
    assert!(!store.disable_endpoint(&endpoint(9), at(10), None).await.unwrap(), "there is no such");
    assert_eq!(read(&store, 2).await, Some(endpoint(2)));
}

#[tokio::test]
async fn a_deleted_endpoint_is_gone_and_its_uid_is_free() {
    let store = store_with_application().await;
    let before = named(1, "old");
    let _ = create(&store, &before).await;
    let renamed = Endpoint { uid: named(1, "new").uid, ..later(&before) };
    let _ = store.replace_endpoint(&before, &renamed, None).await.unwrap();
    let _ = create(&store, &named(2, "old")).await;
    assert!(store.delete_endpoint(&before, None).await.unwrap(), "it was renamed meanwhile");
    assert_eq!((read(&store, 1).await, read_by_uid(&store, "new").await), (None, None));
    assert_eq!(create(&store, &named(3, "new")).await, Created::Written);
    assert_eq!(read_by_uid(&store, "old").await, Some(named(2, "old")));
    let page = store.endpoints(organization(1), application(1).id, None, Order::Ascending, PageLimit::default()).await;
    assert_eq!(page.unwrap().data, [named(2, "old"), named(3, "new")]);
}

#[tokio::test]
async fn a_process_sees_its_own_changes_of_endpoints_at_once() {
    let store = store_with_application().await;
    let seen = async || {
        let receivers = store.cached_receivers(organization(1), application(1).id, NOW).await.unwrap().unwrap();
        receivers.endpoints.iter().map(|endpoint| (**endpoint).clone()).collect::<Vec<_>>()
    };
    assert!(seen().await.is_empty());
    let _ = create(&store, &endpoint(1)).await;
    assert_eq!(seen().await, [endpoint(1)]);
    store.endpoint_failed(&endpoint(1), at(1)).await.unwrap();
    assert_eq!(seen().await[0].failing_since, Some(at(1)));
    store.endpoint_recovered(&seen().await[0]).await.unwrap();
    let after = Endpoint { description: "new".to_owned(), ..later(&endpoint(1)) };
    let _ = store.replace_endpoint(&endpoint(1), &after, None).await.unwrap();
    assert_eq!(seen().await, std::slice::from_ref(&after));
    assert!(store.disable_endpoint(&after, at(3), None).await.unwrap());
    assert!(seen().await[0].disabled);
    assert!(store.delete_endpoint(&after, None).await.unwrap());
    assert!(seen().await.is_empty());
}
