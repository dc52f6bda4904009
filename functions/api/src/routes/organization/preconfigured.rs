//! The endpoints that every organization gets.

use axum::extract::State;
use serde::Serialize;
use tidings_domain::ids::OrganizationId;
use tidings_domain::initialization::Initialization;
use tidings_domain::names::{EventTypeName, Uid};
use tidings_http::{Admin, ApiError, Caller, Organization, Path, Reply, created, ok};
use tidings_outbound::preconfigured::preconfigured_endpoints;
use tidings_outbound::provider::{NewPlatformEndpoint, PlatformEndpoint};
use utoipa::ToSchema;

use super::{PlatformEndpointOut, endpoints_of, failed, reach};
use crate::change::{TRIES, contended, later_than};

/// A preconfigured endpoint, for any organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreconfiguredEndpointOut {
    /// Where requests go, with `{organizationId}` in the place of the organization's id.
    #[schema(example = "https://webhook.daytona.io/{organizationId}/sandbox-events")]
    url: String,
    /// For people.
    #[schema(example = "Dedicated endpoint for sandbox lifecycle events")]
    description: String,
    /// Types that it wants.
    #[schema(value_type = Vec<String>)]
    event_types: Vec<EventTypeName>,
}

/// List the preconfigured endpoints
///
/// They are configuration.
#[utoipa::path(
    get, path = "/api/webhooks/preconfigured-endpoints", operation_id = "organization.list-preconfigured-endpoints",
    tag = "Organizations", security(("HTTPBearer" = [])),
    responses((status = 200, body = Vec<PreconfiguredEndpointOut>)),
)]
pub async fn list(State(state): State<crate::State>, _: Caller<Organization>) -> Result<Reply, ApiError> {
    let show = |endpoint| {
        let url = state.preconfigured.url_template(endpoint);
        let (description, event_types) = (endpoint.description.clone(), endpoint.event_types.clone());
        PreconfiguredEndpointOut { url, description, event_types }
    };
    ok(&state.preconfigured.endpoints().iter().map(show).collect::<Vec<_>>())
}

/// Give an organization the preconfigured endpoints
///
/// Those that it has stay as they are; the answer is all of them.
#[utoipa::path(
    post, path = "/api/webhooks/organizations/{organizationId}/preconfigured-endpoints",
    operation_id = "organization.create-preconfigured-endpoints", tag = "Organizations",
    security(("HTTPBearer" = [])),
    params(("organizationId" = String, Path, description = "The platform's name for it.")),
    responses((status = 201, body = Vec<PlatformEndpointOut>, description = "They are there")),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Admin>,
    Path(organization): Path<Uid>,
) -> Result<Reply, ApiError> {
    reach(&caller, &organization)?;
    let tenant = caller.organization;
    // Two requests at once, and an initialization, make the same ones: they have names.
    let wanted = preconfigured_endpoints(&state.preconfigured, &organization, &[]);
    let there = state.provider.endpoints(tenant, &organization).await.map_err(failed)?;
    let is_at = |endpoint: &PlatformEndpoint, new: &NewPlatformEndpoint| endpoint.url == new.url.as_url().as_str();
    let is_missing = |new: &&NewPlatformEndpoint| !there.iter().any(|endpoint| is_at(endpoint, new));
    let missing: Vec<_> = wanted.iter().filter(is_missing).cloned().collect();
    let made = state.provider.create_endpoints(tenant, &organization, &missing).await.map_err(failed)?;
    let all: Vec<_> = there.into_iter().chain(made).collect();
    let of = |new: &NewPlatformEndpoint| all.iter().find(|endpoint| is_at(endpoint, new)).cloned();
    let endpoints: Vec<_> = wanted.iter().filter_map(of).collect();
    let ids = endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
    note(&state, tenant, &organization, ids).await?;
    created(endpoints_of(&organization), &endpoints.into_iter().map(PlatformEndpointOut::from).collect::<Vec<_>>())
}

/// Writes down which ones an organization that is initialized has: an update replaces what is written down.
async fn note(
    state: &crate::State,
    tenant: OrganizationId,
    organization: &Uid,
    endpoints: Vec<String>,
) -> Result<(), ApiError> {
    for _ in 0..TRIES {
        let standing = state.store.initialization(tenant, organization).await?;
        let other = standing.filter(|before| !before.endpoints.is_empty() && before.endpoints != endpoints);
        let Some(before) = other else { return Ok(()) };
        let now = state.clock.now();
        let updated_at = later_than(before.updated_at, now);
        let after = Initialization { endpoints: endpoints.clone(), updated_at, ..before.clone() };
        // The entry that comes with it finds nothing to do, or what there was to do before.
        if state.store.restart_initialization(&before, &after, now + state.grace).await? {
            return Ok(());
        }
    }
    Err(contended())
}
