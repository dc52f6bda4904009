use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use tidings_domain::attempt::Attempt;
use tidings_domain::message::{Message, Route};
use tidings_harness::{Fault, Rule, Table, eventually};
use tidings_store::message::MessageAccepted;
use tidings_store::{Store, StoreError};

use crate::outbound::{delivery, message, new, success};
use crate::support::{all_due, at};

const BATCH: &str = "BatchWriteItem";

/// Calls that a store makes at once.
const PLACES: usize = 8;

/// Puts an attempt, as a task of its own.
fn put(store: &Store, second: i64) -> tokio::task::JoinHandle<Result<(), StoreError>> {
    let store = store.clone();
    tokio::spawn(async move { store.put_attempt(&success(delivery(0, 1), second)).await })
}

/// Occupies every place with a slow call, so that what comes next goes out together.
async fn occupy(table: &Table, time: Duration) -> Vec<tokio::task::JoinHandle<Result<(), StoreError>>> {
    table.faults().inject(Rule::new(Fault::Slow(time)).on(BATCH).times(PLACES));
    let before = table.meter().count(BATCH);
    let mut slow = Vec::new();
    for second in (1_000_000..).take(PLACES) {
        slow.push(put(table.faulty_store(), second));
        eventually("the place is taken", || table.meter().count(BATCH) > before + slow.len() - 1).await;
    }
    slow
}

async fn is_stored(table: &Table, attempt: &Attempt) -> bool {
    let found = table.store().attempt(
        attempt.delivery.organization,
        attempt.delivery.application,
        attempt.delivery.message,
        attempt.id,
        at(0),
    );
    found.await.unwrap().as_ref() == Some(attempt)
}

#[tokio::test]
async fn what_comes_while_calls_are_under_way_goes_with_the_next() {
    let table = Table::start().await;
    let messages: Vec<_> = (0..500).map(message).collect();
    let slow = occupy(&table, Duration::from_secs(1)).await;
    let accepted = join_all(
        messages
            .iter()
            .map(|message| async { table.faulty_store().create_message(&new(message), None).await.unwrap() }),
    );
    assert!(accepted.await.iter().all(|accepted| *accepted == MessageAccepted::Written));
    for slow in slow {
        slow.await.unwrap().unwrap();
    }
    let calls = table.meter().count(BATCH);
    // A message and its entry stay together: twelve of them fit in a call.
    assert_eq!(calls, PLACES + 500_usize.div_ceil(12), "for 500 messages and their entries");
    // The attempts that occupy the places ask who listens.
    let asked = table.meter().count("Query");
    assert_eq!(table.meter().total().count, calls + asked, "nothing else is called");
    assert_eq!(all_due(table.store(), at(1000)).await.len(), 500);
    let stored =
        table.store().messages_between(messages[0].organization, messages[0].application, None, at(0), at(1000), 1000);
    assert_eq!(stored.await.unwrap().0.len(), 500);
}

#[tokio::test]
async fn a_write_without_company_is_one_call_at_once() {
    let table = Table::start().await;
    for second in 0..5 {
        table.faulty_store().put_attempt(&success(delivery(0, 1), second)).await.unwrap();
    }
    assert_eq!(table.meter().count(BATCH), 5);
}

#[tokio::test]
async fn what_a_call_leaves_undone_is_sent_again() {
    let table = Table::start().await;
    table.faults().inject(Rule::new(Fault::Unprocessed).on(BATCH).times(3));
    let message = message(0);
    assert_eq!(table.faulty_store().create_message(&new(&message), None).await.unwrap(), MessageAccepted::Written);
    assert_eq!(all_due(table.store(), at(30)).await.len(), 1);
    let stored = table.store().message(message.organization, message.application, message.id, at(1)).await.unwrap();
    assert_eq!(stored, Some(message));
    assert_eq!(table.meter().count(BATCH), 4);
}

#[tokio::test]
async fn what_stays_undone_is_a_throttle_to_those_whose_it_is() {
    let table = Table::start().await;
    let slow = occupy(&table, Duration::from_millis(300)).await;
    table.faults().inject(Rule::new(Fault::Unprocessed).on(BATCH));
    let puts: Vec<_> = (0..24).map(|second| put(table.faulty_store(), second)).collect();
    let results: Vec<_> = join_all(puts).await.into_iter().map(Result::unwrap).collect();
    for (second, result) in (0..24).zip(&results) {
        let stored = is_stored(&table, &success(delivery(0, 1), second)).await;
        match result {
            Ok(()) => assert!(stored),
            Err(error) => assert!(matches!(error, StoreError::Throttled(_)) && !stored, "{error:?}"),
        }
    }
    let failed = results.iter().filter(|result| result.is_err()).count();
    assert_eq!(failed, 1, "half of it five times leaves one of 24");
    for slow in slow {
        slow.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_call_that_fails_fails_all_that_were_in_it_and_no_others() {
    let table = Table::start().await;
    let slow = occupy(&table, Duration::from_millis(300)).await;
    table.faults().inject(Rule::new(Fault::Throttled).on(BATCH).times(4));
    let failed: Vec<_> = (0..3).map(|second| put(table.faulty_store(), second)).collect();
    for failed in failed {
        let error = failed.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Throttled(_)) && error.retryable());
        assert!(std::error::Error::source(&error).is_some_and(|source| !source.to_string().is_empty()));
    }
    for slow in slow {
        slow.await.unwrap().unwrap();
    }
    put(table.faulty_store(), 9).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_write_that_is_refused_does_not_take_the_others_along() {
    let table = Table::start().await;
    let slow = occupy(&table, Duration::from_millis(300)).await;
    let too_large = Attempt { response: Some("x".repeat(410 * 1024)), ..success(delivery(0, 1), 50) };
    let store = table.faulty_store().clone();
    let refused = tokio::spawn(async move { store.put_attempt(&too_large).await });
    let others: Vec<_> = (0..10).map(|second| put(table.faulty_store(), second)).collect();
    assert!(matches!(refused.await.unwrap(), Err(StoreError::Refused(_))));
    for other in others.into_iter().chain(slow) {
        other.await.unwrap().unwrap();
    }
    assert!(is_stored(&table, &success(delivery(0, 1), 9)).await);
}

#[tokio::test]
async fn who_gives_up_while_sending_strands_nobody() {
    let table = Table::start().await;
    let slow = occupy(&table, Duration::from_millis(300)).await;
    table.faults().inject(Rule::new(Fault::Slow(Duration::from_secs(600))).on(BATCH).times(1));
    let calls = table.meter().count(BATCH);
    let sender = put(table.faulty_store(), 1);
    tokio::task::yield_now().await;
    let others: Vec<_> = (2..10).map(|second| put(table.faulty_store(), second)).collect();
    for slow in slow {
        slow.await.unwrap().unwrap();
    }
    eventually("the sender is at it", || table.meter().count(BATCH) > calls).await;
    assert!(others.iter().all(|other| !other.is_finished()));
    sender.abort();
    for other in others {
        tokio::time::timeout(Duration::from_secs(5), other).await.unwrap().unwrap().unwrap();
    }
    for second in 2..10 {
        assert!(is_stored(&table, &success(delivery(0, 1), second)).await);
    }
}

#[tokio::test]
async fn who_gives_up_while_waiting_is_left_out() {
    let table = Table::start().await;
    let slow = occupy(&table, Duration::from_millis(300)).await;
    let (gone, stays) = (put(table.faulty_store(), 1), put(table.faulty_store(), 2));
    tokio::task::yield_now().await;
    gone.abort();
    stays.await.unwrap().unwrap();
    for slow in slow {
        slow.await.unwrap().unwrap();
    }
    assert!(!is_stored(&table, &success(delivery(0, 1), 1)).await);
    assert!(is_stored(&table, &success(delivery(0, 1), 2)).await);
}

#[tokio::test]
async fn one_key_is_never_twice_in_a_call() {
    let table = Table::start().await;
    let slow = occupy(&table, Duration::from_millis(300)).await;
    // The engine refuses a call that names a key twice.
    let same: Vec<_> = (0..10).map(|_| put(table.faulty_store(), 7)).collect();
    for put in same.into_iter().chain(slow) {
        put.await.unwrap().unwrap();
    }
    assert!(is_stored(&table, &success(delivery(0, 1), 7)).await);
}

#[tokio::test]
async fn large_messages_share_no_call_that_is_too_large() {
    let table = Table::start().await;
    let payload = format!("{{\"text\": \"{}\"}}", "\u{1}".repeat(200 * 1024));
    let messages = (0..40).map(|second| Message { payload: Some(payload.clone().into()), ..message(second) });
    let messages: Vec<_> = messages.collect();
    let created = messages
        .iter()
        .map(|message| async { table.faulty_store().create_message(&new(message), None).await.unwrap() });
    assert!(join_all(created).await.iter().all(|accepted| *accepted == MessageAccepted::Written));
    // Each is 1.2 MB on the wire.
    assert!(table.meter().count(BATCH) >= 40 / 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_told_that_it_is_written_finds_it_written(
        faults in prop::collection::vec((0..4_u8, 0..6_usize, 1..8_usize), 0..6), writers in 1..60_i64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let table = Table::start().await;
            for (fault, skip, times) in faults {
                let fault =
                    [Fault::Unprocessed, Fault::Throttled, Fault::AnswerLost, Fault::InternalError][usize::from(fault)];
                table.faults().inject(Rule::new(fault).on(BATCH).after(skip).times(times));
            }
            let messages: Vec<_> = (0..writers).map(message).collect();
            let new: Vec<_> = messages.iter().map(new).collect();
            let results = join_all(new.iter().map(|new| table.faulty_store().create_message(new, None))).await;
            let due = all_due(table.store(), at(10_000)).await;
            for (message, result) in messages.iter().zip(results) {
                let stored =
                    table.store().message(message.organization, message.application, message.id, at(0)).await.unwrap();
                if result.is_ok() {
                    assert_eq!(stored.as_ref(), Some(message));
                    assert!(due.iter().any(|entry| entry.key.work == message.work(Route::Endpoints)));
                }
            }
        });
    }
}

/// However slow the table is, nobody waits for more than one call.
#[tokio::test]
async fn calls_that_are_slow_hold_up_nobody_who_comes_after_them() {
    let table = Table::start().await;
    let pause = Duration::from_secs(1);
    table.faults().inject(Rule::new(Fault::Slow(pause)).on("BatchWriteItem"));
    let began = tokio::time::Instant::now();
    let messages: Vec<_> = (0..60).map(message).collect();
    let written = join_all(
        messages.iter().map(async |message| table.faulty_store().create_message(&new(message), None).await.unwrap()),
    );
    assert!(written.await.iter().all(|accepted| *accepted == MessageAccepted::Written));
    assert!(began.elapsed() < pause * 2, "{:?}", began.elapsed());
}
