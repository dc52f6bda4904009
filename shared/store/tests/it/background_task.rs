use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::delivery::Delivery;
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::BackgroundTaskId;
use tidings_domain::page::{Order, PageLimit, Position};
use tidings_store::agenda::Finished;
use tidings_store::{Created, Repetition, Store, keys};

use crate::application::{application, kept};
use crate::endpoint::{endpoint, message};
use crate::support::{NOW, all_due, at, claim_only, organization, store};

/// A task of organization 1: the even ones recover, the odd ones replay. Higher numbers are younger.
pub(crate) fn task(number: u16) -> BackgroundTask {
    let created_at = NOW + Duration::from_millis(4 * u64::from(number));
    let task = if number.is_multiple_of(2) { BackgroundTaskType::Recover } else { BackgroundTaskType::ReplayMissing };
    BackgroundTask {
        id: BackgroundTaskId::new(created_at, [8; 15]),
        organization: organization(1),
        application: application(1).id,
        endpoint: endpoint(1).id,
        task,
        status: BackgroundTaskStatus::Running,
        since: at(-3_600),
        until: created_at,
        cursor: None,
        examined: 0,
        scheduled: 0,
        created_at,
        updated_at: created_at,
    }
}

async fn read(store: &Store, number: u16) -> Option<BackgroundTask> {
    store.background_task(organization(1), task(number).id).await.unwrap()
}

async fn attribute(store: &Store, key: keys::Key, name: &str) -> Option<AttributeValue> {
    let item = store
        .client()
        .get_item()
        .table_name("tidings")
        .key("pk", AttributeValue::S(key.pk))
        .key("sk", AttributeValue::S(key.sk))
        .send();
    item.await.unwrap().item.unwrap().remove(name)
}

#[tokio::test]
async fn a_task_is_read_back_by_its_tenant_and_owed_at_once() {
    let store = store().await;
    let full = BackgroundTask { cursor: Some(message(1).id), examined: u64::MAX, scheduled: 3, ..task(1) };
    assert_eq!(store.create_background_task(&full, at(30), None).await.unwrap(), Created::Written);
    assert_eq!(read(&store, 1).await, Some(full.clone()));
    assert_eq!(store.background_task(organization(2), full.id).await.unwrap(), None);
    let due = all_due(&store, at(30)).await;
    assert_eq!((due.len(), &due[0].key.work), (1, &full.work()));
    let owed = attribute(&store, keys::agenda(&due[0].key), tidings_store::OWED).await;
    assert_eq!(owed, Some(AttributeValue::N(at(30).as_millis().to_string())));
}

#[tokio::test]
async fn the_same_key_and_request_get_the_first_answer_and_owe_nothing_more() {
    let store = store().await;
    let _ = store.create_background_task(&task(1), at(30), Some(&kept("a", "x"))).await.unwrap();
    let repeated = store.create_background_task(&task(2), at(30), Some(&kept("a", "y"))).await.unwrap();
    assert_eq!(repeated, Created::Repeated(Repetition::Same(kept("a", "x").answer)));
    assert_eq!((read(&store, 2).await, all_due(&store, at(1_000)).await.len()), (None, 1));
}

#[tokio::test]
async fn progress_and_the_next_entry_are_written_together_by_who_holds_the_claim() {
    let store = store().await;
    let _ = store.create_background_task(&task(1), at(30), None).await.unwrap();
    let claim = claim_only(&store, at(30)).await;
    let further = BackgroundTask { cursor: Some(message(9).id), examined: 100, updated_at: at(31), ..task(1) };
    // At the very time of the claim: it must move all the same.
    let next = Entry { tries: 0, ..claim.entry.clone() };
    assert_eq!(store.save_background_task(&further, &claim, Some(&next)).await.unwrap(), Finished::Written);
    assert_eq!(read(&store, 1).await, Some(further.clone()));
    let finished = BackgroundTask { status: BackgroundTaskStatus::Finished, updated_at: at(40), ..further.clone() };
    assert_eq!(store.save_background_task(&finished, &claim, None).await.unwrap(), Finished::Lost);
    assert_eq!(read(&store, 1).await, Some(further));
    let claim = claim_only(&store, at(1_000)).await;
    assert_eq!(claim.entry.tries, 1);
    assert_eq!(store.save_background_task(&finished, &claim, None).await.unwrap(), Finished::Written);
    assert!(all_due(&store, at(10_000)).await.is_empty());
    assert_eq!(read(&store, 1).await, Some(finished));
}

#[tokio::test]
async fn a_task_expires_when_it_is_over_and_not_before() {
    let store = store().await;
    let key = keys::background_task(organization(1), task(1).id);
    let _ = store.create_background_task(&task(1), at(30), None).await.unwrap();
    assert_eq!(attribute(&store, key.clone(), "expires_at").await, None);
    let claim = claim_only(&store, at(30)).await;
    let failed = BackgroundTask { status: BackgroundTaskStatus::Failed, updated_at: at(31), ..task(1) };
    let _ = store.save_background_task(&failed, &claim, None).await.unwrap();
    let expires_at = at(31 + 90 * 24 * 3600).as_secs().to_string();
    assert_eq!(attribute(&store, key, "expires_at").await, Some(AttributeValue::N(expires_at)));
}

#[tokio::test]
async fn tasks_are_listed_by_status_and_type_in_full_pages() {
    let store = store().await;
    for number in 0..20 {
        let status = if number < 10 { BackgroundTaskStatus::Finished } else { BackgroundTaskStatus::Running };
        let task = BackgroundTask { status, ..task(number) };
        let _ = store.create_background_task(&task, at(30), None).await.unwrap();
    }
    let list = async |status, kind, position, order, limit| {
        let limit = PageLimit::try_from(limit).unwrap();
        let page = store.background_tasks(organization(1), status, kind, position, order, limit).await.unwrap();
        let numbers = page.data.iter().map(|read| (0..20).find(|number| task(*number).id == read.id).unwrap());
        (numbers.collect::<Vec<_>>(), page.done)
    };
    let (finished, running) = (Some(BackgroundTaskStatus::Finished), Some(BackgroundTaskStatus::Running));
    let (recover, replay) = (Some(BackgroundTaskType::Recover), Some(BackgroundTaskType::ReplayMissing));
    assert_eq!(list(running, recover, None, Order::Ascending, 3).await, (vec![10, 12, 14], false));
    let after = Some(Position::After(task(14).id));
    assert_eq!(list(running, recover, after, Order::Ascending, 3).await, (vec![16, 18], true));
    assert_eq!(list(finished, replay, None, Order::Descending, 5).await, (vec![9, 7, 5, 3, 1], true));
    let before = Some(Position::Before(task(16).id));
    assert_eq!(list(running, None, before, Order::Ascending, 2).await, (vec![14, 15], false));
    assert_eq!(list(None, recover, before, Order::Descending, 9).await, (vec![18], true));
    assert_eq!(list(Some(BackgroundTaskStatus::Failed), None, None, Order::Ascending, 3).await, (vec![], true));
}

#[tokio::test]
async fn two_resends_of_a_millisecond_are_both_owed_and_a_repetition_is_not() {
    let store = store().await;
    let (endpoint, message) = (endpoint(1).id, message(1).id);
    let delivery = Delivery { organization: organization(1), application: application(1).id, endpoint, message };
    let key = EntryKey { due: at(30), work: delivery.work() };
    let entry = Entry { key, tries: 0, destination: None, note: Some("manual".to_owned()) };
    let resend = async |entry: &Entry, kept: Option<&KeptAnswer>| {
        store.create_resend(entry, organization(1), kept, at(0)).await.unwrap()
    };
    assert_eq!(resend(&entry, None).await, Created::Written);
    assert_eq!(resend(&Entry { note: None, ..entry.clone() }, Some(&kept("a", "x"))).await, Created::Written);
    let repeated = resend(&entry, Some(&kept("a", "y"))).await;
    assert_eq!(repeated, Created::Repeated(Repetition::Same(kept("a", "x").answer)));

    let mut due = all_due(&store, at(31)).await;
    due.sort_by_key(|entry| entry.key.due);
    assert_eq!(due.len(), 2);
    assert_eq!(due[0], entry, "what stood there is as it was");
    for entry in due {
        assert!(attribute(&store, keys::agenda(&entry.key), tidings_store::OWED).await.is_some());
    }
}
