//! Events that are triggered by name.

use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::broadcast::{Broadcast, FOLLOWED_AFTER};
use tidings_domain::broker::{self, EventName};
use tidings_domain::ids::MessageId;
use tidings_domain::message::{MAX_PAYLOAD_BYTES, Message};
use tidings_http::{ApiError, Caller, Json, Organization, Path, Reply, accepted};
use tidings_runtime::random;
use tidings_store::agenda::Starts;
use tidings_store::broadcast::NewBroadcast;
use utoipa::ToSchema;

/// The job that delivers an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BrokerTriggerOut)]
pub struct TriggerOut {
    /// Its id: what becomes of it can be read under it.
    #[schema(value_type = String, example = "msg_1srOrx2ZWZBpBUvZwXKQmoEYga2")]
    job_id: MessageId,
}

/// Trigger an event
///
/// Its body, any JSON, is delivered to every URL that wants the event; without a body that is an empty object.
#[utoipa::path(
    post, path = "/api/v0/trigger-event/{name}", operation_id = "broker.job.create", tag = "Broker",
    security(("HTTPBearer" = [])), params(("name" = String, Path, description = "The event's name.")),
    request_body(content = Option<Object>, description = "What is delivered, byte for byte.", content_type = "application/json"),
    responses(
        (status = 202, body = TriggerOut, description = "Accepted, and safe"),
        (status = 404, description = "Nobody wants this event"),
    ),
)]
pub async fn trigger(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(name): Path<EventName>,
    body: Option<Json<Value>>,
) -> Result<Reply, ApiError> {
    let payload = body.map_or(Bytes::from_static(b"{}"), |Json { raw, .. }| raw.slice_ref(raw.trim_ascii()));
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(ApiError::payload_too_large(MAX_PAYLOAD_BYTES));
    }
    let (organization, now) = (caller.organization, state.clock.now());
    let subscriptions = state.store.subscriptions(organization, &name).await?;
    if subscriptions.is_empty() {
        return Err(ApiError::not_found());
    }
    let uid = broker::application_uid();
    let title = broker::APPLICATION_NAME;
    let application = state.store.ensure_application(organization, &uid, title, now, random::bytes()).await?;
    let message = Message::plain(&application, name.event_type(), payload, now, random::bytes());
    let receivers = subscriptions.into_iter().map(|subscription| subscription.endpoint).collect();
    let broadcast = Broadcast { receivers, ..Broadcast::of(&message, name.into(), &[]) };
    let new = NewBroadcast {
        message: &message,
        broadcast: &broadcast,
        due: now + state.grace,
        follow_due: now + FOLLOWED_AFTER,
        starts: Starts::AtOnce,
    };
    if state.store.create_broadcast(&new).await? {
        accepted(&TriggerOut { job_id: message.id })
    } else {
        Err(ApiError::internal("a new message's id is in use"))
    }
}
