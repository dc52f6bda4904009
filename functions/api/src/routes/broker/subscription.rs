//! Which URLs want which events.

use axum::extract::State;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use serde_json::Value;
use tidings_domain::broadcast::MAX_RECEIVERS;
use tidings_domain::broker::{self, EventName};
use tidings_domain::endpoint::Retried;
use tidings_domain::ids::OrganizationId;
use tidings_domain::names::Reference;
use tidings_domain::operational::OperationalEvent;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{ApiError, Caller, Json, Organization, Path, Query, Reply, no_content, ok, refused};
use tidings_outbound::endpoint::NewEndpoint;
use tidings_runtime::random;
use tidings_store::Subscribed;
use utoipa::ToSchema;

use super::body::{
    Fault, INVALID_PARAMETERS, ParametersErrorOut, Slice, SliceQuery, SubscriptionErrorOut, SubscriptionIn,
};
use super::{AT_ONCE, application};

/// A URL that wants an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionOut {
    /// The event's name.
    #[schema(value_type = String, example = "upload_image")]
    event_name: EventName,
    /// Where requests go.
    #[schema(value_type = String, format = "uri", example = "https://example.com/webhook/")]
    webhook_url: WebhookUrl,
}

/// An event, and who wants it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventOut {
    /// Its name.
    #[schema(value_type = String, example = "upload_image")]
    event_name: EventName,
    /// Where it is sent, in the order in which they were registered.
    #[schema(value_type = Vec<String>, example = json!(["https://example.com/webhook/"]))]
    webhook_urls: Vec<WebhookUrl>,
}

/// An event with its URLs; `None` if nobody wants it.
async fn event(
    state: &crate::State,
    organization: OrganizationId,
    event_name: EventName,
) -> Result<Option<EventOut>, ApiError> {
    let found = state.store.subscriptions(organization, &event_name).await?;
    let webhook_urls: Vec<_> = found.into_iter().map(|subscription| subscription.url).collect();
    Ok(Some(EventOut { event_name, webhook_urls }).filter(|event| !event.webhook_urls.is_empty()))
}

/// Register a URL for an event
///
/// From now on it gets every event of that name. The same pair twice is one.
#[utoipa::path(
    post, path = "/api/v0/webhooks", operation_id = "broker.subscription.create", tag = "Broker",
    security(("HTTPBearer" = [])), request_body = SubscriptionIn,
    responses(
        (status = 200, body = SubscriptionOut, description = "Registered, now or before"),
        (status = 400, body = SubscriptionErrorOut, description = "All that is wrong with it; or it is no JSON"),
    ),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    let (organization, endpoints) = (caller.organization, state.endpoints());
    let check = |url: &WebhookUrl| endpoints.check(url).map_err(|why| why.to_string());
    let SubscriptionIn { event_name, webhook_url } = match SubscriptionIn::read(&value, check) {
        Ok(request) => request,
        Err(faults) => return refused(&faults),
    };
    let now = state.clock.now();
    let (uid, name) = (broker::application_uid(), broker::APPLICATION_NAME);
    let application = state.store.ensure_application(organization, &uid, name, now, random::bytes()).await?;
    let new = NewEndpoint {
        uid: Some(event_name.endpoint_uid(&webhook_url)),
        description: event_name.to_string(),
        event_types: Some(vec![event_name.event_type()]),
        retry_schedule: Some(broker::retry_schedule()),
        retried: Retried::Transient,
        ..NewEndpoint::at(webhook_url.clone())
    };
    let endpoint = match endpoints.build(&application, new) {
        Ok(endpoint) => endpoint,
        Err(why) => return refused(&[Fault::of("webhookUrl", why.to_string())]),
    };
    let told = endpoints.tell(&application, &endpoint, OperationalEvent::EndpointCreated, now).await?;
    let told = endpoints.telling(told.as_ref(), now);
    match state.store.subscribe(organization, &event_name, &endpoint, told.as_ref(), None).await? {
        Subscribed::New | Subscribed::Known => ok(&SubscriptionOut { event_name, webhook_url }),
        Subscribed::TooMany => {
            let message = format!("This event has {MAX_RECEIVERS} URLs, and no more can be registered");
            refused(&[Fault::of("webhookUrl", message)])
        }
        Subscribed::Repeated(_) => Err(ApiError::internal("an answer was kept without a key")),
    }
}

/// List events
///
/// By name, each with its URLs.
#[utoipa::path(
    get, path = "/api/v0/webhooks", operation_id = "broker.subscription.list", tag = "Broker",
    security(("HTTPBearer" = [])), params(Slice),
    responses(
        (status = 200, body = Vec<EventOut>),
        (status = 400, body = ParametersErrorOut, description = "`page_size` or `offset` is no number, or out of range"),
    ),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(SliceQuery(slice)): Query<SliceQuery>,
) -> Result<Reply, ApiError> {
    let Some(Slice { page_size, offset }) = slice else { return refused(INVALID_PARAMETERS) };
    let names = state.store.event_names(caller.organization, offset, page_size).await?;
    let looks: Vec<_> = names.into_iter().map(|name| event(&state, caller.organization, name)).collect();
    let events: Vec<_> = futures::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    // One whose last URL was removed meanwhile is none any more.
    ok(&events.into_iter().flatten().collect::<Vec<_>>())
}

/// Read an event
#[utoipa::path(
    get, path = "/api/v0/webhooks/{eventName}", operation_id = "broker.subscription.get", tag = "Broker",
    security(("HTTPBearer" = [])), params(("eventName" = String, Path, description = "The event's name.")),
    responses((status = 200, body = EventOut), (status = 404, description = "Nobody wants this event")),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(name): Path<EventName>,
) -> Result<Reply, ApiError> {
    ok(&event(&state, caller.organization, name).await?.ok_or_else(ApiError::not_found)?)
}

/// Remove a URL from an event
///
/// It gets no further one.
#[utoipa::path(
    delete, path = "/api/v0/webhooks", operation_id = "broker.subscription.delete", tag = "Broker",
    security(("HTTPBearer" = [])), request_body = SubscriptionIn,
    responses(
        (status = 204, description = "Removed"),
        (status = 400, body = SubscriptionErrorOut, description = "All that is wrong with it; or it is no JSON"),
        (status = 404, description = "This pair is not registered"),
    ),
)]
pub async fn delete(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    let SubscriptionIn { event_name, webhook_url } = match SubscriptionIn::read(&value, |_| Ok(())) {
        Ok(request) => request,
        Err(faults) => return refused(&faults),
    };
    let organization = caller.organization;
    let application = application(&state, organization).await?.ok_or_else(ApiError::not_found)?;
    let found = state.store.subscriptions(organization, &event_name).await?;
    let pair = found.into_iter().find(|pair| pair.url == webhook_url).ok_or_else(ApiError::not_found)?;
    let endpoint = state.store.endpoint(organization, application.id, &Reference::Id(pair.endpoint)).await?;
    let is_removed = match endpoint {
        // The pair outlives an endpoint that was deleted as such.
        None => state.store.drop_subscription(organization, &event_name, &pair).await?,
        Some(endpoint) => {
            let (endpoints, now) = (state.endpoints(), state.clock.now());
            let told = endpoints.tell(&application, &endpoint, OperationalEvent::EndpointDeleted, now).await?;
            let told = endpoints.telling(told.as_ref(), now);
            state.store.unsubscribe(organization, &event_name, &endpoint, told.as_ref()).await?
        }
    };
    if is_removed { Ok(no_content()) } else { Err(ApiError::not_found()) }
}
