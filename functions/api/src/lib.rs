//! Everything over HTTP that is not accepting work: manage, list, read, the OpenAPI document and its page.

mod body;
mod change;
mod filters;
mod reach;
mod repetition;
pub mod routes;
mod status;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use tidings_domain::preconfigured::Preconfigured;
use tidings_egress::Egress;
use tidings_http::Credentials;
use tidings_outbound::endpoint::Endpoints;
use tidings_outbound::provider::Provider;
use tidings_runtime::Clock;
use tidings_runtime::settings::Secret;
use tidings_store::Store;
use tidings_vault::Vault;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the routes work with. Clones share everything.
#[derive(Clone)]
pub struct State {
    /// The table.
    pub store: Store,
    /// Says where requests may go.
    pub egress: Egress,
    /// Seals endpoints' secrets and headers.
    pub vault: Vault,
    /// Who is calling.
    pub credentials: Credentials,
    /// The time.
    pub clock: Clock,
    /// Signs applications' tokens; what callbacks are signed with is derived from it.
    pub secret: Secret,
    /// How long the fast lane owns a new record.
    pub grace: Duration,
    /// Who delivers for a platform's organizations.
    pub provider: Provider,
    /// The endpoints that each of them gets.
    pub preconfigured: Arc<Preconfigured>,
}

impl State {
    /// What endpoints are made with.
    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints {
            store: self.store.clone(),
            egress: self.egress.clone(),
            vault: self.vault.clone(),
            clock: self.clock.clone(),
            grace: self.grace,
        }
    }
}

impl FromRef<State> for Credentials {
    fn from_ref(state: &State) -> Self {
        state.credentials.clone()
    }
}

/// The routes with their OpenAPI descriptions.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(routes::api_key::create, routes::api_key::list))
        .routes(routes!(routes::api_key::revoke))
        .routes(routes!(routes::application::create, routes::application::list))
        .routes(routes!(
            routes::application::get,
            routes::application::update,
            routes::application::patch_application,
            routes::application::delete
        ))
        .routes(routes!(routes::attempt::list_by_endpoint))
        .routes(routes!(routes::attempt::list_by_message))
        .routes(routes!(routes::attempt::get))
        .routes(routes!(routes::attempt::expunge))
        .routes(routes!(routes::authentication::app_portal_access))
        .routes(routes!(routes::authentication::expire_all))
        .routes(routes!(routes::authentication::logout))
        .routes(routes!(routes::background_task::list))
        .routes(routes!(routes::background_task::get))
        .routes(routes!(routes::broker::dead_letter::list))
        .routes(routes!(routes::broker::job::count))
        .routes(routes!(routes::broker::job::get))
        .routes(routes!(routes::broker::job::replay))
        .routes(routes!(
            routes::broker::subscription::create,
            routes::broker::subscription::list,
            routes::broker::subscription::delete
        ))
        .routes(routes!(routes::broker::subscription::get))
        .routes(routes!(routes::client::create, routes::client::list, routes::client::delete))
        .routes(routes!(routes::client::batch::list))
        .routes(routes!(routes::delivery::list_attempted_messages))
        .routes(routes!(routes::delivery::resend))
        .routes(routes!(routes::destination::list))
        .routes(routes!(routes::docs::openapi))
        .routes(routes!(routes::docs::page))
        .routes(routes!(routes::endpoint::create, routes::endpoint::list))
        .routes(routes!(
            routes::endpoint::get,
            routes::endpoint::update,
            routes::endpoint::patch,
            routes::endpoint::delete
        ))
        .routes(routes!(
            routes::endpoint::headers::get,
            routes::endpoint::headers::update,
            routes::endpoint::headers::patch
        ))
        .routes(routes!(routes::endpoint::secret::get))
        .routes(routes!(routes::endpoint::secret::rotate))
        .routes(routes!(routes::event_type::create, routes::event_type::list::list))
        .routes(routes!(
            routes::event_type::get,
            routes::event_type::update,
            routes::event_type::patch,
            routes::event_type::delete
        ))
        .routes(routes!(routes::example::send))
        .routes(routes!(routes::health::get))
        .routes(routes!(routes::health::ping))
        .merge(inbound())
        .routes(routes!(routes::job::list))
        .routes(routes!(routes::job::signing_secret))
        .routes(routes!(routes::job::get))
        .routes(routes!(routes::job::retry))
        .routes(routes!(routes::message::list))
        .routes(routes!(routes::message::get))
        .routes(routes!(routes::message::expunge))
        .routes(routes!(routes::message::precheck))
        .routes(routes!(routes::organization::create, routes::organization::list))
        .routes(routes!(routes::organization::delete))
        .routes(routes!(routes::organization::attempt::list))
        .routes(routes!(routes::organization::initialization::initialize))
        .routes(routes!(routes::organization::initialization::status))
        .routes(routes!(routes::organization::initialization::stats))
        .routes(routes!(routes::organization::initialization::retry_failed))
        .routes(routes!(routes::organization::initialization::update_all))
        .routes(routes!(routes::organization::preconfigured::create))
        .routes(routes!(routes::organization::preconfigured::list))
        .routes(routes!(routes::organization::status::get))
        .routes(routes!(routes::repair::recover))
        .routes(routes!(routes::repair::replay_missing))
        .routes(routes!(routes::stats::of_application))
        .routes(routes!(routes::stats::of_endpoint))
        .routes(routes!(routes::stats::attempts_of_endpoint))
}

/// Those of inbound webhooks: who sends them, and what became of them.
fn inbound() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(routes::inbound::compute_error::list))
        .routes(routes!(routes::inbound::compute_error::get))
        .routes(routes!(routes::inbound::compute_error::retry))
        .routes(routes!(routes::inbound::enrollment::list, routes::inbound::enrollment::import::import))
        .routes(routes!(routes::inbound::enrollment::export::export))
        .routes(routes!(routes::inbound::transaction::list))
        .routes(routes!(routes::inbound::transaction::get))
        .routes(routes!(routes::inbound::transaction::replay::one))
        .routes(routes!(routes::inbound::transaction::replay::range))
        .routes(routes!(routes::inbound::transaction_error::list))
        .routes(routes!(routes::inbound::transaction_error::get))
        .routes(routes!(routes::source::create, routes::source::list))
        .routes(routes!(routes::source::get, routes::source::update, routes::source::patch, routes::source::delete))
        .routes(routes!(routes::source::secret::rotate))
}

/// The function's routes, to be finished by `tidings_http::finish`.
pub fn router(state: State) -> Router {
    Router::from(routes()).with_state(state)
}
