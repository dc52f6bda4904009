//! The mock of a providers API as a Lambda function: wiring.

use tidings_runtime::Settings;
use tidings_runtime::settings::Defaults;
use tidings_telemetry::Format;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::from_env(Defaults::Deployed)?;
    tidings_telemetry::init(Format::Json, &settings.log_filter)?;
    let state = provider::State { failure_probability: settings.failure_probability };
    lambda_http::run(tidings_http::finish(provider::router(state))).await
}
