//! Event types: an organization's in one partition, by name.

mod item;

use tidings_domain::event_type::EventType;
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::OrganizationId;
use tidings_domain::names::EventTypeName;
use tidings_domain::page::{Order, Page, PageLimit, Position};

use self::item::{decode_event_type, event_type_item};
use crate::expression::Condition;
use crate::list::{FILTERED, List, Walk, filling};
use crate::outcome::{created, replaced};
use crate::transact::Outcome;
use crate::{Created, Replaced, Store, StoreError, keys};

impl Store {
    /// Writes a new event type and the answer that a repetition gets, all or nothing. [`Created::UidTaken`] if there is
    /// one of this name, archived or not.
    pub async fn create_event_type(
        &self,
        event_type: &EventType,
        kept: Option<&KeptAnswer>,
    ) -> Result<Created, StoreError> {
        let mut actions = vec![self.create(event_type_item(event_type))?];
        if let Some(kept) = kept {
            actions.push(self.keep_answer(event_type.organization, kept, event_type.created_at)?);
        }
        let outcome = self.transact(actions).await;
        self.forget_event_type(event_type.organization, &event_type.name);
        created(outcome?, Some(0), kept)
    }

    /// An event type of this organization. One consistent read.
    pub async fn event_type(
        &self,
        organization: OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError> {
        Ok(self.item(&keys::event_type(organization, name)).await?.map(decode_event_type).transpose()?)
    }

    /// Writes a change, if nobody made another one since `before` was read. `after` must have a later `updated_at`:
    /// it is what tells one change from another, and without it nothing is written.
    pub async fn replace_event_type(&self, before: &EventType, after: &EventType) -> Result<Replaced, StoreError> {
        let unchanged = Condition::exists().and_unchanged(before.updated_at, after.updated_at);
        let outcome = self.transact(vec![self.replace(event_type_item(after), unchanged)?]).await;
        self.forget_event_type(before.organization, &before.name);
        Ok(replaced(&outcome?, None))
    }

    /// Deletes an event type, and with it its name. Archiving one is a change, not this. `false` if it was gone.
    pub async fn delete_event_type(
        &self,
        organization: OrganizationId,
        name: &EventTypeName,
    ) -> Result<bool, StoreError> {
        let outcome = self.transact(vec![self.take(&keys::event_type(organization, name))?]).await;
        self.forget_event_type(organization, name);
        Ok(matches!(outcome?, Outcome::Written))
    }

    /// An organization's event types, by name. One consistent query; more only while archived ones are passed over.
    pub async fn event_types(
        &self,
        organization: OrganizationId,
        include_archived: bool,
        position: Option<Position<EventTypeName>>,
        order: Order,
        limit: PageLimit,
    ) -> Result<Page<EventType>, StoreError> {
        let partition = keys::event_type_partition(organization);
        let mut walk = Walk::new(List { is_index: false, partition, prefix: "" }, position, order);
        let mut found = Vec::new();
        let mut most = filling(limit);
        while !walk.is_enough(found.len(), limit) {
            for stored in walk.next(self, most).await? {
                found.push(decode_event_type(stored)?);
            }
            found.retain(|event_type| include_archived || !event_type.archived);
            most = FILTERED;
        }
        Ok(walk.page(found, limit))
    }
}
