//! Initializations of a platform's organizations: a tenant's in one partition, by name. The index lists those in one state.

mod item;

use aws_sdk_dynamodb::types::{Put, Select, TransactWriteItem};
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::ids::OrganizationId;
use tidings_domain::initialization::{Initialization, InitializationState};
use tidings_domain::names::Uid;
use tidings_domain::page::{Order, Page, PageLimit, Position};

use self::item::{decode_initialization, initialization_item};
use crate::agenda::{Claim, Finished, Starts, apart, entry_item, starting};
use crate::expression::Condition;
use crate::list::{List, Walk, filling};
use crate::query::{Direction, Range};
use crate::transact::Outcome;
use crate::{Store, StoreError, keys};

impl Store {
    /// Writes a new initialization and what it owes, both or neither: the fast lane finds the entry at once, the schedule
    /// may come at `due`. `false` if the organization has one.
    pub async fn create_initialization(&self, new: &Initialization, due: Timestamp) -> Result<bool, StoreError> {
        let actions = vec![self.create(initialization_item(new))?, self.owing_at_once(new, due)?];
        Ok(matches!(self.transact(actions).await?, Outcome::Written))
    }

    /// The initialization of an organization of this tenant. One consistent read.
    pub async fn initialization(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
    ) -> Result<Option<Initialization>, StoreError> {
        let stored = self.item(&keys::initialization(tenant, organization)).await?;
        Ok(stored.map(decode_initialization).transpose()?)
    }

    /// Writes a change that somebody asked for, and what it owes, as [`Store::create_initialization`] does. `false` if
    /// somebody else changed it since `before` was read: then nothing is written. `after` must have a later `updated_at`.
    /// An entry that stood on the agenda before still does: whoever finds it finds the work done, or does it.
    pub async fn restart_initialization(
        &self,
        before: &Initialization,
        after: &Initialization,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let actions = vec![self.changing(before, after)?, self.owing_at_once(after, due)?];
        Ok(matches!(self.transact(actions).await?, Outcome::Written))
    }

    /// Writes what a claimed try came to, and either its next entry or, without one, that nothing is owed any more.
    /// [`Finished::Lost`] also if somebody changed the initialization since `before` was read: what was asked for then
    /// has an entry of its own. `after` must have a later `updated_at`.
    pub async fn settle_initialization(
        &self,
        claim: &Claim,
        before: &Initialization,
        after: &Initialization,
        next: Option<&Entry>,
    ) -> Result<Finished, StoreError> {
        let mut actions = vec![self.take(&keys::agenda(&claim.entry.key))?, self.changing(before, after)?];
        if let Some(next) = next {
            actions.push(self.create(entry_item(&apart(claim, next)))?);
        }
        Ok(match self.transact(actions).await? {
            Outcome::Written => Finished::Written,
            Outcome::Refused(_) => Finished::Lost,
        })
    }

    /// A tenant's initializations in one state, by name, those after `after`. One query of the index and a batch of
    /// consistent reads; again only while less than a page is left of what the index had.
    pub async fn initializations(
        &self,
        tenant: OrganizationId,
        state: InitializationState,
        after: Option<&Uid>,
        limit: PageLimit,
    ) -> Result<Page<Initialization>, StoreError> {
        let partition = keys::initialization_index_partition(tenant, state);
        let list = List { is_index: true, partition, prefix: "" };
        let mut walk = Walk::new(list, after.map(Position::After), Order::Ascending);
        let mut found = Vec::new();
        while !walk.is_enough(found.len(), limit) {
            let indexed = walk.next(self, filling(limit)).await?;
            let names = indexed.iter().filter_map(|item| item.get(keys::INDEX_SK)?.as_s().ok()?.parse().ok());
            let wanted: Vec<keys::Key> = names.map(|name: Uid| keys::initialization(tenant, &name)).collect();
            let mut stored = self.read_latest(&wanted).await?;
            for key in wanted {
                let read = stored.remove(&key).map(decode_initialization).transpose()?;
                // What changed a moment ago can still be in the index as it was.
                found.extend(read.filter(|initialization| initialization.state == state));
            }
        }
        Ok(walk.page(found, limit))
    }

    /// How many of a tenant's initializations are in one state. A query of the index, to its end.
    pub async fn count_initializations(
        &self,
        tenant: OrganizationId,
        state: InitializationState,
    ) -> Result<u64, StoreError> {
        let range = Range {
            partition: keys::initialization_index_partition(tenant, state),
            from: "!".to_owned(),
            to: keys::END.to_owned(),
        };
        let query = self.query_index(&range, Direction::OldestFirst).select(Select::Count);
        let mut pages = query.into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.try_next().await? {
            count += u64::try_from(page.count).unwrap_or_default();
        }
        Ok(count)
    }

    fn changing(&self, before: &Initialization, after: &Initialization) -> Result<TransactWriteItem, StoreError> {
        let unchanged = Condition::exists().and_unchanged(before.updated_at, after.updated_at);
        self.replace(initialization_item(after), unchanged)
    }

    fn owing_at_once(&self, initialization: &Initialization, due: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let key = EntryKey { due, work: initialization.work() };
        let entry = Entry { key, tries: 0, destination: None, note: None };
        // Without a condition: an entry at the same place says the same.
        let put = Put::builder().table_name(&*self.table).set_item(Some(starting(&entry, Starts::AtOnce))).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
