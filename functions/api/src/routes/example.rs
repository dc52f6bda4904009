//! Examples: a message to one endpoint, to see that it takes one.

use axum::extract::State;
use serde_json::{Map, Value, json};
use tidings_domain::caller::Scope;
use tidings_domain::event_type::{EventType, PING};
use tidings_domain::ids::{ApplicationId, EndpointId, MessageId};
use tidings_domain::message::{MAX_PAYLOAD_BYTES, Message, RETENTION};
use tidings_domain::names::{EventTypeName, Reference};
use tidings_http::{
    AnyScope, ApiError, Caller, Content, Fault, FaultKind, FromJson, Idempotency, Json, MessageOut, Object, Path,
    Reply, ok,
};
use tidings_runtime::random;
use utoipa::ToSchema;

use crate::routes::delivery::manual;
use crate::{reach, repetition};

/// What to send.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EventExampleIn {
    /// A type that has an example in its schema, or `svix.ping`, which always has one.
    #[schema(value_type = String, max_length = 256, example = "svix.ping")]
    event_type: EventTypeName,
    /// Which of the schema's `examples`: the first, if not given.
    example_index: Option<u64>,
}

impl FromJson for EventExampleIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let event_type = object.required("eventType");
        let example_index = object.nullable("exampleIndex");
        object.finish(|| Some(Self { event_type: event_type?, example_index }))
    }
}

/// Send an example
///
/// To this endpoint alone, whatever types and channels it wants. It is one attempt, which the retry schedule does not
/// follow up.
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/send-example", operation_id = "v1.endpoint.send-example",
    tag = "Endpoints", security(("HTTPBearer" = [])), request_body = EventExampleIn,
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        Idempotency,
    ),
    responses(
        (status = 200, body = MessageOut, description = "It will be sent"),
        (status = 409, description = "The endpoint is disabled"),
    ),
)]
pub async fn send(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Idempotency(key): Idempotency,
    Json { value: EventExampleIn { event_type, example_index }, raw }: Json<EventExampleIn>,
) -> Result<Reply, ApiError> {
    let path = format!("/api/v1/app/{application}/endpoint/{endpoint}/send-example");
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::enabled_endpoint(&state, &application, &endpoint).await?;
    let known = state.store.event_type(caller.organization, &event_type).await?;
    // What an application may not see is not there for it.
    let known = known.filter(|known| match caller.scope {
        Scope::Organization => true,
        Scope::Application(_) => known.is_visible_with(&caller.feature_flags),
    });
    let payload = example(known.as_ref(), &event_type, example_index)
        .map_err(|why| ApiError::invalid_body(vec![Fault::new(FaultKind::Value, why).within("eventType")]))?;
    let now = state.clock.now();
    let message = Message {
        id: MessageId::new(now, random::bytes()),
        organization: caller.organization,
        application: application.id,
        event_type,
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        payload: Some(Value::Object(payload).to_string().into()),
        payload_until: now + RETENTION,
        created_at: now,
    };
    let reply = ok(&MessageOut::at(&message, now, Content::Shown)?)?;
    let kept = repetition::kept(key, &path, &raw, &reply);
    let entry = manual(&endpoint, message.id, now + state.grace);
    let created = state.store.create_message_for(&message, &entry, kept.as_ref(), now).await?;
    repetition::answer(created, reply)
}

/// The example of a type, or why there is none.
fn example(
    known: Option<&EventType>,
    name: &EventTypeName,
    index: Option<u64>,
) -> Result<Map<String, Value>, &'static str> {
    let given = known.and_then(|known| match index {
        None => known.example(),
        Some(index) => known.newest_schema()?.get("examples")?.get(usize::try_from(index).ok()?),
    });
    let ping = || (name.as_str() == PING && index.unwrap_or_default() == 0).then(ping);
    match given.cloned().or_else(ping) {
        Some(Value::Object(payload)) if payload_fits(&payload) => Ok(payload),
        Some(Value::Object(_)) => Err("has an example that is larger than a payload may be"),
        Some(_) => Err("has an example that is no object"),
        None if known.is_some() || name.as_str() == PING => Err("has no such example in its schema"),
        None => Err("is not a type that exists"),
    }
}

fn payload_fits(payload: &Map<String, Value>) -> bool {
    serde_json::to_vec(payload).is_ok_and(|bytes| bytes.len() <= MAX_PAYLOAD_BYTES)
}

/// The payload of the example that is always there.
fn ping() -> Value {
    json!({
        "type": PING,
        "success": true,
        "message": "This is a test message. Whoever reads it takes webhooks from here.",
    })
}
