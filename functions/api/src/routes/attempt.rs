//! Attempts: what became of each request that was made.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::{Delivery, DeliveryStatus, Trigger};
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId};
use tidings_domain::message::Message;
use tidings_domain::names::Reference;
use tidings_domain::page::Page;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{
    AnyScope, ApiError, Caller, Content, FromQuery, ListQuery, ListResponse, MessageOut, Path, Query, QueryString,
    Reply, no_content, ok,
};
use tidings_store::attempt::AttemptFilter;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::filters::{Filters, bounded, name, parameter};
use crate::reach::{self, MessageRef};
use crate::status::{self, MessageAttemptTriggerType, MessageStatus, MessageStatusText};

/// Stands in the place of an answer that was removed.
const EXPUNGED: &str = "EXPUNGED";

/// Messages read at once, where attempts are listed with them.
const READS_AT_ONCE: usize = 16;

/// An attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAttemptOut {
    /// Its id.
    #[schema(value_type = String, example = "atmpt_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: AttemptId,
    /// Where it went.
    #[schema(value_type = String)]
    endpoint_id: EndpointId,
    /// What was sent.
    #[schema(value_type = String)]
    msg_id: MessageId,
    /// The answer's body, or why there was none; empty where it was not asked for, `EXPUNGED` once it was removed.
    response: String,
    /// From the start of the request to the end of the answer.
    #[schema(format = Int64, minimum = 0)]
    response_duration_ms: u64,
    /// The answer's status code; 0 if there was no answer.
    #[schema(value_type = i64, format = "int16")]
    response_status_code: u16,
    /// 0 for success, 2 for failure.
    status: MessageStatus,
    /// The same as a text.
    status_text: MessageStatusText,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    timestamp: Timestamp,
    /// 0 when the message or the schedule asked for it, 1 when somebody did.
    trigger_type: MessageAttemptTriggerType,
    /// Where the request went.
    #[schema(value_type = String, format = "uri")]
    url: WebhookUrl,
    /// What was sent, where the query asks for it and it is still there.
    #[schema(value_type = Option<MessageOut<'static>>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<Box<RawValue>>,
}

impl MessageAttemptOut {
    fn new(attempt: Attempt, content: Content) -> Self {
        let Attempt {
            id,
            delivery: Delivery { organization: _, application: _, endpoint, message },
            url,
            event_type: _,
            channels: _,
            status,
            response_status,
            response,
            duration,
            trigger,
            number: _,
            next_attempt: _,
            made_at,
        } = attempt;
        let status = match status {
            AttemptStatus::Success => DeliveryStatus::Success,
            AttemptStatus::Fail => DeliveryStatus::Fail,
        };
        Self {
            id,
            endpoint_id: endpoint,
            msg_id: message,
            response: match content {
                Content::Shown => response.unwrap_or_else(|| EXPUNGED.to_owned()),
                Content::LeftOut => String::new(),
            },
            response_duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            response_status_code: response_status,
            status: status.into(),
            status_text: status.into(),
            timestamp: made_at,
            trigger_type: match trigger {
                Trigger::Scheduled => MessageAttemptTriggerType::Scheduled,
                Trigger::Manual => MessageAttemptTriggerType::Manual,
            },
            url,
            msg: None,
        }
    }
}

/// Which attempts to list.
#[derive(Debug)]
pub struct AttemptQuery {
    list: ListQuery<AttemptId>,
    filters: Filters,
    status: Option<DeliveryStatus>,
    status_code_class: Option<u16>,
    content: Content,
}

impl FromQuery for AttemptQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self {
            list: ListQuery::from_query(query)?,
            filters: Filters::from_query(query)?,
            status: query.one("status", status::parse),
            status_code_class: query.one("status_code_class", status::parse_class),
            content: Content::from_query(query)?,
        })
    }
}

impl IntoParams for AttemptQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = ListQuery::<AttemptId>::into_params(&place);
        parameters.extend(Filters::into_params(&place));
        parameters.push(parameter("status", "Only attempts that ended so.", MessageStatus::values()));
        let class = "Only attempts whose answer has a status code of this hundred; 0 for those without an answer.";
        parameters.push(parameter("status_code_class", class, status::classes()));
        parameters.extend(Content::into_params(place));
        parameters
    }
}

impl AttemptQuery {
    /// What to ask of the table. `None` for a status that no attempt has: one that was made has ended.
    fn filter(&self, endpoint: Option<EndpointId>) -> Option<AttemptFilter> {
        let status = match self.status {
            None => None,
            Some(DeliveryStatus::Success) => Some(AttemptStatus::Success),
            Some(DeliveryStatus::Fail) => Some(AttemptStatus::Fail),
            Some(DeliveryStatus::Pending | DeliveryStatus::Sending) => return None,
        };
        let Filters { channel, event_types, after, before } = self.filters.clone();
        let status_code_class = self.status_code_class;
        Some(AttemptFilter { status, status_code_class, channel, endpoint, event_types, since: after, before })
    }

    /// With the messages that are given.
    fn answer_with(
        &self,
        page: Page<Attempt>,
        messages: &HashMap<MessageId, Message>,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let message = |attempt: &Attempt| messages.get(&attempt.delivery.message);
        let page = bounded(page, self.list.iterator.as_ref(), |attempt| {
            let payload = message(attempt).and_then(|message| message.payload.as_ref());
            attempt.response.as_ref().map_or(0, String::len) + payload.map_or(0, Bytes::len)
        });
        let mut shown = Vec::with_capacity(page.data.len());
        for attempt in &page.data {
            let message = message(attempt).map(|message| MessageOut::at(message, now, self.content)).transpose()?;
            let message = message.map(|message| serde_json::value::to_raw_value(&message));
            shown.push(message.transpose().map_err(ApiError::internal)?);
        }
        let mut shown = shown.into_iter();
        let show = |attempt| MessageAttemptOut {
            msg: shown.next().flatten(),
            ..MessageAttemptOut::new(attempt, self.content)
        };
        ok(&ListResponse::new(page, |attempt| attempt.id.to_string(), show))
    }

    fn answer(&self, page: Page<Attempt>) -> Result<Reply, ApiError> {
        self.answer_with(page, &HashMap::new(), Timestamp::default())
    }
}

/// An [`AttemptQuery`], of one endpoint if it is named.
#[derive(Debug)]
pub struct MessageAttemptQuery {
    attempts: AttemptQuery,
    endpoint: Option<Reference<EndpointId>>,
}

impl FromQuery for MessageAttemptQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self { attempts: AttemptQuery::from_query(query)?, endpoint: query.one("endpoint_id", str::parse) })
    }
}

impl IntoParams for MessageAttemptQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = AttemptQuery::into_params(place);
        parameters.push(parameter("endpoint_id", "Only attempts at this endpoint: its id or uid.", name(256)));
        parameters
    }
}

/// An [`AttemptQuery`], with the messages if they are asked for.
#[derive(Debug)]
pub struct EndpointAttemptQuery {
    attempts: AttemptQuery,
    with_msg: bool,
}

impl FromQuery for EndpointAttemptQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self { attempts: AttemptQuery::from_query(query)?, with_msg: query.flag("with_msg").unwrap_or(false) })
    }
}

impl IntoParams for EndpointAttemptQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = AttemptQuery::into_params(place);
        let schema = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into())).build();
        parameters.push(parameter("with_msg", "Whether each attempt comes with its message.", schema));
        parameters
    }
}

/// List an endpoint's attempts
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}",
    operation_id = "v1.message-attempt.list-by-endpoint", tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        EndpointAttemptQuery,
    ),
    responses((status = 200, body = ListResponse<MessageAttemptOut>)),
)]
pub async fn list_by_endpoint(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Query(EndpointAttemptQuery { attempts: query, with_msg }): Query<EndpointAttemptQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    let Some(filter) = query.filter(None) else { return query.answer(nothing()) };
    let (organization, ListQuery { limit, iterator }) = (caller.organization, query.list);
    let now = state.clock.now();
    let attempts =
        state.store.attempts_by_endpoint(organization, application.id, endpoint.id, &filter, iterator, limit, now);
    let page = attempts.await?;
    let messages = if with_msg { messages_of(&state, &page).await? } else { HashMap::new() };
    query.answer_with(page, &messages, now)
}

/// The messages of attempts, those that are still there.
async fn messages_of(state: &crate::State, page: &Page<Attempt>) -> Result<HashMap<MessageId, Message>, ApiError> {
    let deliveries: HashMap<_, _> =
        page.data.iter().map(|attempt| (attempt.delivery.message, attempt.delivery)).collect();
    let now = state.clock.now();
    let read = |Delivery { organization, application, message, .. }: Delivery| {
        state.store.message(organization, application, message, now)
    };
    let found: Vec<_> =
        stream::iter(deliveries.into_values()).map(read).buffer_unordered(READS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().map(|message| (message.id, message)).collect())
}

/// List a message's attempts
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/attempt/msg/{msg_id}", operation_id = "v1.message-attempt.list-by-msg",
    tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id, or its `eventId` as long as that is remembered."),
        MessageAttemptQuery,
    ),
    responses((status = 200, body = ListResponse<MessageAttemptOut>)),
)]
pub async fn list_by_message(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message)): Path<(Reference<ApplicationId>, MessageRef)>,
    Query(query): Query<MessageAttemptQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let message = reach::message(&state, &application, &message).await?;
    let MessageAttemptQuery { attempts: query, endpoint } = query;
    let endpoint = match endpoint {
        None => None,
        // Also one that is not there any more: its attempts are.
        Some(Reference::Id(id)) => Some(id),
        Some(uid) => Some(reach::endpoint(&state, &application, &uid).await?.id),
    };
    let Some(filter) = query.filter(endpoint) else { return query.answer(nothing()) };
    let (organization, ListQuery { limit, iterator }) = (caller.organization, query.list);
    let now = state.clock.now();
    let attempts =
        state.store.attempts_by_message(organization, application.id, message.id, &filter, iterator, limit, now);
    query.answer(attempts.await?)
}

fn nothing() -> Page<Attempt> {
    Page { data: Vec::new(), done: true }
}

/// Read an attempt
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}", operation_id = "v1.message-attempt.get",
    tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id, or its `eventId` as long as that is remembered."),
        ("attempt_id" = String, Path, description = "The attempt's id."),
    ),
    responses((status = 200, body = MessageAttemptOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message, id)): Path<(Reference<ApplicationId>, MessageRef, AttemptId)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let message = reach::message_id(&state, &application, &message).await?;
    let now = state.clock.now();
    let attempt = state.store.attempt(caller.organization, application.id, message, id, now).await?;
    ok(&MessageAttemptOut::new(attempt.ok_or_else(ApiError::not_found)?, Content::Shown))
}

/// Remove the answer that an attempt got
///
/// For what a receiver should not have said.
#[utoipa::path(
    delete, path = "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content",
    operation_id = "v1.message-attempt.expunge-content", tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id, or its `eventId` as long as that is remembered."),
        ("attempt_id" = String, Path, description = "The attempt's id."),
    ),
    responses((status = 204, description = "Removed")),
)]
pub async fn expunge(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message, id)): Path<(Reference<ApplicationId>, MessageRef, AttemptId)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let message = reach::message_id(&state, &application, &message).await?;
    if state.store.expunge_attempt(caller.organization, application.id, message, id).await? {
        Ok(no_content())
    } else {
        Err(ApiError::not_found())
    }
}
