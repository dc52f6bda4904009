//! Sources and what they send in, to test with.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tidings_domain::Timestamp;
use tidings_domain::endpoint::Sealed;
use tidings_domain::enrollment::{EnrollmentChange, EnrollmentKey, Field, Rank, Stamp, Value};
use tidings_domain::ids::{SourceId, TransactionErrorId, TransactionId};
use tidings_domain::retention::{Period, Retention};
use tidings_domain::source::{Scheme, Source};
use tidings_domain::transaction::{
    ComputeError, KeptHeaders, Transaction, TransactionError, TransactionName, TransactionStatus,
};
use tidings_store::Store;
use tidings_store::transaction::TransactionAccepted;

use crate::support::{NOW, at, organization};

/// A source of organization 1, kept by days. Higher numbers are younger.
pub(crate) fn source(number: u16) -> Source {
    let created_at = NOW + Duration::from_millis(4 * u64::from(number));
    Source {
        id: SourceId::new(created_at, [3; 15]),
        organization: organization(1),
        uid: None,
        name: format!("source {number}"),
        scheme: Scheme::Docebo,
        keys: Some(Sealed(vec![1, 2, 3])),
        forward_to: None,
        retention: kept_for(90),
        created_at,
        updated_at: created_at,
    }
}

pub(crate) fn kept_for(days: u16) -> Retention {
    let days = Period::days(days);
    Retention { transactions: days, transaction_errors: days, compute_errors: days, enrollments: days }
}

/// The same source, which keeps its records for so many days.
pub(crate) fn keeping(days: u16) -> Source {
    Source { retention: kept_for(days), ..source(1) }
}

pub(crate) fn days(number: i64) -> Timestamp {
    at(number * 24 * 3600)
}

/// A webhook of source 1, received at this second, under its sender's id.
pub(crate) fn transaction(second: i64, message_id: &str) -> Transaction {
    Transaction {
        id: TransactionId::new(at(second), [5; 15]),
        organization: organization(1),
        source: source(1).id,
        name: TransactionName::of_message(message_id),
        message_id: Some(message_id.to_owned()),
        event: "course.enrollment.created".to_owned(),
        headers: KeptHeaders(vec![("content-type".to_owned(), "application/json; charset=\"utf-8\"".to_owned())]),
        body: Bytes::from(format!("{{\"second\": {second}, \"b\": \"\u{20ac}\"}}")),
        received_at: at(second),
        status: TransactionStatus::Pending,
        computed_at: None,
        message: None,
    }
}

/// One whose sender does not name it.
pub(crate) fn unnamed(second: i64) -> Transaction {
    let transaction = transaction(second, "");
    Transaction {
        name: TransactionName::of_transaction(transaction.id),
        message_id: None,
        headers: KeptHeaders::default(),
        ..transaction
    }
}

pub(crate) fn due(transaction: &Transaction) -> Timestamp {
    transaction.received_at + Duration::from_secs(30)
}

pub(crate) fn until(transaction: &Transaction) -> Timestamp {
    source(1).retention.transactions.end(transaction.received_at)
}

pub(crate) async fn accept(store: &Store, transaction: &Transaction) -> TransactionAccepted {
    store.create_transaction(transaction, due(transaction), until(transaction)).await.unwrap()
}

pub(crate) async fn stored(store: &Store, transaction: &Transaction) -> Option<Transaction> {
    store.transaction(transaction.organization, transaction.source, &transaction.name).await.unwrap()
}

/// A rejected request of source 1 at this second.
pub(crate) fn transaction_error(second: i64) -> TransactionError {
    TransactionError {
        id: TransactionErrorId::new(at(second), [6; 15]),
        organization: organization(1),
        source: source(1).id,
        status: 400,
        faults: vec!["`event` is missing".to_owned(), "`payload` is missing".to_owned()],
        headers: KeptHeaders(vec![("user-agent".to_owned(), "x".to_owned())]),
        body: Bytes::from_static(b"\xff\x00{"),
        body_bytes: 20_000,
        received_at: at(second),
    }
}

/// What could not be computed of one of a transaction's payloads.
pub(crate) fn compute_error(transaction: &Transaction, payload: Option<usize>, failed_at: Timestamp) -> ComputeError {
    ComputeError::new(transaction, payload, "`user_id` is missing".to_owned(), failed_at)
}

pub(crate) fn key(user: u64, course: u64, session: Option<u64>) -> EnrollmentKey {
    EnrollmentKey { user, course, session }
}

/// An event of this second: nothing but a status.
pub(crate) fn change(key: EnrollmentKey, second: i64, rank: Rank, status: &str) -> EnrollmentChange {
    let fields = BTreeMap::from([(Field::Status, Value::Text(status.to_owned()))]);
    let fields = if rank == Rank::Deleted { BTreeMap::new() } else { fields };
    EnrollmentChange { key, stamp: Stamp { at: at(second), rank }, fields }
}

pub(crate) fn created(key: EnrollmentKey, second: i64) -> EnrollmentChange {
    change(key, second, Rank::Created, "subscribed")
}
