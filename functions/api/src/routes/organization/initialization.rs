//! Preparing organizations: what is owed to each is written down here, and done by the processor.

use std::future::Future;

use axum::extract::State;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::ids::OrganizationId;
use tidings_domain::initialization::{Goal, Initialization, InitializationState};
use tidings_domain::names::Uid;
use tidings_domain::page::{Page, PageLimit};
use tidings_http::{Admin, ApiError, Caller, Organization, Path, Reply, created, ok};
use tidings_store::StoreError;
use utoipa::ToSchema;

use super::reach;
use crate::change::{TRIES, contended, later_than};

/// Organizations that are started on at once, where all are.
const STARTED_AT_ONCE: usize = 16;

/// How far the initialization of an organization is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitializationStatusOut {
    /// The platform's name for it.
    #[schema(value_type = String, example = "acme")]
    organization_id: Uid,
    /// Whether it has an application at the delivery provider.
    svix_application_created: bool,
    /// The provider's name for that application.
    svix_application_id: Option<String>,
    /// Whether it has the preconfigured endpoints.
    endpoints_created: bool,
    /// The provider's names for them.
    endpoint_ids: Vec<String>,
    /// Why the last try failed; `null` after a success.
    #[schema(example = "Failed to create endpoints: no answer")]
    last_error: Option<String>,
    /// Tries after a failed one.
    retry_count: u32,
    /// When it was first asked for.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl From<Initialization> for InitializationStatusOut {
    fn from(initialization: Initialization) -> Self {
        let Initialization {
            tenant: _,
            organization,
            state: _,
            goal: _,
            application,
            endpoints,
            last_error,
            retry_count,
            created_at,
            updated_at,
        } = initialization;
        Self {
            organization_id: organization,
            svix_application_created: application.is_some(),
            svix_application_id: application,
            endpoints_created: !endpoints.is_empty(),
            endpoint_ids: endpoints,
            last_error,
            retry_count,
            created_at,
            updated_at,
        }
    }
}

/// How many organizations stand where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitializationStatsOut {
    /// All that were ever asked for.
    total_organizations: u64,
    /// Those for which everything was done.
    initialized_organizations: u64,
    /// Those whose last try failed.
    failed_initializations: u64,
    /// Those that are being worked on.
    pending_initializations: u64,
}

/// What was started on again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetriedInitializationsOut {
    /// The platform's names for the organizations.
    #[schema(value_type = Vec<String>)]
    retried: Vec<Uid>,
}

/// Whose endpoints are being replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpdatingEndpointsOut {
    /// The platform's names for the organizations.
    #[schema(value_type = Vec<String>)]
    updating: Vec<Uid>,
}

/// Initialize an organization
///
/// Its application and its preconfigured endpoints are made in the background; the answer is how far that is. What was done
/// is not done again.
#[utoipa::path(
    post, path = "/api/webhooks/organizations/{organizationId}/initialize", operation_id = "organization.initialize",
    tag = "Organizations", security(("HTTPBearer" = [])),
    params(("organizationId" = String, Path, description = "The platform's name for it.")),
    responses((status = 201, body = InitializationStatusOut, description = "Accepted, and safe")),
)]
pub async fn initialize(
    State(state): State<crate::State>,
    caller: Caller<Admin>,
    Path(organization): Path<Uid>,
) -> Result<Reply, ApiError> {
    reach(&caller, &organization)?;
    let location = format!("/api/webhooks/organizations/{organization}/initialization-status");
    let tenant = caller.organization;
    for _ in 0..TRIES {
        let now = state.clock.now();
        let standing = match state.store.initialization(tenant, &organization).await? {
            None => {
                let new = Initialization::asked_for(tenant, organization.clone(), now);
                state.store.create_initialization(&new, now + state.grace).await?.then_some(new)
            }
            Some(failed) if failed.state == InitializationState::Failed => {
                let goal = failed.goal;
                restart(&state, &failed, goal).await?
            }
            Some(standing) => Some(standing),
        };
        if let Some(standing) = standing {
            return created(location, &InitializationStatusOut::from(standing));
        }
    }
    Err(contended())
}

/// Puts an initialization back on the agenda, at once. `None` if somebody else changed it meanwhile.
async fn restart(
    state: &crate::State,
    before: &Initialization,
    goal: Goal,
) -> Result<Option<Initialization>, StoreError> {
    let now = state.clock.now();
    // Its last error stays until a try succeeds.
    let after = Initialization {
        state: InitializationState::Pending,
        goal,
        updated_at: later_than(before.updated_at, now),
        ..before.clone()
    };
    let restarted = state.store.restart_initialization(before, &after, now + state.grace).await?;
    Ok(restarted.then_some(after))
}

/// Read how far an organization's initialization is
#[utoipa::path(
    get, path = "/api/webhooks/organizations/{organizationId}/initialization-status",
    operation_id = "organization.get-initialization-status", tag = "Organizations", security(("HTTPBearer" = [])),
    params(("organizationId" = String, Path, description = "The platform's name for it.")),
    responses((status = 200, body = InitializationStatusOut)),
)]
pub async fn status(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(organization): Path<Uid>,
) -> Result<Reply, ApiError> {
    reach(&caller, &organization)?;
    let standing = state.store.initialization(caller.organization, &organization).await?;
    ok(&InitializationStatusOut::from(standing.ok_or_else(ApiError::not_found)?))
}

/// Count organizations by how far they are
#[utoipa::path(
    get, path = "/api/webhooks/initialization-stats", operation_id = "organization.get-initialization-stats",
    tag = "Organizations", security(("HTTPBearer" = [])), responses((status = 200, body = InitializationStatsOut)),
)]
pub async fn stats(State(state): State<crate::State>, caller: Caller<Admin>) -> Result<Reply, ApiError> {
    let count = |standing| state.store.count_initializations(caller.organization, standing);
    let (initialized, failed, pending) = futures::try_join!(
        count(InitializationState::Initialized),
        count(InitializationState::Failed),
        count(InitializationState::Pending)
    )?;
    ok(&InitializationStatsOut {
        total_organizations: initialized + failed + pending,
        initialized_organizations: initialized,
        failed_initializations: failed,
        pending_initializations: pending,
    })
}

/// Try every failed initialization again
///
/// At once, and not when its next try is due.
#[utoipa::path(
    post, path = "/api/webhooks/retry-failed-initializations",
    operation_id = "organization.retry-failed-initializations", tag = "Organizations",
    security(("HTTPBearer" = [])), responses((status = 200, body = RetriedInitializationsOut)),
)]
pub async fn retry_failed(State(state): State<crate::State>, caller: Caller<Admin>) -> Result<Reply, ApiError> {
    let retry = async |failed: Initialization| restart(&state, &failed, failed.goal).await;
    let retried = each(&state, caller.organization, InitializationState::Failed, retry).await?;
    ok(&RetriedInitializationsOut { retried })
}

/// Replace the preconfigured endpoints of every organization that has them
///
/// After a change of their configuration. New ones are made first; if that fails an organization keeps what it has.
#[utoipa::path(
    post, path = "/api/webhooks/update-all-endpoints", operation_id = "organization.update-all-endpoints",
    tag = "Organizations", security(("HTTPBearer" = [])), responses((status = 200, body = UpdatingEndpointsOut)),
)]
pub async fn update_all(State(state): State<crate::State>, caller: Caller<Admin>) -> Result<Reply, ApiError> {
    let update = async |standing: Initialization| {
        // Without endpoints there is nothing to replace: the next try makes those that are configured then.
        if standing.endpoints.is_empty() { Ok(None) } else { restart(&state, &standing, Goal::Update).await }
    };
    let mut updating = each(&state, caller.organization, InitializationState::Initialized, update).await?;
    updating.extend(each(&state, caller.organization, InitializationState::Failed, update).await?);
    updating.sort();
    ok(&UpdatingEndpointsOut { updating })
}

/// Starts on each organization that stands there, and answers with those that were started on. One that somebody else
/// changes at the same time is left out. Whoever repeats a request that did not come to its end goes on with the rest.
async fn each<F>(
    state: &crate::State,
    tenant: OrganizationId,
    standing: InitializationState,
    start: impl Fn(Initialization) -> F,
) -> Result<Vec<Uid>, StoreError>
where
    F: Future<Output = Result<Option<Initialization>, StoreError>>,
{
    let mut started = Vec::new();
    let mut after: Option<Uid> = None;
    loop {
        let page = state.store.initializations(tenant, standing, after.as_ref(), PageLimit::default()).await?;
        let Page { data, done } = page;
        after = data.last().map(|last| last.organization.clone());
        let these: Vec<_> = stream::iter(data).map(&start).buffered(STARTED_AT_ONCE).try_collect().await?;
        started.extend(these.into_iter().flatten().map(|initialization| initialization.organization));
        if done || after.is_none() {
            return Ok(started);
        }
    }
}
