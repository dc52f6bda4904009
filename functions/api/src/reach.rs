//! What a request's path names, if its caller may reach it: what another tenant or another application owns is not there.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use tidings_domain::application::Application;
use tidings_domain::caller::{Caller, Scope};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApplicationId, EndpointId, MessageId, SourceId};
use tidings_domain::message::Message;
use tidings_domain::names::{EventId, Reference};
use tidings_domain::source::Source;
use tidings_http::ApiError;

use crate::State;

/// An application of the caller's organization; for an application's credential only its own.
pub(crate) async fn application(
    state: &State,
    caller: &Caller,
    reference: &Reference<ApplicationId>,
) -> Result<Application, ApiError> {
    let found = state.store.application(caller.organization, reference).await?;
    let reached = found.filter(|application| match caller.scope {
        Scope::Organization => true,
        Scope::Application(own) => own == application.id,
    });
    reached.ok_or_else(ApiError::not_found)
}

/// A source of the caller's organization, as it stands now.
pub(crate) async fn source(
    state: &State,
    caller: &Caller,
    reference: &Reference<SourceId>,
) -> Result<Source, ApiError> {
    let found = state.store.source(caller.organization, reference).await?;
    found.ok_or_else(ApiError::not_found)
}

/// An endpoint of an application.
pub(crate) async fn endpoint(
    state: &State,
    application: &Application,
    reference: &Reference<EndpointId>,
) -> Result<Endpoint, ApiError> {
    let found = state.store.endpoint(application.organization, application.id, reference).await?;
    found.ok_or_else(ApiError::not_found)
}

/// An endpoint of an application, to send something to it.
pub(crate) async fn enabled_endpoint(
    state: &State,
    application: &Application,
    reference: &Reference<EndpointId>,
) -> Result<Endpoint, ApiError> {
    let found = endpoint(state, application, reference).await?;
    if found.disabled {
        return Err(ApiError::conflict("This endpoint is disabled: it gets nothing until it is enabled."));
    }
    Ok(found)
}

/// What a path names a message by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageRef {
    /// Its id.
    Id(MessageId),
    /// Its sender's own name for it, as long as that is remembered.
    EventId(EventId),
}

impl fmt::Display for MessageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::EventId(event_id) => event_id.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for MessageRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::EventId)).map_err(de::Error::custom)
    }
}

/// The id of a message of an application.
pub(crate) async fn message_id(
    state: &State,
    application: &Application,
    reference: &MessageRef,
) -> Result<MessageId, ApiError> {
    let event_id = match reference {
        MessageRef::Id(id) => return Ok(*id),
        MessageRef::EventId(event_id) => event_id,
    };
    let (organization, now) = (application.organization, state.clock.now());
    let found = state.store.message_with_event_id(organization, application.id, event_id, now).await?;
    found.ok_or_else(ApiError::not_found)
}

/// A message of an application.
pub(crate) async fn message(
    state: &State,
    application: &Application,
    reference: &MessageRef,
) -> Result<Message, ApiError> {
    let id = message_id(state, application, reference).await?;
    let found = state.store.message(application.organization, application.id, id, state.clock.now()).await?;
    found.ok_or_else(ApiError::not_found)
}
