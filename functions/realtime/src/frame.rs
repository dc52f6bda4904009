//! An event in the words of each protocol, put into them once for all connections.

use std::sync::Arc;

use serde_json::Value;
use tidings_domain::connection::Protocol;

use crate::{live, socket_io};

/// An event, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    plain: Arc<str>,
    socket_io: Arc<str>,
}

impl Told {
    pub(crate) fn new(event: &live::Event) -> Self {
        let value = serde_json::to_value(event).unwrap_or_default();
        let part = |name| value.get(name).unwrap_or(&Value::Null);
        let socket_io = socket_io::event(part("event"), part("data"));
        Self { plain: value.to_string().into(), socket_io: socket_io.into() }
    }

    pub(crate) fn on(&self, protocol: Protocol) -> Arc<str> {
        Arc::clone(match protocol {
            Protocol::Plain => &self.plain,
            Protocol::SocketIo => &self.socket_io,
        })
    }
}

#[cfg(test)]
mod tests {
    use tidings_domain::Timestamp;
    use tidings_domain::ids::EndpointId;

    use super::*;

    #[test]
    fn both_protocols_say_the_same() {
        let at = Timestamp::from_millis(1_710_341_906_007);
        let event = live::Event::EndpointDeleted { endpoint_id: EndpointId::least_at(at), timestamp: at };
        let told = Told::new(&event);
        let plain: Value = serde_json::from_str(&told.on(Protocol::Plain)).unwrap();
        let packet = told.on(Protocol::SocketIo);
        let socket_io: Value = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        assert_eq!((&plain["event"], &plain["data"]), (&socket_io[0], &socket_io[1]));
        assert_eq!(plain["event"], "endpoint.deleted");
    }
}
