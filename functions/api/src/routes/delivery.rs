//! Deliveries: where messages stand at endpoints, and sending one again.

use std::pin::pin;

use axum::extract::State;
use futures::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::attempt::Attempt;
use tidings_domain::delivery::{Delivery, DeliveryStatus, Origin};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId};
use tidings_domain::message::Message;
use tidings_domain::names::{Channel, EventId, EventTypeName, Reference, Tag};
use tidings_domain::page::{Page, Position};
use tidings_http::{
    AnyScope, ApiError, Caller, Content, FromQuery, Idempotency, ListQuery, ListResponse, MessageOut, Path, Query,
    QueryString, Reply, accepted, ok,
};
use tidings_store::StoreError;
use tidings_store::attempt::EndpointMessageFilter;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use crate::filters::{Filters, MAX_PAGE_BYTES, name, parameter};
use crate::reach::{self, MessageRef};
use crate::repetition;
use crate::routes::message::payload_bytes;
use crate::status::{self, MessageStatus, MessageStatusText};

/// How many messages are read at once.
const CONCURRENCY: usize = 16;

/// A message, and where it stands at an endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointMessageOut<'a> {
    /// The message's id.
    #[schema(value_type = String)]
    id: MessageId,
    /// What it is about.
    #[schema(value_type = String)]
    event_type: &'a EventTypeName,
    /// The sender's own name for it.
    #[schema(value_type = Option<String>)]
    event_id: Option<&'a EventId>,
    /// Narrows who gets it.
    #[schema(value_type = Option<Vec<String>>)]
    channels: Option<&'a [Channel]>,
    /// What it can be listed by.
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<&'a [Tag]>,
    /// As it was sent.
    #[schema(value_type = Object)]
    payload: &'a RawValue,
    /// When it was accepted.
    #[schema(value_type = String, format = "date-time")]
    timestamp: Timestamp,
    /// Where it stands at the endpoint.
    status: MessageStatus,
    /// The same as a text.
    status_text: MessageStatusText,
    /// When the next attempt is due; `null` if none is.
    #[schema(value_type = Option<String>, format = "date-time")]
    next_attempt: Option<Timestamp>,
}

impl<'a> EndpointMessageOut<'a> {
    fn new(message: &MessageOut<'a>, newest: &Attempt) -> Self {
        let MessageOut { id, event_type, event_id, channels, tags, payload, timestamp } = *message;
        let status = DeliveryStatus::of(Some(newest));
        Self {
            id,
            event_type,
            event_id,
            channels,
            tags,
            payload,
            timestamp,
            status: status.into(),
            status_text: status.into(),
            next_attempt: newest.next_attempt,
        }
    }
}

/// Nothing more to say.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmptyResponse {}

/// Which messages of an endpoint to list.
#[derive(Debug)]
pub struct EndpointMessageQuery {
    list: ListQuery<AttemptId>,
    filters: Filters,
    tag: Option<Tag>,
    status: Option<DeliveryStatus>,
    content: Content,
}

impl FromQuery for EndpointMessageQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self {
            list: ListQuery::from_query(query)?,
            filters: Filters::from_query(query)?,
            tag: query.one("tag", str::parse),
            status: query.one("status", status::parse),
            content: Content::from_query(query)?,
        })
    }
}

impl IntoParams for EndpointMessageQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = ListQuery::<AttemptId>::into_params(&place);
        parameters.extend(Filters::into_params(&place));
        parameters.push(parameter("tag", "Only what has this tag.", name(Tag::MAX)));
        parameters.push(parameter("status", "Only messages that stand there.", MessageStatus::values()));
        parameters.extend(Content::into_params(place));
        parameters
    }
}

/// List the messages that were attempted at an endpoint
///
/// Each with where it stands there; the one that was attempted last comes first.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg",
    operation_id = "v1.message-attempt.list-attempted-messages", tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        EndpointMessageQuery,
    ),
    responses((status = 200, body = ListResponse<EndpointMessageOut>)),
)]
pub async fn list_attempted_messages(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Query(query): Query<EndpointMessageQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    let EndpointMessageQuery { list: ListQuery { limit, iterator }, filters, tag, status, content } = query;
    let Filters { channel, event_types, after, before } = filters;
    let filter = EndpointMessageFilter { status, channel, tag, event_types, since: after, before };
    let (organization, now) = (caller.organization, state.clock.now());
    let page = state
        .store
        .attempted_messages(organization, application.id, endpoint.id, &filter, iterator, limit, now)
        .await?;
    let Page { data, done } = with_messages(&state, page, iterator, content).await?;
    let shown = data.iter().map(|(attempt, message)| {
        let shown = MessageOut::at(message, now, content)?;
        Ok((attempt.id, EndpointMessageOut::new(&shown, attempt)))
    });
    let page = Page { data: shown.collect::<Result<Vec<_>, ApiError>>()?, done };
    ok(&ListResponse::new(page, |(id, _)| id.to_string(), |(_, message)| message))
}

/// These attempts with their messages: as many as one answer holds. An attempt whose message is gone is left out.
async fn with_messages(
    state: &crate::State,
    page: Page<Attempt>,
    from: Option<Position<AttemptId>>,
    content: Content,
) -> Result<Page<(Attempt, Message)>, ApiError> {
    let Page { data: mut attempts, mut done } = page;
    let backwards = matches!(from, Some(Position::Before(_)));
    if backwards {
        attempts.reverse();
    }
    let now = state.clock.now();
    let read = async |attempt: Attempt| {
        let Delivery { organization, application, endpoint: _, message } = attempt.delivery;
        let found = state.store.message(organization, application, message, now).await?;
        Ok::<_, StoreError>(found.map(|message| (attempt, message)))
    };
    let mut messages = pin!(stream::iter(attempts).map(read).buffered(CONCURRENCY));
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    while let Some(next) = messages.next().await {
        let Some((attempt, mut message)) = next? else { continue };
        if content == Content::LeftOut {
            message.payload = None;
        }
        bytes = bytes.saturating_add(payload_bytes(&message));
        if bytes > MAX_PAGE_BYTES && !found.is_empty() {
            done = false;
            break;
        }
        found.push((attempt, message));
    }
    if backwards {
        found.reverse();
    }
    Ok(Page { data: found, done })
}

/// Send a message to an endpoint again
///
/// Whatever became of it there. It is one attempt, which the retry schedule does not follow up.
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend",
    operation_id = "v1.message-attempt.resend", tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id, or its `eventId` as long as that is remembered."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        Idempotency,
    ),
    responses(
        (status = 202, body = EmptyResponse, description = "It will be sent"),
        (status = 409, description = "The endpoint is disabled, or the payload is gone"),
    ),
)]
pub async fn resend(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message, endpoint)): Path<(Reference<ApplicationId>, MessageRef, Reference<EndpointId>)>,
    Idempotency(key): Idempotency,
) -> Result<Reply, ApiError> {
    let path = format!("/api/v1/app/{application}/msg/{message}/endpoint/{endpoint}/resend");
    let application = reach::application(&state, &caller, &application).await?;
    let message = reach::message(&state, &application, &message).await?;
    let endpoint = reach::enabled_endpoint(&state, &application, &endpoint).await?;
    let now = state.clock.now();
    if message.payload_at(now).is_none() {
        return Err(ApiError::conflict("The payload of this message is gone: it cannot be sent any more."));
    }
    let reply = accepted(&EmptyResponse {})?;
    let kept = repetition::kept(key, &path, b"", &reply);
    let entry = manual(&endpoint, message.id, now + state.grace);
    let created = state.store.create_resend(&entry, caller.organization, kept.as_ref(), now).await?;
    repetition::answer(created, reply)
}

/// What is owed when somebody asks for a delivery.
pub(crate) fn manual(endpoint: &Endpoint, message: MessageId, due: Timestamp) -> Entry {
    let Endpoint { organization, application, id, .. } = *endpoint;
    Delivery { organization, application, endpoint: id, message }.entry(due, 0, Origin::Manual)
}
