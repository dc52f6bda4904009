//! Live updates: tells whoever listens on a WebSocket what happens to messages and endpoints.
//!
//! # Theory of operation
//! A connection is an item of the table. API Gateway (or the local service) holds the socket and hands over what happens to
//! it; what a connection is to be sent goes back through [`Connections`]. Two protocols are spoken: JSON frames
//! ([`plain`]), and Socket.IO's ([`socket_io`]), told apart by the query of the handshake.
//!
//! While somebody of a tenant listens, attempts are written with a mark, and the table's stream brings them here, as it brings
//! every change of an endpoint ([`wants`]). Each is told to the connections whose caller may know of it. Nothing is kept for
//! those who are not connected, and a change may be told twice.
//!
//! API Gateway lets nobody write to a connection before the handshake was answered. What a new connection is to be told
//! first therefore comes by the stream as well: the insertion of its item.

mod announcement;
mod connections;
mod conversation;
pub mod event;
mod frame;
mod gateway;
mod handshake;
mod live;
mod outbox;
pub mod plain;
mod push;
pub mod socket_io;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::connection::ConnectionId;
use tidings_http::Credentials;
use tidings_runtime::Clock;
use tidings_store::stream::Change;
use tidings_store::{Store, StoreError};

pub use crate::announcement::wants;
pub use crate::connections::{Connections, PostError, Posted};
use crate::event::{Event, Response};
pub use crate::gateway::Gateway;
pub use crate::handshake::{Accepted, Opening, Refusal};

/// The longest that a connection is heard: API Gateway ends it then.
pub const LONGEST: Duration = Duration::from_hours(2);

/// Most bytes of a frame that a client may send; a credential fits, and nothing else is expected.
pub const MAX_FRAME_BYTES: usize = 16 * 1024;

/// How often a new connection that is not there is tried before it counts as gone, where the handshake ends after its item
/// was written.
pub const GREETINGS: u32 = 6;

/// How the function is built.
pub struct Options {
    /// The table.
    pub store: Store,
    /// Who may listen.
    pub credentials: Credentials,
    /// The time.
    pub clock: Clock,
    /// The way to the connections.
    pub connections: Arc<dyn Connections>,
    /// How often a new connection is tried: [`GREETINGS`], or once where it can be written to from the start.
    pub greetings: u32,
}

/// The function. Clones share everything.
#[derive(Clone)]
pub struct Realtime {
    context: Arc<Context>,
}

struct Context {
    options: Options,
    /// What was told of batches that will be sent again.
    told: Mutex<VecDeque<String>>,
}

/// How a connection stands after what was heard on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody knows who it is.
    Unknown,
    /// It is told what happens, until then.
    Listening(Timestamp),
    /// It was ended.
    Ended,
}

impl Realtime {
    /// Ready for events.
    pub fn new(options: Options) -> Self {
        Self { context: Arc::new(Context { options, told: Mutex::default() }) }
    }

    /// Takes what a trigger sent.
    pub async fn handle(&self, event: Event) -> Result<Response, StoreError> {
        event::handle(self, event).await
    }

    /// Somebody wants a connection. What it is told first follows by the stream.
    pub async fn open(&self, opening: Opening<'_>) -> Result<Accepted, Refusal> {
        handshake::open(&self.context, opening).await
    }

    /// Somebody said something on a connection.
    pub async fn hear(&self, connection: &ConnectionId, frame: &str) -> Result<Standing, StoreError> {
        conversation::hear(&self.context, connection, frame).await
    }

    /// A connection has ended.
    pub async fn closed(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.context.options.store.delete_connection(connection).await
    }

    /// Tells of a batch of changes. Answers which of them are to be sent again.
    pub async fn announce(&self, changes: Vec<Change>) -> Vec<String> {
        push::announce(&self.context, changes).await
    }
}
