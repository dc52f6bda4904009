//! What clients say.

use tidings_domain::connection::{Connection, ConnectionId, Protocol};
use tidings_store::StoreError;
use tidings_telemetry::{chain, ignore};
use tracing::warn;

use crate::handshake::listening;
use crate::{Context, LONGEST, MAX_FRAME_BYTES, Posted, Standing, plain, socket_io};

/// Why somebody is not let in.
const NOT_VALID: &str = "The credential is not valid.";
const NOT_NOW: &str = "The credential could not be looked up. Try again soon.";
/// Why a connection is ended.
pub(crate) const OVER: &str = "The credential is not valid any more.";

pub(crate) async fn hear(context: &Context, id: &ConnectionId, frame: &str) -> Result<Standing, StoreError> {
    let Some(connection) = context.options.store.connection(id).await? else {
        // It was dropped, or its time is over.
        context.hang_up(id).await;
        return Ok(Standing::Ended);
    };
    let now = context.options.clock.now();
    if now >= connection.created_at + LONGEST {
        context.end(&connection, "The connection's time is over.").await;
        return Ok(Standing::Ended);
    }
    if frame.len() > MAX_FRAME_BYTES {
        context.end(&connection, "The frame is too large.").await;
        return Ok(Standing::Ended);
    }
    match connection.protocol {
        Protocol::Plain => hear_plain(context, connection, frame).await,
        Protocol::SocketIo => hear_socket_io(context, connection, frame).await,
    }
}

async fn hear_plain(context: &Context, connection: Connection, frame: &str) -> Result<Standing, StoreError> {
    let problem = match plain::read(frame) {
        Some(plain::Frame::Token(token)) => match context.admit(&connection, &token).await? {
            Ok(admitted) => {
                context.say(&admitted.id, plain::CONNECTED).await;
                return Ok(context.standing(&admitted));
            }
            Err(reason) => reason,
        },
        Some(plain::Frame::Ping) if connection.caller.is_some() => {
            if context.standing(&connection) == Standing::Unknown {
                OVER
            } else {
                context.say(&connection.id, plain::PONG).await;
                return Ok(context.standing(&connection));
            }
        }
        _ if connection.caller.is_none() => r#"The first frame must be {"token": "..."}."#,
        _ => "The frame is not understood.",
    };
    context.end(&connection, problem).await;
    Ok(Standing::Ended)
}

async fn hear_socket_io(context: &Context, connection: Connection, frame: &str) -> Result<Standing, StoreError> {
    use socket_io::{Frame, NAMESPACE};
    match socket_io::read(frame) {
        Frame::Connect { namespace: NAMESPACE, auth } => {
            let token = socket_io::token(auth).unwrap_or_default();
            match context.admit(&connection, &token).await? {
                Ok(admitted) => {
                    context.say(&admitted.id, &socket_io::connected(&admitted.id)).await;
                    return Ok(context.standing(&admitted));
                }
                // The client decides whether it tries again.
                Err(reason) => context.say(&connection.id, &socket_io::refused(NAMESPACE, reason)).await,
            }
        }
        Frame::Connect { namespace, .. } => {
            context.say(&connection.id, &socket_io::refused(namespace, "Invalid namespace")).await;
        }
        Frame::Ping(data) => context.say(&connection.id, &socket_io::pong(data)).await,
        Frame::Disconnect { namespace: NAMESPACE } | Frame::Close | Frame::Malformed => {
            context.end(&connection, "The frame is not understood.").await;
            return Ok(Standing::Ended);
        }
        Frame::Disconnect { .. } | Frame::Other => {}
    }
    Ok(context.standing(&connection))
}

impl Context {
    fn standing(&self, connection: &Connection) -> Standing {
        if connection.caller.is_some() && self.options.clock.now() < connection.until {
            Standing::Listening(connection.until)
        } else {
            Standing::Unknown
        }
    }

    /// Lets somebody in, or says why not.
    async fn admit(
        &self,
        connection: &Connection,
        token: &str,
    ) -> Result<Result<Connection, &'static str>, StoreError> {
        match self.options.credentials.listener(token).await {
            Ok(Some(listener)) => {
                let connection = listening(connection.clone(), listener);
                self.options.store.put_connection(&connection).await?;
                Ok(Ok(connection))
            }
            Ok(None) => Ok(Err(NOT_VALID)),
            Err(error) => {
                warn!(error = chain(&error), "a credential could not be looked up");
                Ok(Err(NOT_NOW))
            }
        }
    }

    /// Says something to one client.
    async fn say(&self, id: &ConnectionId, text: &str) {
        match self.options.connections.post(id, text).await {
            Ok(Posted::Sent) => {}
            Ok(Posted::Gone) => ignore(self.options.store.delete_connection(id).await, "nobody is there to be told"),
            Err(error) => warn!(error = chain(&error), "a client could not be answered"),
        }
    }

    /// Ends a connection, and says why where the protocol has words for it. A client of Socket.IO connects again, and is
    /// told then.
    pub(crate) async fn end(&self, connection: &Connection, reason: &str) {
        if connection.protocol == Protocol::Plain {
            self.say(&connection.id, &plain::error(reason)).await;
        }
        self.hang_up(&connection.id).await;
        ignore(self.options.store.delete_connection(&connection.id).await, "it hears nothing after its time anyway");
    }

    async fn hang_up(&self, id: &ConnectionId) {
        ignore(self.options.connections.delete(id).await, "it ends by itself, and is told nothing");
    }
}
