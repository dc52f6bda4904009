//! The generator as a Lambda function: wiring.

use anyhow::Context as _;
use generator::{Generator, Options, Summary, Tick};
use lambda_runtime::{LambdaEvent, service_fn};
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};
use tidings_store::Store;
use tidings_telemetry::{Format, ignore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::from_env(Defaults::Deployed)?;
    tidings_telemetry::init(Format::Json, &settings.log_filter)?;
    let store = Store::connect(tidings_store::Options { table_name: settings.table_name, endpoint: None }).await;
    ignore(store.warm().await, "the first event opens the connection");
    let generator = Generator::new(Options {
        store,
        clock: Clock::system(),
        organization: settings.generator_organization.context("GENERATOR_ORGANIZATION: must be set")?,
        frequency: settings.generator_frequency,
        grace: settings.grace,
    });
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Tick>| -> Result<Summary, lambda_runtime::Error> {
        Ok(generator.minute(event.payload).await?)
    }))
    .await
}
