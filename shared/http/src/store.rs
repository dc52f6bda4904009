//! What HTTP functions need of the store: its errors as answers, its API keys as credentials, and which tokens were
//! taken back.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tidings_runtime::{Clock, Settings};
use tidings_store::{Repetition, Store, StoreError};

use crate::answer::Reply;
use crate::credential::{CACHE_FOR, CredentialOptions, Credentials, JwksDocument, KeyError, LookupFailed, PublicKey};
use crate::error::ApiError;

/// How long to wait while another request holds what this one needs.
const CONTENDED_RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Contended => Self::conflict_retry(CONTENDED_RETRY_AFTER),
            StoreError::Throttled(_) | StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::Refused(_) | StoreError::Decode(_) => Self::internal(error),
        }
    }
}

impl From<StoreError> for LookupFailed {
    fn from(error: StoreError) -> Self {
        let retryable = error.retryable();
        Self::new(error, retryable)
    }
}

impl Reply {
    /// What a request gets whose idempotency key was used before: the first answer again, or a 409 for another request.
    pub fn repeated(repetition: Repetition) -> Result<Self, ApiError> {
        match repetition {
            Repetition::Same(answer) => Ok(Self::replayed(answer)),
            Repetition::Other => Err(ApiError::conflict("This idempotency key was used for another request.")),
        }
    }
}

impl Credentials {
    /// What the settings accept, and the API keys of the table, but for what the table says was taken back.
    pub fn from_settings(settings: &Settings, store: &Store, clock: &Clock) -> Result<Self, KeyError> {
        let keys = store.clone();
        let find_api_key = move |hash| {
            let store = keys.clone();
            async move { Ok(store.api_key(&hash).await?.map(|key| key.caller)) }.boxed()
        };
        let tokens = store.clone();
        let find_revocation = move |hash, organization, application| {
            let store = tokens.clone();
            async move { Ok(store.token_revocation(&hash, organization, application).await?) }.boxed()
        };
        Ok(Self::new(CredentialOptions {
            hs256_secret: settings.jwt_secret.as_ref().map(|secret| secret.as_bytes().to_vec()).unwrap_or_default(),
            public_keys: settings
                .jwt_public_key
                .iter()
                .map(|pem| PublicKey::from_pem(pem))
                .collect::<Result<_, _>>()?,
            jwks: settings.jwks.as_deref().map(JwksDocument::parse).transpose()?,
            find_api_key: Arc::new(find_api_key),
            find_revocation: Arc::new(find_revocation),
            clock: clock.clone(),
            cache_for: CACHE_FOR,
        }))
    }
}
