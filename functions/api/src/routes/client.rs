//! Clients: URLs that get everything their organization broadcasts. Each is an endpoint of one application, so whatever can
//! be asked of endpoints can be asked of clients; their tokens are told to nobody.

pub mod batch;
mod body;

use std::convert::Infallible;

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::application::Application;
use tidings_domain::broadcast::MAX_RECEIVERS;
use tidings_domain::client;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::OrganizationId;
use tidings_domain::names::Reference;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{
    ApiError, Caller, ClientErrorOut, FromQuery, Json, Organization, Query, QueryString, Reply, created, no_content,
    ok, refused,
};
use tidings_outbound::endpoint::NewEndpoint;
use tidings_runtime::random;
use tidings_store::Created;
use utoipa::{IntoParams, ToSchema};

pub use self::body::ClientIn;
use crate::change::{TRIES, contended};

/// A client. Its token is its own secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientOut {
    /// Where requests go.
    #[schema(value_type = String, format = "uri", example = "https://example.com/webhook/")]
    url: WebhookUrl,
}

/// Which client.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ClientQuery {
    /// Its URL.
    #[param(required = true)]
    url: Option<String>,
}

impl FromQuery for ClientQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self { url: query.one("url", |text| Ok::<_, Infallible>(text.to_owned())) })
    }
}

fn shown(clients: &[Endpoint]) -> Vec<ClientOut> {
    clients.iter().map(|client| ClientOut { url: client.url.clone() }).collect()
}

/// The application that clients belong to, if there was ever one.
async fn application(state: &crate::State, organization: OrganizationId) -> Result<Option<Application>, ApiError> {
    Ok(state.store.application(organization, &Reference::Uid(client::application_uid())).await?)
}

/// Register a client
///
/// From now on it gets everything that the organization broadcasts, as `{"token": ..., "payload": ...}`. A URL that is
/// registered already keeps its token.
#[utoipa::path(
    post, path = "/api/webhooks", operation_id = "client.create", tag = "Clients", security(("HTTPBearer" = [])),
    request_body = ClientIn,
    responses(
        (status = 200, body = Vec<ClientOut>, description = "Registered already; all clients"),
        (status = 201, body = Vec<ClientOut>, description = "Registered; all clients"),
        (status = 400, body = ClientErrorOut, description = "All that is wrong with it; or it is no JSON"),
        (status = 409, description = "Somebody changes the same at the same time"),
    ),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Json { value, .. }: Json<Value>,
) -> Result<Reply, ApiError> {
    let (organization, endpoints) = (caller.organization, state.endpoints());
    let ClientIn { url, token } = match ClientIn::read(&value, &endpoints) {
        Ok(request) => request,
        Err(faults) => return refused(&faults),
    };
    let now = state.clock.now();
    let (uid, name) = (client::application_uid(), client::APPLICATION_NAME);
    let application = state.store.ensure_application(organization, &uid, name, now, random::bytes()).await?;
    for _ in 0..TRIES {
        let mut clients = state.store.endpoints_of(organization, application.id).await?;
        if clients.iter().any(|client| client.url == url) {
            return ok(&shown(&clients));
        }
        if clients.len() >= MAX_RECEIVERS {
            return refused(&[format!("There are {MAX_RECEIVERS} clients, and no more can be registered")]);
        }
        let uid = client::endpoint_uid(&url);
        // One whose URL was changed since keeps the name that it had.
        let uid = Some(uid).filter(|uid| clients.iter().all(|client| client.uid.as_ref() != Some(uid)));
        let new = NewEndpoint { uid, token: Some(token.clone()), ..NewEndpoint::at(url.clone()) };
        let client = match endpoints.build(&application, new) {
            Ok(client) => client,
            Err(why) => return refused(&[body::not_allowed(why)]),
        };
        match endpoints.write(&application, &client, None).await? {
            Created::Written => {
                let location = format!("/api/v1/app/{}/endpoint/{}", client.application, client.id);
                clients.push(client);
                return created(location, &shown(&clients));
            }
            // Somebody else was first.
            Created::UidTaken => {}
            Created::Repeated(_) => return Err(ApiError::internal("an answer was kept without a key")),
        }
    }
    Err(contended())
}

/// List clients
///
/// Oldest first.
#[utoipa::path(
    get, path = "/api/webhooks", operation_id = "client.list", tag = "Clients", security(("HTTPBearer" = [])),
    responses((status = 200, body = Vec<ClientOut>)),
)]
pub async fn list(State(state): State<crate::State>, caller: Caller<Organization>) -> Result<Reply, ApiError> {
    let clients = match application(&state, caller.organization).await? {
        Some(application) => state.store.endpoints_of(caller.organization, application.id).await?,
        None => Vec::new(),
    };
    ok(&shown(&clients))
}

/// Remove a client
///
/// It gets nothing any more.
#[utoipa::path(
    delete, path = "/api/webhooks", operation_id = "client.delete", tag = "Clients", security(("HTTPBearer" = [])),
    params(ClientQuery),
    responses(
        (status = 204, description = "Removed"),
        (status = 400, body = ClientErrorOut, description = "No URL"),
        (status = 404, description = "No client has this URL"),
    ),
)]
pub async fn delete(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(ClientQuery { url }): Query<ClientQuery>,
) -> Result<Reply, ApiError> {
    let url = match url {
        None => return refused(&[r#""url" is required"#]),
        Some(url) if url.is_empty() => return refused(&[r#""url" is not allowed to be empty"#]),
        // What cannot be registered is not registered.
        Some(url) => WebhookUrl::try_from(url).map_err(|_| ApiError::not_found())?,
    };
    let application = application(&state, caller.organization).await?.ok_or_else(ApiError::not_found)?;
    let clients = state.store.endpoints_of(caller.organization, application.id).await?;
    let mut is_removed = false;
    for client in clients.iter().filter(|client| client.url == url) {
        is_removed |= state.endpoints().delete(&application, client).await?;
    }
    if is_removed { Ok(no_content()) } else { Err(ApiError::not_found()) }
}
