//! Intake as a Lambda function: wiring.

use anyhow::Context as _;
use intake::State;
use tidings_domain::message::Route;
use tidings_egress::Egress;
use tidings_http::Credentials;
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};
use tidings_store::Store;
use tidings_telemetry::{Format, ignore};
use tidings_vault::Vault;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::from_env(Defaults::Deployed)?;
    tidings_telemetry::init(Format::Json, &settings.log_filter)?;
    let table_name = settings.table_name.clone();
    let store = Store::connect(tidings_store::Options { table_name, endpoint: None }).await;
    ignore(store.warm().await, "the first request opens the connection");
    let clock = Clock::system();
    let state = State {
        credentials: Credentials::from_settings(&settings, &store, &clock)?,
        egress: Egress::new(tidings_egress::Options { allow: settings.egress_allow, ..Default::default() })?,
        vault: Vault::new(&settings.encryption_keys.context("TIDINGS_ENCRYPTION_KEY: must be set")?),
        store,
        clock,
        providers: settings.providers.into(),
        grace: settings.grace,
        route: if settings.svix.is_some() { Route::Provider } else { Route::Endpoints },
        inbound_organization: settings.inbound_organization,
    };
    lambda_http::run(tidings_http::finish(intake::router(state))).await
}
