//! Inbound webhooks: what was accepted, what was rejected, and what could not be computed.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::application::{ids, work};
use crate::idempotency::hex;
use crate::ids::{
    ComputeErrorId, MessageId, OrganizationId, RANDOM_BYTES, SourceId, TransactionErrorId, TransactionId,
};

/// Most bytes of a body that becomes a transaction: a message takes no more.
pub const MAX_BODY_BYTES: usize = crate::message::MAX_PAYLOAD_BYTES;

/// Most bytes that are kept of a rejected body.
pub const MAX_REJECTED_BYTES: usize = 16 * 1024;

/// Most characters of a sender's own id.
pub const MAX_MESSAGE_ID_CHARS: usize = 256;

/// Most characters of an event's name as the sender spells it.
pub const MAX_EVENT_CHARS: usize = 200;

/// Times that a transaction is tried whose computation breaks off without a result.
pub const MAX_TRIES: u32 = 20;

/// Headers of a request, in lower case, as far as they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeptHeaders(pub Vec<(String, String)>);

/// What a transaction is found by: a hash of the sender's own id, so that a redelivery is the same one, or else its own
/// id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionName(String);

impl TransactionName {
    /// Of what a sender calls `message_id`.
    pub fn of_message(message_id: &str) -> Self {
        Self(hex(&Sha256::digest(message_id)))
    }

    /// Of a webhook whose sender does not name it.
    pub fn of_transaction(id: TransactionId) -> Self {
        Self(id.to_string())
    }

    /// Of what a rejected webhook becomes whose sender does not name it: always the same, so that of two tries, or of one
    /// that died before the error was deleted, there is one transaction.
    pub fn of_error(error: &TransactionError) -> Self {
        Self::of_transaction(TransactionId::new(error.received_at, random_of(&error.id.to_string())))
    }

    /// From the table.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// For the table.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransactionStatus {
    /// Accepted; what it means is still to be computed.
    Pending,
    /// All of it was computed.
    Computed,
    /// Some of it could not be computed: it has compute errors.
    Failed,
}

impl TransactionStatus {
    /// What the table calls it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Computed => "computed",
            Self::Failed => "failed",
        }
    }
}

/// An inbound webhook that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id.
    pub id: TransactionId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose webhook it is.
    pub source: SourceId,
    /// What it is found by.
    pub name: TransactionName,
    /// The sender's own id of it.
    pub message_id: Option<String>,
    /// The event's name, as the sender spells it.
    pub event: String,
    /// The headers that matter.
    pub headers: KeptHeaders,
    /// The body, byte for byte. JSON.
    pub body: Bytes,
    /// When it was received.
    pub received_at: Timestamp,
    /// Where it stands.
    pub status: TransactionStatus,
    /// When it was last computed, well or not.
    pub computed_at: Option<Timestamp>,
    /// The message that it was forwarded as.
    pub message: Option<MessageId>,
}

impl Transaction {
    /// What it owes: to be computed.
    pub fn work(&self) -> Work {
        work(Kind::Transaction, &[&self.organization.to_string(), &self.source.to_string(), self.name.as_str()])
    }

    /// The id of what could not be computed of one of its payloads, or, without a position, of all of it. The same each
    /// time, so that a repeated try finds what the one before wrote.
    pub fn compute_error_id(&self, payload: Option<usize>) -> ComputeErrorId {
        let place = payload.map_or_else(|| "-".to_owned(), |payload| payload.to_string());
        ComputeErrorId::new(self.received_at, random_of(&format!("{}#{place}", self.id)))
    }
}

/// What stands in the place of random bytes where the same text is to make the same id.
fn random_of(text: &str) -> [u8; RANDOM_BYTES] {
    let mut random = [0; RANDOM_BYTES];
    random.iter_mut().zip(Sha256::digest(text)).for_each(|(to, from)| *to = from);
    random
}

/// The transaction that work of the kind `transaction` is for.
pub fn parse_record(record: &RecordName) -> Option<(OrganizationId, SourceId, TransactionName)> {
    let [organization, source, name] = ids(record)?;
    Some((organization.parse().ok()?, source.parse().ok()?, TransactionName(name.to_owned())))
}

/// An inbound webhook that was verified and yet rejected. It is kept, so that no webhook vanishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionError {
    /// Its id.
    pub id: TransactionErrorId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose webhook it is.
    pub source: SourceId,
    /// The status code of the answer.
    pub status: u16,
    /// What is wrong with it, a sentence for each fault.
    pub faults: Vec<String>,
    /// The headers that matter.
    pub headers: KeptHeaders,
    /// The body, or the first [`MAX_REJECTED_BYTES`] of it.
    pub body: Bytes,
    /// Bytes of the whole body.
    pub body_bytes: usize,
    /// When it was received.
    pub received_at: Timestamp,
}

impl TransactionError {
    /// Whether all of the body is there.
    pub fn is_whole(&self) -> bool {
        self.body.len() == self.body_bytes
    }
}

/// What could not be computed of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputeError {
    /// Its id ([`Transaction::compute_error_id`]).
    pub id: ComputeErrorId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose webhook it is.
    pub source: SourceId,
    /// The transaction.
    pub transaction: TransactionId,
    /// The transaction's own key, to find it by.
    pub name: TransactionName,
    /// The event's name.
    pub event: String,
    /// Which of a group's payloads it is; none for all of the transaction.
    pub payload: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it failed first.
    pub created_at: Timestamp,
    /// When it last failed.
    pub updated_at: Timestamp,
}

impl ComputeError {
    /// The first try of a transaction's payload, or of all of it, that failed, at `now`.
    pub fn new(transaction: &Transaction, payload: Option<usize>, message: String, now: Timestamp) -> Self {
        Self {
            id: transaction.compute_error_id(payload),
            organization: transaction.organization,
            source: transaction.source,
            transaction: transaction.id,
            name: transaction.name.clone(),
            event: transaction.event.clone(),
            payload,
            message,
            tries: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn transaction() -> Transaction {
        let at = Timestamp::from_millis(1_710_341_906_007);
        Transaction {
            id: TransactionId::least_at(at),
            organization: OrganizationId::least_at(at),
            source: SourceId::least_at(at),
            name: TransactionName::of_message("wh-20240313-145834-5bf0ce52"),
            message_id: Some("wh-20240313-145834-5bf0ce52".to_owned()),
            event: "course.enrollment.created".to_owned(),
            headers: KeptHeaders::default(),
            body: Bytes::from_static(b"{}"),
            received_at: at,
            status: TransactionStatus::Pending,
            computed_at: None,
            message: None,
        }
    }

    #[test]
    fn the_record_of_a_transaction_round_trips() {
        let named = transaction();
        let unnamed = Transaction { name: TransactionName::of_transaction(named.id), ..named.clone() };
        for transaction in [named, unnamed] {
            let Transaction { organization, source, name, .. } = transaction.clone();
            assert_eq!(parse_record(&transaction.work().record), Some((organization, source, name)));
        }
    }

    #[test]
    fn each_payload_has_one_compute_error_for_ever() {
        let transaction = transaction();
        assert_eq!(transaction.compute_error_id(Some(1)), transaction.compute_error_id(Some(1)));
        assert_ne!(transaction.compute_error_id(Some(1)), transaction.compute_error_id(Some(11)));
        assert_ne!(transaction.compute_error_id(Some(0)), transaction.compute_error_id(None));
    }
}
