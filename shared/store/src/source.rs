//! Sources: one item each, found by nothing but its id.

mod item;

use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::{OrganizationId, SourceId};
use tidings_domain::names::{Reference, Uid};
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_domain::source::Source;

use self::item::{decode_source, decode_uid, source_item, uid_item};
use crate::agenda::entry_item;
use crate::expression::{Condition, Item, s};
use crate::list::{List, Walk, filling};
use crate::outcome::{created, replaced};
use crate::transact::{Outcome, Refusal, TRIES};
use crate::{Created, Replaced, Store, StoreError, keys};

/// What is owed once a source keeps its records for another time, or not at all. It waits for the schedule: by then every
/// process has forgotten what the source was like before.
fn retention_entry(source: &Source, due: Timestamp) -> Item {
    let key = EntryKey { due, work: source.retention_work() };
    entry_item(&Entry { key, tries: 0, destination: None, note: None })
}

impl Store {
    /// Writes a new source, its uid and the answer that a repetition gets, all or nothing.
    pub async fn create_source(&self, new: &Source, kept: Option<&KeptAnswer>) -> Result<Created, StoreError> {
        let mut actions = vec![self.create(source_item(new))?];
        let uid = match &new.uid {
            Some(uid) => {
                actions.push(self.create(uid_item(new, uid))?);
                Some(actions.len() - 1)
            }
            None => None,
        };
        if let Some(kept) = kept {
            actions.push(self.keep_answer(new.organization, kept, new.created_at)?);
        }
        let outcome = self.transact(actions).await;
        // Before anything else: an error does not say that nothing was written.
        self.forget_source(new);
        created(outcome?, uid, kept)
    }

    /// A source of this organization, by its id or its uid. One consistent read by id, two by uid. What has the form of an
    /// id is looked for as an id first.
    pub async fn source(
        &self,
        organization: OrganizationId,
        reference: &Reference<SourceId>,
    ) -> Result<Option<Source>, StoreError> {
        let uid = match reference {
            Reference::Id(id) => match self.source_with_id(organization, *id).await? {
                Some(source) => return Ok(Some(source)),
                None => id.to_string().parse().ok(),
            },
            Reference::Uid(uid) => Some(uid.clone()),
        };
        match uid {
            Some(uid) => self.source_by_uid(organization, &uid).await,
            None => Ok(None),
        }
    }

    /// A source of this organization by its id, and by nothing else: a uid may have the form of an id. One consistent read.
    pub async fn source_with_id(
        &self,
        organization: OrganizationId,
        id: SourceId,
    ) -> Result<Option<Source>, StoreError> {
        Ok(self.source_by_id(id).await?.filter(|source| source.organization == organization))
    }

    /// A source of whatever organization.
    pub(crate) async fn source_by_id(&self, id: SourceId) -> Result<Option<Source>, StoreError> {
        Ok(self.item(&keys::source(id)).await?.map(decode_source).transpose()?)
    }

    /// Whose a uid is.
    pub(crate) async fn source_with_uid(
        &self,
        organization: OrganizationId,
        uid: &Uid,
    ) -> Result<Option<SourceId>, StoreError> {
        Ok(self.item(&keys::source_uid(organization, uid)).await?.map(decode_uid).transpose()?)
    }

    async fn source_by_uid(&self, organization: OrganizationId, uid: &Uid) -> Result<Option<Source>, StoreError> {
        let Some(id) = self.source_with_uid(organization, uid).await? else { return Ok(None) };
        let source = self.source_by_id(id).await?;
        // Between the two reads it may have given up the name: then for a time nobody had it.
        Ok(source.filter(|source| source.uid.as_ref() == Some(uid)))
    }

    /// Writes a change, if nobody made another one since `before` was read. `after` must have a later `updated_at`:
    /// it is what tells one change from another, and without it nothing is written. If its records are to be kept for
    /// another time, that is owed from `due` on.
    pub async fn replace_source(
        &self,
        before: &Source,
        after: &Source,
        due: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let unchanged = Condition::exists().and_unchanged(before.updated_at, after.updated_at);
        let mut actions = vec![self.replace(source_item(after), unchanged)?];
        let mut uid = None;
        if before.uid != after.uid {
            if let Some(old) = &before.uid {
                actions.push(self.take(&keys::source_uid(before.organization, old))?);
            }
            if let Some(new) = &after.uid {
                actions.push(self.create(uid_item(after, new))?);
                uid = Some(actions.len() - 1);
            }
        }
        if before.retention != after.retention {
            actions.push(self.put(retention_entry(after, due))?);
        }
        let outcome = self.transact(actions).await;
        self.forget_source(before);
        self.forget_source(after);
        Ok(replaced(&outcome?, uid))
    }

    /// Deletes a source and its uid, and writes what is owed from `due` on: to remove its records. None of them is found any
    /// more, for their readers ask for the source first. `false` if it was gone.
    pub async fn delete_source(&self, source: &Source, due: Timestamp) -> Result<bool, StoreError> {
        let mut uid = source.uid.clone();
        for _ in 0..TRIES {
            let still_named = Condition::exists().and("uid", uid.as_ref().map(|uid| s(uid.as_str())));
            let mut actions = vec![self.take_when(&keys::source(source.id), still_named)?];
            actions.push(self.put(retention_entry(source, due))?);
            if let Some(uid) = &uid {
                actions.push(self.take(&keys::source_uid(source.organization, uid))?);
            }
            let outcome = self.transact(actions).await;
            self.forget_source(source);
            let Outcome::Refused(refusals) = outcome? else { return Ok(true) };
            match refusals.into_iter().find(|refusal| refusal.action == 0) {
                // It has another name by now.
                Some(Refusal { item: Some(stored), .. }) => uid = decode_source(stored)?.uid,
                _ => return Ok(false),
            }
        }
        Err(StoreError::Contended)
    }

    /// An organization's sources, by age. One query of the index and a batch of reads; again only while less than a page is
    /// left of what the index had.
    pub async fn sources(
        &self,
        organization: OrganizationId,
        position: Option<Position<SourceId>>,
        order: Order,
        limit: PageLimit,
    ) -> Result<Page<Source>, StoreError> {
        let partition = keys::source_index_partition(organization);
        let mut walk = Walk::new(List { is_index: true, partition, prefix: "" }, position, order);
        let mut found = Vec::new();
        while !walk.is_enough(found.len(), limit) {
            let indexed = walk.next(self, filling(limit)).await?;
            let ids = indexed.iter().filter_map(|item| item.get(keys::INDEX_SK)?.as_s().ok()?.parse().ok());
            let wanted: Vec<keys::Key> = ids.map(keys::source).collect();
            let mut stored = self.read(&wanted).await?;
            for key in wanted {
                // What was deleted a moment ago can still be in the index.
                found.extend(stored.remove(&key).map(decode_source).transpose()?);
            }
        }
        Ok(walk.page(found, limit))
    }
}
