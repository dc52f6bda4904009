//! What an attempt says about its endpoint: since when it has been failing, and when that is too long.

use http::StatusCode;
use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::message::Route;
use tidings_domain::names::{Reference, Uid};
use tidings_store::StoreError;
use tidings_store::attempt::AttemptFilter;
use tidings_store::message::NewMessage;
use tracing::warn;

use super::Order;
use crate::{Context, operational};

/// Whether this failure is one too many. What is known of the endpoint may be old: a success after its first failure
/// speaks for it.
pub(super) async fn has_failed_too_long(
    context: &Context,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(since) = endpoint.failing_since.filter(|_| endpoint.must_be_disabled(now)) else { return Ok(false) };
    let store = &context.options.store;
    let filter = AttemptFilter { status: Some(AttemptStatus::Success), since: Some(since), ..AttemptFilter::default() };
    let Endpoint { organization, application, id, .. } = endpoint;
    let one = 1.try_into().unwrap_or_default();
    let successes = store.attempts_by_endpoint(*organization, *application, *id, &filter, None, one, now).await?;
    if successes.data.is_empty() {
        return Ok(true);
    }
    store.endpoint_recovered(endpoint).await?;
    store.endpoint_failed(&Endpoint { failing_since: None, ..endpoint.clone() }, now).await?;
    Ok(false)
}

/// Disables the endpoint, and has that told.
pub(super) async fn disable(
    context: &Context,
    order: &Order<'_>,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Endpoint { organization, application, id, .. } = *order.endpoint;
    let disabled = disable_as_seen(context, order.endpoint, order.app_uid, now).await?;
    if disabled || attempt.response_status != StatusCode::GONE.as_u16() {
        return Ok(());
    }
    // What was seen of it may be some seconds old, and it is gone whatever happened since.
    let stored = context.options.store.endpoint(organization, application, &Reference::Id(id)).await?;
    if let Some(stored) =
        stored.filter(|stored| !stored.disabled && stored.failing_since != order.endpoint.failing_since)
    {
        disable_as_seen(context, &stored, order.app_uid, now).await?;
    }
    Ok(())
}

async fn disable_as_seen(
    context: &Context,
    endpoint: &Endpoint,
    app_uid: Option<&Uid>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let event = operational::about_disabling(endpoint, app_uid, now);
    let told = operational::message(context, endpoint.organization, endpoint.application, &event, now).await?;
    let told =
        told.as_ref().map(|message| NewMessage { message, due: now + context.options.grace, route: Route::Endpoints });
    let disabled = context.options.store.disable_endpoint(endpoint, now, told.as_ref()).await?;
    if disabled {
        warn!(endpoint.id = %endpoint.id, "disabled an endpoint");
    }
    Ok(disabled)
}

/// Since when it has been failing.
pub(super) async fn keep_state(
    context: &Context,
    endpoint: &Endpoint,
    status: AttemptStatus,
    now: Timestamp,
) -> Result<(), StoreError> {
    match (status, endpoint.failing_since) {
        (AttemptStatus::Fail, None) => context.options.store.endpoint_failed(endpoint, now).await,
        (AttemptStatus::Success, Some(_)) => context.options.store.endpoint_recovered(endpoint).await,
        _ => Ok(()),
    }
}
