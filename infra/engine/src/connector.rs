//! The way from the SDK to the engine: its HTTP client, without HTTP.

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Builder, Config, Credentials, Region, StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::Engine;

/// What the engine answers to one request of `DynamoDB`'s protocol.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// The content type of `DynamoDB`'s protocol.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

#[derive(Clone, Debug)]
struct Connector {
    engine: Engine,
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let engine = self.engine.clone();
        HttpConnectorFuture::new(async move {
            let body = request.take_body();
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let answer = if let Some(bytes) = body.bytes() {
                engine.answer(target, bytes).await
            } else {
                let bytes = ByteStream::new(body)
                    .collect()
                    .await
                    .map_err(|error| ConnectorError::user(error.into()))?
                    .into_bytes();
                engine.answer(target, &bytes).await
            };
            let status =
                StatusCode::try_from(answer.status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
            response.headers_mut().insert("content-type", CONTENT_TYPE);
            Ok(response)
        })
    }
}

pub(crate) fn http_client(engine: Engine) -> SharedHttpClient {
    SharedHttpClient::new(Connector { engine })
}

/// What every client of the engine is built from.
pub(crate) fn config(engine: Engine) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tidings-engine"))
        // A signature that nobody looks at is a fifth of what the SDK does for a request.
        .allow_no_auth()
        .auth_scheme_preference([AuthSchemeId::from("noAuth")])
        // Never connected to: an endpoint spares the rules that would compute one.
        .endpoint_url("http://localhost")
        .http_client(http_client(engine))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
}
