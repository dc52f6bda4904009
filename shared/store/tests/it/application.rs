use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use tidings_domain::application::{Application, purge};
use tidings_domain::idempotency::{Answer, Fingerprint, IdempotencyKey, KeptAnswer};
use tidings_domain::ids::ApplicationId;
use tidings_domain::message::Route;
use tidings_domain::metadata::Metadata;
use tidings_domain::names::Reference;
use tidings_domain::page::{Order, PageLimit};
use tidings_store::{Created, Repetition, Replaced, Store, keys};

use crate::endpoint::{endpoint, message};
use crate::support::{NOW, all_due, at, organization, store};

/// An application of organization 1. Higher numbers are younger.
pub(crate) fn application(number: u16) -> Application {
    let created_at = NOW + Duration::from_millis(4 * u64::from(number));
    Application {
        id: ApplicationId::new(created_at, [3; 15]),
        organization: organization(1),
        uid: None,
        name: format!("application {number}"),
        throttle_rate: None,
        metadata: Metadata::default(),
        tokens_valid_after: None,
        created_at,
        updated_at: created_at,
    }
}

fn named(number: u16, uid: &str) -> Application {
    Application { uid: Some(uid.parse().unwrap()), ..application(number) }
}

fn later(before: &Application) -> Application {
    Application { updated_at: before.updated_at + Duration::from_millis(1), ..before.clone() }
}

pub(crate) fn kept(body: &str, answer: &str) -> KeptAnswer {
    KeptAnswer {
        key: IdempotencyKey::try_from("order 17").unwrap(),
        fingerprint: Fingerprint::of("POST", "/api/v1/app", body.as_bytes()),
        answer: Answer { status: 201, location: None, body: answer.to_owned() },
    }
}

fn by_uid(uid: &str) -> Reference<ApplicationId> {
    Reference::Uid(uid.parse().unwrap())
}

async fn find(store: &Store, reference: &Reference<ApplicationId>) -> Option<Application> {
    store.application(organization(1), reference).await.unwrap()
}

async fn list(store: &Store) -> Vec<ApplicationId> {
    let page = store.applications(organization(1), None, Order::Ascending, PageLimit::default()).await.unwrap();
    page.data.iter().map(|application| application.id).collect()
}

#[tokio::test]
async fn an_application_is_read_back_as_it_was_written_by_its_id_and_by_its_uid() {
    let store = store().await;
    let metadata =
        BTreeMap::from([(String::new(), "empty name".to_owned()), ("k".to_owned(), "\u{20ac}\"".to_owned())]);
    let full = Application {
        throttle_rate: Some(7.try_into().unwrap()),
        metadata: metadata.try_into().unwrap(),
        tokens_valid_after: Some(at(5)),
        ..named(1, "acme")
    };
    assert_eq!(store.create_application(&full, None).await.unwrap(), Created::Written);
    assert_eq!(find(&store, &Reference::Id(full.id)).await, Some(full.clone()));
    assert_eq!(find(&store, &by_uid("acme")).await, Some(full));
    let _ = store.create_application(&application(2), None).await.unwrap();
    assert_eq!(find(&store, &Reference::Id(application(2).id)).await, Some(application(2)));
}

#[tokio::test]
async fn another_tenant_finds_no_application_by_id_or_uid_and_may_use_the_same_uid() {
    let store = store().await;
    let _ = store.create_application(&named(1, "acme"), None).await.unwrap();
    let other = organization(2);
    assert_eq!(store.application(other, &Reference::Id(application(1).id)).await.unwrap(), None);
    assert_eq!(store.application(other, &by_uid("acme")).await.unwrap(), None);
    let theirs = Application { organization: other, ..named(2, "acme") };
    assert_eq!(store.create_application(&theirs, None).await.unwrap(), Created::Written);
    assert_eq!(store.application(other, &by_uid("acme")).await.unwrap(), Some(theirs));
    assert_eq!(find(&store, &by_uid("acme")).await, Some(named(1, "acme")));
}

#[tokio::test]
async fn a_uid_is_one_applications() {
    let store = store().await;
    let _ = store.create_application(&named(1, "acme"), None).await.unwrap();
    assert_eq!(store.create_application(&named(2, "acme"), None).await.unwrap(), Created::UidTaken);
    assert_eq!(list(&store).await, [application(1).id]);
    let _ = store.create_application(&application(2), None).await.unwrap();
    let renamed = Application { uid: named(1, "acme").uid, ..later(&application(2)) };
    assert_eq!(store.replace_application(&application(2), &renamed).await.unwrap(), Replaced::UidTaken);
    assert_eq!(find(&store, &Reference::Id(application(2).id)).await, Some(application(2)));
}

#[tokio::test]
async fn the_same_key_and_request_get_the_first_answer_and_write_nothing() {
    let store = store().await;
    let _ = store.create_application(&named(1, "acme"), Some(&kept("a", "first"))).await.unwrap();
    // A repetition has the same uid, which is taken by then.
    let again = store.create_application(&named(2, "acme"), Some(&kept("a", "second"))).await.unwrap();
    assert_eq!(again, Created::Repeated(Repetition::Same(kept("a", "first").answer)));
    let other = store.create_application(&application(3), Some(&kept("b", "third"))).await.unwrap();
    assert_eq!(other, Created::Repeated(Repetition::Other));
    assert_eq!(list(&store).await, [application(1).id]);
}

#[tokio::test]
async fn a_refused_uid_leaves_the_idempotency_key_free() {
    let store = store().await;
    let _ = store.create_application(&named(1, "acme"), None).await.unwrap();
    let refused = store.create_application(&named(2, "acme"), Some(&kept("a", "x"))).await.unwrap();
    assert_eq!(refused, Created::UidTaken);
    let other = store.create_application(&named(2, "other"), Some(&kept("b", "y"))).await.unwrap();
    assert_eq!(other, Created::Written);
}

#[tokio::test]
async fn a_change_from_an_old_state_is_told_apart_from_a_taken_uid() {
    let store = store().await;
    let before = application(1);
    let _ = store.create_application(&before, None).await.unwrap();
    let _ = store.create_application(&named(2, "acme"), None).await.unwrap();
    let _ = store.replace_application(&before, &later(&before)).await.unwrap();
    let renamed = Application { uid: named(2, "acme").uid, ..later(&before) };
    assert_eq!(store.replace_application(&before, &renamed).await.unwrap(), Replaced::Changed);
}

#[tokio::test]
async fn a_change_that_is_no_later_is_not_made() {
    let store = store().await;
    let _ = store.create_application(&application(1), None).await.unwrap();
    let same_time = Application { name: "other".to_owned(), ..application(1) };
    assert_eq!(store.replace_application(&application(1), &same_time).await.unwrap(), Replaced::Changed);
    assert_eq!(find(&store, &Reference::Id(application(1).id)).await, Some(application(1)));
}

#[tokio::test]
async fn who_gave_a_uid_up_between_two_reads_is_not_found_by_it() {
    let store = store().await;
    let _ = store.create_application(&named(1, "new"), None).await.unwrap();
    // The first read's item, as it was a moment ago.
    let old = keys::application_uid(organization(1), &"old".parse().unwrap());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let item = store.client().put_item().table_name("tidings").item("pk", text(&old.pk)).item("sk", text(&old.sk));
    let item = item.item("entity", text("application_uid")).item("v", AttributeValue::N("1".to_owned()));
    item.item("application", text(&application(1).id.to_string())).send().await.unwrap();
    assert_eq!(find(&store, &by_uid("old")).await, None);
    assert_eq!(find(&store, &by_uid("new")).await, Some(named(1, "new")));
}

#[tokio::test]
async fn a_uid_moves_with_the_change() {
    let store = store().await;
    let _ = store.create_application(&named(1, "old"), None).await.unwrap();
    let renamed = Application { uid: named(1, "new").uid, ..later(&named(1, "old")) };
    assert_eq!(store.replace_application(&named(1, "old"), &renamed).await.unwrap(), Replaced::Written);
    assert_eq!(find(&store, &by_uid("new")).await, Some(renamed.clone()));
    assert_eq!(find(&store, &by_uid("old")).await, None);
    assert_eq!(store.create_application(&named(2, "old"), None).await.unwrap(), Created::Written);
    let nameless = Application { uid: None, ..later(&renamed) };
    assert_eq!(store.replace_application(&renamed, &nameless).await.unwrap(), Replaced::Written);
    assert_eq!(find(&store, &by_uid("new")).await, None);
    assert_eq!(find(&store, &Reference::Id(nameless.id)).await, Some(nameless));
}

#[tokio::test]
async fn of_changes_from_the_same_beginning_one_is_made() {
    let store = store().await;
    let before = application(1);
    let _ = store.create_application(&before, None).await.unwrap();
    let changes = (0..8).map(|number| Application { name: format!("name {number}"), ..later(&before) });
    let outcomes = futures::future::join_all(changes.map(|after| {
        let (store, before) = (store.clone(), before.clone());
        async move { store.replace_application(&before, &after).await.unwrap() }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Replaced::Written).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Replaced::Changed).count(), 7, "{outcomes:?}");
}

#[tokio::test]
async fn what_has_the_form_of_an_id_is_an_id_first_and_a_uid_then() {
    let store = store().await;
    let text = application(2).id.to_string();
    let _ = store.create_application(&named(1, &text), None).await.unwrap();
    let reference: Reference<ApplicationId> = text.parse().unwrap();
    assert_eq!(find(&store, &reference).await, Some(named(1, &text)));
    let _ = store.create_application(&application(2), None).await.unwrap();
    assert_eq!(find(&store, &reference).await, Some(application(2)));
}

#[tokio::test]
async fn a_deleted_application_is_gone_its_uid_is_free_and_its_purge_is_owed() {
    let store = store().await;
    let gone = named(1, "acme");
    let _ = store.create_application(&gone, None).await.unwrap();
    assert!(store.delete_application(&gone, at(30)).await.unwrap());
    assert_eq!(find(&store, &Reference::Id(gone.id)).await, None);
    assert_eq!(find(&store, &by_uid("acme")).await, None);
    assert!(list(&store).await.is_empty());
    assert_eq!(store.create_application(&named(2, "acme"), None).await.unwrap(), Created::Written);

    let due = all_due(&store, at(30)).await;
    assert_eq!((due.len(), &due[0].key.work), (1, &purge(organization(1), gone.id)));
    assert!(!store.delete_application(&gone, at(31)).await.unwrap(), "twice");
    assert_eq!(all_due(&store, at(100)).await.len(), 1);
    assert_eq!(find(&store, &by_uid("acme")).await, Some(named(2, "acme")), "the next one's name is its own");
    assert_eq!(store.replace_application(&gone, &later(&gone)).await.unwrap(), Replaced::Changed);
}

#[tokio::test]
async fn an_application_that_was_renamed_meanwhile_is_deleted_with_its_new_name() {
    let store = store().await;
    let before = named(1, "old");
    let _ = store.create_application(&before, None).await.unwrap();
    let renamed = Application { uid: named(1, "new").uid, ..later(&before) };
    let _ = store.replace_application(&before, &renamed).await.unwrap();
    let _ = store.create_application(&named(2, "old"), None).await.unwrap();
    assert!(store.delete_application(&before, at(30)).await.unwrap());
    assert_eq!(store.create_application(&named(3, "new"), None).await.unwrap(), Created::Written);
    assert_eq!(find(&store, &by_uid("old")).await, Some(named(2, "old")));
}

#[tokio::test]
async fn a_process_sees_its_own_changes_at_once() {
    let store = store().await;
    let before = named(1, "acme");
    let recipient =
        Application { uid: Some(tidings_domain::operational::recipient(organization(1))), ..application(2) };
    assert_eq!(store.operational_recipient(organization(1), NOW).await.unwrap(), None);
    let _ = store.create_application(&before, None).await.unwrap();
    let _ = store.create_application(&recipient, None).await.unwrap();
    assert_eq!(store.operational_recipient(organization(1), NOW).await.unwrap().as_deref(), Some(&recipient));
    let cached = store.cached_application(organization(1), &by_uid("acme"), NOW).await.unwrap();
    assert_eq!(cached.as_deref(), Some(&before));
    let after = Application { name: "other".to_owned(), ..later(&before) };
    let _ = store.replace_application(&before, &after).await.unwrap();
    let cached = store.cached_application(organization(1), &by_uid("acme"), NOW).await.unwrap();
    assert_eq!(cached.as_deref(), Some(&after));
    let _ = store.delete_application(&after, at(30)).await.unwrap();
    assert_eq!(store.cached_application(organization(1), &by_uid("acme"), NOW).await.unwrap(), None);
}

/// Keys of everything in an application's own partition.
async fn owned(store: &Store, application: ApplicationId) -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "a test looks at the whole table")]
    let items = store.client().scan().table_name("tidings").send().await.unwrap().items.unwrap();
    let pk = format!("{}/{application}", organization(1));
    let own = items.iter().filter(|item| item["pk"].as_s().unwrap() == &pk);
    own.map(|item| item["sk"].as_s().unwrap().clone()).collect()
}

async fn fill(store: &Store, application: &Application) {
    let _ = store.create_application(application, None).await.unwrap();
    for number in 0..30 {
        let uid = Some(format!("endpoint-{number}").parse().unwrap());
        let endpoint = tidings_domain::endpoint::Endpoint { application: application.id, uid, ..endpoint(number) };
        let _ = store.create_endpoint(&endpoint, None, None).await.unwrap();
        let message = tidings_domain::message::Message { application: application.id, ..message(number) };
        let new = tidings_store::message::NewMessage { message: &message, due: at(30), route: Route::Endpoints };
        let _ = store.create_message(&new, None).await.unwrap();
    }
}

#[tokio::test]
async fn a_purge_removes_what_the_application_owned_in_pages_and_nothing_else() {
    let store = store().await;
    fill(&store, &application(1)).await;
    fill(&store, &application(2)).await;
    assert_eq!(owned(&store, application(1).id).await.len(), 91);
    assert!(store.purge_application(organization(1), application(1).id, || false).await.unwrap());
    assert_eq!(owned(&store, application(1).id).await.len(), 91, "an application that is there is left alone");

    let _ = store.delete_application(&application(1), at(30)).await.unwrap();
    let time_is_over = || true;
    assert!(!store.purge_application(organization(1), application(1).id, time_is_over).await.unwrap());
    let looks = std::cell::Cell::new(0);
    let after_one_page = || looks.replace(looks.get() + 1) > 0;
    let _ = store.purge_application(organization(1), application(1).id, after_one_page).await.unwrap();
    assert!(store.purge_application(organization(1), application(1).id, || false).await.unwrap());
    assert_eq!(owned(&store, application(1).id).await, [""; 0]);
    assert_eq!(owned(&store, application(2).id).await.len(), 91);
    assert!(store.purge_application(organization(2), application(2).id, || false).await.unwrap());
    assert_eq!(owned(&store, application(2).id).await.len(), 91, "another organization's");
}
