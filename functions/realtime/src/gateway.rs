//! Connections that API Gateway holds.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;
use aws_sdk_apigatewaymanagement::operation::delete_connection::DeleteConnectionError;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tidings_domain::connection::ConnectionId;
use url::Url;

use crate::{Connections, PostError, Posted};

/// The connections of an API.
#[derive(Debug, Clone)]
pub struct Gateway {
    client: Client,
}

impl Gateway {
    /// Those of the API and stage that this URL names. It opens no connection yet.
    pub async fn connect(endpoint: &Url) -> Self {
        let config = aws_config::from_env()
            // News wait for nobody: a batch has more connections to tell.
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(1))
                    .operation_attempt_timeout(Duration::from_secs(2))
                    .operation_timeout(Duration::from_secs(5))
                    .build(),
            )
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50)))
            .load()
            .await;
        let config = Builder::from(&config).endpoint_url(endpoint.as_str().trim_end_matches('/')).build();
        Self { client: Client::from_conf(config) }
    }
}

impl Connections for Gateway {
    fn post<'a>(&'a self, connection: &'a ConnectionId, text: &'a str) -> BoxFuture<'a, Result<Posted, PostError>> {
        let request = self.client.post_to_connection().connection_id(connection.as_str()).data(Blob::new(text));
        async move {
            match request.send().await {
                Ok(_) => Ok(Posted::Sent),
                Err(error) if error.as_service_error().is_some_and(PostToConnectionError::is_gone_exception) => {
                    Ok(Posted::Gone)
                }
                Err(error) => Err(PostError::new(error)),
            }
        }
        .boxed()
    }

    fn delete<'a>(&'a self, connection: &'a ConnectionId) -> BoxFuture<'a, Result<(), PostError>> {
        let request = self.client.delete_connection().connection_id(connection.as_str());
        async move {
            match request.send().await {
                Ok(_) => Ok(()),
                Err(error) if error.as_service_error().is_some_and(DeleteConnectionError::is_gone_exception) => Ok(()),
                Err(error) => Err(PostError::new(error)),
            }
        }
        .boxed()
    }
}
