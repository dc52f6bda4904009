//! Credentials: JSON web tokens and API keys, and who their holders are.
//!
//! Whatever is wrong with a credential, the answer is the same 401. Signatures are compared in constant time by
//! the cryptography library. API keys are looked up by their SHA-256, so no comparison ever sees the key, and
//! how long a look-up takes says nothing that helps to guess one.

mod cache;
mod jwt;
mod key;
mod mint;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tidings_domain::api_key::{self, ApiKeyHash, ApiKeySecret};
use tidings_domain::caller::Caller;
use tidings_runtime::Clock;

use self::cache::Cache;
pub use self::jwt::LEEWAY;
use self::jwt::Verifiers;
pub use self::key::{JwksDocument, KeyError, PublicKey};
pub use self::mint::{MintError, MintOptions, mint};
use crate::error::ApiError;

/// For how long the answer to an API key's look-up is good: a revoked key works that much longer at most, in
/// each execution environment.
pub const CACHE_FOR: Duration = Duration::from_secs(5);

/// Longest credential that is looked at.
const MAX_BYTES: usize = 8 * 1024;

/// Finds whose API key has a hash.
pub type FindApiKey = Arc<dyn Fn(ApiKeyHash) -> BoxFuture<'static, Result<Option<Caller>, LookupFailed>> + Send + Sync>;

/// Whether there is such an API key could not be found out.
#[derive(Debug, thiserror::Error)]
#[error("the API key could not be looked up")]
pub struct LookupFailed {
    source: Box<dyn Error + Send + Sync>,
    retryable: bool,
}

impl LookupFailed {
    /// With its cause, and whether the same question may be answered soon.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>, retryable: bool) -> Self {
        Self { source: source.into(), retryable }
    }
}

impl From<LookupFailed> for ApiError {
    fn from(failed: LookupFailed) -> Self {
        if failed.retryable { Self::unavailable(failed) } else { Self::internal(failed) }
    }
}

/// What credentials are checked against.
pub struct CredentialOptions {
    /// For HS256. Empty: no such token is accepted.
    pub hs256_secret: Vec<u8>,
    /// For RS256 and `EdDSA`.
    pub public_keys: Vec<PublicKey>,
    /// For RS256 and `EdDSA` too, chosen by the token's `kid`.
    pub jwks: Option<JwksDocument>,
    /// Asks the store for an API key.
    pub find_api_key: FindApiKey,
    /// Against which tokens expire.
    pub clock: Clock,
    /// For how long a look-up's answer is good, also when there is no such key: [`CACHE_FOR`].
    pub cache_for: Duration,
}

/// Tells who holds a credential. Clones share everything.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    verifiers: Verifiers,
    find_api_key: FindApiKey,
    clock: Clock,
    cache: Cache,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Ready to check.
    pub fn new(options: CredentialOptions) -> Self {
        let CredentialOptions { hs256_secret, public_keys, jwks, find_api_key, clock, cache_for } = options;
        let verifiers = Verifiers::new(&hs256_secret, public_keys, jwks);
        Self(Arc::new(Inner { verifiers, find_api_key, clock, cache: Cache::new(cache_for) }))
    }

    /// Who holds this credential: the part of the `Authorization` header after `Bearer`.
    ///
    /// A store that does not answer is a 503, never a 401: a client that gets a 401 throws its key away.
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller, ApiError> {
        let caller = if bearer.len() > MAX_BYTES {
            None
        } else if bearer.starts_with(api_key::PREFIX) {
            self.holder_of_key(bearer).await?
        } else {
            self.0.verifiers.holder(bearer, self.0.clock.now())
        };
        caller.ok_or_else(ApiError::authentication_failed)
    }

    async fn holder_of_key(&self, bearer: &str) -> Result<Option<Caller>, LookupFailed> {
        let Some(secret) = ApiKeySecret::parse(bearer) else { return Ok(None) };
        let Inner { find_api_key, clock, cache, .. } = &*self.0;
        let hash = secret.hash();
        // The age counts from before the question: what was revoked while it was under way is known in time.
        let asked_at = clock.now();
        if let Some(known) = cache.get(&hash, asked_at) {
            return Ok(known);
        }
        let found = find_api_key(hash.clone()).await?;
        cache.put(hash, asked_at, found.clone());
        Ok(found)
    }
}
