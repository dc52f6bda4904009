use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the table did not do what was asked. Conditions that failed are answers, not errors: the functions that can
/// meet them say so in their return types.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table takes no more at the moment, after the client's own retries.
    #[error("the table is throttled")]
    Throttled(#[source] Source),
    /// Other transactions on the same items got in the way, after retries.
    #[error("the item is contended")]
    Contended,
    /// The table could not be reached, or did not answer in time. Whether the write happened is unknown.
    #[error("the table cannot be reached")]
    Unavailable(#[source] Source),
    /// The request was wrong, or not permitted: ours to mend.
    #[error("the table refused the request")]
    Refused(#[source] Source),
    /// An item is not what this version can read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// A stored item cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the item {key}: {problem}")]
pub struct DecodeError {
    /// Partition and sort key, as far as they are known.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl DecodeError {
    pub(crate) fn new(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { key: key.into(), problem: problem.to_string() }
    }
}

impl StoreError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Contended | Self::Unavailable(_) => true,
            Self::Refused(_) | Self::Decode(_) => false,
        }
    }
}

impl From<BuildError> for StoreError {
    fn from(error: BuildError) -> Self {
        Self::Refused(error.into())
    }
}

impl<E> From<SdkError<E, HttpResponse>> for StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        const THROTTLED: [&str; 4] = [
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "ThrottlingException",
            "LimitExceededException",
        ];
        // What a single write meets; a transaction that meets another is cancelled, and looked at where it was sent.
        const CONTENDED: [&str; 2] = ["TransactionConflictException", "TransactionInProgressException"];
        const OURS: [&str; 2] = ["InternalServerError", "ServiceUnavailable"];

        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        match (&error, code) {
            (_, Some(code)) if THROTTLED.contains(&code) => Self::Throttled(error.into()),
            (_, Some(code)) if CONTENDED.contains(&code) => Self::Contended,
            (_, Some(code)) if OURS.contains(&code) => Self::Unavailable(error.into()),
            // Something in between, which does not speak DynamoDB's language.
            (SdkError::ServiceError(_), _) if is_server_error(&error) => Self::Unavailable(error.into()),
            (SdkError::ServiceError(_) | SdkError::ConstructionFailure(_), _) => Self::Refused(error.into()),
            _ => Self::Unavailable(error.into()),
        }
    }
}

fn is_server_error<E>(error: &SdkError<E, HttpResponse>) -> bool {
    error.raw_response().is_some_and(|response| response.status().is_server_error())
}
