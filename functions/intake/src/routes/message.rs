//! New messages.

mod body;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::idempotency::Fingerprint;
use tidings_domain::ids::{ApplicationId, MessageId, OrganizationId};
use tidings_domain::message::{MAX_PAYLOAD_BYTES, Message, Route};
use tidings_domain::names::Reference;
use tidings_http::{
    ApiError, ApplicationIn, Caller, Content, Fault, Idempotency, JsonAround, MessageOut, Organization, Path, Query,
    Reply, accepted,
};
use tidings_runtime::random;
use tidings_store::Created;
use tidings_store::message::{MessageAccepted, MessageKey, NewMessage};

pub use self::body::MessageIn;
use crate::schemas::Schemas;

/// Largest body: the payload, and what is said about it.
pub const MAX_BODY_BYTES: usize = MAX_PAYLOAD_BYTES + 64 * 1024;

/// How long to wait for a request that still runs under the same name.
const RUNNING_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whose message it is.
enum Owner {
    /// One that is there.
    Known(Arc<Application>),
    /// One that is made for the message.
    New(Application),
}

/// Send a message
///
/// It is delivered to every endpoint of the application that wants its type and channels. `application` makes the
/// application if nobody has the uid in the path.
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/msg", operation_id = "v1.message.create", tag = "Messages",
    security(("HTTPBearer" = [])), request_body = MessageIn,
    params(("app_id" = String, Path, description = "The application's id or uid."), Content, Idempotency),
    responses(
        (status = 202, body = MessageOut, description = "Accepted, and safe"),
        (status = 409, description = "A message has this `eventId`, or the idempotency key is in use"),
    ),
)]
pub async fn create(
    State(state): State<crate::State>,
    Extension(schemas): Extension<Schemas>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<ApplicationId>>,
    Idempotency(key): Idempotency,
    Query(content): Query<Content>,
    JsonAround { value: request, raw }: JsonAround<MessageIn>,
) -> Result<Reply, ApiError> {
    let MessageIn { event_type, payload, event_id, channels, tags, payload_retention, application } = request;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(ApiError::payload_too_large(MAX_PAYLOAD_BYTES));
    }
    let (organization, now) = (caller.organization, state.clock.now());
    let owner = owner(&state, organization, &reference, application, now).await?;
    if let Some(event_type) = state.store.cached_event_type(organization, &event_type, now).await? {
        schemas.check(&event_type, &payload)?;
    }
    let message = Message {
        id: MessageId::new(now, random::bytes()),
        organization,
        application: settle(&state, owner, &reference).await?,
        event_type,
        event_id,
        channels,
        tags,
        payload: Some(payload),
        payload_until: now + payload_retention,
        created_at: now,
    };
    let key = key.map(|key| {
        let fingerprint = Fingerprint::of("POST", &format!("/api/v1/app/{reference}/msg"), &raw);
        MessageKey { key, fingerprint }
    });
    let new = NewMessage { message: &message, due: now + state.grace, route: Route::Endpoints };
    match state.store.create_message(&new, key.as_ref()).await? {
        MessageAccepted::Written => accepted(&MessageOut::at(&message, now, content)?),
        MessageAccepted::Repeated { id, created_at } => {
            let first = Message { id, created_at, ..message };
            Ok(Reply::replayed(accepted(&MessageOut::at(&first, now, content)?)?.answer().clone()))
        }
        MessageAccepted::OtherRequest => Err(ApiError::conflict("This idempotency key was used for another request.")),
        MessageAccepted::EventIdTaken => Err(ApiError::conflict("Another message has this eventId.")),
        MessageAccepted::Running => Err(ApiError::conflict_retry(RUNNING_RETRY_AFTER)),
    }
}

/// The application that a path names, or the one that is to be made under that name.
async fn owner(
    state: &crate::State,
    organization: OrganizationId,
    reference: &Reference<ApplicationId>,
    new: Option<ApplicationIn>,
    now: Timestamp,
) -> Result<Owner, ApiError> {
    if let Some(known) = state.store.cached_application(organization, reference, now).await? {
        return Ok(Owner::Known(known));
    }
    match (new, reference) {
        (Some(new), Reference::Uid(uid)) => {
            let contradicts = |fault: Fault| ApiError::invalid_body(vec![fault.within("application")]);
            Ok(Owner::New(new.named(uid).map_err(contradicts)?.make(organization, now)))
        }
        // An id is not the caller's to choose.
        (Some(_), Reference::Id(_)) | (None, _) => Err(ApiError::not_found()),
    }
}

/// Makes the application if it is to be made. Of two requests that make it at once one does, and the other uses it.
async fn settle(
    state: &crate::State,
    owner: Owner,
    reference: &Reference<ApplicationId>,
) -> Result<ApplicationId, ApiError> {
    let new = match owner {
        Owner::Known(known) => return Ok(known.id),
        Owner::New(new) => new,
    };
    match state.store.create_application(&new, None).await? {
        Created::Written => Ok(new.id),
        Created::UidTaken => {
            let there = state.store.application(new.organization, reference).await?;
            there.map(|there| there.id).ok_or_else(|| ApiError::conflict_retry(RUNNING_RETRY_AFTER))
        }
        Created::Repeated(_) => Err(ApiError::internal("an answer was kept without a key")),
    }
}
