//! Messages, once they are accepted.

use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::ids::{ApplicationId, MessageId};
use tidings_domain::message::{MAX_CHANNELS, Message};
use tidings_domain::names::{Channel, EventTypeName, Reference, Tag};
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_http::{
    AnyScope, ApiError, Caller, Content, Fault, FromJson, FromQuery, Json, ListQuery, ListResponse, MessageOut, Object,
    Path, Query, QueryString, Reply, Set, no_content, ok,
};
use tidings_store::message::MessageFilter;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use crate::filters::{Filters, bounded, name, parameter};
use crate::reach::{self, MessageRef};

/// Which messages to list.
#[derive(Debug)]
pub struct MessageQuery {
    list: ListQuery<MessageId>,
    filters: Filters,
    tag: Option<Tag>,
    content: Content,
}

impl FromQuery for MessageQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self {
            list: ListQuery::from_query(query)?,
            filters: Filters::from_query(query)?,
            tag: query.one("tag", str::parse),
            content: Content::from_query(query)?,
        })
    }
}

impl IntoParams for MessageQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = ListQuery::<MessageId>::into_params(&place);
        parameters.extend(Filters::into_params(&place));
        parameters.push(parameter("tag", "Only what has this tag.", name(Tag::MAX)));
        parameters.extend(Content::into_params(place));
        parameters
    }
}

/// A message that might be sent.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct MessagePrecheckIn {
    /// What it would be about.
    #[schema(value_type = String, max_length = 256)]
    event_type: EventTypeName,
    /// Which channels it would be in.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 5)]
    channels: Vec<Channel>,
}

/// Whether it is worth sending.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessagePrecheckOut {
    /// Whether any endpoint would get it.
    active: bool,
}

impl FromJson for MessagePrecheckIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let event_type = object.required("eventType");
        let channels = object.nullable::<Set<Channel, 1, MAX_CHANNELS>>("channels").map(|Set(channels)| channels);
        object.finish(|| Some(Self { event_type: event_type?, channels: channels.unwrap_or_default() }))
    }
}

/// List messages
///
/// Newest first. A page may be shorter than asked for while it is not the last: payloads are large.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/msg", operation_id = "v1.message.list", tag = "Messages",
    security(("HTTPBearer" = [])),
    params(("app_id" = String, Path, description = "The application's id or uid."), MessageQuery),
    responses((status = 200, body = ListResponse<MessageOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path(application): Path<Reference<ApplicationId>>,
    Query(query): Query<MessageQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let MessageQuery { list: ListQuery { limit, iterator }, filters, tag, content } = query;
    let Filters { channel, event_types, after, before } = filters;
    let with_payload = content == Content::Shown;
    let filter = MessageFilter { since: after, before, event_types, channel, tag, with_payload };
    let now = state.clock.now();
    let page = state.store.messages(caller.organization, application.id, &filter, iterator, limit, now).await?;
    let Page { data, done } = bounded(page, iterator.as_ref(), payload_bytes);
    let data = data.iter().map(|message| MessageOut::at(message, now, content)).collect::<Result<_, _>>()?;
    ok(&ListResponse::new(Page { data, done }, |message| message.id.to_string(), |message| message))
}

/// How much of an answer a message takes.
pub(crate) fn payload_bytes(message: &Message) -> usize {
    message.payload.as_ref().map_or(0, Bytes::len)
}

/// Read a message
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/msg/{msg_id}", operation_id = "v1.message.get", tag = "Messages",
    security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id, or its `eventId` as long as that is remembered."),
        Content,
    ),
    responses((status = 200, body = MessageOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, id)): Path<(Reference<ApplicationId>, MessageRef)>,
    Query(content): Query<Content>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let message = reach::message(&state, &application, &id).await?;
    ok(&MessageOut::at(&message, state.clock.now(), content)?)
}

/// Remove a message's payload
///
/// The message and its attempts stay; nothing can be sent of it any more.
#[utoipa::path(
    delete, path = "/api/v1/app/{app_id}/msg/{msg_id}/content", operation_id = "v1.message.expunge-content",
    tag = "Messages", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id, or its `eventId` as long as that is remembered."),
    ),
    responses((status = 204, description = "Removed")),
)]
pub async fn expunge(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, id)): Path<(Reference<ApplicationId>, MessageRef)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let id = reach::message_id(&state, &application, &id).await?;
    if state.store.expunge_message(caller.organization, application.id, id).await? {
        Ok(no_content())
    } else {
        Err(ApiError::not_found())
    }
}

/// Ask whether a message would go anywhere
///
/// A sender that makes payloads at a cost can spare itself those that no endpoint wants.
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/msg/precheck/active", operation_id = "v1.message.precheck", tag = "Messages",
    security(("HTTPBearer" = [])), request_body = MessagePrecheckIn,
    params(("app_id" = String, Path, description = "The application's id or uid.")),
    responses((status = 200, body = MessagePrecheckOut)),
)]
pub async fn precheck(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path(application): Path<Reference<ApplicationId>>,
    Json { value: MessagePrecheckIn { event_type, channels }, .. }: Json<MessagePrecheckIn>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let now = state.clock.now();
    let imagined = Message {
        id: MessageId::least_at(now),
        organization: caller.organization,
        application: application.id,
        event_type,
        event_id: None,
        channels,
        tags: Vec::new(),
        payload: None,
        payload_until: now,
        created_at: now,
    };
    let mut position = None;
    loop {
        let limit = PageLimit::default();
        let page = state.store.endpoints(caller.organization, application.id, position, Order::Ascending, limit);
        let Page { data, done } = page.await?;
        let active = data.iter().any(|endpoint| endpoint.wants(&imagined));
        position = data.last().map(|last| Position::After(last.id));
        if active || done || position.is_none() {
            return ok(&MessagePrecheckOut { active });
        }
    }
}
