//! The organizations of a platform: each has an application at the delivery provider, made on first use, and endpoints there.

pub mod attempt;
mod body;
pub mod initialization;
pub mod preconfigured;
pub mod status;

use axum::extract::State;
use serde_json::Value;
use tidings_domain::caller;
use tidings_domain::names::Uid;
use tidings_http::{ApiError, Caller, Fault, FaultKind, Json, Organization, Path, Reply, created, no_content, ok};
use tidings_outbound::provider::ProviderError;

pub use self::body::{PlatformEndpointIn, PlatformEndpointOut};

/// 404 unless the caller reaches this organization: an admin reaches every one of its tenant, anybody else its own.
fn reach(caller: &caller::Caller, organization: &Uid) -> Result<(), ApiError> {
    if caller.reaches(organization) { Ok(()) } else { Err(ApiError::not_found()) }
}

/// What the provider's failure is to the caller.
fn failed(error: ProviderError) -> ApiError {
    match error {
        ProviderError::Store(error) => error.into(),
        ProviderError::Url(refused) => {
            ApiError::invalid_body(vec![Fault::new(FaultKind::Value, refused.to_string()).within("url")])
        }
        ProviderError::ApplicationTaken | ProviderError::NotFound => ApiError::not_found(),
        // What the caller asked for is not acceptable there. Whatever else is refused is a matter between this service and
        // its provider, the credential mostly.
        ProviderError::Refused { status: 409, detail } => ApiError::conflict(detail),
        ProviderError::Refused { status: 400 | 413 | 422, detail } => {
            ApiError::malformed(format!("The delivery provider does not accept it: {detail}"))
        }
        ProviderError::Refused { .. } => ApiError::internal(error),
        ProviderError::OutOfTime | ProviderError::Unavailable { .. } => ApiError::unavailable(error),
    }
}

/// Where an organization's endpoints are.
fn endpoints_of(organization: &Uid) -> String {
    format!("/api/webhooks/organizations/{organization}/endpoints")
}

/// Add an endpoint to an organization
#[utoipa::path(
    post, path = "/api/webhooks/organizations/{organizationId}/endpoints",
    operation_id = "organization.create-endpoint", tag = "Organizations", security(("HTTPBearer" = [])),
    params(("organizationId" = String, Path, description = "The platform's name for it.")),
    request_body = PlatformEndpointIn,
    responses((status = 201, body = PlatformEndpointOut, description = "Created")),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(organization): Path<Uid>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    reach(&caller, &organization)?;
    let request = PlatformEndpointIn::read(value, &state.egress).map_err(ApiError::invalid_body)?;
    let made = state.provider.create_endpoint(caller.organization, &organization, &request.into()).await;
    let made = made.map_err(failed)?;
    created(format!("{}/{}", endpoints_of(&organization), made.id), &PlatformEndpointOut::from(made))
}

/// List an organization's endpoints
///
/// Oldest first, all of them.
#[utoipa::path(
    get, path = "/api/webhooks/organizations/{organizationId}/endpoints",
    operation_id = "organization.list-endpoints", tag = "Organizations", security(("HTTPBearer" = [])),
    params(("organizationId" = String, Path, description = "The platform's name for it.")),
    responses((status = 200, body = Vec<PlatformEndpointOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(organization): Path<Uid>,
) -> Result<Reply, ApiError> {
    reach(&caller, &organization)?;
    let endpoints = state.provider.endpoints(caller.organization, &organization).await.map_err(failed)?;
    ok(&endpoints.into_iter().map(PlatformEndpointOut::from).collect::<Vec<_>>())
}

/// Delete an endpoint of an organization
#[utoipa::path(
    delete, path = "/api/webhooks/organizations/{organizationId}/endpoints/{endpointId}",
    operation_id = "organization.delete-endpoint", tag = "Organizations", security(("HTTPBearer" = [])),
    params(
        ("organizationId" = String, Path, description = "The platform's name for it."),
        ("endpointId" = String, Path, description = "The endpoint's id.")
    ),
    responses((status = 204, description = "Deleted")),
)]
pub async fn delete(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path((organization, endpoint)): Path<(Uid, String)>,
) -> Result<Reply, ApiError> {
    reach(&caller, &organization)?;
    let deleted = state.provider.delete_endpoint(caller.organization, &organization, &endpoint).await;
    if deleted.map_err(failed)? { Ok(no_content()) } else { Err(ApiError::not_found()) }
}
