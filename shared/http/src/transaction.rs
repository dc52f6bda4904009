use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::ids::{MessageId, TransactionId};
use tidings_domain::transaction::{Transaction, TransactionStatus};
use utoipa::ToSchema;

use crate::error::ApiError;

/// An inbound webhook as it is answered: to its sender, and to whoever lists or replays it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionOut {
    /// Its id.
    #[schema(value_type = String, example = "txn_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: TransactionId,
    /// The sender's own id of it; `null` where it gives none.
    #[schema(max_length = 256, example = "wh-20240313-145834-5bf0ce52-91d0-40fa-98d8-d8286b78f8b8")]
    message_id: Option<String>,
    /// The event's name, as the sender spells it.
    #[schema(max_length = 200, example = "course.enrollment.created")]
    event: String,
    /// Whether what it means was computed: `failed` has compute errors.
    #[schema(value_type = String, example = "pending")]
    status: TransactionStatus,
    /// When it was received.
    #[schema(value_type = String, format = "date-time")]
    received_at: Timestamp,
    /// When it was last computed.
    #[schema(value_type = Option<String>, format = "date-time")]
    computed_at: Option<Timestamp>,
    /// The message that it was forwarded as.
    #[schema(value_type = Option<String>)]
    message: Option<MessageId>,
}

impl TransactionOut {
    /// Without headers and body.
    pub fn new(transaction: &Transaction) -> Self {
        let Transaction {
            id,
            organization: _,
            source: _,
            name: _,
            message_id,
            event,
            headers: _,
            body: _,
            received_at,
            status,
            computed_at,
            message,
        } = transaction;
        Self {
            id: *id,
            message_id: message_id.clone(),
            event: event.clone(),
            status: *status,
            received_at: *received_at,
            computed_at: *computed_at,
            message: *message,
        }
    }
}

/// An inbound webhook with all that was kept of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeTransactionOut {
    #[serde(flatten)]
    transaction: TransactionOut,
    /// The headers that matter, by their names in lower case.
    headers: BTreeMap<String, String>,
    /// As it was sent: the same digits, the same order, the same spaces.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

impl WholeTransactionOut {
    /// With headers and body.
    pub fn new(transaction: &Transaction) -> Result<Self, ApiError> {
        // It was JSON when it was accepted. It is looked at again because a body that holds anything else would be an
        // answer that nobody can read.
        let body = serde_json::from_slice(&transaction.body).map_err(ApiError::internal)?;
        let headers = transaction.headers.0.iter().cloned().collect();
        Ok(Self { transaction: TransactionOut::new(transaction), headers, body })
    }
}
