//! Live updates as a Lambda function: wiring.

use std::sync::Arc;

use anyhow::Context as _;
use lambda_runtime::{LambdaEvent, service_fn};
use realtime::event::{Event, Response};
use realtime::{GREETINGS, Gateway, Options, Realtime};
use tidings_http::Credentials;
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};
use tidings_store::Store;
use tidings_telemetry::{Format, ignore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::from_env(Defaults::Deployed)?;
    tidings_telemetry::init(Format::Json, &settings.log_filter)?;
    let table_name = settings.table_name.clone();
    let store = Store::connect(tidings_store::Options { table_name, endpoint: None }).await;
    ignore(store.warm().await, "the first event opens the connection");
    let clock = Clock::system();
    let endpoint = settings.connections_endpoint.as_ref().context("CONNECTIONS_ENDPOINT: must be set")?;
    let realtime = Realtime::new(Options {
        credentials: Credentials::from_settings(&settings, &store, &clock)?,
        store,
        clock,
        connections: Arc::new(Gateway::connect(endpoint).await),
        greetings: GREETINGS,
    });
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| -> Result<Response, lambda_runtime::Error> {
        Ok(realtime.handle(event.payload).await?)
    }))
    .await
}
