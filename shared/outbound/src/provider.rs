//! Who delivers for a platform's organizations: Tidings itself, or a Svix server.
//!
//! An organization is known by the platform's own id for it, which is the `uid` of its application at either provider.
//! Everything here may be called twice: an application is made if it is not there, an endpoint with a `uid` likewise, and
//! a message is handed over under a name that the provider takes once.

mod error;
mod native;
mod svix;

use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::delivery::{DeliveryStatus, Trigger};
use tidings_domain::ids::{MessageId, OrganizationId};
use tidings_domain::message::{Message, Route};
use tidings_domain::names::{EventTypeName, Uid};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_runtime::settings::SvixServer;
use tidings_telemetry::chain;
use tracing::warn;

pub use self::error::ProviderError;
pub use self::native::Native;
pub use self::svix::SvixProvider;
use crate::endpoint::Endpoints;

/// Most attempts of a message that are listed.
pub const MAX_ATTEMPTS: u64 = 250;

/// A provider. Clones share everything.
#[derive(Debug, Clone)]
pub enum Provider {
    /// Tidings itself.
    Native(Native),
    /// A Svix server.
    Svix(SvixProvider),
}

/// An endpoint to make for an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlatformEndpoint {
    /// Where requests go.
    pub url: WebhookUrl,
    /// For people.
    pub description: String,
    /// Types that it wants; all if unset.
    pub event_types: Option<Vec<EventTypeName>>,
    /// Its own name: with one, making it twice makes it once.
    pub uid: Option<Uid>,
}

/// An organization's endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformEndpoint {
    /// The provider's id of it.
    pub id: String,
    /// Its own name.
    pub uid: Option<String>,
    /// Where requests go.
    pub url: String,
    /// For people.
    pub description: String,
    /// Types that it wants; all if unset.
    pub event_types: Option<Vec<String>>,
    /// Gets nothing.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An attempt to deliver an organization's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformAttempt {
    /// The provider's id of it.
    pub id: String,
    /// The message, as Tidings knows it.
    pub message: MessageId,
    /// The provider's id of the endpoint.
    pub endpoint: String,
    /// Where the request went.
    pub url: String,
    /// How it ended, or what follows.
    pub status: DeliveryStatus,
    /// The answer's status code; 0 if there was no answer.
    pub response_status: u16,
    /// The answer's body, or why there was none.
    pub response: String,
    /// From the start of the request to the end of the answer.
    pub duration: Duration,
    /// Why it was made.
    pub trigger: Trigger,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What came of making an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It is new.
    New(PlatformEndpoint),
    /// One with its uid was there.
    Found(PlatformEndpoint),
}

impl Made {
    /// The endpoint, either way.
    pub fn endpoint(self) -> PlatformEndpoint {
        match self {
            Self::New(endpoint) | Self::Found(endpoint) => endpoint,
        }
    }
}

impl Provider {
    /// The Svix server that the settings name, or else Tidings itself.
    ///
    /// # Panics
    /// With a Svix server, if this machine has no certificate roots.
    pub fn new(endpoints: Endpoints, svix: Option<&SvixServer>) -> Self {
        match svix {
            None => Self::Native(Native::new(endpoints)),
            Some(server) => Self::Svix(SvixProvider::new(endpoints, server)),
        }
    }

    /// Who brings an organization's messages to its endpoints.
    pub fn route(&self) -> Route {
        match self {
            Self::Native(_) => Route::Endpoints,
            Self::Svix(_) => Route::Provider,
        }
    }

    /// Whether it answers, within a short time.
    pub async fn health(&self) -> Result<(), ProviderError> {
        match self {
            Self::Native(native) => native.health().await,
            Self::Svix(svix) => svix.health().await,
        }
    }

    /// An organization's application, made if it is not there. Its id at the provider.
    pub async fn ensure_application(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
    ) -> Result<String, ProviderError> {
        match self {
            Self::Native(native) => native.ensure_application(tenant, organization).await,
            Self::Svix(svix) => svix.ensure_application(tenant, organization).await,
        }
    }

    /// Makes an endpoint, and its application if that is not there.
    pub async fn make_endpoint(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        new: &NewPlatformEndpoint,
    ) -> Result<Made, ProviderError> {
        match self {
            Self::Native(native) => native.make_endpoint(tenant, organization, new).await,
            Self::Svix(svix) => svix.make_endpoint(tenant, organization, new).await,
        }
    }

    /// The same for who does not care whether it is new.
    pub async fn create_endpoint(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        new: &NewPlatformEndpoint,
    ) -> Result<PlatformEndpoint, ProviderError> {
        self.make_endpoint(tenant, organization, new).await.map(Made::endpoint)
    }

    /// Makes several endpoints in their order. If one fails, those that were made before are deleted again.
    pub async fn create_endpoints(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        new: &[NewPlatformEndpoint],
    ) -> Result<Vec<PlatformEndpoint>, ProviderError> {
        let mut endpoints = Vec::with_capacity(new.len());
        let mut made = Vec::new();
        for new in new {
            match self.make_endpoint(tenant, organization, new).await {
                Ok(Made::New(endpoint)) => {
                    made.push(endpoint.id.clone());
                    endpoints.push(endpoint);
                }
                Ok(Made::Found(endpoint)) => endpoints.push(endpoint),
                Err(error) => {
                    self.delete_endpoints(tenant, organization, &made).await;
                    return Err(error);
                }
            }
        }
        Ok(endpoints)
    }

    /// Deletes what it can of these endpoints, and answers with those that may still be there.
    pub async fn delete_endpoints(&self, tenant: OrganizationId, organization: &Uid, ids: &[String]) -> Vec<String> {
        let mut left = Vec::new();
        for id in ids {
            if let Err(error) = self.delete_endpoint(tenant, organization, id).await {
                warn!(endpoint.id = id, error = chain(&error), "could not delete an endpoint of an organization");
                left.push(id.clone());
            }
        }
        left
    }

    /// An organization's endpoints, oldest first; none if it has no application.
    pub async fn endpoints(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
    ) -> Result<Vec<PlatformEndpoint>, ProviderError> {
        match self {
            Self::Native(native) => native.endpoints(tenant, organization).await,
            Self::Svix(svix) => svix.endpoints(tenant, organization).await,
        }
    }

    /// Deletes an organization's endpoint. `false` if there is none with this id.
    pub async fn delete_endpoint(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        id: &str,
    ) -> Result<bool, ProviderError> {
        match self {
            Self::Native(native) => native.delete_endpoint(tenant, organization, id).await,
            Self::Svix(svix) => svix.delete_endpoint(tenant, organization, id).await,
        }
    }

    /// The attempts of an organization's message, newest first, [`MAX_ATTEMPTS`] at most. `None` if there is no such
    /// message.
    pub async fn attempts(
        &self,
        tenant: OrganizationId,
        organization: &Uid,
        message: MessageId,
    ) -> Result<Option<Vec<PlatformAttempt>>, ProviderError> {
        match self {
            Self::Native(native) => native.attempts(tenant, organization, message).await,
            Self::Svix(svix) => svix.attempts(tenant, organization, message).await,
        }
    }

    /// Hands a message over that Tidings has accepted. What was handed over before is not delivered again.
    pub async fn send(&self, organization: &Uid, message: &Message) -> Result<(), ProviderError> {
        match self {
            Self::Native(native) => native.send(message).await,
            Self::Svix(svix) => svix.send(organization, message).await,
        }
    }
}
