//! The API as a Lambda function: wiring.

use anyhow::Context as _;
use api::State;
use tidings_domain::preconfigured::Preconfigured;
use tidings_egress::Egress;
use tidings_http::Credentials;
use tidings_outbound::endpoint::Endpoints;
use tidings_outbound::provider::Provider;
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
    let credentials = Credentials::from_settings(&settings, &store, &clock)?;
    let endpoints = Endpoints {
        store,
        egress: Egress::new(tidings_egress::Options { allow: settings.egress_allow, ..Default::default() })?,
        vault: Vault::new(&settings.encryption_keys.context("TIDINGS_ENCRYPTION_KEY: must be set")?),
        clock,
        grace: settings.grace,
    };
    let (table, base) = (settings.preconfigured_endpoints, settings.preconfigured_base_url);
    let state = State {
        preconfigured: Preconfigured::parse(table.as_deref(), base.as_ref())?.into(),
        provider: Provider::new(endpoints.clone(), settings.svix.as_ref()),
        credentials,
        store: endpoints.store,
        egress: endpoints.egress,
        vault: endpoints.vault,
        clock: endpoints.clock,
        secret: settings.jwt_secret.context("TIDINGS_JWT_SECRET: must be set")?,
        grace: settings.grace,
    };
    lambda_http::run(tidings_http::finish(api::router(state))).await
}
