//! Opening a connection: which protocol it speaks, and who it is if it says so at once.

use tidings_domain::Timestamp;
use tidings_domain::connection::{Connection, ConnectionId, Protocol};
use tidings_http::LookupFailed;
use tidings_http::credential::Listener;
use tidings_store::StoreError;

use crate::plain::SUB_PROTOCOL;
use crate::socket_io::{TRANSPORT, VERSION};
use crate::{Context, LONGEST, Standing};

/// A handshake that waits for its answer.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// The connection's name.
    pub id: ConnectionId,
    /// When it came.
    pub at: Timestamp,
    /// `EIO` in the query: Socket.IO's clients send it, and no other.
    pub engine: Option<&'a str>,
    /// `transport` in the query.
    pub transport: Option<&'a str>,
    /// `Sec-WebSocket-Protocol`: sub-protocols, separated by commas.
    pub sub_protocols: Option<&'a str>,
}

/// A handshake that is answered with 101.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The sub-protocol to name in the answer.
    pub sub_protocol: Option<&'static str>,
    /// Whether it listens already.
    pub standing: Standing,
}

/// A handshake that is not.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It cannot be understood.
    #[error("{0}")]
    Malformed(&'static str),
    /// The credential beside the sub-protocol is not valid.
    #[error("the credential is not valid")]
    Credential,
    /// Whether the credential is valid could not be found out.
    #[error("the credential could not be looked up")]
    Lookup(#[source] LookupFailed),
    /// The connection could not be written down.
    #[error("the connection could not be kept")]
    Store(#[source] StoreError),
}

impl Refusal {
    /// The status code that says so.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Credential => 401,
            Self::Lookup(_) | Self::Store(_) => 503,
        }
    }
}

impl Opening<'_> {
    /// Whether the protocol is one that is spoken here; the rest is looked at when the connection is opened.
    pub fn check(&self) -> Result<(), Refusal> {
        protocol(self.engine, self.transport).map(drop)
    }
}

pub(crate) async fn open(context: &Context, opening: Opening<'_>) -> Result<Accepted, Refusal> {
    let Opening { id, at, engine, transport, sub_protocols } = opening;
    let protocol = protocol(engine, transport)?;
    let mut connection =
        Connection { id, protocol, caller: None, credential: None, created_at: at, until: at + LONGEST };
    let (sub_protocol, token) = sub_protocols.map_or((None, None), offered);
    let mut standing = Standing::Unknown;
    if let (Protocol::Plain, Some(token)) = (protocol, token) {
        let listener = context.options.credentials.listener(token).await.map_err(Refusal::Lookup)?;
        connection = listening(connection, listener.ok_or(Refusal::Credential)?);
        standing = Standing::Listening(connection.until);
    }
    context.options.store.put_connection(&connection).await.map_err(Refusal::Store)?;
    Ok(Accepted { sub_protocol, standing })
}

fn protocol(engine: Option<&str>, transport: Option<&str>) -> Result<Protocol, Refusal> {
    match (engine, transport) {
        (None, _) => Ok(Protocol::Plain),
        (Some(VERSION), Some(TRANSPORT) | None) => Ok(Protocol::SocketIo),
        (Some(VERSION), Some(_)) => {
            Err(Refusal::Malformed("Only WebSockets are served: give the client `transports: [\"websocket\"]`."))
        }
        (Some(_), _) => Err(Refusal::Malformed("Only version 4 of Engine.IO's protocol is served: EIO=4.")),
    }
}

/// The sub-protocol to answer, and what stands beside it.
fn offered(header: &str) -> (Option<&'static str>, Option<&str>) {
    let mut offered = header.split(',').map(str::trim);
    if !offered.any(|name| name == SUB_PROTOCOL) {
        return (None, None);
    }
    let token = header.split(',').map(str::trim).find(|name| !name.is_empty() && *name != SUB_PROTOCOL);
    (Some(SUB_PROTOCOL), token)
}

/// A connection once it is known who listens.
pub(crate) fn listening(connection: Connection, listener: Listener) -> Connection {
    let Listener { caller, credential, good_until } = listener;
    let longest = connection.created_at + LONGEST;
    let until = good_until.map_or(longest, |end| end.min(longest));
    Connection { caller: Some(caller), credential, until, ..connection }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_tells_the_protocol() {
        assert_eq!(protocol(None, None).unwrap(), Protocol::Plain);
        assert_eq!(protocol(Some("4"), Some("websocket")).unwrap(), Protocol::SocketIo);
        for (engine, transport, hint) in [("4", "polling", "transports"), ("3", "websocket", "EIO=4"), ("", "", "EIO")]
        {
            let refusal = protocol(Some(engine), Some(transport)).unwrap_err();
            assert!(refusal.status() == 400 && refusal.to_string().contains(hint), "{refusal}");
        }
    }

    #[test]
    fn a_credential_stands_beside_the_sub_protocol() {
        assert_eq!(offered("tidings, a.b.c"), (Some("tidings"), Some("a.b.c")));
        assert_eq!(offered("a.b.c,tidings"), (Some("tidings"), Some("a.b.c")));
        assert_eq!(offered("tidings"), (Some("tidings"), None));
        assert_eq!(offered("tidings,,"), (Some("tidings"), None));
        assert_eq!(offered("graphql-ws, a.b.c"), (None, None));
    }
}
