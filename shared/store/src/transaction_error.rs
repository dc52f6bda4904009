//! Transaction errors: requests that were rejected, a source's side by side, by age.

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::ids::TransactionErrorId;
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_domain::source::Source;
use tidings_domain::transaction::TransactionError;

use crate::batch::Write;
use crate::expression::{Item, binary, item, take_binary};
use crate::list::{List, Walk, filling};
use crate::query::id_time;
use crate::retention::kept_since;
use crate::transaction::{read_headers, stored_headers};
use crate::{DecodeError, Store, StoreError, keys};

/// The attribute of the body. It is no field of [`TransactionErrorItem`], so that it is moved, never copied.
const BODY: &str = "body";

#[derive(Debug, Serialize, Deserialize)]
struct TransactionErrorItem {
    pk: String,
    sk: TransactionErrorId,
    entity: String,
    v: u32,
    status: u16,
    faults: Vec<String>,
    /// JSON: pairs of a name and a value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    headers: Option<String>,
    body_bytes: usize,
    received_at: i64,
    expires_at: i64,
}

fn error_item(error: &TransactionError, until: Timestamp) -> Item {
    let TransactionError { id, organization, source, status, faults, headers, body, body_bytes, received_at } = error;
    let keys::Key { pk, sk: _ } = keys::transaction_error(*organization, *source, *id);
    let mut stored = item(&TransactionErrorItem {
        pk,
        sk: *id,
        entity: "transaction_error".to_owned(),
        v: 1,
        status: *status,
        faults: faults.clone(),
        headers: stored_headers(headers),
        body_bytes: *body_bytes,
        received_at: received_at.as_millis(),
        expires_at: until.as_secs(),
    });
    stored.insert(BODY.to_owned(), binary(body));
    stored
}

fn decode(mut stored: Item) -> Result<TransactionError, DecodeError> {
    let body = take_binary(&mut stored, BODY);
    let TransactionErrorItem {
        pk,
        sk: id,
        entity: _,
        v: _,
        status,
        faults,
        headers,
        body_bytes,
        received_at,
        expires_at: _,
    } = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a transaction error", error))?;
    let (organization, source, _) =
        keys::parse_source(&pk).ok_or_else(|| DecodeError::new(&*pk, "its key names no source"))?;
    Ok(TransactionError {
        id,
        organization,
        source,
        status,
        faults,
        headers: read_headers(&pk, headers)?,
        body,
        body_bytes,
        received_at: Timestamp::from_millis(received_at),
    })
}

fn is_kept(error: &TransactionError, source: &Source, now: Timestamp) -> bool {
    now < source.retention.transaction_errors.end(error.received_at)
}

impl Store {
    /// Writes a rejected request, which is kept until `until`.
    pub async fn put_transaction_error(&self, error: &TransactionError, until: Timestamp) -> Result<(), StoreError> {
        self.write(vec![Write::put(error_item(error, until))?]).await
    }

    /// A rejected request of this source. One consistent read.
    pub async fn transaction_error(
        &self,
        source: &Source,
        id: TransactionErrorId,
        now: Timestamp,
    ) -> Result<Option<TransactionError>, StoreError> {
        let found = self.item(&keys::transaction_error(source.organization, source.id, id)).await?;
        let found = found.map(decode).transpose()?;
        Ok(found.filter(|error| is_kept(error, source, now)))
    }

    /// A source's rejected requests, newest first. One consistent query for each MB of them.
    pub async fn transaction_errors(
        &self,
        source: &Source,
        now: Timestamp,
        position: Option<Position<TransactionErrorId>>,
        limit: PageLimit,
    ) -> Result<Page<TransactionError>, StoreError> {
        let partition = keys::transaction_error_partition(source.organization, source.id);
        let list = List { is_index: false, partition, prefix: "" };
        let mut walk = Walk::new(list, position, Order::Descending);
        let since = id_time(kept_since(source.retention.transaction_errors, now));
        walk.not_below(TransactionErrorId::least_at(since).to_string());
        let mut found = Vec::new();
        while !walk.is_enough(found.len(), limit) {
            for stored in walk.next(self, filling(limit)).await? {
                found.extend(Some(decode(stored)?).filter(|error| is_kept(error, source, now)));
            }
        }
        Ok(walk.page(found, limit))
    }

    /// Deletes a rejected request, if it is there: it came in after all.
    pub async fn delete_transaction_error(&self, error: &TransactionError) -> Result<(), StoreError> {
        let TransactionError { id, organization, source, .. } = error;
        self.write(vec![Write::delete(keys::transaction_error(*organization, *source, *id))?]).await
    }
}
