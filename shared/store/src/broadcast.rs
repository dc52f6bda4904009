//! Broadcasts: an application's in one partition, by age, beside what is counted of those that ended. The index lists the
//! open ones.

mod item;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::broadcast::{Broadcast, Tally};
use tidings_domain::ids::{ApplicationId, MessageId, OrganizationId};
use tidings_domain::message::{Message, Route};
use tidings_domain::page::{Order, Page, PageLimit, Position};

use self::item::{broadcast_item, decode_broadcast, decode_total, total_change};
use crate::agenda::{Claim, Finished, Starts, starting};
use crate::expression::{Condition, Item, n};
use crate::list::{List, Walk, filling};
use crate::message::NewMessage;
use crate::query::{Direction, Range};
use crate::transact::Outcome;
use crate::{DecodeError, Store, StoreError, keys};

/// Most open broadcasts of an application that are read at once.
pub const MAX_OPEN: usize = 1000;

/// Entries of a replay that go into its transaction. 100 actions are DynamoDB's limit.
const AT_ONCE: usize = 90;

/// A broadcast to write.
#[derive(Debug, Clone, Copy)]
pub struct NewBroadcast<'a> {
    /// Its message.
    pub message: &'a Message,
    /// Whom it is for.
    pub broadcast: &'a Broadcast,
    /// When the schedule may send the message: when the fast lane's time is over, if it starts at once.
    pub due: Timestamp,
    /// When to look first whether all of it has ended.
    pub follow_due: Timestamp,
    /// Who sends the message.
    pub starts: Starts,
}

impl Store {
    /// Writes a message, whom it is for, and what both owe, all or nothing. `false` if there is such a message.
    pub async fn create_broadcast(&self, new: &NewBroadcast<'_>) -> Result<bool, StoreError> {
        let NewBroadcast { message, broadcast, due, follow_due, starts } = *new;
        let mut actions = self.message_actions(&NewMessage { message, due, route: Route::Endpoints }, starts)?;
        actions.push(self.create(broadcast_item(broadcast))?);
        actions.push(self.create(starting(&follow(broadcast, follow_due), Starts::WhenDue))?);
        Ok(matches!(self.transact(actions).await?, Outcome::Written))
    }

    /// The broadcast of a message. One consistent read.
    pub async fn broadcast(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        message: MessageId,
    ) -> Result<Option<Broadcast>, StoreError> {
        let stored = self.item(&keys::broadcast(organization, application, message)).await?;
        Ok(stored.map(decode_broadcast).transpose()?)
    }

    /// An application's broadcasts, open or not, newest first. One consistent query.
    pub async fn broadcasts(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        position: Option<Position<MessageId>>,
        limit: PageLimit,
    ) -> Result<Page<Broadcast>, StoreError> {
        let partition = keys::broadcast_partition(organization, application);
        let list = List { is_index: false, partition, prefix: keys::MESSAGE };
        let mut walk = Walk::new(list, position, Order::Descending);
        let mut found = Vec::new();
        while !walk.is_enough(found.len(), limit) {
            for stored in walk.next(self, filling(limit)).await? {
                found.push(decode_broadcast(stored)?);
            }
        }
        Ok(walk.page(found, limit))
    }

    /// An application's open broadcasts, newest first; of very many the newest [`MAX_OPEN`]. One query of the index, and
    /// consistent reads: what ended a moment ago is not among them.
    pub async fn open_broadcasts(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
    ) -> Result<Vec<Broadcast>, StoreError> {
        let partition = keys::open_broadcast_index_partition(organization, application);
        let list = List { is_index: true, partition, prefix: "" };
        let mut walk = Walk::new(list, None::<Position<MessageId>>, Order::Descending);
        let mut wanted = Vec::new();
        while !walk.is_over() && wanted.len() < MAX_OPEN {
            let indexed = walk.next(self, MAX_OPEN - wanted.len()).await?;
            let ids = indexed.iter().filter_map(|item| item.get(keys::INDEX_SK)?.as_s().ok()?.parse().ok());
            wanted.extend(ids.map(|id| keys::broadcast(organization, application, id)));
        }
        let mut stored = self.read_latest(&wanted).await?;
        let found = wanted.iter().filter_map(|key| stored.remove(key)).map(decode_broadcast);
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.retain(|broadcast| broadcast.ended.is_none());
        Ok(found)
    }

    /// The deliveries of an application's broadcasts that have ended, all of them since the first. One consistent query.
    pub async fn broadcast_totals(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
    ) -> Result<Tally, StoreError> {
        let range = Range {
            partition: keys::broadcast_partition(organization, application),
            from: keys::TOTAL.to_owned(),
            to: format!("{}{}", keys::TOTAL, keys::END),
        };
        let query = self.query(&range, Direction::OldestFirst).consistent_read(true);
        let mut pages = query.into_paginator().items().send();
        let mut total = Tally::default();
        while let Some(stored) = pages.try_next().await? {
            total += decode_total(stored)?;
        }
        Ok(total)
    }

    /// Writes how a claimed broadcast ended, takes its entry off, and adds it to the totals, all or nothing. An error if the
    /// broadcast does not say how it ended.
    pub async fn end_broadcast(&self, claim: &Claim, broadcast: &Broadcast) -> Result<Finished, StoreError> {
        let ended = ended(broadcast)?;
        let is_open = Condition::exists().and(item::ENDED_AT, None);
        let actions = vec![
            self.take(&keys::agenda(&claim.entry.key))?,
            self.replace(broadcast_item(broadcast), is_open)?,
            self.counting(broadcast, &ended.tally, 1)?,
        ];
        Ok(match self.transact(actions).await? {
            Outcome::Written => Finished::Written,
            Outcome::Refused(_) => Finished::Lost,
        })
    }

    /// Opens a broadcast that has ended, `broadcast` being how it was read, takes it out of the totals, and puts what is to
    /// be delivered again on the agenda, where the fast lane finds it at once; the schedule looks from `follow` on whether
    /// all of it has ended. `false` if somebody else opened it: then nothing is written.
    ///
    /// All or nothing but for entries beyond the first 90: after an error some of these may be missing. Their deliveries
    /// are as they were, and end with the broadcast.
    pub async fn reopen_broadcast(
        &self,
        broadcast: &Broadcast,
        entries: &[Entry],
        follow: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = ended(broadcast)?;
        let as_read = Condition::exists().and(item::ENDED_AT, Some(n(ended.at.as_millis())));
        let open = Broadcast { ended: None, ..broadcast.clone() };
        let mut actions = vec![
            self.replace(broadcast_item(&open), as_read)?,
            self.counting(broadcast, &ended.tally, -1)?,
            self.putting(starting(&self::follow(&open, follow), Starts::WhenDue))?,
        ];
        let (first, rest) = entries.split_at(entries.len().min(AT_ONCE));
        for entry in first {
            actions.push(self.putting(starting(entry, Starts::AtOnce))?);
        }
        if let Outcome::Refused(_) = self.transact(actions).await? {
            return Ok(false);
        }
        self.put_entries(rest, Starts::AtOnce).await?;
        Ok(true)
    }

    /// Adds a tally to the totals, or takes it out. There are several, so that broadcasts that end at one time seldom meet.
    fn counting(&self, broadcast: &Broadcast, tally: &Tally, sign: i64) -> Result<TransactWriteItem, StoreError> {
        let Broadcast { organization, application, .. } = *broadcast;
        let key = keys::broadcast_total(organization, application, broadcast.work().shard());
        let update = total_change(tally, sign).table_name(&*self.table).set_key(Some(key.attributes())).build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Without a condition: an entry at the same place says the same.
    fn putting(&self, stored: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&*self.table).set_item(Some(stored)).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn ended(broadcast: &Broadcast) -> Result<tidings_domain::broadcast::Ended, DecodeError> {
    broadcast.ended.ok_or_else(|| DecodeError::new(broadcast.message.to_string(), "the broadcast has not ended"))
}

fn follow(broadcast: &Broadcast, due: Timestamp) -> Entry {
    Entry { key: EntryKey { due, work: broadcast.work() }, tries: 0, destination: None, note: None }
}
