//! Connections: who listens to live updates.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::api_key::ApiKeyHash;
use crate::application::Application;
use crate::caller::{Caller, Role, Scope};
use crate::token::TokenHash;

/// A connection's name, given by whoever holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionId(String);

/// A text is no connection's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 letters, digits or characters of base64")]
pub struct ConnectionIdError;

impl ConnectionId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConnectionId {
    type Error = ConnectionIdError;

    fn try_from(text: String) -> Result<Self, ConnectionIdError> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=+/".contains(&byte));
        if fits { Ok(Self(text)) } else { Err(ConnectionIdError) }
    }
}

impl FromStr for ConnectionId {
    type Err = ConnectionIdError;

    fn from_str(text: &str) -> Result<Self, ConnectionIdError> {
        text.to_owned().try_into()
    }
}

impl From<ConnectionId> for String {
    fn from(id: ConnectionId) -> Self {
        id.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// JSON frames.
    Plain,
    /// Socket.IO, version 5 of its protocol over version 4 of Engine.IO's.
    SocketIo,
}

/// What a listener showed, if it can be taken back before its end: it is looked up again while the connection lasts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// An API key.
    ApiKey(ApiKeyHash),
    /// An application's token.
    Token {
        /// What it is known by.
        hash: TokenHash,
        /// When it was made.
        issued_at: Option<Timestamp>,
    },
}

/// An open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub id: ConnectionId,
    /// What is spoken.
    pub protocol: Protocol,
    /// Who listens, once that is known; until then it hears nothing.
    pub caller: Option<Caller>,
    /// What the listener showed, if that can be taken back.
    pub credential: Option<Credential>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// From when on it hears nothing any more: its credential's end, or the longest that a connection may last.
    pub until: Timestamp,
}

impl Connection {
    /// Whether it is told what happens in an application.
    pub fn hears(&self, application: &Application, now: Timestamp) -> bool {
        let Some(caller) = &self.caller else { return false };
        let in_scope = match caller.scope {
            Scope::Organization => {
                caller.role == Role::Admin
                    || application
                        .uid
                        .as_ref()
                        .is_some_and(|uid| caller.organizations.iter().any(|name| name == uid.as_str()))
            }
            Scope::Application(id) => id == application.id,
        };
        now < self.until && caller.organization == application.organization && in_scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ApplicationId, OrganizationId};
    use crate::metadata::Metadata;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);

    fn caller(role: Role, organizations: &[&str]) -> Caller {
        Caller {
            organization: OrganizationId::least_at(NOW),
            scope: Scope::Organization,
            role,
            organizations: organizations.iter().map(ToString::to_string).collect(),
            feature_flags: Vec::new(),
        }
    }

    fn hears(caller: Option<Caller>) -> bool {
        let connection = Connection {
            id: "L0SM9cOFvHcCIhw=".parse().unwrap(),
            protocol: Protocol::Plain,
            caller,
            credential: None,
            created_at: NOW,
            until: Timestamp::from_millis(NOW.as_millis() + 1),
        };
        let application = Application {
            id: ApplicationId::least_at(NOW),
            organization: OrganizationId::least_at(NOW),
            uid: Some("acme".parse().unwrap()),
            name: String::new(),
            throttle_rate: None,
            metadata: Metadata::default(),
            tokens_valid_after: None,
            created_at: NOW,
            updated_at: NOW,
        };
        assert!(!connection.hears(&application, connection.until));
        connection.hears(&application, NOW)
    }

    #[test]
    fn a_connection_hears_what_its_caller_belongs_to() {
        let other = OrganizationId::new(NOW, [9; 15]);
        let (admin, member) = (caller(Role::Admin, &[]), caller(Role::User, &["x", "acme"]));
        assert!(hears(Some(admin.clone())) && hears(Some(member.clone())));
        assert!(!hears(None) && !hears(Some(caller(Role::User, &["x"]))));
        assert!(!hears(Some(Caller { organization: other, ..admin.clone() })));
        assert!(hears(Some(Caller { scope: Scope::Application(ApplicationId::least_at(NOW)), ..member })));
        assert!(!hears(Some(Caller { scope: Scope::Application(ApplicationId::new(NOW, [9; 15])), ..admin })));
    }

    #[test]
    fn a_connections_name_cannot_hold_a_keys_separator() {
        for bad in ["", "a#b", "a b", &"a".repeat(129)] {
            assert!(bad.parse::<ConnectionId>().is_err(), "{bad:?}");
        }
    }
}
