//! Holders who stay: whoever listens on a connection shows a credential once, and hears until it ends or is taken back.

use tidings_domain::Timestamp;
use tidings_domain::api_key;
use tidings_domain::caller::{Caller, Scope};
use tidings_domain::connection::Credential;

use super::{Credentials, LookupFailed, MAX_BYTES};

/// Somebody with a valid credential, and how long it stays one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Who it is.
    pub caller: Caller,
    /// What it showed, if that can be taken back: to be asked about again with [`Credentials::still_good`].
    pub credential: Option<Credential>,
    /// From then on it is refused. API keys have no end.
    pub good_until: Option<Timestamp>,
}

impl Credentials {
    /// Who holds this credential, and for how long; `None` if it is not a valid one. That it could not be found out says
    /// nothing of the credential.
    pub async fn listener(&self, bearer: &str) -> Result<Option<Listener>, LookupFailed> {
        if bearer.len() > MAX_BYTES {
            Ok(None)
        } else if bearer.starts_with(api_key::PREFIX) {
            self.holder_of_key(bearer).await
        } else {
            self.holder_of_token(bearer).await
        }
    }

    /// Whether what a listener showed was not taken back meanwhile. Known within [`super::CACHE_FOR`], like everything that
    /// is taken back. Its end is for the caller to watch.
    pub async fn still_good(&self, caller: &Caller, credential: &Credential) -> Result<bool, LookupFailed> {
        match (credential, caller.scope) {
            (Credential::ApiKey(hash), _) => Ok(self.owner(hash).await?.as_ref() == Some(caller)),
            (Credential::Token { hash, issued_at }, Scope::Application(application)) => {
                let revocation = self.revocation(hash, caller.organization, application).await?;
                Ok(revocation.permits(*issued_at))
            }
            // No such token is ever handed out as a listener's.
            (Credential::Token { .. }, Scope::Organization) => Ok(false),
        }
    }
}
