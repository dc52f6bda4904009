//! Applications: one partition each, with their endpoints and messages.

mod item;
mod purge;

use std::sync::Arc;

use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::application::{Application, purge};
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::{ApplicationId, OrganizationId, RANDOM_BYTES};
use tidings_domain::metadata::Metadata;
use tidings_domain::names::{Reference, Uid};
use tidings_domain::page::{Order, Page, PageLimit, Position};

use self::item::{application_item, decode_uid, uid_item};
pub(crate) use self::item::{decode_application, parse_partition};
use crate::agenda::{Starts, starting};
use crate::expression::{Condition, s};
use crate::list::{List, Walk, filling};
use crate::outcome::{created, replaced};
use crate::transact::{Outcome, Refusal, TRIES};
use crate::{Created, Replaced, Store, StoreError, keys};

impl Store {
    /// Writes a new application, its uid and the answer that a repetition gets, all or nothing.
    pub async fn create_application(
        &self,
        application: &Application,
        kept: Option<&KeptAnswer>,
    ) -> Result<Created, StoreError> {
        let mut actions = vec![self.create(application_item(application))?];
        let uid = match &application.uid {
            Some(uid) => {
                actions.push(self.create(uid_item(application, uid))?);
                Some(actions.len() - 1)
            }
            None => None,
        };
        if let Some(kept) = kept {
            actions.push(self.keep_answer(application.organization, kept, application.created_at)?);
        }
        let outcome = self.transact(actions).await;
        // Before anything else: an error does not say that nothing was written.
        self.forget_application(application.organization, application.id);
        created(outcome?, uid, kept)
    }

    /// The application that has this uid, as it was at most three seconds ago. Where there is none, one is made: of two
    /// that do so at once, both get the same. One that is there keeps its name.
    pub async fn ensure_application(
        &self,
        organization: OrganizationId,
        uid: &Uid,
        name: &str,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
    ) -> Result<Arc<Application>, StoreError> {
        let reference = Reference::Uid(uid.clone());
        for _ in 0..TRIES {
            if let Some(application) = self.cached_application(organization, &reference, now).await? {
                return Ok(application);
            }
            let application = Application {
                id: ApplicationId::new(now, random),
                organization,
                uid: Some(uid.clone()),
                name: name.to_owned(),
                throttle_rate: None,
                metadata: Metadata::default(),
                tokens_valid_after: None,
                created_at: now,
                updated_at: now,
            };
            if self.create_application(&application, None).await? == Created::Written {
                return Ok(Arc::new(application));
            }
        }
        // Somebody makes and deletes it all the time.
        Err(StoreError::Contended)
    }

    /// An application of this organization, by its id or its uid. One consistent read by id, two by uid. What has the
    /// form of an id is looked for as an id first.
    pub async fn application(
        &self,
        organization: OrganizationId,
        reference: &Reference<ApplicationId>,
    ) -> Result<Option<Application>, StoreError> {
        let uid = match reference {
            Reference::Id(id) => match self.application_by_id(organization, *id).await? {
                Some(application) => return Ok(Some(application)),
                None => id.to_string().parse().ok(),
            },
            Reference::Uid(uid) => Some(uid.clone()),
        };
        match uid {
            Some(uid) => self.application_by_uid(organization, &uid).await,
            None => Ok(None),
        }
    }

    async fn application_by_id(
        &self,
        organization: OrganizationId,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        Ok(self.item(&keys::application(organization, id)).await?.map(decode_application).transpose()?)
    }

    async fn application_by_uid(
        &self,
        organization: OrganizationId,
        uid: &Uid,
    ) -> Result<Option<Application>, StoreError> {
        let Some(stored) = self.item(&keys::application_uid(organization, uid)).await? else { return Ok(None) };
        let application = self.application_by_id(organization, decode_uid(stored)?).await?;
        // Between the two reads it may have given up the name: then for a time nobody had it.
        Ok(application.filter(|application| application.uid.as_ref() == Some(uid)))
    }

    /// Writes a change, if nobody made another one since `before` was read. `after` must have a later `updated_at`:
    /// it is what tells one change from another, and without it nothing is written.
    pub async fn replace_application(&self, before: &Application, after: &Application) -> Result<Replaced, StoreError> {
        let unchanged = Condition::exists().and_unchanged(before.updated_at, after.updated_at);
        let mut actions = vec![self.replace(application_item(after), unchanged)?];
        let mut uid = None;
        if before.uid != after.uid {
            if let Some(old) = &before.uid {
                actions.push(self.take(&keys::application_uid(before.organization, old))?);
            }
            if let Some(new) = &after.uid {
                actions.push(self.create(uid_item(after, new))?);
                uid = Some(actions.len() - 1);
            }
        }
        let outcome = self.transact(actions).await;
        self.forget_application(before.organization, before.id);
        Ok(replaced(&outcome?, uid))
    }

    /// Deletes an application and its uid, and writes what is owed: to remove what it owned, for which the schedule may
    /// come at `purge_due`. Nothing of it is found any more, for its readers ask for the application first.
    /// `false` if it was gone.
    pub async fn delete_application(
        &self,
        application: &Application,
        purge_due: Timestamp,
    ) -> Result<bool, StoreError> {
        let Application { id, organization, .. } = *application;
        let work = purge(organization, id);
        let entry = Entry { key: EntryKey { due: purge_due, work }, tries: 0, destination: None, note: None };
        let owed = starting(&entry, Starts::AtOnce);
        let mut uid = application.uid.clone();
        for _ in 0..TRIES {
            let still_named = Condition::exists().and("uid", uid.as_ref().map(|uid| s(uid.as_str())));
            let mut actions = vec![self.take_when(&keys::application(organization, id), still_named)?];
            actions.push(self.create(owed.clone())?);
            if let Some(uid) = &uid {
                actions.push(self.take(&keys::application_uid(organization, uid))?);
            }
            let outcome = self.transact(actions).await;
            self.forget_application(organization, id);
            let Outcome::Refused(refusals) = outcome? else { return Ok(true) };
            match refusals.into_iter().find(|refusal| refusal.action == 0) {
                // It has another name by now.
                Some(Refusal { item: Some(stored), .. }) => uid = decode_application(stored)?.uid,
                _ => return Ok(false),
            }
        }
        Err(StoreError::Contended)
    }

    /// An organization's applications, by age. One query of the index and a batch of reads; again only while
    /// less than a page is left of what the index had.
    pub async fn applications(
        &self,
        organization: OrganizationId,
        position: Option<Position<ApplicationId>>,
        order: Order,
        limit: PageLimit,
    ) -> Result<Page<Application>, StoreError> {
        let partition = keys::application_index_partition(organization);
        let mut walk = Walk::new(List { is_index: true, partition, prefix: "" }, position, order);
        let mut found = Vec::new();
        while !walk.is_enough(found.len(), limit) {
            let indexed = walk.next(self, filling(limit)).await?;
            let ids = indexed.iter().filter_map(|item| item.get(keys::INDEX_SK)?.as_s().ok()?.parse().ok());
            let wanted: Vec<keys::Key> = ids.map(|id| keys::application(organization, id)).collect();
            let mut stored = self.read(&wanted).await?;
            for key in wanted {
                // What was deleted a moment ago can still be in the index.
                found.extend(stored.remove(&key).map(decode_application).transpose()?);
            }
        }
        Ok(walk.page(found, limit))
    }
}
