//! Transactions as they are stored.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::ids::{MessageId, OrganizationId, SourceId, TransactionId};
use tidings_domain::transaction::{KeptHeaders, Transaction, TransactionName, TransactionStatus};

use crate::expression::{Item, binary, item, take_binary};
use crate::{DecodeError, keys};

/// The attribute of the body. It is no field of [`TransactionItem`], so that it is moved, never copied.
const BODY: &str = "body";

/// What a list reads of a transaction.
pub(super) const LISTED: [&str; 10] = [
    "entity",
    "v",
    keys::INDEX_PK,
    keys::INDEX_SK,
    "message_id",
    "event",
    "received_at",
    "status",
    "computed_at",
    "message",
];

#[derive(Debug, Serialize, Deserialize)]
struct TransactionItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    message_id: Option<String>,
    event: String,
    /// JSON: pairs of a name and a value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    headers: Option<String>,
    received_at: i64,
    status: TransactionStatus,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    computed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    message: Option<MessageId>,
    gsi1pk: String,
    /// The transaction's id: the table's own key is what its sender calls it.
    gsi1sk: TransactionId,
}

/// Headers as they are stored: nothing, if there are none.
pub(crate) fn stored_headers(headers: &KeptHeaders) -> Option<String> {
    let json = || serde_json::to_string(headers).expect("texts are always JSON");
    (!headers.0.is_empty()).then(json)
}

/// The other way.
pub(crate) fn read_headers(key: &str, stored: Option<String>) -> Result<KeptHeaders, DecodeError> {
    let read = |json: String| serde_json::from_str(&json).map_err(|error| DecodeError::new(key, error));
    Ok(stored.map(read).transpose()?.unwrap_or_default())
}

/// A transaction as it is stored, without its end and without what makes it owe its work.
pub(super) fn transaction_item(transaction: &Transaction) -> Item {
    let Transaction {
        id,
        organization,
        source,
        name,
        message_id,
        event,
        headers,
        body,
        received_at,
        status,
        computed_at,
        message,
    } = transaction;
    let keys::Key { pk, sk } = keys::transaction(*organization, *source, name);
    let index = keys::transaction_index(*organization, *source, *id);
    let mut stored = item(&TransactionItem {
        pk,
        sk,
        entity: "transaction".to_owned(),
        v: 1,
        message_id: message_id.clone(),
        event: event.clone(),
        headers: stored_headers(headers),
        received_at: received_at.as_millis(),
        status: *status,
        computed_at: computed_at.map(Timestamp::as_millis),
        message: *message,
        gsi1pk: index.pk,
        gsi1sk: *id,
    });
    stored.insert(BODY.to_owned(), binary(body));
    stored
}

fn read(stored: TransactionItem, body: Bytes) -> Result<Transaction, DecodeError> {
    let TransactionItem {
        pk,
        sk: _,
        entity: _,
        v: _,
        message_id,
        event,
        headers,
        received_at,
        status,
        computed_at,
        message,
        gsi1pk: _,
        gsi1sk: id,
    } = stored;
    let ids = || -> Option<(OrganizationId, SourceId, TransactionName)> {
        let (organization, source, rest) = keys::parse_source(&pk)?;
        Some((organization, source, TransactionName::from_stored(rest.strip_prefix('/')?.to_owned())))
    };
    let (organization, source, name) = ids().ok_or_else(|| DecodeError::new(&*pk, "its key names no transaction"))?;
    Ok(Transaction {
        id,
        organization,
        source,
        name,
        message_id,
        event,
        headers: read_headers(&pk, headers)?,
        body,
        received_at: Timestamp::from_millis(received_at),
        status,
        computed_at: computed_at.map(Timestamp::from_millis),
        message,
    })
}

/// A transaction as it was read from the table.
pub(super) fn decode(mut stored: Item) -> Result<Transaction, DecodeError> {
    let body = take_binary(&mut stored, BODY);
    let stored = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a transaction", error))?;
    read(stored, body)
}

/// The transaction that an image of the table's stream shows. The body is moved out of the image.
pub fn from_image(mut image: serde_dynamo::Item) -> Result<Transaction, DecodeError> {
    let body = match image.remove(BODY) {
        Some(serde_dynamo::AttributeValue::B(bytes)) => Bytes::from(bytes),
        _ => Bytes::new(),
    };
    let stored = serde_dynamo::from_item(image).map_err(|error| DecodeError::new("of a transaction's image", error))?;
    read(stored, body)
}
