//! The mock of a callback receiver as a Lambda function: wiring.

use tidings_runtime::Settings;
use tidings_runtime::settings::Defaults;
use tidings_telemetry::Format;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::from_env(Defaults::Deployed)?;
    tidings_telemetry::init(Format::Json, &settings.log_filter)?;
    lambda_http::run(tidings_http::finish(complete::router())).await
}
