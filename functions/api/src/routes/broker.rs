//! The broker: URLs that want events by name. A pair of both is an endpoint of one application, a triggered event is a
//! message of it, and its job is the broadcast that follows the message to the end of its deliveries.

mod body;
pub mod dead_letter;
pub mod job;
pub mod subscription;

use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::attempt::Attempt;
use tidings_domain::broadcast::{Broadcast, Counts, Tally};
use tidings_domain::broker::{self, MAIN_ATTEMPTS};
use tidings_domain::ids::{EndpointId, OrganizationId};
use tidings_domain::names::Reference;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::ApiError;
use utoipa::ToSchema;

pub use self::body::{Fault, ParametersErrorOut, Slice, SliceQuery, SubscriptionErrorOut, SubscriptionIn};

/// Reads at once.
const AT_ONCE: usize = 16;

/// The application that the broker's endpoints belong to, if there was ever one.
async fn application(state: &crate::State, organization: OrganizationId) -> Result<Option<Application>, ApiError> {
    Ok(state.store.application(organization, &Reference::Uid(broker::application_uid())).await?)
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BrokerDeliveryState)]
pub enum DeliveryState {
    /// Nothing was tried yet.
    Waiting,
    /// It is being tried, or about to be.
    Active,
    /// It is tried again later.
    Delayed,
    /// Nobody tries any more.
    Failed,
    /// It was taken.
    Completed,
}

/// Where one of a job's deliveries stands, and whether it is a dead letter.
fn state_of(broadcast: &Broadcast, newest: Option<&Attempt>, now: Timestamp) -> (DeliveryState, bool) {
    // What has ended without an attempt had nobody to go to.
    let gone = broadcast.ended.is_some() && newest.is_none();
    let Tally { main, dead_letters } = Tally::of(newest, gone, MAIN_ATTEMPTS, now);
    match only_state(&dead_letters) {
        Some(state) => (state, true),
        None => (only_state(&main).unwrap_or(DeliveryState::Waiting), false),
    }
}

/// The state of the one delivery that was counted, if one was.
fn only_state(counts: &Counts) -> Option<DeliveryState> {
    let Counts { waiting, active, delayed, failed, completed } = *counts;
    let states = [
        (waiting, DeliveryState::Waiting),
        (active, DeliveryState::Active),
        (delayed, DeliveryState::Delayed),
        (failed, DeliveryState::Failed),
        (completed, DeliveryState::Completed),
    ];
    states.into_iter().find(|(count, _)| *count > 0).map(|(_, state)| state)
}

/// A delivery's URL: where it was tried, or would have been. `None` if its endpoint is gone.
async fn url_of(
    state: &crate::State,
    broadcast: &Broadcast,
    endpoint: EndpointId,
    newest: Option<&Attempt>,
) -> Result<Option<WebhookUrl>, ApiError> {
    if let Some(newest) = newest {
        return Ok(Some(newest.url.clone()));
    }
    let Broadcast { organization, application, .. } = *broadcast;
    let found = state.store.endpoint(organization, application, &Reference::Id(endpoint)).await?;
    Ok(found.map(|endpoint| endpoint.url))
}

/// An answer's status code; `None` if there was no answer.
fn answered(attempt: &Attempt) -> Option<u16> {
    Some(attempt.response_status).filter(|status| *status > 0)
}
