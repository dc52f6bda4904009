use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;
use serde_json::Number;
use tidings_domain::Timestamp;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::OrganizationId;
use tidings_domain::names::FeatureFlag;

/// What a token is to say.
#[derive(Debug, Clone, Copy)]
pub struct MintOptions<'a> {
    /// About its holder.
    pub caller: &'a Caller,
    /// From when on it is good.
    pub now: Timestamp,
    /// For how long.
    pub expires_in: Duration,
}

/// A token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Without a secret everybody could.
    #[error("the secret is empty")]
    EmptySecret,
    /// An application is no person.
    #[error("an application's token has neither a role nor organizations")]
    ApplicationWithRole,
    /// An organization sees everything.
    #[error("an organization's token has no feature flags")]
    OrganizationWithFlags,
    /// The cryptography refused.
    #[error("the token cannot be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    /// With its fraction: of tokens that are made in the second in which all earlier ones are taken back, it tells one
    /// from the other.
    iat: Number,
    nbf: i64,
    exp: i64,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<OrganizationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    organizations: &'a [String],
    #[serde(skip_serializing_if = "<[FeatureFlag]>::is_empty")]
    feature_flags: &'a [FeatureFlag],
}

/// An HS256 token that [`Credentials`](super::Credentials) with the same secret accepts, for the same caller.
pub fn mint(secret: &[u8], claims: MintOptions<'_>) -> Result<String, MintError> {
    let MintOptions { caller, now, expires_in } = claims;
    let Caller { organization, scope, role, organizations, feature_flags } = caller;
    if secret.is_empty() {
        return Err(MintError::EmptySecret);
    }
    let (sub, org) = match scope {
        Scope::Organization if !feature_flags.is_empty() => return Err(MintError::OrganizationWithFlags),
        Scope::Organization => (organization.to_string(), None),
        Scope::Application(_) if *role != Role::User || !organizations.is_empty() => {
            return Err(MintError::ApplicationWithRole);
        }
        Scope::Application(application) => (application.to_string(), Some(*organization)),
    };
    let claims = Claims {
        iss: "tidings",
        iat: seconds(now),
        nbf: now.as_secs(),
        exp: (now + expires_in).as_secs(),
        sub,
        org,
        // The default is not written.
        role: Some(*role).filter(|role| *role != Role::User),
        organizations,
        feature_flags,
    };
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret)).map_err(MintError::Signing)
}

/// Whole seconds as a whole number, which more readers understand.
fn seconds(at: Timestamp) -> Number {
    let whole = at.as_secs();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some hundred thousand years fit exactly")]
    let exact = Number::from_f64(at.as_millis() as f64 / 1000.0);
    exact.filter(|_| at != Timestamp::from_millis(whole.saturating_mul(1000))).unwrap_or_else(|| whole.into())
}
