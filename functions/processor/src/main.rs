//! The processor as a Lambda function: wiring.

use anyhow::Context as _;
use lambda_runtime::{LambdaEvent, service_fn};
use processor::event::{Event, Response};
use processor::{FAST_REQUEST_TIMEOUT, Options, Processor, STAY};
use tidings_domain::Timestamp;
use tidings_domain::preconfigured::Preconfigured;
use tidings_egress::Egress;
use tidings_outbound::endpoint::Endpoints;
use tidings_outbound::provider::Provider;
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};
use tidings_store::Store;
use tidings_telemetry::metric::Metrics;
use tidings_telemetry::{Format, ignore};
use tidings_vault::Vault;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::from_env(Defaults::Deployed)?;
    tidings_telemetry::init(Format::Json, &settings.log_filter)?;
    let store = Store::connect(tidings_store::Options { table_name: settings.table_name, endpoint: None }).await;
    ignore(store.warm().await, "the first event opens the connection");
    let egress = Egress::new(tidings_egress::Options { allow: settings.egress_allow, ..Default::default() })?;
    egress.prepare()?;
    let clock = Clock::system();
    let vault = Vault::new(&settings.encryption_keys.context("TIDINGS_ENCRYPTION_KEY: must be set")?);
    let endpoints = Endpoints {
        store: store.clone(),
        egress: egress.clone(),
        vault: vault.clone(),
        clock: clock.clone(),
        grace: settings.grace,
    };
    let (table, base) = (settings.preconfigured_endpoints.as_deref(), settings.preconfigured_base_url.as_ref());
    let processor = Processor::new(Options {
        provider: Provider::new(endpoints, settings.svix.as_ref()),
        preconfigured: Preconfigured::parse(table, base)?,
        store,
        egress,
        clock,
        metrics: Metrics::embedded(&settings.stage),
        secret: settings.jwt_secret.context("TIDINGS_JWT_SECRET: must be set")?,
        service_endpoint: settings.service_endpoint.context("SERVICE_ENDPOINT: must be set")?,
        vault,
        job_retry_schedule: settings.job_retry_schedule,
        retry_schedule: settings.retry_schedule,
        grace: settings.grace,
        request_timeout: settings.request_timeout,
        stay: STAY,
        fast_request_timeout: FAST_REQUEST_TIMEOUT.min(settings.request_timeout),
    });
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| -> Result<Response, lambda_runtime::Error> {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        Ok(processor.handle(event.payload, Timestamp::from_millis(deadline)).await?)
    }))
    .await
}
