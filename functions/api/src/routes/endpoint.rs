//! Endpoints: where an application's messages are sent.

mod body;
mod change;
pub mod headers;
mod new;
mod retry_schedule;
pub mod secret;

use axum::extract::State;
use serde_json::Value;
use tidings_domain::application::Application;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApplicationId, EndpointId};
use tidings_domain::names::Reference;
use tidings_domain::patch::Patch;
use tidings_egress::Refused;
use tidings_http::{
    AnyScope, ApiError, Caller, EndpointOut, Fault, FaultKind, Idempotency, Json, ListResponse, OrderedListQuery, Path,
    Query, Reply, created, no_content, ok, uid_of_path,
};
use tidings_store::Created;

pub use self::body::{EndpointIn, EndpointPatch, EndpointUpdate};
use self::change::{change, uid_taken};
use crate::change::{TRIES, contended};
use crate::reach;
use crate::repetition::kept;

/// A new endpoint of an application, made now and not written yet.
fn build(state: &crate::State, application: &Application, request: EndpointIn) -> Result<Endpoint, ApiError> {
    let refused = |refused: Refused| {
        ApiError::invalid_body(vec![Fault::new(FaultKind::Value, refused.to_string()).within("url")])
    };
    state.endpoints().build(application, request.into()).map_err(refused)
}

fn location(endpoint: &Endpoint) -> String {
    format!("/api/v1/app/{}/endpoint/{}", endpoint.application, endpoint.id)
}

/// List endpoints
///
/// Oldest first, unless `order` says otherwise.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/endpoint", operation_id = "v1.endpoint.list", tag = "Endpoints",
    security(("HTTPBearer" = [])),
    params(("app_id" = String, Path, description = "The application's id or uid."), OrderedListQuery<EndpointId>),
    responses((status = 200, body = ListResponse<EndpointOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path(application): Path<Reference<ApplicationId>>,
    Query(OrderedListQuery { list, order }): Query<OrderedListQuery<EndpointId>>,
) -> Result<Reply, ApiError> {
    let Application { organization, id, .. } = reach::application(&state, &caller, &application).await?;
    let page = state.store.endpoints(organization, id, list.iterator, order, list.limit).await?;
    ok(&ListResponse::new(page, |endpoint| endpoint.id.to_string(), EndpointOut::from))
}

/// Create an endpoint
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/endpoint", operation_id = "v1.endpoint.create", tag = "Endpoints",
    security(("HTTPBearer" = [])), request_body = EndpointIn,
    params(("app_id" = String, Path, description = "The application's id or uid."), Idempotency),
    responses((status = 201, body = EndpointOut, description = "Created")),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path(reference): Path<Reference<ApplicationId>>,
    Idempotency(key): Idempotency,
    Json { value, raw }: Json<Value>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &reference).await?;
    let request = EndpointIn::read(value, &state.egress).map_err(ApiError::invalid_body)?;
    let endpoint = build(&state, &application, request)?;
    let reply = created(location(&endpoint), &EndpointOut::from(endpoint.clone()))?;
    let kept = kept(key, &format!("/api/v1/app/{reference}/endpoint"), &raw, &reply);
    match state.endpoints().write(&application, &endpoint, kept.as_ref()).await? {
        Created::Written => Ok(reply),
        Created::UidTaken => Err(uid_taken()),
        Created::Repeated(repetition) => Reply::repeated(repetition),
    }
}

/// Read an endpoint
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}", operation_id = "v1.endpoint.get", tag = "Endpoints",
    security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    responses((status = 200, body = EndpointOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    ok(&EndpointOut::from(reach::endpoint(&state, &application, &endpoint).await?))
}

/// Put an endpoint
///
/// A uid that no endpoint of the application has makes a new one. What is left out gets its default, but for `uid`,
/// `retrySchedule` and `timeoutSeconds`, which stay. Secret and headers are never touched.
#[utoipa::path(
    put, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}", operation_id = "v1.endpoint.update", tag = "Endpoints",
    security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    request_body = EndpointUpdate,
    responses(
        (status = 200, body = EndpointOut, description = "Replaced"),
        (status = 201, body = EndpointOut, description = "Created"),
        (status = 409, description = "Another endpoint of the application has this uid")
    ),
)]
pub async fn update(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, reference)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let request = EndpointUpdate::read(value, &state.egress).map_err(ApiError::invalid_body)?;
    for _ in 0..TRIES {
        let mut settings = request.clone();
        if let Some(before) = state.store.endpoint(application.organization, application.id, &reference).await? {
            let after = change(&state, &application, before, |endpoint| settings.replace(endpoint)).await?;
            if let Some(after) = after {
                return ok(&EndpointOut::from(after));
            }
            continue;
        }
        // An id names what is there or nothing; a uid is the new one's own.
        let Reference::Uid(uid) = &reference else { return Err(ApiError::not_found()) };
        let uid = uid_of_path(&settings.uid, uid).map_err(|fault| ApiError::invalid_body(vec![fault]))?;
        settings.uid = Patch::Value(uid);
        let request = EndpointIn { settings, secret: None, headers: None };
        let endpoint = build(&state, &application, request)?;
        match state.endpoints().write(&application, &endpoint, None).await? {
            Created::Written => return created(location(&endpoint), &EndpointOut::from(endpoint)),
            // Somebody else was first: then there is something to replace.
            Created::UidTaken => {}
            Created::Repeated(repetition) => return Reply::repeated(repetition),
        }
    }
    Err(contended())
}

/// Change an endpoint
///
/// Secret and headers have operations of their own.
#[utoipa::path(
    patch, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}", operation_id = "patch_endpoint", tag = "Endpoints",
    security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    request_body = EndpointPatch,
    responses(
        (status = 200, body = EndpointOut),
        (status = 409, description = "Another endpoint of the application has this uid")
    ),
)]
pub async fn patch(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, reference)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let request = EndpointPatch::read(value, &state.egress).map_err(ApiError::invalid_body)?;
    for _ in 0..TRIES {
        let before = reach::endpoint(&state, &application, &reference).await?;
        let after = change(&state, &application, before, |endpoint| request.clone().apply(endpoint)).await?;
        if let Some(after) = after {
            return ok(&EndpointOut::from(after));
        }
    }
    Err(contended())
}

/// Delete an endpoint
///
/// What it was sent can be read as before.
#[utoipa::path(
    delete, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}", operation_id = "v1.endpoint.delete",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    responses((status = 204, description = "Deleted")),
)]
pub async fn delete(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    if state.endpoints().delete(&application, &endpoint).await? { Ok(no_content()) } else { Err(ApiError::not_found()) }
}
