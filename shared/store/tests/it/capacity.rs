//! What the hot paths cost: six write units for a message to one endpoint, and no read; nine for a webhook that comes in, and
//! one read.

use std::time::Duration;

use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::enrollment::{EnrollmentChange, Field, Value};
use tidings_domain::message::{Message, Route};
use tidings_domain::transaction::{KeptHeaders, Transaction, TransactionStatus};
use tidings_harness::Table;
use tidings_store::agenda::Claim;
use tidings_store::message::MessageAccepted;
use tidings_store::transaction::TransactionAccepted;

use crate::inbound::{accept, created, due, key, source, transaction, until};
use crate::outbound::{delivery, message, new, success};
use crate::support::{all_due, at};

#[tokio::test]
async fn a_message_of_a_kilobyte_that_is_taken_at_once_costs_six_write_units_and_no_read() {
    let table = Table::start().await;
    table.meter().measure(true);
    let payload = format!("{{\"text\": \"{}\"}}", "x".repeat(1024 - 12));
    assert_eq!(payload.len(), 1024);
    let message = Message { payload: Some(payload.into()), ..message(0) };
    let mut units = Vec::new();
    let mut spent = || {
        let total = table.meter().total();
        table.meter().reset();
        units.push((total.count, total.write_units, total.read_units));
    };
    let store = table.faulty_store();
    // Who listens is kept, like endpoints and credentials: that nobody does is.
    assert!(store.cached_listeners(message.organization, message.created_at).await.unwrap().is_empty());
    table.meter().reset();
    assert_eq!(store.create_message(&new(&message), None).await.unwrap(), MessageAccepted::Written);
    spent();
    store.put_attempt(&success(delivery(0, 1), 0)).await.unwrap();
    spent();
    let due = message.created_at + Duration::from_secs(30);
    store.take_off(&EntryKey { due, work: message.work(Route::Endpoints) }).await.unwrap();
    spent();
    // Message and entry; attempt and its index entry; the entry again.
    assert_eq!(units, [(1, 3.0, 0.0), (1, 2.0, 0.0), (1, 1.0, 0.0)]);
}

/// Docebo's own example, with as many unknown properties as make it a kilobyte.
fn webhook() -> Transaction {
    let body = format!("{{\"event\": \"course.enrollment.created\", \"more\": \"{}\"}}", "x".repeat(1024 - 50));
    assert_eq!(body.len(), 1024);
    Transaction {
        headers: KeptHeaders(vec![("content-type".to_owned(), "application/json".to_owned())]),
        body: body.into(),
        ..transaction(0, "wh-20240313-145834-5bf0ce52-91d0-40fa-98d8-d8286b78f8b8")
    }
}

/// What it says of one enrollment: every field that Docebo knows.
fn enrolled() -> EnrollmentChange {
    let date = || Value::Text("2024-03-13T14:58:26Z".to_owned());
    let fields = [
        (Field::Username, Value::Text("jane.doe@example.com".to_owned())),
        (Field::CourseName, Value::Text("Safety at work, part 2: fire and first aid".to_owned())),
        (Field::Level, Value::Text("learner".to_owned())),
        (Field::Status, Value::Text("subscribed".to_owned())),
        (Field::EnrollmentDate, date()),
        (Field::EnrollmentDateBeginValidity, date()),
        (Field::EnrollmentDateEndValidity, date()),
        (Field::SubscribedById, Value::Number(13_250)),
        (Field::CompletionDate, Value::Null),
    ];
    EnrollmentChange { fields: fields.into(), ..created(key(13_250, 37, None), 0) }
}

#[tokio::test]
async fn a_webhook_of_a_kilobyte_costs_nine_write_units_with_its_enrollment_and_one_read() {
    let table = Table::start().await;
    table.meter().measure(true);
    let (store, own) = (table.faulty_store(), webhook());
    let mut units = Vec::new();
    let mut spent = || {
        let total = table.meter().total();
        table.meter().reset();
        units.push((total.count, total.write_units, total.read_units));
    };
    let claim = |own: &Transaction, due| Claim {
        entry: Entry { key: EntryKey { due, work: own.work() }, tries: 0, destination: None, note: None },
        until: due,
    };
    assert_eq!(accept(store, &own).await, TransactionAccepted::Written);
    spent();
    let _ = store.merge_enrollments(&source(1), &[enrolled()], own.received_at).await.unwrap();
    spent();
    let done = Transaction { status: TransactionStatus::Computed, computed_at: Some(own.received_at), ..own.clone() };
    let _ = store.finish_transaction(&claim(&own, due(&own)), &done, until(&own), None).await.unwrap();
    spent();
    // Transaction, its place in the index, entry; enrollment and its place in the index; transaction, entry.
    assert_eq!(units, [(2, 4.0, 0.0), (2, 2.0, 1.0), (2, 3.0, 0.0)]);
}

#[tokio::test]
async fn a_webhook_that_is_forwarded_or_sent_again_costs_what_the_table_page_says() {
    let table = Table::start().await;
    table.meter().measure(true);
    let (store, own) = (table.faulty_store(), webhook());
    let mut units = Vec::new();
    let mut spent = || {
        let total = table.meter().total();
        table.meter().reset();
        units.push((total.count, total.write_units, total.read_units));
    };
    assert_eq!(accept(store, &own).await, TransactionAccepted::Written);
    spent();
    let entry = all_due(table.store(), due(&own)).await.remove(0);
    let claim = Claim { entry, until: due(&own) };
    let forward = Message { payload: Some(own.body.clone()), ..message(0) };
    let done = Transaction { status: TransactionStatus::Computed, computed_at: Some(own.received_at), ..own.clone() };
    let _ = store.finish_transaction(&claim, &done, until(&own), Some(&new(&forward))).await.unwrap();
    spent();
    let again = Transaction { id: transaction(9, "").id, received_at: at(9), ..own.clone() };
    assert!(matches!(accept(store, &again).await, TransactionAccepted::Repeated(_)));
    spent();
    store.replay_transactions(&[own], at(60)).await.unwrap();
    spent();
    // Of a put that is refused the engine tells nothing; DynamoDB counts it like one that is not.
    assert_eq!(units, [(2, 4.0, 0.0), (2, 11.0, 0.0), (3, 2.0, 0.0), (2, 3.0, 0.0)]);
}
