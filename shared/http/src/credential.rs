//! Credentials: JSON web tokens and API keys, and who their holders are.
//!
//! Whatever is wrong with a credential, the answer is the same 401. Signatures are compared in constant time by
//! the cryptography library. API keys are looked up by their SHA-256, so no comparison ever sees the key, and
//! how long a look-up takes says nothing that helps to guess one.

mod cache;
mod jwt;
mod key;
mod listener;
mod mint;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tidings_domain::Timestamp;
use tidings_domain::api_key::{ApiKeyHash, ApiKeySecret};
use tidings_domain::caller::{Caller, Scope};
use tidings_domain::connection::Credential;
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::token::{Revocation, TokenHash};
use tidings_runtime::Clock;

use self::cache::Cache;
pub use self::jwt::LEEWAY;
use self::jwt::{Read, Verifiers};
pub use self::key::{JwksDocument, KeyError, PublicKey};
pub use self::listener::Listener;
pub use self::mint::{MintError, MintOptions, mint};
use crate::error::ApiError;

/// For how long the answer to a look-up is good: an API key or an application's token that was taken back works that
/// much longer at most, in each execution environment.
pub const CACHE_FOR: Duration = Duration::from_secs(5);

/// Longest credential that is looked at.
const MAX_BYTES: usize = 8 * 1024;

/// Finds whose API key has a hash.
pub type FindApiKey = Arc<dyn Fn(ApiKeyHash) -> BoxFuture<'static, Result<Option<Caller>, LookupFailed>> + Send + Sync>;

/// Finds out whether an application's token was taken back.
pub type FindRevocation = Arc<
    dyn Fn(TokenHash, OrganizationId, ApplicationId) -> BoxFuture<'static, Result<Revocation, LookupFailed>>
        + Send
        + Sync,
>;

/// Whether a credential is good could not be found out.
#[derive(Debug, thiserror::Error)]
#[error("the credential could not be looked up")]
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
    /// Asks the store whether an application's token was taken back. It is not asked of other credentials: they pay
    /// for no such read.
    pub find_revocation: FindRevocation,
    /// Against which tokens expire.
    pub clock: Clock,
    /// For how long a look-up's answer is good, whatever it is: [`CACHE_FOR`].
    pub cache_for: Duration,
}

/// Somebody with a valid credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who it is.
    pub caller: Caller,
    /// What it showed, if that can be taken back by its hash: an application's token.
    pub token: Option<Token>,
}

/// An application's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is known by.
    pub hash: TokenHash,
    /// From then on it is refused anyway, so nobody has to remember longer that it was taken back.
    pub good_until: Timestamp,
}

/// Tells who holds a credential. Clones share everything.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    verifiers: Verifiers,
    find_api_key: FindApiKey,
    find_revocation: FindRevocation,
    clock: Clock,
    api_keys: Cache<ApiKeyHash, Caller>,
    revocations: Cache<TokenHash, Revocation>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Ready to check.
    pub fn new(options: CredentialOptions) -> Self {
        let CredentialOptions { hs256_secret, public_keys, jwks, find_api_key, find_revocation, clock, cache_for } =
            options;
        Self(Arc::new(Inner {
            verifiers: Verifiers::new(&hs256_secret, public_keys, jwks),
            find_api_key,
            find_revocation,
            clock,
            api_keys: Cache::new(cache_for),
            revocations: Cache::new(cache_for),
        }))
    }

    /// Who holds this credential: the part of the `Authorization` header after `Bearer`.
    ///
    /// A store that does not answer is a 503, never a 401: a client that gets a 401 throws its key away.
    pub async fn authenticate(&self, bearer: &str) -> Result<Holder, ApiError> {
        let listener = self.listener(bearer).await?.ok_or_else(ApiError::authentication_failed)?;
        let Listener { caller, credential, good_until } = listener;
        let token = match (credential, good_until) {
            (Some(Credential::Token { hash, issued_at: _ }), Some(good_until)) => Some(Token { hash, good_until }),
            _ => None,
        };
        Ok(Holder { caller, token })
    }

    /// Asks the store about this token when it comes next: for whoever has just taken it back.
    pub fn forget(&self, token: &TokenHash) {
        self.0.revocations.forget(token);
    }

    async fn holder_of_token(&self, bearer: &str) -> Result<Option<Listener>, LookupFailed> {
        let Inner { verifiers, clock, .. } = &*self.0;
        let Some(Read { caller, issued_at, good_until }) = verifiers.read(bearer, clock.now()) else { return Ok(None) };
        let good_until = Some(good_until);
        let Scope::Application(application) = caller.scope else {
            return Ok(Some(Listener { caller, credential: None, good_until }));
        };
        let hash = TokenHash::of(bearer);
        let revocation = self.revocation(&hash, caller.organization, application).await?;
        let credential = Some(Credential::Token { hash, issued_at });
        Ok(revocation.permits(issued_at).then_some(Listener { caller, credential, good_until }))
    }

    async fn holder_of_key(&self, bearer: &str) -> Result<Option<Listener>, LookupFailed> {
        let Some(secret) = ApiKeySecret::parse(bearer) else { return Ok(None) };
        let hash = secret.hash();
        let caller = self.owner(&hash).await?;
        Ok(caller.map(|caller| Listener { caller, credential: Some(Credential::ApiKey(hash)), good_until: None }))
    }

    async fn revocation(
        &self,
        hash: &TokenHash,
        organization: OrganizationId,
        application: ApplicationId,
    ) -> Result<Revocation, LookupFailed> {
        let Inner { find_revocation, clock, revocations, .. } = &*self.0;
        let now = clock.now();
        if let Some(known) = revocations.get(hash, now).flatten() {
            return Ok(known);
        }
        let found = find_revocation(hash.clone(), organization, application).await?;
        revocations.put(hash.clone(), now, Some(found));
        Ok(found)
    }

    async fn owner(&self, hash: &ApiKeyHash) -> Result<Option<Caller>, LookupFailed> {
        let Inner { find_api_key, clock, api_keys, .. } = &*self.0;
        // The age counts from before the question: what was revoked while it was under way is known in time.
        let asked_at = clock.now();
        if let Some(known) = api_keys.get(hash, asked_at) {
            return Ok(known);
        }
        let found = find_api_key(hash.clone()).await?;
        api_keys.put(hash.clone(), asked_at, found.clone());
        Ok(found)
    }
}
