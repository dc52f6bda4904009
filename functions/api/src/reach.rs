//! What a request's path names, if its caller may reach it: what another tenant or another application owns is not there.

use tidings_domain::application::Application;
use tidings_domain::caller::{Caller, Scope};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApplicationId, EndpointId, MessageId};
use tidings_domain::message::Message;
use tidings_domain::names::Reference;
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

/// A message of an application.
pub(crate) async fn message(state: &State, application: &Application, id: MessageId) -> Result<Message, ApiError> {
    let found = state.store.message(application.organization, application.id, id, state.clock.now()).await?;
    found.ok_or_else(ApiError::not_found)
}
