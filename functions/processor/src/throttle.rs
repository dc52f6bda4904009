//! Rate limits of applications and endpoints: what is over is delayed, and loses neither its turn nor a try.

use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::endpoint::Endpoint;
use tidings_store::StoreError;
use tidings_store::rate::Place;

use crate::Context;

/// When an attempt that is held up may ask again; `None` if it may be made now. Where nobody set a limit this costs
/// nothing.
pub(crate) async fn held_up(
    context: &Context,
    application: Option<&Application>,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let store = &context.options.store;
    let (organization, id) = (endpoint.organization, endpoint.application);
    // The endpoint first: what waits for one endpoint's turn must not use up the turns of the others.
    if let Some(rate) = endpoint.throttle_rate
        && let Place::At(at) = store.take_place(organization, id, Some(endpoint.id), rate, now).await?
    {
        return Ok(Some(at));
    }
    if let Some(rate) = application.and_then(|application| application.throttle_rate)
        && let Place::At(at) = store.take_place(organization, id, None, rate, now).await?
    {
        return Ok(Some(at));
    }
    Ok(None)
}
