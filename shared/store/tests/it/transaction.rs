use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tidings_domain::agenda::EntryKey;
use tidings_domain::source::Source;
use tidings_domain::transaction::Transaction;
use tidings_harness::{Fault, Rule, Table};
use tidings_store::agenda::{self, Finished};
use tidings_store::transaction::{TransactionAccepted, from_image};

use crate::inbound::{accept, days, due, keeping, source, stored, transaction, unnamed, until};
use crate::support::{all_due, at, claim_only, organization, store};
use crate::transaction_finish::{bare, computed, finish, item, list};

fn repeated(first: &Transaction) -> TransactionAccepted {
    TransactionAccepted::Repeated(Box::new(first.clone()))
}

#[tokio::test]
async fn a_transaction_is_read_back_as_it_was_written_and_owes_its_computation() {
    let store = store().await;
    let binary = Transaction { body: Bytes::from((0..=255).collect::<Vec<u8>>()), ..unnamed(1) };
    for own in [transaction(0, "wh-1"), binary] {
        assert_eq!(accept(&store, &own).await, TransactionAccepted::Written);
        assert_eq!(stored(&store, &own).await, Some(own.clone()));
        assert_eq!(store.transaction_by_id(&source(1), own.id, at(9)).await.unwrap(), Some(own.clone()));
        let image = item(&store, &own).await;
        let entry = EntryKey { due: due(&own), work: own.work() };
        assert_eq!(agenda::owed(&image).unwrap(), Some(entry.clone()));
        assert!(all_due(&store, at(100)).await.iter().any(|stands| stands.key == entry));
        assert_eq!(from_image(image).unwrap(), own);
    }
    assert_eq!(all_due(&store, at(100)).await.len(), 2);
}

#[tokio::test]
async fn another_tenants_and_another_sources_transaction_is_not_found() {
    let store = store().await;
    let own = transaction(0, "wh-1");
    let _ = accept(&store, &own).await;
    let elsewhere = [Source { organization: organization(2), ..source(1) }, source(2)];
    for other in &elsewhere {
        assert_eq!(store.transaction(other.organization, other.id, &own.name).await.unwrap(), None);
        assert_eq!(store.transaction_by_id(other, own.id, at(9)).await.unwrap(), None);
    }
    // They may have one of the same name.
    for other in &elsewhere {
        let theirs = Transaction { organization: other.organization, source: other.id, ..own.clone() };
        assert_eq!(accept(&store, &theirs).await, TransactionAccepted::Written);
    }
}

#[tokio::test]
async fn a_redelivery_gets_the_first_and_writes_nothing_over_it() {
    let store = store().await;
    let first = transaction(0, "wh-1");
    let _ = accept(&store, &first).await;
    assert_eq!(accept(&store, &transaction(1, "wh-1")).await, repeated(&first));
    assert_eq!(stored(&store, &first).await, Some(first.clone()));
    assert_eq!(store.transaction_by_id(&source(1), transaction(1, "wh-1").id, at(9)).await.unwrap(), None);
    assert_eq!(accept(&store, &transaction(2, "wh-2")).await, TransactionAccepted::Written);
}

#[tokio::test]
async fn a_redelivery_of_what_was_computed_leaves_no_entry() {
    let store = store().await;
    let first = transaction(0, "wh-1");
    let _ = accept(&store, &first).await;
    let claim = claim_only(&store, at(30)).await;
    assert_eq!(finish(&store, &claim, &computed(&first, 31)).await, Finished::Written);
    assert_eq!(accept(&store, &transaction(40, "wh-1")).await, repeated(&computed(&first, 31)));
    assert!(all_due(&store, at(1000)).await.is_empty());
}

#[tokio::test]
async fn of_many_deliveries_at_once_one_is_written() {
    let table = Table::start().await;
    let all: Vec<_> = (0..20).map(|second| transaction(second, "wh-1")).collect();
    let answers = join_all(all.iter().map(|transaction| accept(table.store(), transaction))).await;
    let first = stored(table.store(), &all[0]).await.unwrap();
    let written = answers.iter().filter(|answer| **answer == TransactionAccepted::Written).count();
    assert_eq!(written, 1);
    assert!(answers.iter().all(|answer| *answer == TransactionAccepted::Written || *answer == repeated(&first)));
    let entries = all_due(table.store(), at(1000)).await;
    assert!(entries.iter().any(|entry| entry.key.due == due(&first)));
    assert!(entries.iter().all(|entry| entry.key.work == first.work()));
}

#[tokio::test]
async fn what_is_past_its_end_is_written_over_and_never_by_what_came_before() {
    let store = store().await;
    let first = transaction(0, "wh-1");
    let _ = accept(&store, &first).await;
    let day = 24 * 3600;
    assert_eq!(accept(&store, &transaction(90 * day, "wh-1")).await, repeated(&first));
    let later = transaction(90 * day + 1, "wh-1");
    assert_eq!(accept(&store, &later).await, TransactionAccepted::Written);
    assert_eq!(stored(&store, &first).await, Some(later.clone()));
    // Who was still computing the one before changes nothing of the new one, and has nothing left to do.
    for entry in all_due(&store, at(40)).await {
        let claim = store.claim(&entry, at(100)).await.unwrap().unwrap();
        assert_eq!(finish(&store, &claim, &computed(&first, 50)).await, Finished::Lost);
    }
    store.replay_transactions(std::slice::from_ref(&first), at(200)).await.unwrap();
    assert_eq!(stored(&store, &first).await, Some(later));
    assert!(store.transaction_by_id(&source(1), first.id, at(9)).await.unwrap().is_none());
}

#[tokio::test]
async fn transaction_and_entry_are_written_side_by_side() {
    let table = Table::start().await;
    let pause = Duration::from_millis(300);
    table.faults().inject(Rule::new(Fault::Slow(pause)));
    let began = tokio::time::Instant::now();
    assert_eq!(accept(table.faulty_store(), &transaction(0, "wh-1")).await, TransactionAccepted::Written);
    assert!(began.elapsed() < pause * 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_lost_answer_to_the_first_is_no_redelivery() {
    let table = Table::start().await;
    table.faults().inject(Rule::new(Fault::AnswerLost).on("PutItem").times(1));
    let own = transaction(0, "wh-1");
    assert_eq!(accept(table.faulty_store(), &own).await, TransactionAccepted::Written);
    assert_eq!(stored(table.store(), &own).await, Some(own.clone()));
    assert_eq!(all_due(table.store(), at(1000)).await.len(), 1);
}

#[tokio::test]
async fn an_entry_that_a_crash_kept_away_comes_with_the_redelivery() {
    let table = Table::start().await;
    let (first, again) = (transaction(0, "wh-1"), transaction(60, "wh-1"));
    table.faults().inject(Rule::new(Fault::Unreachable).on("BatchWriteItem"));
    let refused = table.faulty_store().create_transaction(&first, due(&first), until(&first)).await;
    assert!(refused.unwrap_err().retryable());
    table.faults().clear();
    assert!(stored(table.store(), &first).await.is_some() && all_due(table.store(), at(1000)).await.is_empty());
    assert_eq!(accept(table.store(), &again).await, repeated(&first));
    let claim = claim_only(table.store(), at(90)).await;
    assert_eq!(claim.entry.key.work, first.work());
}

#[tokio::test]
async fn an_entry_without_its_transaction_is_an_unanswered_request() {
    let table = Table::start().await;
    let first = transaction(0, "wh-1");
    for fault in [Fault::Unreachable, Fault::Throttled, Fault::Refused] {
        table.faults().inject(Rule::new(fault).on("PutItem"));
        assert!(table.faulty_store().create_transaction(&first, due(&first), until(&first)).await.is_err());
        table.faults().clear();
        assert_eq!(stored(table.store(), &first).await, None);
    }
    assert_eq!(accept(table.store(), &transaction(60, "wh-1")).await, TransactionAccepted::Written);
}

#[tokio::test]
async fn a_redelivery_is_answered_although_its_entry_stays() {
    let table = Table::start().await;
    let first = transaction(0, "wh-1");
    let _ = accept(table.store(), &first).await;
    let claim = claim_only(table.store(), at(30)).await;
    let _ = finish(table.store(), &claim, &computed(&first, 31)).await;
    for fault in [Fault::Slow(Duration::from_secs(3)), Fault::Unreachable] {
        // The entry is put, and not taken off again.
        table.faults().inject(Rule::new(fault).on("BatchWriteItem").after(1));
        let began = tokio::time::Instant::now();
        assert_eq!(accept(table.faulty_store(), &transaction(40, "wh-1")).await, repeated(&computed(&first, 31)));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        table.faults().clear();
        let left = all_due(table.store(), at(1000)).await;
        assert!(left.iter().all(|entry| entry.key.work == first.work()), "{left:?}");
    }
    assert_eq!(all_due(table.store(), at(1000)).await.len(), 1, "the last one could not be taken off");
}

#[tokio::test]
async fn what_is_past_its_end_by_what_the_source_says_now_is_hidden() {
    let store = store().await;
    let own = transaction(0, "wh-1");
    let _ = accept(&store, &own).await;
    let read = async |source: &Source, now| {
        let single = store.transaction_by_id(source, own.id, now).await.unwrap();
        let listed = list(&store, source, now).await;
        assert_eq!(listed, single.iter().map(bare).collect::<Vec<_>>());
        single.is_some()
    };
    let just_before = days(7) - Duration::from_millis(1);
    assert_eq!([read(&keeping(7), just_before).await, read(&keeping(7), days(7)).await], [true, false]);
    // It was written with an end after 90 days; another retention counts at once.
    assert!(read(&keeping(3650), days(3649)).await);
    assert!(!read(&keeping(3650), days(3650)).await);
}
