use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::OrganizationId;

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
    /// The cryptography refused.
    #[error("the token cannot be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    iat: i64,
    nbf: i64,
    exp: i64,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<OrganizationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    organizations: &'a [String],
}

/// An HS256 token that [`Credentials`](super::Credentials) with the same secret accepts, for the same caller.
pub fn mint(secret: &[u8], claims: MintOptions<'_>) -> Result<String, MintError> {
    let MintOptions { caller: Caller { organization, scope, role, organizations }, now, expires_in } = claims;
    if secret.is_empty() {
        return Err(MintError::EmptySecret);
    }
    let (sub, org) = match scope {
        Scope::Organization => (organization.to_string(), None),
        Scope::Application(_) if *role != Role::User || !organizations.is_empty() => {
            return Err(MintError::ApplicationWithRole);
        }
        Scope::Application(application) => (application.to_string(), Some(*organization)),
    };
    let claims = Claims {
        iss: "tidings",
        iat: now.as_secs(),
        nbf: now.as_secs(),
        exp: (now + expires_in).as_secs(),
        sub,
        org,
        // The default is not written.
        role: Some(*role).filter(|role| *role != Role::User),
        organizations,
    };
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret)).map_err(MintError::Signing)
}
