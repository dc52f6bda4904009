//! What requests to an endpoint are signed with.

use axum::extract::State;
use http::HeaderMap;
use http::header::USER_AGENT;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApplicationId, EndpointId};
use tidings_domain::names::Reference;
use tidings_domain::signature::{EndpointKeys, Grace, SigningKey, TooManyOldKeys};
use tidings_http::{
    AnyScope, ApiError, Caller, Fault, FaultKind, FromJson, Idempotency, Json, Object, Path, Reply, no_content, ok,
    text,
};
use tidings_outbound::endpoint::generate_key;
use utoipa::ToSchema;

use super::change::change;
use crate::change::{TRIES, contended};
use crate::reach;

/// Says what helps. How many are too many is [`tidings_domain::signature::MAX_OLD_KEYS`].
pub(crate) const TOO_MANY: &str = "Ten old secrets are still good: wait until one is not, or rotate with a grace of 0.";

/// A key as it is given.
#[derive(Debug)]
pub(super) struct KeyIn(pub(super) SigningKey);

/// A new secret.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EndpointSecretRotateIn {
    /// The new one; one is made if none is given.
    #[schema(value_type = Option<String>, example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    key: Option<SigningKey>,
    /// For how long the old one signs, too.
    #[schema(value_type = Option<u32>, default = 86400, minimum = 0, maximum = 604_800)]
    grace_period_seconds: Grace,
}

/// A secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointSecretOut {
    /// What receivers verify with; of an asymmetric key its public half.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    key: String,
}

impl FromJson for KeyIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |text| SigningKey::try_from(&*text).map(Self))
    }
}

/// For how long what is replaced stays good.
pub(crate) struct GraceIn(pub(crate) Grace);

impl FromJson for GraceIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let grace = Grace::from_secs(u64::from_json(value)?);
        grace.map(Self).map_err(|error| vec![Fault::new(FaultKind::Value, error.to_string())])
    }
}

impl FromJson for EndpointSecretRotateIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let key = object.nullable("key").map(|KeyIn(key)| key);
        let grace = object.nullable("gracePeriodSeconds").map(|GraceIn(grace)| grace);
        object.finish(|| Some(Self { key, grace_period_seconds: grace.unwrap_or_default() }))
    }
}

fn open(state: &crate::State, endpoint: &Endpoint) -> Result<EndpointKeys, ApiError> {
    state.endpoints().open_keys(endpoint).map_err(ApiError::internal)
}

/// Read an endpoint's secret
///
/// A receiver verifies requests with it, by any Standard Webhooks library.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret", operation_id = "v1.endpoint.get-secret",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    responses((status = 200, body = EndpointSecretOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    ok(&EndpointSecretOut { key: open(&state, &endpoint)?.current().reveal() })
}

/// Rotate an endpoint's secret
///
/// The old one signs, too, until its grace is over. An idempotency key is accepted and has no effect: what a repetition
/// replaces goes on signing.
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret/rotate", operation_id = "v1.endpoint.rotate-secret",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        Idempotency
    ),
    request_body = EndpointSecretRotateIn,
    responses(
        (status = 200, body = EndpointSecretOut, description = "Rotated: to client libraries that read the new secret"),
        (status = 204, description = "Rotated"),
        (status = 400, description = "Ten old secrets are still good")
    ),
)]
pub async fn rotate(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    _key: Idempotency,
    headers: HeaderMap,
    Json { value: EndpointSecretRotateIn { key, grace_period_seconds: grace }, .. }: Json<EndpointSecretRotateIn>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let key = key.unwrap_or_else(generate_key);
    for _ in 0..TRIES {
        let before = reach::endpoint(&state, &application, &endpoint).await?;
        let keys = open(&state, &before)?;
        let keys = keys
            .rotate(key.clone(), grace, state.clock.now())
            .map_err(|TooManyOldKeys| ApiError::limit_reached(TOO_MANY))?;
        let sealed = state.endpoints().seal_keys(&before, &keys);
        if change(&state, &application, before, |endpoint| endpoint.keys = sealed).await?.is_some() {
            let shown = EndpointSecretOut { key: keys.current().reveal() };
            return if reads_the_new_secret(&headers) { ok(&shown) } else { Ok(no_content()) };
        }
    }
    Err(contended())
}

/// The client libraries of the `svix` family fail on a 204 here from their second version on, and say who they are:
/// `svix-libs/2.9.1/python`.
fn reads_the_new_secret(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let major = agent.strip_prefix("svix-libs/").and_then(|rest| rest.split('.').next());
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 2)
}
