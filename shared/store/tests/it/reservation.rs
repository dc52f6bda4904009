//! What a message is known by: its `Idempotency-Key` and its `eventId`, and what a crash between them and the message leaves.

use futures::future::join_all;
use tidings_domain::idempotency::{Answer, Fingerprint, IdempotencyKey, KeptAnswer};
use tidings_domain::message::Message;
use tidings_harness::{Fault, Rule, Table};
use tidings_store::job::Accepted;
use tidings_store::message::{MessageAccepted, MessageKey};
use tidings_store::{Repetition, Store};

use crate::outbound::{message, new};
use crate::support::{all_due, at, job, organization};

fn key(name: &str, body: &str) -> MessageKey {
    let fingerprint = Fingerprint::of("POST", "/api/v1/app/a/msg", body.as_bytes());
    MessageKey { key: IdempotencyKey::try_from(name).unwrap(), fingerprint }
}

/// A message that came at this second, with an `eventId`.
fn event(second: i64, event_id: &str) -> Message {
    Message { event_id: Some(event_id.parse().unwrap()), ..message(second) }
}

fn repeated(first: &Message) -> MessageAccepted {
    MessageAccepted::Repeated { id: first.id, created_at: first.created_at }
}

async fn create(store: &Store, message: &Message, key: Option<&MessageKey>) -> MessageAccepted {
    store.create_message(&new(message), key).await.unwrap()
}

async fn stored(table: &Table, message: &Message) -> Option<Message> {
    table.store().message(message.organization, message.application, message.id, at(100)).await.unwrap()
}

/// Reserves, and dies before the message is written.
async fn crash(table: &Table, message: &Message, key: Option<&MessageKey>) {
    table.faults().inject(Rule::new(Fault::Unreachable).on("BatchWriteItem"));
    assert!(table.faulty_store().create_message(&new(message), key).await.unwrap_err().retryable());
    table.faults().clear();
    assert_eq!(stored(table, message).await, None);
}

#[tokio::test]
async fn the_same_request_twice_is_one_message() {
    let table = Table::start().await;
    let key = key("k", "a");
    assert_eq!(create(table.store(), &message(0), Some(&key)).await, MessageAccepted::Written);
    assert_eq!(create(table.store(), &message(1), Some(&key)).await, repeated(&message(0)));
    assert_eq!(stored(&table, &message(1)).await, None);
    assert_eq!(all_due(table.store(), at(1000)).await.len(), 1);
}

#[tokio::test]
async fn a_key_is_one_organizations_and_one_requests() {
    let table = Table::start().await;
    assert_eq!(create(table.store(), &message(0), Some(&key("k", "a"))).await, MessageAccepted::Written);
    assert_eq!(create(table.store(), &message(1), Some(&key("k", "b"))).await, MessageAccepted::OtherRequest);
    let elsewhere = Message { organization: organization(2), ..message(2) };
    assert_eq!(create(table.store(), &elsewhere, Some(&key("k", "a"))).await, MessageAccepted::Written);
}

#[tokio::test]
async fn a_key_is_free_again_when_its_time_is_over_although_the_table_still_has_it() {
    let table = Table::start().await;
    let half_a_day = 12 * 3600;
    assert_eq!(create(table.store(), &message(0), Some(&key("k", "a"))).await, MessageAccepted::Written);
    assert_eq!(create(table.store(), &message(half_a_day), Some(&key("k", "a"))).await, repeated(&message(0)));
    assert_eq!(create(table.store(), &message(half_a_day + 1), Some(&key("k", "a"))).await, MessageAccepted::Written);
}

#[tokio::test]
async fn of_many_at_once_under_one_key_one_writes() {
    let table = Table::start().await;
    let key = key("k", "a");
    let messages: Vec<_> = (0..8).map(message).collect();
    let answers = join_all(messages.iter().map(|message| create(table.store(), message, Some(&key)))).await;
    let written = answers.iter().filter(|answer| **answer == MessageAccepted::Written).count();
    let others = |answer: &MessageAccepted| {
        matches!(answer, MessageAccepted::Written | MessageAccepted::Running | MessageAccepted::Repeated { .. })
    };
    assert!(written == 1 && answers.iter().all(others), "{answers:?}");
    assert_eq!(all_due(table.store(), at(1000)).await.len(), 1);
}

#[tokio::test]
async fn a_request_that_died_is_taken_over_after_ten_seconds_under_its_own_id() {
    let table = Table::start().await;
    let key = key("k", "a");
    crash(&table, &message(0), Some(&key)).await;
    assert_eq!(create(table.store(), &message(10), Some(&key)).await, MessageAccepted::Running);
    assert_eq!(create(table.store(), &message(11), Some(&key)).await, repeated(&message(0)));
    let expected = Message { payload: message(11).payload, ..message(0) };
    assert_eq!(stored(&table, &message(0)).await, Some(expected));
    assert_eq!(all_due(table.store(), at(41)).await.len(), 1, "the entry is due when the fast lane's new time is over");
    assert_eq!(create(table.store(), &message(12), Some(&key)).await, repeated(&message(0)));
}

#[tokio::test]
async fn an_entry_that_a_crash_kept_away_is_put_again() {
    let table = Table::start().await;
    let key = key("k", "a");
    assert_eq!(create(table.store(), &message(0), Some(&key)).await, MessageAccepted::Written);
    let entry = all_due(table.store(), at(30)).await.remove(0);
    table.store().take_off(&entry.key).await.unwrap();
    assert_eq!(create(table.store(), &message(1), Some(&key)).await, repeated(&message(0)));
    assert_eq!(all_due(table.store(), at(30)).await, [entry]);
}

#[tokio::test]
async fn half_of_a_batch_is_made_whole_by_the_repetition() {
    let table = Table::start().await;
    let (first, key) = (Message { payload_until: at(6 * 24 * 3600), ..message(0) }, key("k", "a"));
    table.faults().inject(Rule::new(Fault::Unprocessed).on("BatchWriteItem").times(1));
    table.faults().inject(Rule::new(Fault::Unreachable).on("BatchWriteItem"));
    assert!(table.faulty_store().create_message(&new(&first), Some(&key)).await.is_err());
    table.faults().clear();
    assert!(stored(&table, &first).await.is_some() && all_due(table.store(), at(30)).await.is_empty());
    let again = Message { id: message(2).id, ..first.clone() };
    assert_eq!(create(table.store(), &again, Some(&key)).await, repeated(&first));
    assert_eq!(all_due(table.store(), first.payload_until).await.len(), 2, "fan-out and the payload's end");
}

#[tokio::test]
async fn a_lost_answer_to_a_reservation_is_no_repetition() {
    let table = Table::start().await;
    for (second, key, event_id) in
        [(0, Some(key("k", "a")), None), (1, None, Some("e")), (2, Some(key("l", "a")), Some("f"))]
    {
        let message = Message { event_id: event_id.map(|id: &str| id.parse().unwrap()), ..message(second) };
        table.faults().inject(Rule::new(Fault::AnswerLost).times(1));
        assert_eq!(create(table.faulty_store(), &message, key.as_ref()).await, MessageAccepted::Written);
        assert_eq!(stored(&table, &message).await, Some(message));
        table.faults().clear();
    }
}

#[tokio::test]
async fn an_event_id_is_one_messages() {
    let table = Table::start().await;
    assert_eq!(create(table.store(), &event(0, "e"), None).await, MessageAccepted::Written);
    assert_eq!(create(table.store(), &event(1, "e"), None).await, MessageAccepted::EventIdTaken);
    assert_eq!(create(table.store(), &event(100, "e"), None).await, MessageAccepted::EventIdTaken);
    assert_eq!(create(table.store(), &event(2, "f"), None).await, MessageAccepted::Written);
    assert_eq!(stored(&table, &event(1, "e")).await, None);
    let two_days = 2 * 24 * 3600;
    assert_eq!(create(table.store(), &event(two_days, "e"), None).await, MessageAccepted::EventIdTaken);
    assert_eq!(create(table.store(), &event(two_days + 1, "e"), None).await, MessageAccepted::Written);
}

#[tokio::test]
async fn an_event_id_whose_message_was_never_written_is_taken_over() {
    let table = Table::start().await;
    crash(&table, &event(0, "e"), None).await;
    assert_eq!(create(table.store(), &event(10, "e"), None).await, MessageAccepted::Running);
    assert_eq!(create(table.store(), &event(11, "e"), None).await, MessageAccepted::Written);
    assert_eq!(create(table.store(), &event(30, "e"), None).await, MessageAccepted::EventIdTaken);
    assert_eq!((stored(&table, &event(0, "e")).await, stored(&table, &event(11, "e")).await.is_some()), (None, true));
}

#[tokio::test]
async fn of_many_that_take_an_event_id_over_one_gets_it() {
    let table = Table::start().await;
    crash(&table, &event(0, "e"), None).await;
    let messages: Vec<_> = (20..26).map(|second| event(second, "e")).collect();
    let answers = join_all(messages.iter().map(|message| create(table.store(), message, None))).await;
    assert_eq!(answers.iter().filter(|answer| **answer == MessageAccepted::Written).count(), 1, "{answers:?}");
    assert_eq!(all_due(table.store(), at(1000)).await.len(), 1);
}

#[tokio::test]
async fn a_key_and_an_event_id_are_reserved_both_or_neither() {
    let table = Table::start().await;
    let (a, b) = (key("a", "a"), key("b", "b"));
    assert_eq!(create(table.store(), &event(0, "e"), Some(&a)).await, MessageAccepted::Written);
    // The same request: its eventId is its own.
    assert_eq!(create(table.store(), &event(1, "e"), Some(&a)).await, repeated(&event(0, "e")));
    // Another request: the key is not used up by the refusal.
    assert_eq!(create(table.store(), &event(2, "e"), Some(&b)).await, MessageAccepted::EventIdTaken);
    assert_eq!(create(table.store(), &event(3, "f"), Some(&b)).await, MessageAccepted::Written);
}

#[tokio::test]
async fn a_request_that_died_with_both_is_taken_over_with_both() {
    let table = Table::start().await;
    let key = key("a", "a");
    crash(&table, &event(0, "e"), Some(&key)).await;
    assert_eq!(create(table.store(), &event(5, "e"), Some(&key)).await, MessageAccepted::Running);
    assert_eq!(create(table.store(), &event(11, "e"), Some(&key)).await, repeated(&event(0, "e")));
    assert_eq!(create(table.store(), &event(12, "e"), None).await, MessageAccepted::EventIdTaken);
    assert!(stored(&table, &event(0, "e")).await.is_some());
}

#[tokio::test]
async fn a_repetition_does_not_take_its_event_id_back_from_a_message_that_stands() {
    let table = Table::start().await;
    let key = key("a", "a");
    crash(&table, &event(0, "e"), Some(&key)).await;
    // Without the key somebody else takes over what the crash left.
    assert_eq!(create(table.store(), &event(11, "e"), None).await, MessageAccepted::Written);
    assert_eq!(create(table.store(), &event(12, "e"), Some(&key)).await, MessageAccepted::EventIdTaken);
    assert_eq!(stored(&table, &event(0, "e")).await, None);
}

#[tokio::test]
async fn an_answer_that_is_kept_for_another_route_is_another_request_and_the_other_way_round() {
    let table = Table::start().await;
    let kept = |name: &str| KeptAnswer {
        key: IdempotencyKey::try_from(name).unwrap(),
        fingerprint: Fingerprint::of("POST", "/job/electricity/gas", b"{}"),
        answer: Answer { status: 202, location: None, body: "{}".to_owned() },
    };
    let _ = table.store().create_job(&job(0), Some(&kept("k"))).await.unwrap();
    assert_eq!(create(table.store(), &message(0), Some(&key("k", "a"))).await, MessageAccepted::OtherRequest);
    assert_eq!(create(table.store(), &message(0), Some(&key("l", "a"))).await, MessageAccepted::Written);
    let job = table.store().create_job(&job(1), Some(&kept("l"))).await.unwrap();
    assert_eq!(job, Accepted::Repeated(Repetition::Other));
}

#[tokio::test]
async fn a_table_that_refuses_a_reservation_writes_no_message() {
    let table = Table::start().await;
    for operation in ["PutItem", "TransactWriteItems"] {
        table.faults().inject(Rule::new(Fault::Throttled).on(operation));
    }
    assert!(table.faulty_store().create_message(&new(&message(0)), Some(&key("a", "a"))).await.is_err());
    assert!(table.faulty_store().create_message(&new(&event(1, "e")), Some(&key("a", "a"))).await.is_err());
    assert!(all_due(table.store(), at(1000)).await.is_empty());
}
