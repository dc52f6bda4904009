//! A function: a binary and its configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::{Environment, Table};

/// A function as it is deployed. [`Function::start`] gives it an execution environment.
#[derive(Debug, Clone)]
pub struct Function {
    binary: PathBuf,
    variables: Vec<(String, String)>,
    timeout: Duration,
}

impl Function {
    /// The function of this binary: in a test, `env!("CARGO_BIN_EXE_<name>")`.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self { binary: binary.into(), variables: Vec::new(), timeout: Duration::from_secs(120) }
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Points it to a table.
    #[must_use]
    pub fn table(self, table: &Table) -> Self {
        self.env("AWS_ENDPOINT_URL", table.url()).env("TABLE_NAME", Table::NAME)
    }

    /// How long an event may take; two minutes otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts an environment. It does not wait until the process is ready.
    pub async fn start(&self) -> Environment {
        Environment::start(self.clone()).await
    }

    /// The binary's file name.
    pub fn name(&self) -> &str {
        self.binary.file_stem().and_then(|name| name.to_str()).unwrap_or("function")
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.timeout
    }

    /// What Lambda would run: nothing of this process's own environment is passed on.
    pub(crate) fn command(&self, runtime_api: &str) -> Command {
        let name = self.name();
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "en_US.UTF-8")
            .env("TZ", ":UTC")
            .env("LAMBDA_TASK_ROOT", self.binary.parent().unwrap_or(Path::new("/")))
            .env("_HANDLER", "bootstrap")
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023")
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2024/01/01/[$LATEST]0123456789abcdef0123456789abcdef")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_SESSION_TOKEN", "test")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}
