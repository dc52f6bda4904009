//! Everything over HTTP that is not accepting work: manage, list, read, the OpenAPI document and its page.

pub mod routes;

use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use tidings_http::Credentials;
use tidings_runtime::Clock;
use tidings_runtime::settings::Secret;
use tidings_store::Store;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the routes work with. Clones share everything.
#[derive(Clone)]
pub struct State {
    /// The table.
    pub store: Store,
    /// Who is calling.
    pub credentials: Credentials,
    /// The time.
    pub clock: Clock,
    /// What callbacks are signed with is derived from this.
    pub secret: Secret,
    /// How long the fast lane owns a new record.
    pub grace: Duration,
}

impl FromRef<State> for Credentials {
    fn from_ref(state: &State) -> Self {
        state.credentials.clone()
    }
}

/// The routes with their OpenAPI descriptions.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(routes::job::list))
        .routes(routes!(routes::job::signing_secret))
        .routes(routes!(routes::job::get))
        .routes(routes!(routes::job::retry))
        .routes(routes!(routes::api_key::create, routes::api_key::list))
        .routes(routes!(routes::api_key::revoke))
        .routes(routes!(routes::health::get))
        .routes(routes!(routes::docs::openapi))
        .routes(routes!(routes::docs::page))
}

/// The function's routes, to be finished by `tidings_http::finish`.
pub fn router(state: State) -> Router {
    Router::from(routes()).with_state(state)
}
