//! Lists of transactions.

use tidings_domain::Timestamp;
use tidings_domain::ids::TransactionId;
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_domain::source::Source;
use tidings_domain::transaction::Transaction;

use super::is_kept;
use super::item::{LISTED, decode};
use crate::list::{List, Walk, filling};
use crate::query::{ID_STEP, id_time, key_of};
use crate::retention::kept_since;
use crate::{Store, StoreError, keys};

/// Of what time to list transactions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub before: Option<Timestamp>,
}

impl Times {
    fn take(&self, transaction: &Transaction) -> bool {
        self.since.is_none_or(|since| transaction.received_at >= since)
            && self.before.is_none_or(|before| transaction.received_at < before)
    }
}

impl Store {
    /// A source's transactions, by age, without their headers and bodies, which are empty here. One query of the index and a
    /// batch of reads; again only while less than a page is left of what the index had.
    pub async fn transactions(
        &self,
        source: &Source,
        now: Timestamp,
        times: &Times,
        position: Option<Position<TransactionId>>,
        order: Order,
        limit: PageLimit,
    ) -> Result<Page<Transaction>, StoreError> {
        let partition = keys::transaction_index_partition(source.organization, source.id);
        let mut walk = Walk::new(List { is_index: true, partition, prefix: "" }, position, order);
        // Ids count time in steps of a few milliseconds, so what stands at the ends has to be looked at.
        let kept = kept_since(source.retention.transactions, now);
        let since = times.since.map_or(kept, |since| since.max(kept));
        walk.not_below(TransactionId::least_at(id_time(since)).to_string());
        if let Some(before) = times.before {
            walk.not_above(TransactionId::least_at(id_time(before + ID_STEP)).to_string());
        }
        let mut found = Vec::new();
        while !walk.is_enough(found.len(), limit) {
            let indexed = walk.next(self, filling(limit)).await?;
            let wanted: Vec<keys::Key> = indexed.iter().filter_map(key_of).collect();
            let mut stored = self.read_parts(&wanted, &LISTED).await?;
            for item in indexed {
                // What was deleted, or written over by a later one, a moment ago can still be in the index.
                let Some(read) = key_of(&item).and_then(|key| stored.remove(&key)) else { continue };
                let is_it = read.get(keys::INDEX_SK) == item.get(keys::INDEX_SK);
                let transaction = decode(read)?;
                let is_listed = is_it && times.take(&transaction) && is_kept(&transaction, source, now);
                found.extend(is_listed.then_some(transaction));
            }
        }
        Ok(walk.page(found, limit))
    }
}
