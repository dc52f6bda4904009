//! Changes of an endpoint.

use tidings_domain::application::Application;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::operational::OperationalEvent;
use tidings_http::ApiError;
use tidings_store::Replaced;

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
    let endpoints = state.endpoints();
    let message = endpoints.tell(application, &after, OperationalEvent::EndpointUpdated, now).await?;
    match state.store.replace_endpoint(&before, &after, endpoints.telling(message.as_ref(), now).as_ref()).await? {
        Replaced::Written => Ok(Some(after)),
        Replaced::UidTaken => Err(uid_taken()),
        Replaced::Changed => Ok(None),
    }
}

pub(super) fn uid_taken() -> ApiError {
    ApiError::conflict("Another endpoint of this application has this uid.")
}
