//! What a batch has for each connection, in the order in which it happened.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use tidings_domain::connection::{Connection, ConnectionId, Protocol};

use crate::frame::Told;
use crate::{plain, socket_io};

/// The frames of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    letters: HashMap<ConnectionId, Letter>,
}

/// What one connection is sent.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) connection: Connection,
    /// It has only just been opened.
    pub(crate) greets: bool,
    pub(crate) frames: Vec<Arc<str>>,
}

impl Outbox {
    /// What a new connection is told first, if it is told anything before it has spoken.
    pub(crate) fn greet(&mut self, connection: &Connection) {
        let greeting: Option<Arc<str>> = match (connection.protocol, &connection.caller) {
            (Protocol::SocketIo, _) => Some(socket_io::open(&connection.id).into()),
            (Protocol::Plain, Some(_)) => Some(plain::CONNECTED.into()),
            (Protocol::Plain, None) => None,
        };
        if let Some(greeting) = greeting {
            let letter = self.letter(connection);
            letter.greets = true;
            letter.frames.insert(0, greeting);
        }
    }

    pub(crate) fn tell(&mut self, connection: &Connection, told: &Told) {
        let frame = told.on(connection.protocol);
        self.letter(connection).frames.push(frame);
    }

    pub(crate) fn into_letters(self) -> impl Iterator<Item = Letter> {
        self.letters.into_values()
    }

    fn letter(&mut self, connection: &Connection) -> &mut Letter {
        match self.letters.entry(connection.id.clone()) {
            Entry::Occupied(letter) => letter.into_mut(),
            Entry::Vacant(place) => {
                place.insert(Letter { connection: connection.clone(), greets: false, frames: Vec::new() })
            }
        }
    }
}
