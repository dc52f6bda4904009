//! Destinations: the endpoints that a message goes to.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::attempt::Attempt;
use tidings_domain::delivery::DeliveryStatus;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApplicationId, EndpointId};
use tidings_domain::message::Message;
use tidings_domain::names::{Channel, EventTypeName, Reference, Uid};
use tidings_domain::page::{Order, Page, Position};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{AnyScope, ApiError, Caller, ListQuery, ListResponse, Path, Query, Reply, ok};
use utoipa::ToSchema;

use crate::reach::{self, MessageRef};
use crate::status::{MessageStatus, MessageStatusText};

/// An endpoint, and where a message stands there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageEndpointOut {
    /// The endpoint's id.
    #[schema(value_type = String)]
    id: EndpointId,
    /// The application's own name for it.
    #[schema(value_type = Option<String>)]
    uid: Option<Uid>,
    /// Where requests go.
    #[schema(value_type = String, format = "uri")]
    url: WebhookUrl,
    /// For people.
    description: String,
    /// Types that it wants; all if `null`.
    #[schema(value_type = Option<Vec<String>>)]
    filter_types: Option<Vec<EventTypeName>>,
    /// The same, under its older name.
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Option<Vec<EventTypeName>>,
    /// Channels that it wants.
    #[schema(value_type = Option<Vec<String>>)]
    channels: Option<Vec<Channel>>,
    /// Gets nothing.
    disabled: bool,
    /// Most attempts a second.
    throttle_rate: Option<u16>,
    /// The same, under its older name.
    rate_limit: Option<u16>,
    /// Always 1.
    version: u8,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
    /// Where the message stands there.
    status: MessageStatus,
    /// The same as a text.
    status_text: MessageStatusText,
    /// When the next attempt is due; `null` if none is.
    #[schema(value_type = Option<String>, format = "date-time")]
    next_attempt: Option<Timestamp>,
}

impl MessageEndpointOut {
    fn new(endpoint: Endpoint, newest: Option<&Attempt>) -> Self {
        let Endpoint {
            id,
            organization: _,
            application: _,
            uid,
            url,
            description,
            event_types,
            channels,
            disabled,
            throttle_rate,
            metadata: _,
            retry_schedule: _,
            timeout: _,
            keys: _,
            headers: _,
            token: _,
            retried: _,
            failing_since: _,
            created_at,
            updated_at,
        } = endpoint;
        let (status, rate) = (DeliveryStatus::of(newest), throttle_rate.map(Into::into));
        Self {
            id,
            uid,
            url,
            description,
            filter_types: event_types.clone(),
            event_types,
            channels,
            disabled,
            throttle_rate: rate,
            rate_limit: rate,
            version: 1,
            created_at,
            updated_at,
            status: status.into(),
            status_text: status.into(),
            next_attempt: newest.and_then(|attempt| attempt.next_attempt),
        }
    }
}

/// List the endpoints of a message
///
/// Those that it was attempted at, and those that will get it; oldest first.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/msg/{msg_id}/endpoint",
    operation_id = "v1.message-attempt.list-attempted-destinations", tag = "Attempts", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("msg_id" = String, Path, description = "The message's id, or its `eventId` as long as that is remembered."),
        ListQuery<EndpointId>,
    ),
    responses((status = 200, body = ListResponse<MessageEndpointOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, message)): Path<(Reference<ApplicationId>, MessageRef)>,
    Query(query): Query<ListQuery<EndpointId>>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let message = reach::message(&state, &application, &message).await?;
    let newest = state.store.newest_attempts_of_message(caller.organization, application.id, message.id).await?;
    let page = destinations(&state, &message, &newest, query).await?;
    let show = |endpoint: Endpoint| {
        let attempt = newest.get(&endpoint.id);
        MessageEndpointOut::new(endpoint, attempt)
    };
    ok(&ListResponse::new(page, |endpoint| endpoint.id.to_string(), show))
}

/// A page of a message's endpoints. The application's other endpoints are passed over.
async fn destinations(
    state: &crate::State,
    message: &Message,
    newest: &BTreeMap<EndpointId, Attempt>,
    query: ListQuery<EndpointId>,
) -> Result<Page<Endpoint>, ApiError> {
    let ListQuery { limit, iterator } = query;
    let backwards = matches!(iterator, Some(Position::Before(_)));
    // One that was made later does not get it.
    let is_destination = |endpoint: &Endpoint| {
        newest.contains_key(&endpoint.id) || (endpoint.is_older_than(message) && endpoint.wants(message))
    };
    let (mut found, mut position) = (Vec::new(), iterator);
    loop {
        let (organization, application) = (message.organization, message.application);
        let page = state.store.endpoints(organization, application, position, Order::Ascending, limit).await?;
        // The next page starts beside the last one that was looked at, wanted or not.
        position = if backwards {
            page.data.first().map(|first| Position::Before(first.id))
        } else {
            page.data.last().map(|last| Position::After(last.id))
        };
        let done = page.done || position.is_none();
        let wanted: Vec<_> = page.data.into_iter().filter(is_destination).collect();
        found = if backwards { [wanted, found].concat() } else { [found, wanted].concat() };
        let over = found.len().saturating_sub(limit.get());
        if done || over > 0 || found.len() == limit.get() {
            if backwards {
                found.drain(..over);
            } else {
                found.truncate(limit.get());
            }
            return Ok(Page { data: found, done: done && over == 0 });
        }
    }
}
