//! Accepts work: writes it down, answers. This is the hot path, so it holds only what accepting takes.

pub mod routes;
mod schemas;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::{Extension, Router};
use tidings_domain::ids::OrganizationId;
use tidings_domain::job::ProviderId;
use tidings_domain::message::Route;
use tidings_egress::Egress;
use tidings_http::{BodyLimit, Credentials};
use tidings_runtime::Clock;
use tidings_store::Store;
use tidings_vault::Vault;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::schemas::Schemas;

/// What the routes work with. Clones share everything.
#[derive(Clone)]
pub struct State {
    /// The table.
    pub store: Store,
    /// Says where requests may go.
    pub egress: Egress,
    /// Opens what the requests of sources are verified with.
    pub vault: Vault,
    /// Who is calling.
    pub credentials: Credentials,
    /// The time.
    pub clock: Clock,
    /// Whom a job may ask.
    pub providers: Arc<[ProviderId]>,
    /// How long the fast lane owns a new record.
    pub grace: Duration,
    /// Who brings messages to a platform's organizations.
    pub route: Route,
    /// Whose sources the open doors know by their uids. Those of every organization are known by their ids.
    pub inbound_organization: Option<OrganizationId>,
}

impl FromRef<State> for Credentials {
    fn from_ref(state: &State) -> Self {
        state.credentials.clone()
    }
}

/// The routes with their OpenAPI descriptions.
pub fn routes() -> OpenApiRouter<State> {
    let messages = OpenApiRouter::new()
        .routes(routes!(routes::message::create))
        .routes(routes!(routes::organization::send))
        .layer(Extension(BodyLimit(routes::message::MAX_BODY_BYTES)))
        .routes(routes!(routes::event::create))
        .layer(Extension(Schemas::default()));
    let inbound = OpenApiRouter::new()
        .routes(routes!(routes::inbound::create, routes::inbound::check))
        .routes(routes!(routes::inbound::create_docebo, routes::inbound::check_docebo))
        .layer(Extension(BodyLimit(routes::inbound::MAX_READ_BYTES)))
        .routes(routes!(routes::inbound::retry));
    OpenApiRouter::new()
        .routes(routes!(routes::broker::trigger))
        .routes(routes!(routes::client::trigger))
        .routes(routes!(routes::job::create))
        .merge(inbound)
        .merge(messages)
}

/// The function's routes, to be finished by `tidings_http::finish`.
pub fn router(state: State) -> Router {
    Router::from(routes()).with_state(state)
}
