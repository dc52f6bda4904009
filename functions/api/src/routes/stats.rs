//! Statistics: how many messages, and how many attempts, ended how.

use std::time::Duration;

use axum::extract::State;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::ids::{ApplicationId, EndpointId};
use tidings_domain::names::Reference;
use tidings_domain::page::{Order, PageLimit, Position};
use tidings_http::{AnyScope, ApiError, Caller, FromQuery, Path, Query, QueryString, Reply, ok};
use tidings_store::attempt::{AttemptCounts, DeliveryCounts};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use crate::filters::{date_time, parameter};
use crate::reach;

/// How far back it is counted when nobody says.
const DEFAULT_RANGE: Duration = Duration::from_hours(24 * 28);

/// How many endpoints are counted at once.
const CONCURRENCY: usize = 8;

/// Messages by where they stand.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct EndpointStats {
    /// Taken.
    #[schema(format = Int64)]
    success: u64,
    /// Not taken, and another attempt is due.
    #[schema(format = Int64)]
    pending: u64,
    /// Always 0: a message without an attempt is not counted.
    #[schema(format = Int64)]
    sending: u64,
    /// Not taken, and no other attempt follows.
    #[schema(format = Int64)]
    fail: u64,
    /// Always 0: what is accepted is not cancelled.
    #[schema(format = Int64)]
    canceled: u64,
}

/// Attempts by how they ended.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct AttemptStats {
    /// With 2xx.
    #[schema(format = Int64)]
    success: u64,
    /// Otherwise.
    #[schema(format = Int64)]
    fail: u64,
}

impl From<DeliveryCounts> for EndpointStats {
    fn from(counts: DeliveryCounts) -> Self {
        let DeliveryCounts { success, pending, fail } = counts;
        Self { success, pending, sending: 0, fail, canceled: 0 }
    }
}

impl From<AttemptCounts> for AttemptStats {
    fn from(counts: AttemptCounts) -> Self {
        let AttemptCounts { success, fail } = counts;
        Self { success, fail }
    }
}

/// From when to when it is counted.
#[derive(Debug, Clone, Copy)]
pub struct StatsQuery {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl FromQuery for StatsQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let (since, until) = (query.time("since"), query.time("until"));
        if since.zip(until).is_some_and(|(since, until)| until <= since) {
            query.refuse("until", "must be after `since`");
        }
        Some(Self { since, until })
    }
}

impl IntoParams for StatsQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            parameter("since", "Attempts made from then on; for 28 days, if not given.", date_time()),
            parameter("until", "Attempts made before; until now, if not given.", date_time()),
        ]
    }
}

impl StatsQuery {
    /// The first moment that counts, and the first after it that does not.
    fn range(self, now: Timestamp) -> (Timestamp, Timestamp) {
        // What was made just now counts, too: ids tell times apart by four milliseconds.
        let until = self.until.unwrap_or(now + Duration::from_secs(1));
        (self.since.unwrap_or(until - DEFAULT_RANGE), until)
    }
}

/// Count an endpoint's messages
///
/// By where each stood after its newest attempt in that time.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats", operation_id = "v1.endpoint.get-stats",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        StatsQuery,
    ),
    responses((status = 200, body = EndpointStats)),
)]
pub async fn of_endpoint(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Query(query): Query<StatsQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    let (since, until) = query.range(state.clock.now());
    let counted = state.store.count_deliveries(caller.organization, application.id, endpoint.id, since, until).await?;
    ok(&EndpointStats::from(counted))
}

/// Count an endpoint's attempts
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/attempt-stats", operation_id = "endpoint.get-attempt-stats",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        StatsQuery,
    ),
    responses((status = 200, body = AttemptStats)),
)]
pub async fn attempts_of_endpoint(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Query(query): Query<StatsQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    let (since, until) = query.range(state.clock.now());
    let counted = state.store.count_attempts(caller.organization, application.id, endpoint.id, since, until).await?;
    ok(&AttemptStats::from(counted))
}

/// Count an application's messages
///
/// The sum over its endpoints: a message that went to two of them counts twice.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/stats", operation_id = "application.get-stats", tag = "Applications",
    security(("HTTPBearer" = [])),
    params(("app_id" = String, Path, description = "The application's id or uid."), StatsQuery),
    responses((status = 200, body = EndpointStats)),
)]
pub async fn of_application(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path(application): Path<Reference<ApplicationId>>,
    Query(query): Query<StatsQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let (since, until) = query.range(state.clock.now());
    let endpoints = endpoints(&state, &application).await?;
    let count = |endpoint| state.store.count_deliveries(caller.organization, application.id, endpoint, since, until);
    let counts = stream::iter(endpoints).map(count).buffer_unordered(CONCURRENCY);
    let sum = async |sum: DeliveryCounts, one: DeliveryCounts| {
        Ok(DeliveryCounts {
            success: sum.success + one.success,
            pending: sum.pending + one.pending,
            fail: sum.fail + one.fail,
        })
    };
    let none = DeliveryCounts { success: 0, pending: 0, fail: 0 };
    ok(&EndpointStats::from(counts.try_fold(none, sum).await?))
}

/// All endpoints of an application.
async fn endpoints(state: &crate::State, application: &Application) -> Result<Vec<EndpointId>, ApiError> {
    let (mut ids, mut position) = (Vec::new(), None);
    let limit = PageLimit::try_from(250).unwrap_or_default();
    loop {
        let (organization, id) = (application.organization, application.id);
        let page = state.store.endpoints(organization, id, position, Order::Ascending, limit).await?;
        ids.extend(page.data.iter().map(|endpoint| endpoint.id));
        position = page.data.last().map(|last| Position::After(last.id));
        if page.done || position.is_none() {
            return Ok(ids);
        }
    }
}
