//! Keeping what was received.

use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::ids::{TransactionErrorId, TransactionId};
use tidings_domain::source::{Source, SourceKind};
use tidings_domain::transaction::{
    MAX_BODY_BYTES, MAX_REJECTED_BYTES, Transaction, TransactionError, TransactionName, TransactionStatus,
};
use tidings_http::{ApiError, Fault, MAX_FAULTS, Reply, TransactionOut, ok};
use tidings_runtime::random;
use tidings_store::transaction::TransactionAccepted;
use utoipa::ToSchema;

use super::reading::Named;
use super::{PATIENCE, kept_headers, unavailable};

/// What senders were always answered.
const SAVED: &str = "Transaction has been saved successfully";

/// A transaction's entry is written beside it, and not due before it is certain whether the transaction is there: the
/// schedule takes an entry off that has no record.
const LEAST_GRACE: Duration = Duration::from_secs(5);
const _: () = assert!(LEAST_GRACE.as_millis() > PATIENCE.as_millis());

const ID_TAKEN: &str = "Another body was received under this id before.";

/// A webhook that was received.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedOut {
    /// For a person.
    #[schema(value_type = String, example = "Transaction has been saved successfully")]
    message: &'static str,
    /// What it became. A redelivery is answered with what the first one became.
    new_transaction: TransactionOut,
}

/// A request that was verified.
pub(super) struct Webhook<'a> {
    pub(super) source: &'a Source,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Bytes,
    pub(super) received_at: Timestamp,
}

/// What became of a webhook.
pub(super) enum Outcome {
    /// It is a transaction: a new one, or one that was there before.
    Accepted(Reply),
    /// Its id was used before for another body.
    IdTaken,
}

impl Webhook<'_> {
    /// Makes it a transaction; if its id was used for another one it is kept as an error.
    pub(super) async fn accept_or_keep(&self, state: &crate::State, named: Named) -> Result<Reply, ApiError> {
        let id = TransactionId::new(self.received_at, random::bytes());
        match self.accept(state, named, id, TransactionName::of_transaction(id)).await? {
            Outcome::Accepted(reply) => Ok(reply),
            Outcome::IdTaken => {
                self.keep(state, StatusCode::CONFLICT, vec![ID_TAKEN.to_owned()]).await?;
                Err(id_taken())
            }
        }
    }

    /// Makes it a transaction: one round of writes. `unnamed` is what it is found by if its sender does not name it.
    pub(super) async fn accept(
        &self,
        state: &crate::State,
        named: Named,
        id: TransactionId,
        unnamed: TransactionName,
    ) -> Result<Outcome, ApiError> {
        let Self { source, headers, ref body, received_at } = *self;
        let Named { message_id, event } = named;
        let transaction = Transaction {
            id,
            organization: source.organization,
            source: source.id,
            name: message_id.as_deref().map_or(unnamed, TransactionName::of_message),
            message_id,
            event,
            headers: kept_headers::keep(&source.scheme, headers),
            body: body.clone(),
            received_at,
            status: TransactionStatus::Pending,
            computed_at: None,
            message: None,
        };
        let until = source.retention.transactions.end(received_at);
        let due = received_at + state.grace.max(LEAST_GRACE);
        let accepted = state.store.create_transaction(&transaction, due, until);
        Ok(match accepted.await.map_err(unavailable)? {
            TransactionAccepted::Written => Outcome::Accepted(received(&transaction)?),
            TransactionAccepted::Repeated(first) if is_redelivery(source, &transaction, &first) => {
                Outcome::Accepted(Reply::replayed(received(&first)?.answer().clone()))
            }
            TransactionAccepted::Repeated(_) => Outcome::IdTaken,
        })
    }

    /// Keeps a request that is no webhook of its source's kind.
    pub(super) async fn keep_malformed(&self, state: &crate::State, faults: &[Fault]) -> Result<(), ApiError> {
        let faults = faults.iter().take(MAX_FAULTS).map(Fault::to_string).collect();
        self.keep(state, StatusCode::BAD_REQUEST, faults).await
    }

    /// Keeps the beginning of a request that no transaction could hold.
    pub(super) async fn keep_too_large(&self, state: &crate::State) -> Result<(), ApiError> {
        let fault = format!("body: is larger than {MAX_BODY_BYTES} bytes");
        self.keep(state, StatusCode::PAYLOAD_TOO_LARGE, vec![fault]).await
    }

    async fn keep(&self, state: &crate::State, status: StatusCode, faults: Vec<String>) -> Result<(), ApiError> {
        let Self { source, headers, ref body, received_at } = *self;
        let error = TransactionError {
            id: TransactionErrorId::new(received_at, random::bytes()),
            organization: source.organization,
            source: source.id,
            status: status.as_u16(),
            faults,
            headers: kept_headers::keep(&source.scheme, headers),
            body: body.slice(..body.len().min(MAX_REJECTED_BYTES)),
            body_bytes: body.len(),
            received_at,
        };
        let until = source.retention.transaction_errors.end(received_at);
        state.store.put_transaction_error(&error, until).await.map_err(unavailable)
    }
}

/// A sender's second try has the same body. Stripe's differ in `pending_webhooks`, which counts who has not got the event
/// yet; its ids are its own, and never used twice.
fn is_redelivery(source: &Source, new: &Transaction, first: &Transaction) -> bool {
    source.scheme.kind() == SourceKind::Stripe || new.body == first.body
}

fn received(transaction: &Transaction) -> Result<Reply, ApiError> {
    ok(&ReceivedOut { message: SAVED, new_transaction: TransactionOut::new(transaction) })
}

pub(super) fn id_taken() -> ApiError {
    ApiError::conflict(ID_TAKEN)
}
