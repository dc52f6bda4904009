//! What a source's requests are verified with.

use axum::extract::State;
use serde_json::Value;
use tidings_domain::ids::SourceId;
use tidings_domain::names::Reference;
use tidings_domain::signature::{Grace, TooManyOldKeys};
use tidings_domain::source::SourceKind;
use tidings_http::{
    ApiError, Caller, Fault, FromJson, Idempotency, Json, Object, Organization, Path, Reply, no_content,
};
use utoipa::ToSchema;

use super::change::{change, open, seal};
use super::key::SourceKeyIn;
use crate::change::{TRIES, contended};
use crate::reach;
use crate::routes::endpoint::secret::{GraceIn, TOO_MANY};

/// A new secret, as the sender shows it; of kind `docebo` a new password, and the user if it changes, too.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SourceSecretRotateIn {
    #[schema(inline)]
    #[serde(flatten)]
    key: SourceKeyIn,
    /// For how long the old one is accepted, too.
    #[schema(value_type = Option<u32>, default = 86400, minimum = 0, maximum = 604_800)]
    grace_period_seconds: Grace,
}

impl SourceSecretRotateIn {
    fn read(body: Value, kind: SourceKind) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(body)?;
        let key = SourceKeyIn::take_new(&mut object, kind);
        let grace = object.nullable("gracePeriodSeconds").map(|GraceIn(grace)| grace);
        object.finish(|| Some(Self { key, grace_period_seconds: grace.unwrap_or_default() }))
    }
}

/// Rotate a source's secret
///
/// The sender makes the new one. The old one is accepted, too, until its grace is over: there is time to change it at the
/// sender. An idempotency key is accepted and has no effect: a repetition changes nothing.
#[utoipa::path(
    post, path = "/api/v1/source/{source}/secret/rotate", operation_id = "v1.source.rotate-secret", tag = "Sources",
    security(("HTTPBearer" = [])),
    params(("source" = String, Path, description = "The source's id or uid."), Idempotency),
    request_body = SourceSecretRotateIn,
    responses(
        (status = 204, description = "Rotated"),
        (status = 400, description = "Ten old secrets are still good"),
        (status = 409, description = "The source has no secret")
    ),
)]
pub async fn rotate(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<SourceId>>,
    _key: Idempotency,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let before = reach::source(&state, &caller, &reference).await?;
        let Some(keys) = open(&state, &before)? else {
            return Err(ApiError::conflict("This source verifies nothing: it has no secret."));
        };
        let request = SourceSecretRotateIn::read(value.clone(), before.scheme.kind());
        let SourceSecretRotateIn { key, grace_period_seconds: grace } = request.map_err(ApiError::invalid_body)?;
        let mut after = before.clone();
        if let Some(key) = key.over(Some(keys.current())) {
            let keys = keys.rotate(key, grace, state.clock.now());
            let keys = keys.map_err(|TooManyOldKeys| ApiError::limit_reached(TOO_MANY))?;
            after.keys = Some(seal(&state, &after, &keys));
        }
        if change(&state, before, after).await?.is_some() {
            return Ok(no_content());
        }
    }
    Err(contended())
}
