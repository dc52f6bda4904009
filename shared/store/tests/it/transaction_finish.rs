//! What becomes of transactions: computed, forwarded, computed again.

use bytes::Bytes;
use futures::future::join_all;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::message::{Message, Route};
use tidings_domain::page::{Order, PageLimit};
use tidings_domain::source::Source;
use tidings_domain::transaction::{KeptHeaders, Transaction, TransactionStatus};
use tidings_harness::{Fault, Rule, Table};
use tidings_store::agenda::{Claim, Finished};
use tidings_store::transaction::Times;
use tidings_store::{OWED, Store, StoreError, agenda, keys, transaction as stored_transaction};

use crate::inbound::{accept, source, stored, transaction, unnamed, until};
use crate::outbound::{message, new};
use crate::support::{all_due, at, claim_only, store};

pub(crate) fn computed(transaction: &Transaction, second: i64) -> Transaction {
    Transaction { status: TransactionStatus::Computed, computed_at: Some(at(second)), ..transaction.clone() }
}

pub(crate) async fn finish(store: &Store, claim: &Claim, transaction: &Transaction) -> Finished {
    store.finish_transaction(claim, transaction, until(transaction), None).await.unwrap()
}

/// Everything that the table has of it.
pub(crate) async fn item(store: &Store, transaction: &Transaction) -> serde_dynamo::Item {
    let key = keys::transaction(transaction.organization, transaction.source, &transaction.name);
    let get = store.client().get_item().table_name("tidings").consistent_read(true);
    let get = get.key(keys::PK, aws_sdk_dynamodb::types::AttributeValue::S(key.pk));
    let get = get.key(keys::SK, aws_sdk_dynamodb::types::AttributeValue::S(key.sk));
    get.send().await.unwrap().item.unwrap().into()
}

/// What a list shows of it.
pub(crate) fn bare(transaction: &Transaction) -> Transaction {
    Transaction { headers: KeptHeaders::default(), body: Bytes::new(), ..transaction.clone() }
}

pub(crate) async fn list(store: &Store, source: &Source, now: Timestamp) -> Vec<Transaction> {
    let times = Times::default();
    store.transactions(source, now, &times, None, Order::Descending, PageLimit::default()).await.unwrap().data
}

#[tokio::test]
async fn finishing_writes_the_state_takes_the_entry_off_and_starts_nothing() {
    let store = store().await;
    let own = transaction(0, "wh-1");
    let _ = accept(&store, &own).await;
    let claim = claim_only(&store, at(30)).await;
    let failed = Transaction { status: TransactionStatus::Failed, ..computed(&own, 31) };
    assert_eq!(finish(&store, &claim, &failed).await, Finished::Written);
    assert_eq!(stored(&store, &own).await, Some(failed));
    assert!(all_due(&store, at(1000)).await.is_empty());
    assert!(!item(&store, &own).await.contains_key(OWED));
}

#[tokio::test]
async fn what_is_gone_is_lost_and_its_entry_is_off() {
    let store = store().await;
    let own = transaction(0, "wh-1");
    store
        .put_entries(
            &[Entry { key: EntryKey { due: at(30), work: own.work() }, tries: 0, destination: None, note: None }],
            agenda::Starts::WhenDue,
        )
        .await
        .unwrap();
    for forward in [None, Some(message(31))] {
        let claim = Claim { entry: all_due(&store, at(30)).await.remove(0), until: at(90) };
        let forward = forward.as_ref().map(new);
        let lost = store.finish_transaction(&claim, &computed(&own, 31), until(&own), forward.as_ref()).await.unwrap();
        assert_eq!(lost, Finished::Lost);
        assert!(all_due(&store, at(1000)).await.is_empty());
        assert_eq!(stored(&store, &own).await, None);
        store.put_entries(&[claim.entry], agenda::Starts::WhenDue).await.unwrap();
    }
    assert_eq!(forwarded(&store, &message(31)).await, None);
}

async fn forwarded(store: &Store, message: &Message) -> Option<Message> {
    store.message(message.organization, message.application, message.id, at(100)).await.unwrap()
}

#[tokio::test]
async fn a_transaction_is_forwarded_once_however_often_it_is_computed() {
    let store = store().await;
    let own = transaction(0, "wh-1");
    let _ = accept(&store, &own).await;
    for second in [31, 61, 91] {
        let claim = claim_only(&store, at(second)).await;
        let forward = message(second);
        let done = computed(&own, second);
        let finished = store.finish_transaction(&claim, &done, until(&own), Some(&new(&forward))).await.unwrap();
        assert_eq!(finished, Finished::Written);
        let expected = Transaction { message: Some(message(31).id), ..done };
        assert_eq!(stored(&store, &own).await, Some(expected.clone()));
        assert_eq!(forwarded(&store, &forward).await, Some(forward.clone()).filter(|_| second == 31));
        let left = all_due(&store, at(1000)).await;
        if second == 31 {
            assert_eq!(left.len(), 1);
            assert_eq!(left[0].key, EntryKey { due: new(&forward).due, work: forward.work(Route::Endpoints) });
            store.take_off(&left[0].key).await.unwrap();
        } else {
            assert!(left.is_empty());
        }
        store.replay_transactions(&[expected], at(second + 30)).await.unwrap();
    }
}

#[tokio::test]
async fn of_two_that_forward_at_once_one_does() {
    let table = Table::start().await;
    let own = transaction(0, "wh-1");
    let _ = accept(table.store(), &own).await;
    let entry = all_due(table.store(), at(30)).await.remove(0);
    let claim = Claim { entry, until: at(90) };
    let messages: Vec<_> = (31..37).map(message).collect();
    let all = join_all(messages.iter().map(async |forward| {
        let new = new(forward);
        table.store().finish_transaction(&claim, &computed(&own, 31), until(&own), Some(&new)).await.unwrap()
    }));
    assert!(all.await.iter().all(|finished| *finished == Finished::Written));
    let mut found = Vec::new();
    for message in &messages {
        found.extend(forwarded(table.store(), message).await.map(|message| message.id));
    }
    assert_eq!(found.len(), 1);
    assert_eq!(stored(table.store(), &own).await.unwrap().message, found.pop());
}

#[tokio::test]
async fn a_table_that_does_not_tell_whether_it_forwarded_does_so_once() {
    let table = Table::start().await;
    let own = transaction(0, "wh-1");
    let _ = accept(table.store(), &own).await;
    let claim = Claim { entry: all_due(table.store(), at(30)).await.remove(0), until: at(90) };
    table.faults().inject(Rule::new(Fault::AnswerLost).on("TransactWriteItems"));
    let store = table.faulty_store();
    let unknown = store.finish_transaction(&claim, &computed(&own, 31), until(&own), Some(&new(&message(31)))).await;
    assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
    assert!(all_due(table.store(), at(30)).await.contains(&claim.entry), "it will be done again");
    table.faults().clear();
    let again = store.finish_transaction(&claim, &computed(&own, 61), until(&own), Some(&new(&message(61)))).await;
    assert_eq!(again.unwrap(), Finished::Written);
    assert_eq!(forwarded(store, &message(61)).await, None);
    assert_eq!(stored(store, &own).await.unwrap().message, Some(message(31).id));
}

#[tokio::test]
async fn a_replay_makes_a_transaction_owe_its_computation_again() {
    let store = store().await;
    let (own, other) = (transaction(0, "wh-1"), unnamed(1));
    for transaction in [&own, &other] {
        let _ = accept(&store, transaction).await;
    }
    for entry in all_due(&store, at(31)).await {
        let claim = store.claim(&entry, at(60)).await.unwrap().unwrap();
        let done = if entry.key.work == own.work() { &own } else { &other };
        let _ = finish(&store, &claim, &computed(done, 32)).await;
    }
    // As a list gives them, without their bodies; and one that is gone.
    let mut listed = list(&store, &source(1), at(50)).await;
    assert_eq!(listed, [bare(&computed(&other, 32)), bare(&computed(&own, 32))]);
    listed.push(unnamed(7));
    store.replay_transactions(&listed, at(90)).await.unwrap();
    for transaction in [&own, &other] {
        let pending = Transaction { status: TransactionStatus::Pending, ..computed(transaction, 32) };
        let image = item(&store, transaction).await;
        let entry = EntryKey { due: at(90), work: transaction.work() };
        assert_eq!(agenda::owed(&image).unwrap(), Some(entry.clone()));
        assert_eq!(stored_transaction::from_image(image).unwrap(), pending);
        assert!(all_due(&store, at(90)).await.iter().any(|stands| stands.key == entry));
    }
    assert_eq!(stored(&store, &unnamed(7)).await, None);
}

#[tokio::test]
async fn a_replay_that_breaks_off_leaves_nothing_pending_without_an_entry() {
    let table = Table::start().await;
    let all: Vec<_> = (0..40).map(unnamed).collect();
    for transaction in &all {
        let _ = accept(table.store(), transaction).await;
        let claim = claim_only(table.store(), at(1000)).await;
        let _ = finish(table.store(), &claim, &computed(transaction, 90)).await;
    }
    table.faults().inject(Rule::new(Fault::Unreachable).on("UpdateItem").after(20));
    assert!(table.faulty_store().replay_transactions(&all, at(200)).await.is_err());
    let mut pending = 0;
    let entries = all_due(table.store(), at(200)).await;
    for transaction in &all {
        if stored(table.store(), transaction).await.unwrap().status == TransactionStatus::Pending {
            pending += 1;
            assert!(entries.iter().any(|entry| entry.key.work == transaction.work()));
        }
    }
    assert!((1..40).contains(&pending), "{pending}");
}
