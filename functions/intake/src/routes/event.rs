//! The events that a platform tells of.

use axum::Extension;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use tidings_domain::Timestamp;
use tidings_domain::ids::MessageId;
use tidings_domain::initialization::Initialization;
use tidings_domain::names::Uid;
use tidings_domain::platform_event::{DeliveredEvent, PlatformEvent, Property, TIMESTAMP, with_timestamp};
use tidings_http::{Admin, ApiError, Caller, Fault, FromJson, Idempotency, Json, Object, Reply, Text, accepted, text};
use utoipa::ToSchema;

use super::organization::{Accepted, New, accept, message_key};
use crate::schemas::Schemas;

/// Longest text of an event, in characters.
const MAX_TEXT: usize = 1024;

/// An event, with what its kind has to say: `POST` with all of it is what is delivered.
#[derive(Debug, ToSchema)]
#[schema(as = PlatformEventIn, rename_all = "camelCase")]
pub struct EventIn {
    /// What happened: `organization.created`, or one of the eleven that are delivered.
    #[schema(value_type = String, example = "sandbox.created")]
    event: PlatformEvent,
    /// To whom: the platform's name for it.
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    organization_id: Uid,
    /// When it happened; the time of the request if it is left out.
    #[schema(value_type = Option<String>, format = "date-time", nullable = false)]
    timestamp: Option<Timestamp>,
}

/// An event that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformEventOut)]
#[serde(rename_all = "camelCase")]
pub struct EventOut {
    /// What happened.
    #[schema(value_type = String, example = "sandbox.created")]
    event: &'static str,
    /// To whom.
    #[schema(value_type = String)]
    organization_id: Uid,
    /// What its endpoints are told by; nothing for `organization.created`.
    #[schema(value_type = Option<String>, example = "msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    message_id: Option<MessageId>,
}

/// The name of an event.
struct Name(PlatformEvent);

impl FromJson for Name {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |name| name.parse().map(Self))
    }
}

impl FromJson for EventIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut members: Map<String, Value> = Map::from_json(value)?;
        // What the platform says beyond what it must is delivered, and nobody looks at it here.
        let event = members.get("event").and_then(Value::as_str).and_then(|name| name.parse().ok());
        members.retain(|name, _| is_looked_at(event, name));
        let mut object = Object::from(members);
        let event = object.required("event").map(|Name(event)| event);
        let organization_id = object.required("organizationId");
        if let Some(PlatformEvent::Delivered(event)) = event {
            require(&mut object, event);
        }
        let timestamp = object.optional(TIMESTAMP);
        object.finish(|| Some(Self { event: event?, organization_id: organization_id?, timestamp }))
    }
}

fn is_looked_at(event: Option<PlatformEvent>, name: &str) -> bool {
    let required = match event {
        Some(PlatformEvent::Delivered(event)) => event.required().any(|(required, _)| required == name),
        Some(PlatformEvent::OrganizationCreated) | None => false,
    };
    required || ["event", "organizationId", TIMESTAMP].contains(&name)
}

fn require(object: &mut Object, event: DeliveredEvent) {
    for (name, property) in event.required() {
        match property {
            Property::Text => object.required::<Text<1, MAX_TEXT>>(name).is_some(),
            Property::Time => object.required::<Timestamp>(name).is_some(),
        };
    }
}

/// Tell of an event
///
/// The organization's endpoints that want it are told: the body is what they get, with `timestamp` added if it is not
/// there. Every event has `id`, `createdAt` and what its kind says; more is passed on. `organization.created` makes the
/// organization's application and its preconfigured endpoints.
#[utoipa::path(
    post, path = "/api/webhooks/events", operation_id = "organization.send-event", tag = "Organizations",
    security(("HTTPBearer" = [])), request_body = EventIn, params(Idempotency),
    responses((status = 202, body = EventOut, description = "Accepted, and safe")),
)]
pub async fn create(
    State(state): State<crate::State>,
    Extension(schemas): Extension<Schemas>,
    caller: Caller<Admin>,
    Idempotency(key): Idempotency,
    Json { value: request, raw }: Json<EventIn>,
) -> Result<Reply, ApiError> {
    let EventIn { event, organization_id, timestamp } = request;
    let (tenant, now) = (caller.organization, state.clock.now());
    let show =
        |message_id| accepted(&EventOut { event: event.name(), organization_id: organization_id.clone(), message_id });
    let event = match event {
        PlatformEvent::Delivered(event) => event,
        PlatformEvent::OrganizationCreated => {
            let initialization = Initialization::asked_for(tenant, organization_id.clone(), now);
            // One that is there goes on as it is: it is tried again by itself, or by who asks for that.
            state.store.create_initialization(&initialization, now + state.grace).await?;
            return show(None);
        }
    };
    let payload = match timestamp {
        Some(_) => raw.slice_ref(raw.trim_ascii()),
        None => with_timestamp(&raw, now).ok_or_else(|| ApiError::internal("an event is not an object"))?,
    };
    let key = message_key(key, "/api/webhooks/events", &raw);
    let new = New {
        tenant,
        organization: &organization_id,
        event_type: event.event_type(),
        payload,
        event_id: None,
        place: |fault| fault,
    };
    match accept(&state, &schemas, new, key).await? {
        Accepted::Message(message) => show(Some(message.id)),
        Accepted::Repeated(message) => Ok(Reply::replayed(show(Some(message.id))?.answer().clone())),
    }
}
