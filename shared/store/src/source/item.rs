//! Sources and their uids as they are stored.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tidings_domain::Timestamp;
use tidings_domain::endpoint::Sealed;
use tidings_domain::ids::{OrganizationId, SourceId};
use tidings_domain::names::Uid;
use tidings_domain::retention::{Period, Retention};
use tidings_domain::source::{Scheme, Source};

use crate::expression::{Item, item};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct SourceItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    organization: OrganizationId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    uid: Option<Uid>,
    name: String,
    /// JSON: a kind and what it has of its own.
    scheme: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    keys: Option<ByteBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    forward_to: Option<String>,
    keep_transactions: Period,
    keep_transaction_errors: Period,
    keep_compute_errors: Period,
    keep_enrollments: Period,
    created_at: i64,
    updated_at: i64,
    gsi1pk: String,
    gsi1sk: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct SourceUidItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    source: SourceId,
}

pub(super) fn source_item(source: &Source) -> Item {
    let Source {
        id,
        organization,
        uid,
        name,
        scheme,
        keys: sealed,
        forward_to,
        retention: Retention { transactions, transaction_errors, compute_errors, enrollments },
        created_at,
        updated_at,
    } = source;
    let keys::Key { pk, sk } = keys::source(*id);
    let index = keys::source_index(*organization, *id);
    item(&SourceItem {
        pk,
        sk,
        entity: "source".to_owned(),
        v: 1,
        organization: *organization,
        uid: uid.clone(),
        name: name.clone(),
        scheme: serde_json::to_string(scheme).expect("texts are always JSON"),
        keys: sealed.clone().map(|Sealed(keys)| ByteBuf::from(keys)),
        forward_to: forward_to.as_ref().map(ToString::to_string),
        keep_transactions: *transactions,
        keep_transaction_errors: *transaction_errors,
        keep_compute_errors: *compute_errors,
        keep_enrollments: *enrollments,
        created_at: created_at.as_millis(),
        updated_at: updated_at.as_millis(),
        gsi1pk: index.pk,
        gsi1sk: index.sk,
    })
}

/// A source as it was read from the table.
pub(super) fn decode_source(stored: Item) -> Result<Source, DecodeError> {
    let SourceItem {
        pk,
        sk: _,
        entity: _,
        v: _,
        organization,
        uid,
        name,
        scheme,
        keys: sealed,
        forward_to,
        keep_transactions,
        keep_transaction_errors,
        keep_compute_errors,
        keep_enrollments,
        created_at,
        updated_at,
        gsi1pk: _,
        gsi1sk: _,
    } = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a source", error))?;
    let id = pk.strip_prefix(keys::SOURCE).unwrap_or_default();
    let scheme: Scheme = serde_json::from_str(&scheme).map_err(|error| DecodeError::new(&*pk, error))?;
    Ok(Source {
        id: id.parse().map_err(|error| DecodeError::new(&*pk, error))?,
        organization,
        uid,
        name,
        scheme,
        keys: sealed.map(|keys| Sealed(keys.into_vec())),
        forward_to: forward_to.map(|text| text.parse()).transpose().map_err(|error| DecodeError::new(&*pk, error))?,
        retention: Retention {
            transactions: keep_transactions,
            transaction_errors: keep_transaction_errors,
            compute_errors: keep_compute_errors,
            enrollments: keep_enrollments,
        },
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}

pub(super) fn uid_item(source: &Source, uid: &Uid) -> Item {
    let keys::Key { pk, sk } = keys::source_uid(source.organization, uid);
    item(&SourceUidItem { pk, sk, entity: "source_uid".to_owned(), v: 1, source: source.id })
}

pub(super) fn decode_uid(stored: Item) -> Result<SourceId, DecodeError> {
    let stored: SourceUidItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a source's uid", error))?;
    Ok(stored.source)
}
