//! Sources: who sends webhooks in.

mod body;
mod change;
mod key;
pub mod secret;
mod verification;

use axum::extract::State;
use serde_json::Value;
use tidings_domain::ids::SourceId;
use tidings_domain::names::Reference;
use tidings_domain::source::Source;
use tidings_http::{
    ApiError, Caller, Idempotency, Json, ListResponse, OrderedListQuery, Organization, Path, Query, Reply, created,
    no_content, ok, uid_of_path,
};
use tidings_store::Created;

pub use self::body::{RetentionIn, RetentionOut, SourceIn, SourceOut, SourcePatch};
use self::change::{RETENTION_DELAY, apply, build, change, read, uid_taken};
pub use self::key::SourceKeyIn;
pub use self::verification::{SignatureIn, SignatureOut, VerificationIn};
use crate::change::{TRIES, contended};
use crate::reach;
use crate::repetition::kept;

fn location(source: &Source) -> String {
    format!("/api/v1/source/{}", source.id)
}

/// List sources
///
/// Oldest first, unless `order` says otherwise.
#[utoipa::path(
    get, path = "/api/v1/source", operation_id = "v1.source.list", tag = "Sources",
    security(("HTTPBearer" = [])), params(OrderedListQuery<SourceId>),
    responses((status = 200, body = ListResponse<SourceOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(OrderedListQuery { list, order }): Query<OrderedListQuery<SourceId>>,
) -> Result<Reply, ApiError> {
    let page = state.store.sources(caller.organization, list.iterator, order, list.limit).await?;
    ok(&ListResponse::new(page, |source| source.id.to_string(), SourceOut::from))
}

/// Create a source
///
/// The answer says at which path its webhooks are taken. Secrets are never shown again.
#[utoipa::path(
    post, path = "/api/v1/source", operation_id = "v1.source.create", tag = "Sources",
    security(("HTTPBearer" = [])), request_body = SourceIn, params(Idempotency),
    responses(
        (status = 201, body = SourceOut, description = "Created"),
        (status = 409, description = "Another source has this uid")
    ),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Idempotency(key): Idempotency,
    Json { value, raw }: Json<Value>,
) -> Result<Reply, ApiError> {
    let (object, forward_to) = read(&state, &caller, value).await?;
    let wanted = SourceIn::read(object, forward_to, None).map_err(ApiError::invalid_body)?;
    let source = build(&state, &caller, wanted);
    let reply = created(location(&source), &SourceOut::from(source.clone()))?;
    let kept = kept(key, "/api/v1/source", &raw, &reply);
    match state.store.create_source(&source, kept.as_ref()).await? {
        Created::Written => Ok(reply),
        Created::UidTaken => Err(uid_taken()),
        Created::Repeated(repetition) => Reply::repeated(repetition),
    }
}

/// Read a source
#[utoipa::path(
    get, path = "/api/v1/source/{source}", operation_id = "v1.source.get", tag = "Sources",
    security(("HTTPBearer" = [])), params(("source" = String, Path, description = "The source's id or uid.")),
    responses((status = 200, body = SourceOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<SourceId>>,
) -> Result<Reply, ApiError> {
    ok(&SourceOut::from(reach::source(&state, &caller, &reference).await?))
}

/// Put a source
///
/// A uid that no source has makes a new one. What is left out gets its default, but for `uid`, which stays, and for the
/// secret, which stays as long as the kind does. A secret that is given takes the place of all before it at once; to
/// have the old one accepted for a while, rotate it.
#[utoipa::path(
    put, path = "/api/v1/source/{source}", operation_id = "v1.source.update", tag = "Sources",
    security(("HTTPBearer" = [])), params(("source" = String, Path, description = "The source's id or uid.")),
    request_body = SourceIn,
    responses(
        (status = 200, body = SourceOut, description = "Replaced"),
        (status = 201, body = SourceOut, description = "Created"),
        (status = 409, description = "Another source has this uid")
    ),
)]
pub async fn update(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<SourceId>>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let before = state.store.source(caller.organization, &reference).await?;
        if before.is_none() && matches!(reference, Reference::Id(_)) {
            // An id names what is there or nothing; a uid is the new one's own.
            return Err(ApiError::not_found());
        }
        let (object, forward_to) = read(&state, &caller, value.clone()).await?;
        let wanted = SourceIn::read(object, forward_to, before.as_ref()).map_err(ApiError::invalid_body)?;
        let Some(before) = before else {
            let Reference::Uid(uid) = &reference else { return Err(ApiError::not_found()) };
            let uid = uid_of_path(&wanted.uid, uid).map_err(|fault| ApiError::invalid_body(vec![fault]))?;
            let source = build(&state, &caller, wanted.named(uid));
            match state.store.create_source(&source, None).await? {
                Created::Written => return created(location(&source), &SourceOut::from(source)),
                Created::Repeated(repetition) => return Reply::repeated(repetition),
                // Somebody else was first: then there is something to replace.
                Created::UidTaken => continue,
            }
        };
        let after = apply(&state, &before, wanted)?;
        if let Some(after) = change(&state, before, after).await? {
            return ok(&SourceOut::from(after));
        }
    }
    Err(contended())
}

/// Change a source
///
/// What is left out stays. Another kind needs a secret of its own. A secret that is given takes the place of all before
/// it at once; to have the old one accepted for a while, rotate it.
#[utoipa::path(
    patch, path = "/api/v1/source/{source}", operation_id = "v1.source.patch", tag = "Sources",
    security(("HTTPBearer" = [])), params(("source" = String, Path, description = "The source's id or uid.")),
    request_body = SourcePatch,
    responses((status = 200, body = SourceOut), (status = 409, description = "Another source has this uid")),
)]
pub async fn patch(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<SourceId>>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let before = reach::source(&state, &caller, &reference).await?;
        let (object, forward_to) = read(&state, &caller, value.clone()).await?;
        let wanted = SourcePatch::read(object, forward_to, &before).map_err(ApiError::invalid_body)?;
        let after = apply(&state, &before, wanted)?;
        if let Some(after) = change(&state, before, after).await? {
            return ok(&SourceOut::from(after));
        }
    }
    Err(contended())
}

/// Delete a source
///
/// Its webhooks are refused from then on, and its records are removed. Messages that were made of them stay.
#[utoipa::path(
    delete, path = "/api/v1/source/{source}", operation_id = "v1.source.delete", tag = "Sources",
    security(("HTTPBearer" = [])), params(("source" = String, Path, description = "The source's id or uid.")),
    responses((status = 204, description = "Deleted")),
)]
pub async fn delete(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<SourceId>>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &reference).await?;
    let due = state.clock.now() + RETENTION_DELAY;
    if state.store.delete_source(&source, due).await? { Ok(no_content()) } else { Err(ApiError::not_found()) }
}
