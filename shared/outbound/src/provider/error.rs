use tidings_egress::Refused;
use tidings_store::StoreError;

/// Why a provider did not do what was asked. Every text is fit to be shown.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The table did not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A URL may not be registered.
    #[error(transparent)]
    Url(#[from] Refused),
    /// The provider has an application of this name that is another tenant's.
    #[error("the organization is somebody else's at the delivery provider")]
    ApplicationTaken,
    /// What was there a moment ago is gone.
    #[error("it is not there at the delivery provider any more")]
    NotFound,
    /// The provider will never do it.
    #[error("the delivery provider refused it with status {status}: {detail}")]
    Refused {
        /// Its answer's status code.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// It had no time to answer; it may have done it.
    #[error("the delivery provider did not answer in time")]
    OutOfTime,
    /// The provider does nothing at the moment.
    #[error("the delivery provider {detail}")]
    Unavailable {
        /// What is wrong, after its name.
        detail: String,
    },
}

impl ProviderError {
    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.retryable(),
            Self::OutOfTime | Self::Unavailable { .. } => true,
            Self::Url(_) | Self::ApplicationTaken | Self::NotFound | Self::Refused { .. } => false,
        }
    }
}
