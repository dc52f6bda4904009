//! Messages to the organizations of a platform. Each is one of the organization's application, which is made on first use;
//! who brings it to the endpoints is configuration, and nobody waits for it here.

use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::idempotency::{Fingerprint, IdempotencyKey};
use tidings_domain::ids::OrganizationId;
use tidings_domain::message::{MAX_PAYLOAD_BYTES, Message, RETENTION};
use tidings_domain::names::{EventId, EventTypeName, Uid};
use tidings_http::{
    Admin, ApiError, Caller, Content, Fault, FromJsonAround, Idempotency, JsonAround, MessageOut, Object, Path,
    RawMember, Reply, ok,
};
use tidings_runtime::random;
use tidings_store::agenda::Starts;
use tidings_store::message::{MessageAccepted, MessageKey, NewMessage};
use utoipa::ToSchema;

use crate::schemas::Schemas;

/// How long to wait for a request that still runs under the same name.
const RUNNING_RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long after a message its sender may repeat it because the first request died, as far as anybody can tell.
const MAY_HAVE_DIED: Duration = Duration::from_mins(10);

/// A message to the endpoints of an organization.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct OrganizationMessageIn {
    /// What it is about.
    #[schema(value_type = String, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$", example = "sandbox.created")]
    event_type: EventTypeName,
    /// A JSON object of at most 256 KiB, delivered byte for byte as it is sent.
    #[schema(value_type = Object, example = json!({"id": "sb-1", "state": "started"}))]
    payload: Bytes,
    /// The sender's own name for it, unique in its organization for a day at least.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    event_id: Option<EventId>,
}

impl FromJsonAround for OrganizationMessageIn {
    const RAW: &'static str = "payload";

    fn from_json_around(mut rest: Object, raw: Option<RawMember>) -> Result<Self, Vec<Fault>> {
        let event_type = rest.required("eventType");
        let payload = rest.required_object("payload", raw);
        let event_id = rest.nullable("eventId");
        rest.finish(|| Some(Self { event_type: event_type?, payload: payload?.bytes, event_id }))
    }
}

/// Send a message to an organization
///
/// It is delivered to every endpoint of the organization that wants its type. An `eventId` that was used before delivers
/// nothing: the answer is the message that was sent under it first.
#[utoipa::path(
    post, path = "/api/webhooks/organizations/{organizationId}/send", operation_id = "organization.send",
    tag = "Organizations", security(("HTTPBearer" = [])), request_body = OrganizationMessageIn,
    params(("organizationId" = String, Path, description = "The platform's name for it."), Idempotency),
    responses((status = 200, body = MessageOut, description = "Accepted, and safe")),
)]
pub async fn send(
    State(state): State<crate::State>,
    Extension(schemas): Extension<Schemas>,
    caller: Caller<Admin>,
    Path(organization): Path<Uid>,
    Idempotency(key): Idempotency,
    JsonAround { value: request, raw }: JsonAround<OrganizationMessageIn>,
) -> Result<Reply, ApiError> {
    let OrganizationMessageIn { event_type, payload, event_id } = request;
    let key = message_key(key, &format!("/api/webhooks/organizations/{organization}/send"), &raw);
    let new = New {
        tenant: caller.organization,
        organization: &organization,
        event_type,
        payload,
        event_id,
        place: |fault| fault.within("payload"),
    };
    let show = |message| ok(&MessageOut::at(message, state.clock.now(), Content::Shown)?);
    match accept(&state, &schemas, new, key).await? {
        Accepted::Message(message) => show(&message),
        Accepted::Repeated(message) => Ok(Reply::replayed(show(&message)?.answer().clone())),
    }
}

/// What there is to tell an organization.
pub(super) struct New<'a> {
    pub(super) tenant: OrganizationId,
    pub(super) organization: &'a Uid,
    pub(super) event_type: EventTypeName,
    pub(super) payload: Bytes,
    pub(super) event_id: Option<EventId>,
    /// Where in the body a fault of the payload is.
    pub(super) place: fn(Fault) -> Fault,
}

/// What is accepted.
pub(super) enum Accepted {
    /// A message: the new one, or the first one with its `eventId`.
    Message(Message),
    /// What the same request made before under its key.
    Repeated(Message),
}

/// The name of a request, which is its own on this path.
pub(super) fn message_key(key: Option<IdempotencyKey>, path: &str, body: &[u8]) -> Option<MessageKey> {
    key.map(|key| MessageKey { key, fingerprint: Fingerprint::of("POST", path, body) })
}

/// Writes a message of an organization's application.
pub(super) async fn accept(
    state: &crate::State,
    schemas: &Schemas,
    new: New<'_>,
    key: Option<MessageKey>,
) -> Result<Accepted, ApiError> {
    let New { tenant, organization, event_type, payload, event_id, place } = new;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(ApiError::payload_too_large(MAX_PAYLOAD_BYTES));
    }
    let now = state.clock.now();
    if let Some(event_type) = state.store.cached_event_type(tenant, &event_type, now).await? {
        schemas.check_at(&event_type, &payload, place)?;
    }
    let application =
        state.store.ensure_application(tenant, organization, organization.as_str(), now, random::bytes()).await?;
    let message = Message { event_id, ..Message::plain(&application, event_type, payload, now, random::bytes()) };
    let new = NewMessage { message: &message, due: now + state.grace, route: state.route };
    match state.store.create_message(&new, key.as_ref()).await? {
        MessageAccepted::Written => Ok(Accepted::Message(message)),
        MessageAccepted::Repeated { id, created_at } => {
            Ok(Accepted::Repeated(Message { id, created_at, payload_until: created_at + RETENTION, ..message }))
        }
        MessageAccepted::EventIdTaken => Ok(Accepted::Message(first(state, &message).await?)),
        MessageAccepted::OtherRequest => Err(ApiError::conflict("This idempotency key was used for another request.")),
        MessageAccepted::Running => Err(ApiError::conflict_retry(RUNNING_RETRY_AFTER)),
    }
}

/// The first message with an `eventId`.
async fn first(state: &crate::State, again: &Message) -> Result<Message, ApiError> {
    let Message { organization, application, event_id, created_at: now, .. } = again;
    // It was forgotten or removed since the write: the next request finds the name free.
    let gone = || ApiError::conflict_retry(RUNNING_RETRY_AFTER);
    let event_id = event_id.as_ref().ok_or_else(gone)?;
    let id = state.store.message_with_event_id(*organization, *application, event_id, *now).await?;
    let id = id.ok_or_else(gone)?;
    let first = state.store.message(*organization, *application, id, *now).await?.ok_or_else(gone)?;
    // This answer promises what the first one did, and that request may have died between its message and the entry. One
    // that stands stays, and work that is done is found to be.
    if now.since(first.created_at) < MAY_HAVE_DIED {
        let key = EntryKey { due: first.created_at + state.grace, work: first.work(state.route) };
        let entry = Entry { key, tries: 0, destination: None, note: None };
        state.store.put_entries(&[entry], Starts::WhenDue).await?;
    }
    Ok(first)
}
