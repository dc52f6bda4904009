//! What hot paths read again and again, kept for three seconds in each process.
//!
//! A process sees its own writes at once: whoever writes an application, an endpoint, an event type, a connection or a
//! source calls `forget_application`, `forget_event_type`, `forget_listener` or `forget_source` after it. Other processes
//! see them within [`KEPT`].

mod listeners;
mod sources;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::connection::Connection;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::event_type::EventType;
use tidings_domain::ids::{ApplicationId, OrganizationId, SourceId};
use tidings_domain::names::{EventTypeName, Reference, Uid};
use tidings_domain::operational;
use tidings_domain::source::Source;

use self::sources::Asked;
use crate::application::decode_application;
use crate::endpoint::decode_endpoint;
use crate::query::{Direction, Range, text};
use crate::{Store, StoreError, keys};

/// How long something is used without being read again.
const KEPT: Duration = Duration::from_secs(3);

/// Most things of one kind; an application counts with each of its endpoints.
const MAX_KEPT: usize = 20_000;

/// Most endpoints of an application that are read at once.
const MAX_ENDPOINTS: usize = 1000;

/// An application and where its messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receivers {
    /// The application.
    pub application: Application,
    /// Its endpoints, oldest first; none if there are too many.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// Whether these are all. An application with more than 1000 has to be paged through.
    pub complete: bool,
}

/// What the clones of a store share.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    applications: Kept<(OrganizationId, Reference<ApplicationId>), Arc<Application>>,
    receivers: Kept<(OrganizationId, ApplicationId), Arc<Receivers>>,
    event_types: Kept<(OrganizationId, EventTypeName), Option<Arc<EventType>>>,
    recipients: Kept<OrganizationId, Option<Arc<Application>>>,
    listeners: Kept<OrganizationId, Arc<Vec<Connection>>>,
    heard: Kept<OrganizationId, bool>,
    sources: Kept<Asked, Option<Arc<Source>>>,
    source_uids: Kept<(OrganizationId, Uid), SourceId>,
}

/// Things of one kind.
#[derive(Debug)]
struct Kept<K, V>(Mutex<Shelf<K, V>>);

#[derive(Debug)]
struct Shelf<K, V> {
    things: HashMap<K, Thing<V>>,
    weight: usize,
    /// Counts what was forgotten: what was read before may be older than that.
    forgotten: u64,
}

#[derive(Debug)]
struct Thing<V> {
    value: V,
    read_at: Timestamp,
    weight: usize,
}

impl Store {
    /// An application, as it was at most three seconds ago. That there is none is not kept.
    pub async fn cached_application(
        &self,
        organization: OrganizationId,
        reference: &Reference<ApplicationId>,
        now: Timestamp,
    ) -> Result<Option<Arc<Application>>, StoreError> {
        let kept = &self.cache.applications;
        let key = (organization, reference.clone());
        let forgotten = match kept.get(&key, now) {
            Ok(application) => return Ok(Some(application)),
            Err(forgotten) => forgotten,
        };
        let Some(application) = self.application(organization, reference).await?.map(Arc::new) else {
            return Ok(None);
        };
        kept.keep(key, Arc::clone(&application), 1, now, forgotten);
        Ok(Some(application))
    }

    /// An application with all its endpoints, as they were at most three seconds ago.
    pub async fn cached_receivers(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        now: Timestamp,
    ) -> Result<Option<Arc<Receivers>>, StoreError> {
        let kept = &self.cache.receivers;
        let key = (organization, application);
        let forgotten = match kept.get(&key, now) {
            Ok(receivers) => return Ok(Some(receivers)),
            Err(forgotten) => forgotten,
        };
        let Some(receivers) = self.receivers(organization, application).await?.map(Arc::new) else {
            return Ok(None);
        };
        kept.keep(key, Arc::clone(&receivers), 1 + receivers.endpoints.len(), now, forgotten);
        Ok(Some(receivers))
    }

    /// An event type, as it was at most three seconds ago; that there is none is kept, too.
    pub async fn cached_event_type(
        &self,
        organization: OrganizationId,
        name: &EventTypeName,
        now: Timestamp,
    ) -> Result<Option<Arc<EventType>>, StoreError> {
        let kept = &self.cache.event_types;
        let key = (organization, name.clone());
        let forgotten = match kept.get(&key, now) {
            Ok(event_type) => return Ok(event_type),
            Err(forgotten) => forgotten,
        };
        let event_type = self.event_type(organization, name).await?.map(Arc::new);
        kept.keep(key, event_type.clone(), 1, now, forgotten);
        Ok(event_type)
    }

    /// The application that is told about the organization's own: the one whose uid is the organization's id. That there
    /// is none is kept, too: most organizations have none.
    pub async fn operational_recipient(
        &self,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<Option<Arc<Application>>, StoreError> {
        let kept = &self.cache.recipients;
        let forgotten = match kept.get(&organization, now) {
            Ok(application) => return Ok(application),
            Err(forgotten) => forgotten,
        };
        let reference = Reference::Uid(operational::recipient(organization));
        let application = self.application(organization, &reference).await?.map(Arc::new);
        kept.keep(organization, application.clone(), 1, now, forgotten);
        Ok(application)
    }

    /// An application or one of its endpoints was written.
    pub(crate) fn forget_application(&self, organization: OrganizationId, id: ApplicationId) {
        let is_it = |key: &(OrganizationId, Reference<ApplicationId>), application: &Arc<Application>| {
            key.0 == organization && (application.id == id || key.1 == Reference::Id(id))
        };
        self.cache.applications.forget_where(is_it);
        self.cache.receivers.forget(&(organization, id));
        self.cache.recipients.forget(&organization);
    }

    /// An event type was written.
    pub(crate) fn forget_event_type(&self, organization: OrganizationId, name: &EventTypeName) {
        self.cache.event_types.forget(&(organization, name.clone()));
    }

    /// An application and its endpoints from the table, where they stand side by side. One consistent query.
    async fn receivers(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
    ) -> Result<Option<Receivers>, StoreError> {
        let range = Range {
            partition: keys::application_partition(organization, application),
            from: keys::APPLICATION.to_owned(),
            to: format!("{}{}", keys::ENDPOINT, keys::END),
        };
        let most = i32::try_from(MAX_ENDPOINTS + 2).unwrap_or(i32::MAX);
        let query = self.query(&range, Direction::OldestFirst).consistent_read(true).limit(most);
        let mut pages = query.into_paginator().items().send();
        let first = pages.try_next().await?;
        // Endpoints alone are what a purge has not reached yet.
        let Some(first) = first.filter(|first| text(first, keys::SK) == Some(keys::APPLICATION)) else {
            return Ok(None);
        };
        let application = decode_application(first)?;
        let mut endpoints = Vec::new();
        while let Some(stored) = pages.try_next().await? {
            if endpoints.len() == MAX_ENDPOINTS {
                return Ok(Some(Receivers { application, endpoints: Vec::new(), complete: false }));
            }
            endpoints.push(Arc::new(decode_endpoint(stored)?));
        }
        Ok(Some(Receivers { application, endpoints, complete: true }))
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Shelf { things: HashMap::new(), weight: 0, forgotten: 0 }))
    }
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    fn lock(&self) -> MutexGuard<'_, Shelf<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept, or what [`Kept::keep`] has to be told of when it was read.
    fn get(&self, key: &K, now: Timestamp) -> Result<V, u64> {
        let held = self.lock();
        let thing = held.things.get(key).filter(|thing| now.since(thing.read_at) < KEPT);
        thing.map(|thing| thing.value.clone()).ok_or(held.forgotten)
    }

    /// What was kept, if it was read within this time.
    fn get_within(&self, time: Duration, key: &K, now: Timestamp) -> Option<V> {
        let held = self.lock();
        let thing = held.things.get(key).filter(|thing| now.since(thing.read_at) < time);
        thing.map(|thing| thing.value.clone())
    }

    /// Keeps what was read since `now`, unless something was written meanwhile.
    fn keep(&self, key: K, value: V, weight: usize, now: Timestamp, forgotten: u64) {
        let mut held = self.lock();
        if held.forgotten != forgotten {
            return;
        }
        if held.weight + weight > MAX_KEPT {
            held.retain(|_, thing| now.since(thing.read_at) < KEPT);
        }
        if held.weight + weight > MAX_KEPT {
            held.retain(|_, _| false);
        }
        held.weight += weight;
        let before = held.things.insert(key, Thing { value, read_at: now, weight });
        held.weight -= before.map_or(0, |thing| thing.weight);
    }

    fn forget(&self, key: &K) {
        let mut held = self.lock();
        held.forgotten += 1;
        let before = held.things.remove(key);
        held.weight -= before.map_or(0, |thing| thing.weight);
    }

    fn forget_where(&self, is_it: impl Fn(&K, &V) -> bool) {
        let mut held = self.lock();
        held.forgotten += 1;
        held.retain(|key, thing| !is_it(key, &thing.value));
    }
}

impl<K, V> Shelf<K, V> {
    fn retain(&mut self, stays: impl Fn(&K, &Thing<V>) -> bool) {
        self.things.retain(|key, thing| stays(key, thing));
        self.weight = self.things.values().map(|thing| thing.weight).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);

    #[test]
    fn what_was_read_before_a_write_is_not_kept_after_it() {
        let kept = Kept::<u8, &str>::default();
        let before = kept.get(&1, NOW).unwrap_err();
        kept.forget(&1);
        kept.keep(1, "old", 1, NOW, before);
        let after = kept.get(&1, NOW).unwrap_err();
        kept.keep(1, "new", 1, NOW, after);
        assert_eq!(kept.get(&1, NOW + KEPT - Duration::from_millis(1)), Ok("new"));
        assert!(kept.get(&1, NOW + KEPT).is_err());
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let kept = Kept::<u32, ()>::default();
        for key in 0..50 {
            let forgotten = kept.get(&key, NOW).unwrap_err();
            kept.keep(key, (), MAX_KEPT / 8, NOW, forgotten);
            assert!(kept.lock().weight <= MAX_KEPT && kept.get(&key, NOW).is_ok());
        }
        kept.forget_where(|_, ()| true);
        assert_eq!(kept.lock().weight, 0);
    }
}
