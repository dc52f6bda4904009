//! Attempts: what became of each request that was made.

use axum::extract::State;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::{Delivery, DeliveryStatus, Trigger};
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId};
use tidings_domain::names::Reference;
use tidings_domain::page::Page;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{
    AnyScope, ApiError, Caller, Content, FromQuery, ListQuery, ListResponse, Path, Query, QueryString, Reply,
    no_content, ok,
};
use tidings_store::attempt::AttemptFilter;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use crate::filters::{Filters, bounded, name, parameter};
use crate::reach;
use crate::status::{self, MessageAttemptTriggerType, MessageStatus, MessageStatusText};

/// Stands in the place of an answer that was removed.
const EXPUNGED: &str = "EXPUNGED";

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

    fn answer(&self, page: Page<Attempt>) -> Result<Reply, ApiError> {
        let page =
            bounded(page, self.list.iterator.as_ref(), |attempt| attempt.response.as_ref().map_or(0, String::len));
        let show = |attempt| MessageAttemptOut::new(attempt, self.content);
        ok(&ListResponse::new(page, |attempt| attempt.id.to_string(), show))
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

/// List an endpoint's attempts
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}",
    operation_id = "v1.message-attempt.list-by-endpoint", tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        AttemptQuery,
    ),
    responses((status = 200, body = ListResponse<MessageAttemptOut>)),
)]
pub async fn list_by_endpoint(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Query(query): Query<AttemptQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    let Some(filter) = query.filter(None) else { return query.answer(nothing()) };
    let (organization, ListQuery { limit, iterator }) = (caller.organization, query.list);
    let now = state.clock.now();
    let attempts =
        state.store.attempts_by_endpoint(organization, application.id, endpoint.id, &filter, iterator, limit, now);
    query.answer(attempts.await?)
}

/// List a message's attempts
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/attempt/msg/{msg_id}", operation_id = "v1.message-attempt.list-by-msg",
    tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id."),
        MessageAttemptQuery,
    ),
    responses((status = 200, body = ListResponse<MessageAttemptOut>)),
)]
pub async fn list_by_message(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message)): Path<(Reference<ApplicationId>, MessageId)>,
    Query(query): Query<MessageAttemptQuery>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let message = reach::message(&state, &application, message).await?;
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
        ("msg_id" = String, Path, description = "The message's id."),
        ("attempt_id" = String, Path, description = "The attempt's id."),
    ),
    responses((status = 200, body = MessageAttemptOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message, id)): Path<(Reference<ApplicationId>, MessageId, AttemptId)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
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
        ("msg_id" = String, Path, description = "The message's id."),
        ("attempt_id" = String, Path, description = "The attempt's id."),
    ),
    responses((status = 204, description = "Removed")),
)]
pub async fn expunge(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message, id)): Path<(Reference<ApplicationId>, MessageId, AttemptId)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    if state.store.expunge_attempt(caller.organization, application.id, message, id).await? {
        Ok(no_content())
    } else {
        Err(ApiError::not_found())
    }
}
