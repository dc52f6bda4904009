//! Tidings as its own provider: the organization's application is one like any other, and so are its endpoints.

use std::sync::Arc;

use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::application::Application;
use tidings_domain::attempt::Attempt;
use tidings_domain::delivery::DeliveryStatus;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{EndpointId, MessageId, OrganizationId};
use tidings_domain::message::{Message, Route};
use tidings_domain::names::{Reference, Uid};
use tidings_domain::page::{Order, PageLimit, Position};
use tidings_runtime::random;
use tidings_store::agenda::Starts;
use tidings_store::attempt::AttemptFilter;
use tidings_store::{Created, StoreError};

use super::{MAX_ATTEMPTS, Made, NewPlatformEndpoint, PlatformAttempt, PlatformEndpoint, ProviderError};
use crate::endpoint::{Endpoints, NewEndpoint};

/// How often an endpoint is made whose name somebody else takes and gives up at the same time.
const TRIES: usize = 3;

/// Endpoints read at once, and attempts listed.
const PAGE: u64 = 250;

/// Tidings itself.
#[derive(Debug, Clone)]
pub struct Native {
    endpoints: Endpoints,
}

impl Native {
    pub(super) fn new(endpoints: Endpoints) -> Self {
        Self { endpoints }
    }

    pub(super) async fn health(&self) -> Result<(), ProviderError> {
        Ok(self.endpoints.store.warm().await?)
    }

    pub(super) async fn ensure_application(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
    ) -> Result<String, ProviderError> {
        Ok(self.ensured(tenant, organization).await?.id.to_string())
    }

    async fn ensured(&self, tenant: OrganizationId, organization: &Uid) -> Result<Arc<Application>, StoreError> {
        let now = self.endpoints.clock.now();
        let store = &self.endpoints.store;
        store.ensure_application(tenant, organization, organization.as_str(), now, random::bytes()).await
    }

    async fn application(&self, tenant: OrganizationId, organization: &Uid) -> Result<Option<Application>, StoreError> {
        self.endpoints.store.application(tenant, &Reference::Uid(organization.clone())).await
    }

    pub(super) async fn make_endpoint(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        new: &NewPlatformEndpoint,
    ) -> Result<Made, ProviderError> {
        let NewPlatformEndpoint { url, description, event_types, uid } = new;
        // Before anything is made for it.
        self.endpoints.check(url)?;
        let application = self.ensured(tenant, organization).await?;
        for _ in 0..TRIES {
            let new = NewEndpoint {
                description: description.clone(),
                event_types: event_types.clone(),
                uid: uid.clone(),
                ..NewEndpoint::at(url.clone())
            };
            let endpoint = self.endpoints.build(&application, new)?;
            if let Created::Written = self.endpoints.write(&application, &endpoint, None).await? {
                return Ok(Made::New(endpoint.into()));
            }
            let Some(uid) = uid else { break };
            let reference = Reference::Uid(uid.clone());
            if let Some(found) = self.endpoints.store.endpoint(tenant, application.id, &reference).await? {
                return Ok(Made::Found(found.into()));
            }
        }
        Err(StoreError::Contended.into())
    }

    pub(super) async fn endpoints(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
    ) -> Result<Vec<PlatformEndpoint>, ProviderError> {
        let Some(application) = self.application(tenant, organization).await? else { return Ok(Vec::new()) };
        let limit = PageLimit::try_from(PAGE).unwrap_or_default();
        let (mut endpoints, mut position) = (Vec::new(), None);
        loop {
            let store = &self.endpoints.store;
            let page = store.endpoints(tenant, application.id, position, Order::Ascending, limit).await?;
            position = page.data.last().map(|endpoint| Position::After(endpoint.id));
            endpoints.extend(page.data.into_iter().map(PlatformEndpoint::from));
            if page.done {
                return Ok(endpoints);
            }
        }
    }

    pub(super) async fn delete_endpoint(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        id: &str,
    ) -> Result<bool, ProviderError> {
        let Ok(reference) = id.parse::<Reference<EndpointId>>() else { return Ok(false) };
        let Some(application) = self.application(tenant, organization).await? else { return Ok(false) };
        let found = self.endpoints.store.endpoint(tenant, application.id, &reference).await?;
        let Some(endpoint) = found else { return Ok(false) };
        Ok(self.endpoints.delete(&application, &endpoint).await?)
    }

    pub(super) async fn attempts(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        message: MessageId,
    ) -> Result<Option<Vec<PlatformAttempt>>, ProviderError> {
        let Some(application) = self.application(tenant, organization).await? else { return Ok(None) };
        let (store, now) = (&self.endpoints.store, self.endpoints.clock.now());
        if store.message(tenant, application.id, message, now).await?.is_none() {
            return Ok(None);
        }
        let limit = PageLimit::try_from(MAX_ATTEMPTS).unwrap_or_default();
        let filter = AttemptFilter::default();
        let page = store.attempts_by_message(tenant, application.id, message, &filter, None, limit, now).await?;
        Ok(Some(page.data.into_iter().map(PlatformAttempt::from).collect()))
    }

    /// A message that was meant for another provider, which is not configured any more: its own endpoints get it.
    pub(super) async fn send(&self, message: &Message) -> Result<(), ProviderError> {
        let key = EntryKey { due: self.endpoints.clock.now(), work: message.work(Route::Endpoints) };
        let entry = Entry { key, tries: 0, destination: None, note: None };
        Ok(self.endpoints.store.put_entries(&[entry], Starts::WhenDue).await?)
    }
}

impl From<Endpoint> for PlatformEndpoint {
    fn from(endpoint: Endpoint) -> Self {
        let Endpoint {
            id,
            organization: _,
            application: _,
            uid,
            url,
            description,
            event_types,
            channels: _,
            disabled,
            throttle_rate: _,
            metadata: _,
            retry_schedule: _,
            timeout: _,
            keys: _,
            headers: _,
            token: _,
            retried: _,
            failing_since: _,
            created_at,
            updated_at,
        } = endpoint;
        Self {
            id: id.to_string(),
            uid: uid.map(String::from),
            url: url.to_string(),
            description,
            event_types: event_types.map(|types| types.into_iter().map(String::from).collect()),
            disabled,
            created_at,
            updated_at,
        }
    }
}

impl From<Attempt> for PlatformAttempt {
    fn from(attempt: Attempt) -> Self {
        let status = DeliveryStatus::of(Some(&attempt));
        let Attempt {
            id,
            delivery,
            url,
            event_type: _,
            channels: _,
            status: _,
            response_status,
            response,
            duration,
            trigger,
            number: _,
            next_attempt: _,
            made_at,
        } = attempt;
        Self {
            id: id.to_string(),
            message: delivery.message,
            endpoint: delivery.endpoint.to_string(),
            url: url.to_string(),
            status,
            response_status,
            response: response.unwrap_or_default(),
            duration,
            trigger,
            made_at,
        }
    }
}
