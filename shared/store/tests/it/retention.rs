use std::cell::Cell;
use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use tidings_domain::Timestamp;
use tidings_domain::enrollment::Rank;
use tidings_domain::source::Source;
use tidings_domain::transaction::{Transaction, TransactionStatus};
use tidings_harness::{Fault, Rule, Table, eventually};
use tidings_store::{OWED, Store};

use crate::inbound::{
    accept, change, compute_error, created, days, due, keeping, kept_for, key, source, stored, transaction,
    transaction_error, unnamed, until,
};
use crate::support::{all_due, at, store};

type Item = std::collections::HashMap<String, AttributeValue>;

/// What a source has after so many days: a webhook each day, one rejected, one not computed, an enrollment.
async fn fill(store: &Store, source: &Source, number: i64) {
    for day in 0..number {
        let second = day * 24 * 3600;
        let own = Transaction { source: source.id, ..unnamed(second) };
        let until = until(&own);
        let _ = store.create_transaction(&own, due(&own), until).await.unwrap();
        let error = tidings_domain::transaction::TransactionError { source: source.id, ..transaction_error(second) };
        store.put_transaction_error(&error, until).await.unwrap();
        store.note_compute_errors(&own, &[compute_error(&own, None, days(day))], &[], until).await.unwrap();
        let user = u64::try_from(day).unwrap();
        store.merge_enrollments(source, &[created(key(user, 1, None), second)], days(day)).await.unwrap();
    }
}

/// All records that are there, but for the agenda.
#[expect(clippy::disallowed_methods, reason = "what nobody should find is looked for, too")]
async fn records(store: &Store) -> Vec<Item> {
    let mut pages = store.client().scan().table_name("tidings").consistent_read(true).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(item) = pages.try_next().await.unwrap() {
        if item["entity"].as_s().unwrap() != "agenda" {
            found.push(item);
        }
    }
    found
}

fn expires_at(item: &Item) -> i64 {
    item["expires_at"].as_n().unwrap().parse().unwrap()
}

/// How many records of each kind end at each time.
async fn ends(store: &Store) -> BTreeMap<String, Vec<i64>> {
    let mut ends: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for item in records(store).await {
        ends.entry(item["entity"].as_s().unwrap().clone()).or_default().push(expires_at(&item));
    }
    for ends in ends.values_mut() {
        ends.sort_unstable();
    }
    ends
}

fn of_each(ends: &[Timestamp]) -> BTreeMap<String, Vec<i64>> {
    let ends: Vec<_> = ends.iter().map(|end| end.as_secs()).collect();
    let kinds = ["compute_error", "enrollment", "transaction", "transaction_error"];
    kinds.map(|kind| (kind.to_owned(), ends.clone())).into()
}

/// In one go.
async fn apply(store: &Store, current: Option<&Source>, now: Timestamp) {
    let source = source(1);
    let left = store.apply_retention(source.organization, source.id, current, None, now, || false).await.unwrap();
    assert_eq!(left, None);
}

#[tokio::test]
async fn every_record_gets_the_end_that_its_source_says_now() {
    let store = store().await;
    fill(&store, &source(1), 5).await;
    let end_after = |period: i64| of_each(&(0..5).map(|day| days(day + period)).collect::<Vec<_>>());
    assert_eq!(ends(&store).await, end_after(90));
    apply(&store, Some(&keeping(200)), days(5)).await;
    assert_eq!(ends(&store).await, end_after(200));
    apply(&store, Some(&keeping(7)), days(5)).await;
    assert_eq!(ends(&store).await, end_after(7));
    // What ended before now ends now: the table keeps for ever what ended too long ago.
    apply(&store, Some(&keeping(1)), days(5)).await;
    assert_eq!(ends(&store).await, of_each(&[days(5); 5]));
}

#[tokio::test]
async fn each_kind_has_its_own_retention() {
    let store = store().await;
    fill(&store, &source(1), 1).await;
    let mut current = source(1);
    current.retention.transactions = "1-M".parse().unwrap();
    current.retention.transaction_errors = "2-M".parse().unwrap();
    current.retention.compute_errors = "3-M".parse().unwrap();
    current.retention.enrollments = "1-Y".parse().unwrap();
    apply(&store, Some(&current), at(0)).await;
    let retention = current.retention;
    let expected = [
        ("compute_error", retention.compute_errors),
        ("enrollment", retention.enrollments),
        ("transaction", retention.transactions),
        ("transaction_error", retention.transaction_errors),
    ];
    let expected = expected.map(|(kind, period)| (kind.to_owned(), vec![period.end(at(0)).as_secs()]));
    assert_eq!(ends(&store).await, expected.into());
}

#[tokio::test]
async fn what_ends_when_it_should_is_not_written() {
    let table = Table::start().await;
    fill(table.store(), &source(1), 3).await;
    apply(table.faulty_store(), Some(&source(1)), days(3)).await;
    assert_eq!((table.meter().count("UpdateItem"), table.meter().count("BatchWriteItem")), (0, 0));
}

#[tokio::test]
async fn the_records_of_a_deleted_source_go_and_no_others() {
    let store = store().await;
    fill(&store, &source(1), 3).await;
    fill(&store, &source(2), 2).await;
    let before = records(&store).await.len();
    apply(&store, None, days(3)).await;
    assert_eq!(before - records(&store).await.len(), 12);
    assert_eq!(ends(&store).await, of_each(&[days(90), days(91)]));
    apply(&store, None, days(3)).await;
}

#[tokio::test]
async fn the_records_of_a_source_that_is_there_do_not_go() {
    let store = store().await;
    let _ = store.create_source(&source(1), None).await.unwrap();
    fill(&store, &source(1), 1).await;
    apply(&store, None, days(3)).await;
    assert_eq!(records(&store).await.len(), 5);
}

#[tokio::test]
async fn a_source_named_like_a_deleted_one_keeps_none_of_its_records() {
    let store = store().await;
    let uid = Some(source(1).id.to_string().parse().unwrap());
    let _ = store.create_source(&Source { uid, ..source(2) }, None).await.unwrap();
    fill(&store, &source(1), 1).await;
    let before = records(&store).await.len();
    apply(&store, None, days(3)).await;
    assert_eq!(before - records(&store).await.len(), 4);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_its_end_and_stands_in_nobodys_way() {
    let store = store().await;
    fill(&store, &source(1), 3).await;
    let mut spoilt = 0;
    for mut item in records(&store).await {
        if item["entity"].as_s().unwrap() == "enrollment" && spoilt == 0 {
            spoilt = expires_at(&item);
            item.insert("written_at".to_owned(), AttributeValue::Bool(true));
            store.client().put_item().table_name("tidings").set_item(Some(item)).send().await.unwrap();
        }
    }
    apply(&store, Some(&keeping(7)), days(3)).await;
    let ends = ends(&store).await;
    let enrollments = &ends["enrollment"];
    assert!(enrollments.contains(&spoilt) && enrollments.iter().filter(|end| **end < spoilt).count() == 2, "{ends:?}");
    assert!(ends["transaction"].iter().all(|end| *end <= days(9).as_secs()), "{ends:?}");
}

/// As many as two pages of each kind and a little.
async fn many(store: &Store) {
    let mut changes = Vec::new();
    for number in 0..210_u64 {
        let own = unnamed(i64::try_from(number).unwrap());
        let _ = accept(store, &own).await;
        store.put_transaction_error(&transaction_error(i64::try_from(number).unwrap()), until(&own)).await.unwrap();
        changes.push(created(key(number, number % 3, None), 0));
        store.note_compute_errors(&own, &[compute_error(&own, None, at(0))], &[], until(&own)).await.unwrap();
    }
    store.merge_enrollments(&source(1), &changes, at(0)).await.unwrap();
}

#[tokio::test]
async fn a_walk_that_is_broken_off_goes_on_where_it_stopped() {
    for current in [Some(keeping(7)), None] {
        let table = Table::start().await;
        many(table.store()).await;
        let (mut position, mut positions) = (None, Vec::new());
        loop {
            // Time for one page.
            let looks = Cell::new(0);
            let is_over = || looks.replace(looks.get() + 1) > 0;
            let source = source(1);
            let store = table.faulty_store();
            let applied = store.apply_retention(
                source.organization,
                source.id,
                current.as_ref(),
                position.clone(),
                at(0),
                is_over,
            );
            position = applied.await.unwrap();
            match &position {
                Some(position) => positions.push(position.clone()),
                None => break,
            }
        }
        assert_eq!(positions.len(), 11, "{positions:?}");
        let left = records(table.store()).await;
        match &current {
            Some(current) => {
                assert_eq!(left.len(), 840);
                let most = current.retention.transactions.end(at(210)).as_secs();
                assert!(left.iter().all(|item| expires_at(item) <= most));
                assert_eq!(table.meter().count("UpdateItem"), 840);
            }
            None => assert!(left.is_empty()),
        }
    }
}

#[tokio::test]
async fn no_time_at_all_leaves_everything_to_do_and_an_error_loses_nothing() {
    let table = Table::start().await;
    fill(table.store(), &source(1), 2).await;
    let source = source(1);
    let (store, current) = (table.faulty_store(), Some(keeping(7)));
    let apply = async |position, over: bool| {
        store.apply_retention(source.organization, source.id, current.as_ref(), position, at(0), || over).await
    };
    let start = apply(None, true).await.unwrap();
    assert!(start.is_some());
    table.faults().inject(Rule::new(Fault::Unreachable).on("UpdateItem"));
    assert!(apply(start.clone(), false).await.unwrap_err().retryable());
    table.faults().clear();
    assert_eq!(apply(start, false).await.unwrap(), None);
    assert_eq!(ends(table.store()).await, of_each(&[days(7), days(8)]));
    assert!(apply(Some("somewhere".to_owned()), false).await.is_err());
}

#[tokio::test]
async fn a_walk_changes_nothing_else_and_starts_no_work() {
    let store = store().await;
    let own = transaction(0, "wh-1");
    let _ = accept(&store, &own).await;
    store.merge_enrollments(&source(1), &[created(key(1, 2, None), 0)], at(0)).await.unwrap();
    let entries = all_due(&store, at(100)).await;
    apply(&store, Some(&keeping(7)), at(60)).await;
    assert_eq!(stored(&store, &own).await, Some(own.clone()));
    assert_eq!(all_due(&store, at(100)).await, entries);
    let items = records(&store).await;
    assert!(items.iter().all(|item| !item.contains_key(OWED)));
    // Later events and results go on from it.
    let completed = change(key(1, 2, None), 9, Rank::Completed, "completed");
    let merged = store.merge_enrollments(&keeping(7), &[completed], at(9)).await.unwrap();
    assert_eq!(merged, [tidings_store::enrollment::Merged::Updated]);
    let claim = store.claim(&entries[0], at(90)).await.unwrap().unwrap();
    let done = Transaction { status: TransactionStatus::Computed, computed_at: Some(at(61)), ..own };
    let finished = store.finish_transaction(&claim, &done, days(7), None).await.unwrap();
    assert_eq!(finished, tidings_store::agenda::Finished::Written);
}

/// A record that is written while the walk is at it has the newer end.
#[tokio::test]
async fn what_is_written_anew_under_a_walk_keeps_its_own_end() {
    let table = Table::start().await;
    let own = key(1, 2, None);
    let store = table.store();
    store.merge_enrollments(&source(1), &[created(own, 0)], at(0)).await.unwrap();
    table.faults().inject(Rule::new(Fault::Slow(std::time::Duration::from_millis(300))).on("UpdateItem"));
    let current = keeping(7);
    let walking = apply(table.faulty_store(), Some(&current), at(60));
    let writing = async {
        eventually("the walk writes", || table.meter().count("UpdateItem") > 0).await;
        let later = change(own, 24 * 3600, Rank::Completed, "completed");
        let current = Source { retention: kept_for(7), ..source(1) };
        store.merge_enrollments(&current, &[later], days(1)).await.unwrap();
    };
    futures::future::join(walking, writing).await;
    assert_eq!(ends(store).await, [("enrollment".to_owned(), vec![days(8).as_secs()])].into());
}
