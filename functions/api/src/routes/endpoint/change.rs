//! Changes of an endpoint, and who is told of them.

use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::message::Message;
use tidings_domain::operational::{EndpointEvent, OperationalEvent, operational_message};
use tidings_http::ApiError;
use tidings_runtime::random;
use tidings_store::Replaced;
use tidings_store::message::NewMessage;

use crate::State;
use crate::change::later_than;

/// Changes an endpoint, unless the change changes nothing. `None`: somebody else has changed it meanwhile.
pub(super) async fn change(
    state: &State,
    application: &Application,
    before: Endpoint,
    change: impl FnOnce(&mut Endpoint),
) -> Result<Option<Endpoint>, ApiError> {
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(Some(before));
    }
    // What failed was the old URL, or has been mended: it must not be disabled for that at its next failure.
    if after.url != before.url || (before.disabled && !after.disabled) {
        after.failing_since = None;
    }
    let now = state.clock.now();
    after.updated_at = later_than(before.updated_at, now);
    let message = tell(state, application, &after, OperationalEvent::EndpointUpdated, now).await?;
    match state.store.replace_endpoint(&before, &after, new(state, message.as_ref(), now).as_ref()).await? {
        Replaced::Written => Ok(Some(after)),
        Replaced::UidTaken => Err(uid_taken()),
        Replaced::Changed => Ok(None),
    }
}

/// The message that tells the organization's own application about an endpoint, if it has one. Nobody is told about
/// that one's endpoints.
pub(super) async fn tell(
    state: &State,
    application: &Application,
    endpoint: &Endpoint,
    event: fn(EndpointEvent) -> OperationalEvent,
    now: Timestamp,
) -> Result<Option<Message>, ApiError> {
    let recipient = state.store.operational_recipient(application.organization, now).await?;
    let recipient = recipient.filter(|recipient| recipient.id != application.id);
    Ok(recipient.map(|recipient| {
        let event = event(EndpointEvent::new(application.uid.as_ref(), endpoint));
        operational_message(&event, &recipient, now, random::bytes())
    }))
}

/// A message that is written together with what it tells.
pub(super) fn new<'a>(state: &State, message: Option<&'a Message>, now: Timestamp) -> Option<NewMessage<'a>> {
    message.map(|message| NewMessage { message, due: now + state.grace })
}

pub(super) fn uid_taken() -> ApiError {
    ApiError::conflict("Another endpoint of this application has this uid.")
}
