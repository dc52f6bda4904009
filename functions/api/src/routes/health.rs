//! Whether requests are taken.

use tidings_http::{Reply, no_content};

/// Tell that requests are taken
///
/// It asks nothing of the table: a function that runs can answer, and the table's own state is the alarms' matter.
#[utoipa::path(
    get, path = "/api/v1/health", operation_id = "v1.health.get", tag = "Health",
    responses((status = 204, description = "Requests are taken")),
)]
pub async fn get() -> Reply {
    no_content()
}

/// Tell that requests are taken, by another path
#[utoipa::path(
    get, path = "/api/v1/health/ping", operation_id = "v1.health.ping", tag = "Health",
    responses((status = 204, description = "Requests are taken")),
)]
pub async fn ping() -> Reply {
    no_content()
}
