//! Making and deleting endpoints, with everything that belongs to them: the check of the URL, the id, what is sealed, and
//! the message that tells of it.
//!
//! Building an endpoint and writing it are two steps, because some write it in a transaction with something else.

use std::num::NonZeroU16;
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::endpoint_headers::{EndpointHeaders, SealedHeadersError};
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::EndpointId;
use tidings_domain::message::{Message, Route};
use tidings_domain::metadata::Metadata;
use tidings_domain::names::{Channel, EventTypeName, Uid};
use tidings_domain::operational::{EndpointEvent, OperationalEvent, operational_message};
use tidings_domain::retry::RetrySchedule;
use tidings_domain::signature::{EndpointKeys, SealedTextError, SigningKey};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_egress::{Egress, Refused};
use tidings_runtime::{Clock, random};
use tidings_store::message::NewMessage;
use tidings_store::{Created, Store, StoreError};
use tidings_vault::{OpenError, Vault};

/// What endpoints are made with. Clones share everything.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The table.
    pub store: Store,
    /// Says where requests may go.
    pub egress: Egress,
    /// Seals keys, headers and tokens.
    pub vault: Vault,
    /// The time.
    pub clock: Clock,
    /// How long the fast lane owns the message that tells of an endpoint.
    pub grace: Duration,
}

/// An endpoint to make. It cannot be printed: its token is a secret.
#[derive(Clone)]
pub struct NewEndpoint {
    /// Where requests go.
    pub url: WebhookUrl,
    /// The caller's own name for it.
    pub uid: Option<Uid>,
    /// For people.
    pub description: String,
    /// Types that it wants; all if unset.
    pub event_types: Option<Vec<EventTypeName>>,
    /// Channels that it wants.
    pub channels: Option<Vec<Channel>>,
    /// Gets nothing.
    pub disabled: bool,
    /// Most attempts a second.
    pub throttle_rate: Option<NonZeroU16>,
    /// The caller's own texts.
    pub metadata: Metadata,
    /// Its own retry schedule.
    pub retry_schedule: Option<RetrySchedule>,
    /// Its own patience with one attempt.
    pub timeout: Option<Duration>,
    /// Which failures are followed by another attempt.
    pub retried: Retried,
    /// What requests are signed with; one is made if there is none.
    pub secret: Option<SigningKey>,
    /// Headers that requests get.
    pub headers: Option<EndpointHeaders>,
    /// A text that requests carry in their body, beside the payload.
    pub token: Option<String>,
}

/// What belongs to an endpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It does not open.
    #[error("what was sealed for an endpoint does not open")]
    Open(#[from] OpenError),
    /// Its keys are none.
    #[error("an endpoint's sealed keys cannot be read")]
    Keys(#[from] SealedTextError),
    /// Its headers are none.
    #[error("an endpoint's sealed headers cannot be read")]
    Headers(#[from] SealedHeadersError),
}

impl NewEndpoint {
    /// One for this URL that wants everything.
    pub fn at(url: WebhookUrl) -> Self {
        Self {
            url,
            uid: None,
            description: String::new(),
            event_types: None,
            channels: None,
            disabled: false,
            throttle_rate: None,
            metadata: Metadata::default(),
            retry_schedule: None,
            timeout: None,
            retried: Retried::All,
            secret: None,
            headers: None,
            token: None,
        }
    }
}

/// A new key.
pub fn generate_key() -> SigningKey {
    SigningKey::generate(random::bytes())
}

impl Endpoints {
    /// Whether a URL may be registered, as far as that can be told now: for who reports it with other faults.
    pub fn check(&self, url: &WebhookUrl) -> Result<(), Refused> {
        self.egress.check(url.as_url())
    }

    /// A new endpoint of an application, made now. It is not written.
    pub fn build(&self, application: &Application, new: NewEndpoint) -> Result<Endpoint, Refused> {
        self.check(&new.url)?;
        let now = self.clock.now();
        let NewEndpoint {
            url,
            uid,
            description,
            event_types,
            channels,
            disabled,
            throttle_rate,
            metadata,
            retry_schedule,
            timeout,
            retried,
            secret,
            headers,
            token,
        } = new;
        let mut endpoint = Endpoint {
            id: EndpointId::new(now, random::bytes()),
            organization: application.organization,
            application: application.id,
            uid,
            url,
            description,
            event_types,
            channels,
            disabled,
            throttle_rate,
            metadata,
            retry_schedule,
            timeout,
            keys: Sealed(Vec::new()),
            headers: None,
            token: None,
            retried,
            failing_since: None,
            created_at: now,
            updated_at: now,
        };
        endpoint.keys = self.seal_keys(&endpoint, &EndpointKeys::new(secret.unwrap_or_else(generate_key)));
        endpoint.headers = headers.and_then(|headers| self.seal_headers(&endpoint, &headers));
        endpoint.token = token.map(|token| self.seal(&endpoint, &endpoint.token_context(), &token));
        Ok(endpoint)
    }

    /// Writes a new endpoint, and the message that tells of it.
    pub async fn write(
        &self,
        application: &Application,
        endpoint: &Endpoint,
        kept: Option<&KeptAnswer>,
    ) -> Result<Created, StoreError> {
        let now = endpoint.created_at;
        let message = self.tell(application, endpoint, OperationalEvent::EndpointCreated, now).await?;
        self.store.create_endpoint(endpoint, self.telling(message.as_ref(), now).as_ref(), kept).await
    }

    /// Deletes an endpoint, and writes the message that tells of it. `false` if it was gone.
    pub async fn delete(&self, application: &Application, endpoint: &Endpoint) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let message = self.tell(application, endpoint, OperationalEvent::EndpointDeleted, now).await?;
        self.store.delete_endpoint(endpoint, self.telling(message.as_ref(), now).as_ref()).await
    }

    /// The message that tells the organization's own application about an endpoint, if it has one. Nobody is told about
    /// that one's endpoints.
    pub async fn tell(
        &self,
        application: &Application,
        endpoint: &Endpoint,
        event: fn(EndpointEvent) -> OperationalEvent,
        now: Timestamp,
    ) -> Result<Option<Message>, StoreError> {
        let recipient = self.store.operational_recipient(application.organization, now).await?;
        let recipient = recipient.filter(|recipient| recipient.id != application.id);
        Ok(recipient.map(|recipient| {
            let event = event(EndpointEvent::new(application.uid.as_ref(), endpoint));
            operational_message(&event, &recipient, now, random::bytes())
        }))
    }

    /// That message as it is written together with what it tells.
    pub fn telling<'a>(&self, message: Option<&'a Message>, now: Timestamp) -> Option<NewMessage<'a>> {
        message.map(|message| NewMessage { message, due: now + self.grace, route: Route::Endpoints })
    }

    /// Keys as they are stored.
    pub fn seal_keys(&self, endpoint: &Endpoint, keys: &EndpointKeys) -> Sealed {
        self.seal(endpoint, &endpoint.keys_context(), &keys.seal_text())
    }

    /// What requests are signed with.
    pub fn open_keys(&self, endpoint: &Endpoint) -> Result<EndpointKeys, SealError> {
        let opened = self.vault.open(endpoint.organization, &endpoint.keys_context(), &endpoint.keys)?;
        Ok(EndpointKeys::from_text(opened.as_text().unwrap_or_default())?)
    }

    /// Headers as they are stored; nothing if there are none.
    pub fn seal_headers(&self, endpoint: &Endpoint, headers: &EndpointHeaders) -> Option<Sealed> {
        let seal = || self.seal(endpoint, &endpoint.headers_context(), &headers.seal_text());
        (!headers.is_empty()).then(seal)
    }

    /// Headers that requests get.
    pub fn open_headers(&self, endpoint: &Endpoint) -> Result<EndpointHeaders, SealError> {
        let Some(sealed) = &endpoint.headers else { return Ok(EndpointHeaders::default()) };
        let opened = self.vault.open(endpoint.organization, &endpoint.headers_context(), sealed)?;
        Ok(EndpointHeaders::from_text(opened.as_text().unwrap_or_default())?)
    }

    fn seal(&self, endpoint: &Endpoint, context: &str, text: &str) -> Sealed {
        self.vault.seal(endpoint.organization, context, text.as_bytes())
    }
}
