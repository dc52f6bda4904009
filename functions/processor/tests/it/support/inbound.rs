//! Sources of a world, and what they send.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::enrollment::{Enrollment, EnrollmentKey, Field, Value};
use tidings_domain::ids::{SourceId, TransactionId};
use tidings_domain::names::Reference;
use tidings_domain::retention::{Period, Retention};
use tidings_domain::source::{Scheme, Source};
use tidings_domain::transaction::{ComputeError, KeptHeaders, Transaction, TransactionName, TransactionStatus};
use tidings_runtime::random;
use tidings_store::Created;
use tidings_store::transaction::TransactionAccepted;

use crate::support::outbound::organization;
use crate::support::{GRACE, World};

pub(crate) const CREATED: &str = "course.enrollment.created";

/// The second of March 13, 2024 at which the events of tests begin to be fired.
const FIRED_S: i64 = 1_710_341_906;

/// When the event of a number was fired: a second after the one before.
pub(crate) fn fired(number: u32) -> Timestamp {
    Timestamp::from_millis((FIRED_S + i64::from(number)) * 1_000)
}

/// A payload of a user in course 37.
pub(crate) fn payload(user: u64, number: u32, status: &str) -> Json {
    let fired_at = fired(number).to_string();
    json!({"fired_at": fired_at, "user_id": user, "course_id": 37, "username": format!("user {user}"), "status": status})
}

pub(crate) fn key(user: u64) -> EnrollmentKey {
    EnrollmentKey { user, course: 37, session: None }
}

/// Docebo's request with one payload; spelled as no serializer would.
pub(crate) fn single(message_id: &str, event: &str, payload: &Json) -> String {
    format!(
        "{{\"message_id\" : \"{message_id}\",\n\"fired_by_batch_action\":false, \"event\":\"{event}\",\"payload\":{payload}}}"
    )
}

/// Docebo's request with a group.
pub(crate) fn group(message_id: &str, event: &str, payloads: &[Json]) -> String {
    json!({"message_id": message_id, "event": event, "fired_by_batch_action": true, "payloads": payloads}).to_string()
}

impl World {
    pub(crate) async fn source(&self) -> Source {
        self.source_with(|_| {}).await
    }

    /// A source of Docebo's that forgets nothing.
    pub(crate) async fn source_with(&self, change: impl FnOnce(&mut Source)) -> Source {
        let now = self.clock.now();
        let mut source = Source {
            id: SourceId::new(now, random::bytes()),
            organization: organization(),
            uid: None,
            name: "docebo".to_owned(),
            scheme: Scheme::Docebo,
            keys: None,
            forward_to: None,
            retention: Retention { enrollments: Period::years(10), ..Retention::default() },
            created_at: now,
            updated_at: now,
        };
        change(&mut source);
        assert_eq!(self.table.store().create_source(&source, None).await.unwrap(), Created::Written);
        source
    }

    /// A source whose events go to an application.
    pub(crate) async fn forwarding_source(&self, application: &Application) -> Source {
        self.source_with(|source| source.forward_to = Some(Reference::Id(application.id))).await
    }

    pub(crate) fn new_transaction(&self, source: &Source, message_id: &str, event: &str, body: &str) -> Transaction {
        let now = self.clock.now();
        Transaction {
            id: TransactionId::new(now, random::bytes()),
            organization: source.organization,
            source: source.id,
            name: TransactionName::of_message(message_id),
            message_id: Some(message_id.to_owned()),
            event: event.to_owned(),
            headers: KeptHeaders::default(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at: now,
            status: TransactionStatus::Pending,
            computed_at: None,
            message: None,
        }
    }

    /// Takes a transaction in, as the door does.
    pub(crate) async fn put_transaction(
        &self,
        source: &Source,
        transaction: &Transaction,
        grace: Duration,
    ) -> TransactionAccepted {
        let until = source.retention.transactions.end(transaction.received_at);
        let due = transaction.received_at + grace;
        self.table.store().create_transaction(transaction, due, until).await.unwrap()
    }

    /// A transaction with one payload, accepted now.
    pub(crate) async fn receive(&self, source: &Source, message_id: &str, event: &str, payload: &Json) -> Transaction {
        self.receive_body(source, message_id, event, &single(message_id, event, payload)).await
    }

    /// A transaction with a group, accepted now.
    pub(crate) async fn receive_group(
        &self,
        source: &Source,
        message_id: &str,
        event: &str,
        payloads: &[Json],
    ) -> Transaction {
        self.receive_body(source, message_id, event, &group(message_id, event, payloads)).await
    }

    pub(crate) async fn receive_body(&self, source: &Source, message_id: &str, event: &str, body: &str) -> Transaction {
        let transaction = self.new_transaction(source, message_id, event, body);
        assert_eq!(self.put_transaction(source, &transaction, GRACE).await, TransactionAccepted::Written);
        transaction
    }

    /// Has a transaction computed again, as the API does.
    pub(crate) async fn compute_again(&self, transaction: &Transaction) {
        let due = self.clock.now() + GRACE;
        self.table.store().replay_transactions(std::slice::from_ref(transaction), due).await.unwrap();
    }

    pub(crate) async fn stored_transaction(&self, transaction: &Transaction) -> Transaction {
        let Transaction { organization, source, name, .. } = transaction;
        self.table.store().transaction(*organization, *source, name).await.unwrap().unwrap()
    }

    pub(crate) async fn transaction_status(&self, transaction: &Transaction) -> TransactionStatus {
        self.stored_transaction(transaction).await.status
    }

    /// The compute errors of a source, the payloads in their order.
    pub(crate) async fn compute_errors(&self, source: &Source) -> Vec<ComputeError> {
        let limit = 250.try_into().unwrap();
        let page = self.table.store().compute_errors(source, self.clock.now(), None, limit).await.unwrap();
        assert!(page.done, "too many for a test");
        let mut errors = page.data;
        errors.sort_by_key(|error| (error.transaction, error.payload));
        errors
    }

    pub(crate) async fn enrollment(&self, source: &Source, key: EnrollmentKey) -> Option<Enrollment> {
        self.table.store().enrollment(source, key).await.unwrap()
    }

    /// The status of a user in course 37, if there is one.
    pub(crate) async fn status_of(&self, source: &Source, user: u64) -> Option<String> {
        match self.enrollment(source, key(user)).await?.get(Field::Status)? {
            Value::Text(status) => Some(status.clone()),
            other => panic!("{other:?}"),
        }
    }
}
