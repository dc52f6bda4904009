//! A Svix server that delivers: an application for each organization, with its endpoints and messages there.
//!
//! # Tenants
//! One server serves every tenant, and names are unique in all of it. An application made here says in its metadata whose
//! it is; one that belongs to another tenant is refused, whatever its name. One that says nothing was there before: the
//! first tenant that asks for it to be made gets it.
//!
//! # Once
//! A message is handed over under an `eventId`, which that server takes once: its own, or else one made of its id. What
//! was handed over before answers 409, and that is as good as 202. An endpoint with a `uid` answers 409 likewise.
//!
//! # Patience
//! No call is repeated here, and none takes longer than [`TIMEOUT`]: who called decides when to try again. The client is
//! the published crate's own, and goes to the configured server only, so that it does not need the guard of `egress`.

mod answer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use svix::api::{EndpointListOptions, MessageAttemptListByMsgOptions, Svix, SvixOptions};
use svix::models::{ApplicationIn, ApplicationOut, ApplicationPatch, EndpointIn, MessageIn, Ordering};
use tidings_domain::ids::{MessageId, OrganizationId};
use tidings_domain::message::Message;
use tidings_domain::names::{EventTypeName, Reference, Uid};
use tidings_runtime::settings::SvixServer;
use tokio::time::timeout;
use tracing::info;

use self::answer::{failed, is_conflict, platform_attempt, there};
use super::{MAX_ATTEMPTS, Made, NewPlatformEndpoint, PlatformAttempt, PlatformEndpoint, ProviderError};
use crate::endpoint::Endpoints;

/// Longest time for one call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The same for a look at whether the server is there.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// What an application says whose it is with.
const TENANT: &str = "tidings.tenant";

/// Applications whose ids are remembered.
const REMEMBERED: usize = 10_000;

/// Endpoints read at once, and pages of them that are read at most.
const PAGE: u64 = 250;
const MAX_PAGES: usize = 40;

/// A Svix server.
#[derive(Clone)]
pub struct SvixProvider {
    client: Svix,
    endpoints: Endpoints,
    /// The ids of applications that are known to be their tenant's.
    known: Arc<Mutex<HashMap<(OrganizationId, Uid), String>>>,
}

impl fmt::Debug for SvixProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SvixProvider").field("server", &self.client.server_url()).finish_non_exhaustive()
    }
}

impl SvixProvider {
    pub(super) fn new(endpoints: Endpoints, server: &SvixServer) -> Self {
        let options = SvixOptions {
            server_url: server.url.as_ref().map(ToString::to_string),
            timeout: Some(TIMEOUT),
            retry_schedule: Some(Vec::new()),
            ..SvixOptions::default()
        };
        let client = Svix::new(server.token.reveal().to_owned(), Some(options));
        Self { client, endpoints, known: Arc::default() }
    }

    pub(super) async fn health(&self) -> Result<(), ProviderError> {
        let answer = timeout(HEALTH_TIMEOUT, self.client.health().get()).await;
        answer.map_err(|_| ProviderError::OutOfTime)?.map_err(failed)
    }

    pub(super) async fn ensure_application(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
    ) -> Result<String, ProviderError> {
        check_name(organization)?;
        let mark = BTreeMap::from([(TENANT.to_owned(), tenant.to_string())]);
        let new = ApplicationIn {
            uid: Some(organization.to_string()),
            metadata: Some(mark.clone()),
            ..ApplicationIn::new(organization.to_string())
        };
        let mut found = self.client.application().get_or_create(new, None).await.map_err(failed)?;
        if !found.metadata.contains_key(TENANT) {
            let metadata = std::mem::take(&mut found.metadata).into_iter().chain(mark).collect();
            let patch = ApplicationPatch { metadata: Some(metadata), ..ApplicationPatch::new() };
            found = self.client.application().patch(found.id, patch).await.map_err(failed)?;
        }
        if !is_of(&found, tenant, organization) {
            return Err(ProviderError::ApplicationTaken);
        }
        self.remember(tenant, organization, &found.id);
        Ok(found.id)
    }

    /// The id of an organization's application, if it has one.
    async fn application(&self, tenant: OrganizationId, organization: &Uid) -> Result<Option<String>, ProviderError> {
        if let Some(known) = self.known(tenant, organization) {
            return Ok(Some(known));
        }
        check_name(organization)?;
        let answer = self.client.application().get(organization.to_string()).await;
        let found = there(answer)?.filter(|found| is_of(found, tenant, organization));
        Ok(found.map(|found| {
            self.remember(tenant, organization, &found.id);
            found.id
        }))
    }

    /// The id of an organization's application, made if it is not there.
    async fn made(&self, tenant: OrganizationId, organization: &Uid) -> Result<String, ProviderError> {
        match self.known(tenant, organization) {
            Some(known) => Ok(known),
            None => self.ensure_application(tenant, organization).await,
        }
    }

    pub(super) async fn make_endpoint(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        new: &NewPlatformEndpoint,
    ) -> Result<Made, ProviderError> {
        let NewPlatformEndpoint { url, description, event_types, uid } = new;
        self.endpoints.check(url)?;
        let names = |types: &Vec<EventTypeName>| types.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let new = EndpointIn {
            description: Some(description.clone()),
            event_types: event_types.as_ref().map(names),
            uid: uid.as_ref().map(ToString::to_string),
            ..EndpointIn::new(url.to_string())
        };
        let first = self.make_in(self.made(tenant, organization).await?, &new).await;
        let Err(ProviderError::NotFound) = first else { return first };
        // What was remembered of the application is old.
        self.forget(tenant, organization);
        self.make_in(self.made(tenant, organization).await?, &new).await
    }

    async fn make_in(&self, application: String, new: &EndpointIn) -> Result<Made, ProviderError> {
        let answer = self.client.endpoint().create(application.clone(), new.clone(), None).await;
        match (&new.uid, answer) {
            (Some(uid), Err(error)) if is_conflict(&error) => {
                let found = self.client.endpoint().get(application, uid.clone()).await.map_err(failed)?;
                Ok(Made::Found(found.into()))
            }
            (_, answer) => answer.map(|endpoint| Made::New(endpoint.into())).map_err(failed),
        }
    }

    pub(super) async fn endpoints(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
    ) -> Result<Vec<PlatformEndpoint>, ProviderError> {
        let Some(application) = self.application(tenant, organization).await? else { return Ok(Vec::new()) };
        let mut endpoints = Vec::new();
        let mut iterator = None;
        for _ in 0..MAX_PAGES {
            let order = Some(Ordering::Ascending);
            let options = EndpointListOptions { limit: Some(PAGE), iterator, order };
            let answer = self.client.endpoint().list(application.clone(), Some(options)).await;
            let Some(page) = there(answer)? else {
                self.forget(tenant, organization);
                return Ok(Vec::new());
            };
            endpoints.extend(page.data.into_iter().map(PlatformEndpoint::from));
            if page.done || page.iterator.is_none() {
                break;
            }
            iterator = page.iterator;
        }
        Ok(endpoints)
    }

    pub(super) async fn delete_endpoint(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        id: &str,
    ) -> Result<bool, ProviderError> {
        // It becomes part of a path: what would climb up there is no endpoint's name.
        let Ok(id) = id.parse::<Uid>() else { return Ok(false) };
        if check_name(&id).is_err() {
            return Ok(false);
        }
        let Some(application) = self.application(tenant, organization).await? else { return Ok(false) };
        Ok(there(self.client.endpoint().delete(application, id.into()).await)?.is_some())
    }

    pub(super) async fn attempts(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        message: MessageId,
    ) -> Result<Option<Vec<PlatformAttempt>>, ProviderError> {
        let (store, now) = (&self.endpoints.store, self.endpoints.clock.now());
        let Some(own) = store.application(tenant, &Reference::Uid(organization.clone())).await? else {
            return Ok(None);
        };
        let Some(message) = store.message(tenant, own.id, message, now).await? else { return Ok(None) };
        let Some(application) = self.application(tenant, organization).await? else { return Ok(Some(Vec::new())) };
        let options = MessageAttemptListByMsgOptions {
            limit: Some(MAX_ATTEMPTS),
            with_content: Some(true),
            ..MessageAttemptListByMsgOptions::default()
        };
        let answer = self.client.message_attempt().list_by_msg(application, event_id(&message), Some(options)).await;
        // What was not handed over yet has none.
        let attempts = there(answer)?.map(|page| page.data).unwrap_or_default();
        Ok(Some(attempts.into_iter().map(|attempt| platform_attempt(attempt, message.id)).collect()))
    }

    pub(super) async fn send(&self, organization: &Uid, message: &Message) -> Result<(), ProviderError> {
        let Some(payload) = message.payload_at(self.endpoints.clock.now()) else { return Ok(()) };
        let payload = serde_json::from_slice(payload)
            .map_err(|_| ProviderError::Refused { status: 400, detail: "the payload is no JSON".to_owned() })?;
        let names = |names: BTreeSet<String>| Some(names).filter(|names| !names.is_empty());
        let new = MessageIn {
            event_id: Some(event_id(message)),
            channels: names(message.channels.iter().map(ToString::to_string).collect()),
            tags: names(message.tags.iter().map(ToString::to_string).collect()),
            ..MessageIn::new(message.event_type.to_string(), payload)
        };
        let tenant = message.organization;
        let first = self.send_in(self.made(tenant, organization).await?, &new).await;
        let Err(ProviderError::NotFound) = first else { return first };
        self.forget(tenant, organization);
        self.send_in(self.made(tenant, organization).await?, &new).await
    }

    async fn send_in(&self, application: String, new: &MessageIn) -> Result<(), ProviderError> {
        match self.client.message().create(application, new.clone(), None).await {
            Err(error) if is_conflict(&error) => {
                info!(message.event_id = new.event_id, "a message was handed over before");
                Ok(())
            }
            answer => answer.map(drop).map_err(failed),
        }
    }

    fn known(&self, tenant: OrganizationId, organization: &Uid) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(tenant, organization.clone())).cloned()
    }

    fn remember(&self, tenant: OrganizationId, organization: &Uid, id: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((tenant, organization.clone()), id.to_owned());
    }

    fn forget(&self, tenant: OrganizationId, organization: &Uid) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&(tenant, organization.clone()));
    }
}

/// A name becomes a segment of a path there, and one of dots would climb up.
fn check_name(name: &Uid) -> Result<(), ProviderError> {
    if matches!(name.as_str(), "." | "..") {
        return Err(ProviderError::Refused { status: 400, detail: "it cannot have a name of dots".to_owned() });
    }
    Ok(())
}

/// Whether an application is this tenant's, and the one that was asked for: a name may have the form of another one's id.
fn is_of(found: &ApplicationOut, tenant: OrganizationId, organization: &Uid) -> bool {
    found.metadata.get(TENANT).is_some_and(|mark| *mark == tenant.to_string())
        && found.uid.as_deref() == Some(organization.as_str())
}

/// What a message is known by there. An id alone would be taken for one of that server's own.
fn event_id(message: &Message) -> String {
    message.event_id.as_ref().map_or_else(|| format!("tidings.{}", message.id), ToString::to_string)
}
