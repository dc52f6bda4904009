//! Compute errors: what could not be computed of transactions, a source's side by side, by the age of their transactions.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::ids::{ComputeErrorId, TransactionId};
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_domain::source::Source;
use tidings_domain::transaction::{ComputeError, Transaction, TransactionName};

use crate::batch::Write;
use crate::expression::{Item, n, s};
use crate::list::{FILTERED, List, Walk, filling};
use crate::{DecodeError, Store, StoreError, keys};

/// Errors that are written side by side.
const AT_ONCE: usize = 16;

#[derive(Debug, Serialize, Deserialize)]
struct ComputeErrorItem {
    pk: String,
    sk: ComputeErrorId,
    entity: String,
    v: u32,
    transaction: TransactionId,
    name: String,
    event: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    payload: Option<usize>,
    message: String,
    tries: u32,
    created_at: i64,
    updated_at: i64,
    expires_at: i64,
}

fn decode(stored: Item) -> Result<ComputeError, DecodeError> {
    let ComputeErrorItem {
        pk,
        sk: id,
        entity: _,
        v: _,
        transaction,
        name,
        event,
        payload,
        message,
        tries,
        created_at,
        updated_at,
        expires_at: _,
    } = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a compute error", error))?;
    let (organization, source, _) =
        keys::parse_source(&pk).ok_or_else(|| DecodeError::new(&*pk, "its key names no source"))?;
    Ok(ComputeError {
        id,
        organization,
        source,
        transaction,
        name: TransactionName::from_stored(name),
        event,
        payload,
        message,
        tries,
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}

fn is_kept(error: &ComputeError, source: &Source, now: Timestamp) -> bool {
    now < source.retention.compute_errors.end(error.updated_at)
}

impl Store {
    /// Writes what could not be computed of a transaction, each with one try more than what stands there has and kept until
    /// `until`, and deletes what was mended. One call for each that failed, one for all the others.
    pub async fn note_compute_errors(
        &self,
        transaction: &Transaction,
        failed: &[ComputeError],
        mended: &[ComputeErrorId],
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let Transaction { organization, source, .. } = *transaction;
        let notes: Vec<_> = failed.iter().map(|error| self.note(error, until)).collect();
        stream::iter(notes).buffer_unordered(AT_ONCE).try_for_each(|()| async { Ok(()) }).await?;
        let writes = mended.iter().map(|id| Write::delete(keys::compute_error(organization, source, *id)));
        self.write(writes.collect::<Result<_, _>>()?).await
    }

    /// Makes it, or adds a try to it: an update does either.
    async fn note(&self, error: &ComputeError, until: Timestamp) -> Result<(), StoreError> {
        let ComputeError {
            id,
            organization,
            source,
            transaction,
            name,
            event,
            payload,
            message,
            // Counted in the table.
            tries: _,
            created_at,
            updated_at,
        } = error;
        let set = [
            ("entity", s("compute_error")),
            ("v", n(1)),
            ("transaction", s(transaction.to_string())),
            ("name", s(name.as_str())),
            ("event", s(event)),
            ("message", s(message)),
            ("updated_at", n(updated_at.as_millis())),
            (keys::TTL, n(until.as_secs())),
        ];
        let payload = payload.map(|payload| ("payload", n(i64::try_from(payload).unwrap_or(i64::MAX))));
        let key = keys::compute_error(*organization, *source, *id);
        let mut update = self.client.update_item().table_name(&*self.table).set_key(Some(key.attributes()));
        let mut clauses = vec!["#created_at = if_not_exists(#created_at, :created_at)".to_owned()];
        for (name, value) in set.into_iter().chain(payload) {
            clauses.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        update
            .update_expression(format!("ADD #tries :one SET {}", clauses.join(", ")))
            .expression_attribute_names("#tries", "tries")
            .expression_attribute_names("#created_at", "created_at")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":created_at", n(created_at.as_millis()))
            .send()
            .await?;
        Ok(())
    }

    /// A compute error of this source. One consistent read.
    pub async fn compute_error(
        &self,
        source: &Source,
        id: ComputeErrorId,
        now: Timestamp,
    ) -> Result<Option<ComputeError>, StoreError> {
        let found = self.item(&keys::compute_error(source.organization, source.id, id)).await?;
        let found = found.map(decode).transpose()?;
        Ok(found.filter(|error| is_kept(error, source, now)))
    }

    /// A source's compute errors, those of the newest transactions first. One consistent query for each MB of them; more
    /// only while some are past their end and not yet deleted.
    pub async fn compute_errors(
        &self,
        source: &Source,
        now: Timestamp,
        position: Option<Position<ComputeErrorId>>,
        limit: PageLimit,
    ) -> Result<Page<ComputeError>, StoreError> {
        let partition = keys::compute_error_partition(source.organization, source.id);
        let list = List { is_index: false, partition, prefix: "" };
        let mut walk = Walk::new(list, position, Order::Descending);
        let mut found = Vec::new();
        let mut most = filling(limit);
        while !walk.is_enough(found.len(), limit) {
            for stored in walk.next(self, most).await? {
                found.extend(Some(decode(stored)?).filter(|error| is_kept(error, source, now)));
            }
            most = FILTERED;
        }
        Ok(walk.page(found, limit))
    }
}
