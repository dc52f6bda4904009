use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;

use crate::batch::Batch;
use crate::cache::Cache;
use crate::{StoreError, keys};

/// The table. Clones share one client, one queue of writes and one cache.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) table: Arc<str>,
    pub(crate) batch: Arc<Batch>,
    pub(crate) cache: Arc<Cache>,
}

/// Where the table is.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The table's name.
    pub table_name: String,
    /// Another DynamoDB endpoint than the one that the AWS environment names.
    pub endpoint: Option<String>,
}

impl Store {
    /// The table of this name behind a client that somebody made.
    pub fn new(client: Client, table_name: &str) -> Self {
        Self { client, table: table_name.into(), batch: Arc::default(), cache: Arc::default() }
    }

    /// The table behind a client made from the AWS environment. It opens no connection yet.
    pub async fn connect(options: Options) -> Self {
        let mut loader = aws_config::from_env()
            // Patient enough for one lost packet, and far below any function's time-out.
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(1))
                    .operation_attempt_timeout(Duration::from_secs(2))
                    .operation_timeout(Duration::from_secs(5))
                    .build(),
            )
            .retry_config(RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(50)));
        if let Some(endpoint) = options.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        Self::new(Client::new(&loader.load().await), &options.table_name)
    }

    /// The client, for what is no access pattern of the service: tests, benchmarks, repair.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens the connection, so that the first request does not wait for it: a function calls this while it starts.
    /// It reads an item that does not exist.
    pub async fn warm(&self) -> Result<(), StoreError> {
        let key = keys::warm();
        self.client.get_item().table_name(&*self.table).set_key(Some(key.attributes())).send().await?;
        Ok(())
    }
}
