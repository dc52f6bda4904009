//! Trying a job's failed deliveries again.

use futures::stream::{StreamExt as _, TryStreamExt as _};
use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::attempt::Attempt;
use tidings_domain::broadcast::{Broadcast, FOLLOWED_AFTER};
use tidings_domain::delivery::{Delivery, DeliveryStatus, Origin};
use tidings_domain::ids::{EndpointId, MessageId};
use tidings_domain::names::Reference;
use tidings_http::{ApiError, Caller, Organization};
use tidings_store::StoreError;
use tidings_store::agenda::Starts;

use super::super::AT_ONCE;
use crate::State;
use crate::change::{TRIES, contended};

/// A delivery that failed.
struct Failed {
    endpoint: EndpointId,
    /// Its last attempt, if there was ever one.
    newest: Option<Attempt>,
}

/// Puts the failed deliveries on the agenda, and the job among the open ones. How many they are.
pub(super) async fn run(state: &State, caller: &Caller<Organization>, id: MessageId) -> Result<usize, ApiError> {
    for _ in 0..TRIES {
        let job = super::job(state, caller, id).await?;
        let now = state.clock.now();
        must_have_payload(state, &job, now).await?;
        let failed = failed(state, &job).await?;
        if failed.is_empty() {
            return Ok(0);
        }
        let entries: Vec<_> = failed.iter().map(|failed| entry(state, &job, failed, now)).collect();
        if job.ended.is_none() {
            state.store.put_entries(&entries, Starts::AtOnce).await?;
        } else if !state.store.reopen_broadcast(&job, &entries, now + FOLLOWED_AFTER).await? {
            // Somebody else was first, and some may be under way by now.
            continue;
        }
        announce(state, &failed, now).await?;
        return Ok(failed.len());
    }
    Err(contended())
}

async fn must_have_payload(state: &State, job: &Broadcast, now: Timestamp) -> Result<(), ApiError> {
    let Broadcast { organization, application, message, .. } = *job;
    let message = state.store.message(organization, application, message, now).await?;
    let message = message.ok_or_else(ApiError::not_found)?;
    let gone = || ApiError::conflict("The payload of this job is not kept any more.");
    message.payload_at(now).map(|_| ()).ok_or_else(gone)
}

/// The deliveries that failed and can be tried.
async fn failed(state: &State, job: &Broadcast) -> Result<Vec<Failed>, ApiError> {
    let Broadcast { organization, application, message, .. } = *job;
    let mut newest = state.store.newest_attempts_of_message(organization, application, message).await?;
    let failed = job.receivers.iter().filter_map(|endpoint| {
        let newest = newest.remove(endpoint);
        let has_failed = match DeliveryStatus::of(newest.as_ref()) {
            DeliveryStatus::Fail => true,
            // Nothing was tried there, and nobody will.
            DeliveryStatus::Sending => job.ended.is_some(),
            DeliveryStatus::Success | DeliveryStatus::Pending => false,
        };
        has_failed.then_some(Failed { endpoint: *endpoint, newest })
    });
    let looks: Vec<_> = failed.map(|failed| if_enabled(state, job, failed)).collect();
    let found: Vec<_> = futures::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn if_enabled(state: &State, job: &Broadcast, failed: Failed) -> Result<Option<Failed>, ApiError> {
    let reference = Reference::Id(failed.endpoint);
    let found = state.store.endpoint(job.organization, job.application, &reference).await?;
    Ok(found.filter(|endpoint| !endpoint.disabled).map(|_| failed))
}

/// A new series of attempts, after the last one.
fn entry(state: &State, job: &Broadcast, failed: &Failed, now: Timestamp) -> Entry {
    let Broadcast { organization, application, message, .. } = *job;
    let delivery = Delivery { organization, application, endpoint: failed.endpoint, message };
    let origin = failed.newest.as_ref().map_or(Origin::Schedule, |newest| Origin::Again(newest.id));
    delivery.entry(now + state.grace, 0, origin)
}

/// Has the last attempts say that another one follows: where a delivery stands is read there, and the job must not be found
/// to have ended before the first of them is made.
async fn announce(state: &State, failed: &[Failed], now: Timestamp) -> Result<(), StoreError> {
    let announced = failed.iter().filter_map(|failed| failed.newest.clone());
    let writes: Vec<_> = announced
        .map(|newest| async move { state.store.put_attempt(&Attempt { next_attempt: Some(now), ..newest }).await })
        .collect();
    futures::stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
}
