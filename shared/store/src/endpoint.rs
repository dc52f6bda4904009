//! Endpoints: side by side in their application's partition.

mod health;
mod item;

use aws_sdk_dynamodb::types::TransactWriteItem;
use tidings_domain::broadcast::MAX_RECEIVERS;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::{ApplicationId, EndpointId, OrganizationId};
use tidings_domain::names::{Reference, Uid};
use tidings_domain::page::{Order, Page, PageLimit, Position};

pub(crate) use self::item::decode_endpoint;
use self::item::{decode_uid, endpoint_item, uid_item};
pub use self::item::{from_image, is_quiet, removed_key};
use crate::agenda::Starts;
use crate::expression::{Condition, n, s};
use crate::list::{List, Walk, filling};
use crate::message::NewMessage;
use crate::outcome::{created, replaced};
use crate::transact::{Outcome, Refusal, TRIES};
use crate::{Created, Replaced, Store, StoreError, keys};

impl Store {
    /// Writes a new endpoint of an application that is there, its uid, the message that tells of it and the answer that a
    /// repetition gets, all or nothing. [`StoreError::Contended`] if the application was deleted meanwhile.
    pub async fn create_endpoint(
        &self,
        endpoint: &Endpoint,
        told: Option<&NewMessage<'_>>,
        kept: Option<&KeptAnswer>,
    ) -> Result<Created, StoreError> {
        let (mut actions, uid) = self.making(endpoint, told)?;
        if let Some(kept) = kept {
            actions.push(self.keep_answer(endpoint.organization, kept, endpoint.created_at)?);
        }
        let outcome = self.transact(actions).await;
        self.forget_application(endpoint.organization, endpoint.application);
        match outcome? {
            // The application is gone.
            Outcome::Refused(refusals) if refusals.iter().any(|refusal| refusal.action == 0) => {
                Err(StoreError::Contended)
            }
            outcome => created(outcome, uid, kept),
        }
    }

    /// An endpoint of this application, by its id or its uid. One consistent read by id, two by uid. What has the form of
    /// an id is looked for as an id first.
    pub async fn endpoint(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        reference: &Reference<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError> {
        let uid = match reference {
            Reference::Id(id) => match self.endpoint_by_id(organization, application, *id).await? {
                Some(endpoint) => return Ok(Some(endpoint)),
                None => id.to_string().parse().ok(),
            },
            Reference::Uid(uid) => Some(uid.clone()),
        };
        match uid {
            Some(uid) => self.endpoint_by_uid(organization, application, &uid).await,
            None => Ok(None),
        }
    }

    async fn endpoint_by_id(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        id: EndpointId,
    ) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.item(&keys::endpoint(organization, application, id)).await?.map(decode_endpoint).transpose()?)
    }

    async fn endpoint_by_uid(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        uid: &Uid,
    ) -> Result<Option<Endpoint>, StoreError> {
        let stored = self.item(&keys::endpoint_uid(organization, application, uid)).await?;
        let Some(stored) = stored else { return Ok(None) };
        let endpoint = self.endpoint_by_id(organization, application, decode_uid(stored)?).await?;
        // Between the two reads it may have given up the name: then for a time nobody had it.
        Ok(endpoint.filter(|endpoint| endpoint.uid.as_ref() == Some(uid)))
    }

    /// Writes a change and the message that tells of it, if nobody made another one since `before` was read. `after` must
    /// have a later `updated_at`: it is what tells one change from another, and without it nothing is written.
    pub async fn replace_endpoint(
        &self,
        before: &Endpoint,
        after: &Endpoint,
        told: Option<&NewMessage<'_>>,
    ) -> Result<Replaced, StoreError> {
        let Endpoint { organization, application, .. } = *before;
        let unchanged = Condition::exists()
            .and_unchanged(before.updated_at, after.updated_at)
            // Failures and successes are no change for people, and must not be undone by one.
            .and("failing_since", before.failing_since.map(|since| n(since.as_millis())));
        let mut actions = vec![self.replace(endpoint_item(after), unchanged)?];
        let mut uid = None;
        if before.uid != after.uid {
            if let Some(old) = &before.uid {
                actions.push(self.take(&keys::endpoint_uid(organization, application, old))?);
            }
            if let Some(new) = &after.uid {
                actions.push(self.create(uid_item(after, new))?);
                uid = Some(actions.len() - 1);
            }
        }
        actions.extend(self.telling(told)?);
        let outcome = self.transact(actions).await;
        self.forget_application(organization, application);
        Ok(replaced(&outcome?, uid))
    }

    /// Deletes an endpoint and its uid, and writes the message that tells of it. `false` if it was gone.
    pub async fn delete_endpoint(
        &self,
        endpoint: &Endpoint,
        told: Option<&NewMessage<'_>>,
    ) -> Result<bool, StoreError> {
        let Endpoint { id, organization, application, .. } = *endpoint;
        let mut uid = endpoint.uid.clone();
        for _ in 0..TRIES {
            let actions = self.removing(organization, application, id, uid.as_ref(), told)?;
            let outcome = self.transact(actions).await;
            self.forget_application(organization, application);
            let Outcome::Refused(refusals) = outcome? else { return Ok(true) };
            match refusals.into_iter().find(|refusal| refusal.action == 0) {
                // It has another name by now.
                Some(Refusal { item: Some(stored), .. }) => uid = decode_endpoint(stored)?.uid,
                _ => return Ok(false),
            }
        }
        Err(StoreError::Contended)
    }

    /// An application's endpoints, by age. One consistent query.
    pub async fn endpoints(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        position: Option<Position<EndpointId>>,
        order: Order,
        limit: PageLimit,
    ) -> Result<Page<Endpoint>, StoreError> {
        let partition = keys::application_partition(organization, application);
        let mut walk = Walk::new(List { is_index: false, partition, prefix: keys::ENDPOINT }, position, order);
        let mut found = Vec::new();
        while !walk.is_enough(found.len(), limit) {
            for stored in walk.next(self, filling(limit)).await? {
                found.push(decode_endpoint(stored)?);
            }
        }
        Ok(walk.page(found, limit))
    }

    /// All endpoints of an application, oldest first, but no more than one above [`MAX_RECEIVERS`]. One consistent query
    /// for each MB of them.
    pub async fn endpoints_of(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let partition = keys::application_partition(organization, application);
        let list = List { is_index: false, partition, prefix: keys::ENDPOINT };
        let mut walk = Walk::new(list, None::<Position<EndpointId>>, Order::Ascending);
        let mut found = Vec::new();
        while !walk.is_over() && found.len() <= MAX_RECEIVERS {
            for stored in walk.next(self, MAX_RECEIVERS + 1 - found.len()).await? {
                found.push(decode_endpoint(stored)?);
            }
        }
        Ok(found)
    }

    /// What writes a new endpoint of an application that is there, which is the first action, its uid, and the message
    /// that tells of it; and which action takes the uid.
    pub(crate) fn making(
        &self,
        endpoint: &Endpoint,
        told: Option<&NewMessage<'_>>,
    ) -> Result<(Vec<TransactWriteItem>, Option<usize>), StoreError> {
        let application = keys::application(endpoint.organization, endpoint.application);
        let mut actions = vec![self.must_stand(&application)?, self.create(endpoint_item(endpoint))?];
        let uid = match &endpoint.uid {
            Some(uid) => {
                actions.push(self.create(uid_item(endpoint, uid))?);
                Some(actions.len() - 1)
            }
            None => None,
        };
        actions.extend(self.telling(told)?);
        Ok((actions, uid))
    }

    /// What deletes an endpoint that has this uid, which is the first action, its uid, and writes the message that tells of
    /// it.
    pub(crate) fn removing(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        id: EndpointId,
        uid: Option<&Uid>,
        told: Option<&NewMessage<'_>>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let still_named = Condition::exists().and("uid", uid.map(|uid| s(uid.as_str())));
        let mut actions = vec![self.take_when(&keys::endpoint(organization, application, id), still_named)?];
        if let Some(uid) = uid {
            actions.push(self.take(&keys::endpoint_uid(organization, application, uid))?);
        }
        actions.extend(self.telling(told)?);
        Ok(actions)
    }

    /// What writes the message that tells of something, if there is somebody to tell.
    fn telling(&self, told: Option<&NewMessage<'_>>) -> Result<Vec<TransactWriteItem>, StoreError> {
        told.map_or(Ok(Vec::new()), |message| self.message_actions(message, Starts::AtOnce))
    }
}
