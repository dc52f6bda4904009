//! Transactions: inbound webhooks, each in a partition of its own, found by what its sender calls it. The index has a
//! source's in the order of their time.

mod finish;
mod item;
mod list;

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use futures::future::join;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::ids::{OrganizationId, SourceId, TransactionId};
use tidings_domain::source::Source;
use tidings_domain::transaction::{Transaction, TransactionName, TransactionStatus};

pub use self::item::from_image;
use self::item::{decode, transaction_item};
pub(crate) use self::item::{read_headers, stored_headers};
pub use self::list::Times;
use crate::agenda::{Starts, owing};
use crate::expression::{Item, n, s};
use crate::query::key_of;
use crate::{Store, StoreError, keys};

/// How long the answer to a repetition waits until the entry is off that it does not need. The schedule takes it off, too.
const PATIENCE: Duration = Duration::from_millis(250);

/// What became of an inbound webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum TransactionAccepted {
    /// It was written.
    Written,
    /// One of the same name came before: this one. Nothing was written over it.
    Repeated(Box<Transaction>),
}

/// What a transaction owes: to be computed.
fn entry(transaction: &Transaction, due: Timestamp) -> Entry {
    let key = EntryKey { due, work: transaction.work() };
    Entry { key, tries: 0, destination: None, note: None }
}

/// Whether a transaction may still be seen.
fn is_kept(transaction: &Transaction, source: &Source, now: Timestamp) -> bool {
    now < source.retention.transactions.end(transaction.received_at)
}

impl Store {
    /// Writes a new transaction, which is kept until `until`, and what it owes from `due` on, side by side: the answer waits
    /// for one call's time. What has its name and is past its end is written over.
    ///
    /// A repetition of one that is still to be computed leaves an entry more: perhaps the first request did not live to write
    /// its own. An entry more of work that is done costs the schedule a look.
    pub async fn create_transaction(
        &self,
        new: &Transaction,
        due: Timestamp,
        until: Timestamp,
    ) -> Result<TransactionAccepted, StoreError> {
        let entry = entry(new, due);
        let entries = [entry.clone()];
        let (in_its_place, owed) =
            join(self.put_transaction(new, &entry, until), self.put_entries(&entries, Starts::WhenDue)).await;
        let Some(stored) = in_its_place? else {
            owed?;
            return Ok(TransactionAccepted::Written);
        };
        let stored = decode(stored)?;
        if stored.id == new.id {
            // Written by an attempt of ours whose answer was lost.
            owed?;
            return Ok(TransactionAccepted::Written);
        }
        if stored.status == TransactionStatus::Pending {
            owed?;
        } else if !matches!(tokio::time::timeout(PATIENCE, self.take_off(&entry.key)).await, Ok(Ok(()))) {
            tracing::info!(transaction.id = %stored.id, "left an entry of a repeated webhook to the schedule");
        }
        Ok(TransactionAccepted::Repeated(Box::new(stored)))
    }

    /// The item that is in the way, if there is one.
    async fn put_transaction(
        &self,
        new: &Transaction,
        entry: &Entry,
        until: Timestamp,
    ) -> Result<Option<Item>, StoreError> {
        let mut stored = transaction_item(new);
        stored.insert(keys::TTL.to_owned(), n(until.as_secs()));
        stored.extend(owing(entry));
        let sent = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(stored))
            // The table deletes expired items only within days.
            .condition_expression("attribute_not_exists(#pk) OR #ttl < :now")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":now", n(new.received_at.as_secs()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Some(refused.item.clone().unwrap_or_default()))
            }
            _ => Err(error.into()),
        }
    }

    /// A transaction of this source, whether it may still be seen or not. One consistent read.
    pub async fn transaction(
        &self,
        organization: OrganizationId,
        source: SourceId,
        name: &TransactionName,
    ) -> Result<Option<Transaction>, StoreError> {
        Ok(self.item(&keys::transaction(organization, source, name)).await?.map(decode).transpose()?)
    }

    /// A transaction of this source, by its id. One query of the index and one consistent read.
    pub async fn transaction_by_id(
        &self,
        source: &Source,
        id: TransactionId,
        now: Timestamp,
    ) -> Result<Option<Transaction>, StoreError> {
        let index = keys::transaction_index(source.organization, source.id, id);
        let answer = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(keys::INDEX)
            .key_condition_expression("#pk = :pk AND #sk = :sk")
            .expression_attribute_names("#pk", keys::INDEX_PK)
            .expression_attribute_names("#sk", keys::INDEX_SK)
            .expression_attribute_values(":pk", s(index.pk))
            .expression_attribute_values(":sk", s(index.sk))
            .limit(1)
            .send()
            .await?;
        let Some(key) = answer.items().first().and_then(key_of) else { return Ok(None) };
        let found = self.item(&key).await?.map(decode).transpose()?;
        // Another one may have been written over it.
        Ok(found.filter(|transaction| transaction.id == id && is_kept(transaction, source, now)))
    }
}
