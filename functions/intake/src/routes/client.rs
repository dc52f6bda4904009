//! Broadcasts to an organization's clients.

use axum::extract::State;
use serde_json::{Map, Value};
use tidings_domain::broadcast::{Broadcast, FOLLOWED_AFTER};
use tidings_domain::client;
use tidings_domain::message::Message;
use tidings_http::{ApiError, Caller, ClientErrorOut, Json, MAX_FAULTS, Organization, Reply, accepted, refused};
use tidings_runtime::random;
use tidings_store::agenda::Starts;
use tidings_store::broadcast::NewBroadcast;
use utoipa::ToSchema;

/// What every client gets: the whole body is what stands beside its token. Other properties are sent along.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema only: the body is passed on as it came")]
pub struct TriggerIn {
    /// At least one of them is a text.
    #[schema(min_items = 1, example = json!(["aaaa", {"valid": "JSON"}]))]
    payload: Vec<TriggerItem>,
}

/// A part of what clients get.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum TriggerItem {
    /// A text.
    Text(String),
    /// An object with one.
    Object {
        /// The text.
        #[schema(min_length = 1)]
        valid: String,
    },
}

/// What is wrong with a body, in the words that such requests were always refused with.
fn faults(body: &Value) -> Vec<String> {
    let Value::Object(members) = body else { return vec![r#""value" must be of type object"#.to_owned()] };
    let items = match members.get("payload") {
        None => return vec![r#""payload" is required"#.to_owned()],
        Some(Value::Array(items)) => items,
        Some(_) => return vec![r#""payload" must be an array"#.to_owned()],
    };
    let is_allowed = |item: &Value| is_text(item) || item.as_object().is_some_and(has_text);
    let wrong = items.iter().enumerate().filter(|(_, item)| !is_allowed(item));
    let mut faults: Vec<_> = wrong
        .map(|(position, _)| format!(r#""payload[{position}]" does not match any of the allowed types"#))
        .take(MAX_FAULTS)
        .collect();
    if !items.iter().any(is_text) {
        faults.push(r#""payload" does not contain 1 required value(s)"#.to_owned());
    }
    faults
}

fn is_text(item: &Value) -> bool {
    item.as_str().is_some_and(|text| !text.is_empty())
}

fn has_text(item: &Map<String, Value>) -> bool {
    item.get("valid").is_some_and(is_text)
}

/// Send something to every client
///
/// Each gets `{"token": <its token>, "payload": <this request's body>}`. What became of it is told by the list of batches.
#[utoipa::path(
    post, path = "/api/webhooks/test", operation_id = "client.trigger", tag = "Clients",
    security(("HTTPBearer" = [])), request_body = TriggerIn,
    responses(
        (status = 202, body = Object, description = "Accepted, and safe: an empty object"),
        (status = 400, body = ClientErrorOut, description = "All that is wrong with it; or it is no JSON"),
    ),
)]
pub async fn trigger(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Json { value, raw }: Json<Value>,
) -> Result<Reply, ApiError> {
    let faults = faults(&value);
    if !faults.is_empty() {
        return refused(&faults);
    }
    let (organization, now) = (caller.organization, state.clock.now());
    let (uid, name) = (client::application_uid(), client::APPLICATION_NAME);
    let application = state.store.ensure_application(organization, &uid, name, now, random::bytes()).await?;
    let clients = state.store.endpoints_of(organization, application.id).await?;
    let payload = raw.slice_ref(raw.trim_ascii());
    let message = Message::plain(&application, client::test_event(), payload, now, random::bytes());
    let broadcast = Broadcast::of(&message, client::test_event().to_string(), &clients);
    let new = NewBroadcast {
        message: &message,
        broadcast: &broadcast,
        due: now + state.grace,
        follow_due: now + FOLLOWED_AFTER,
        starts: Starts::AtOnce,
    };
    if state.store.create_broadcast(&new).await? {
        accepted(&Map::new())
    } else {
        Err(ApiError::internal("a new message's id is in use"))
    }
}
