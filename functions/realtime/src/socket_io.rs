//! Socket.IO: version 5 of its protocol over version 4 of Engine.IO's, on a WebSocket from the start.
//!
//! Small and our own: the crates that have a parser of it bring a server with timers and long-lived sockets, of which a
//! function has neither. A frame is an Engine.IO packet: a digit for its type, and a text. In one of type 4 the text is
//! a Socket.IO packet: a digit, a namespace unless it is `/`, and JSON.

use serde_json::{Map, Value, json};
use tidings_domain::connection::ConnectionId;

/// What the query of a handshake says: the version of Engine.IO's protocol that is spoken here.
pub const VERSION: &str = "4";

/// The only way that is offered.
pub const TRANSPORT: &str = "websocket";

/// A client ends a connection on which no ping came for that long, and a function cannot send one by itself: longer than any
/// connection lasts.
const PING_INTERVAL_MS: u64 = 3 * 60 * 60 * 1000;
const PING_TIMEOUT_MS: u64 = 20_000;

/// The namespace that everything happens in.
pub const NAMESPACE: &str = "/";

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// It wants to enter a namespace, and shows what it was given for that.
    Connect {
        /// With its slash.
        namespace: &'a str,
        /// JSON, if it is any.
        auth: &'a str,
    },
    /// It leaves a namespace.
    Disconnect {
        /// With its slash.
        namespace: &'a str,
    },
    /// It asks whether somebody is there.
    Ping(&'a str),
    /// It ends the connection.
    Close,
    /// Something that nothing follows from: an event, an acknowledgement, a pong.
    Other,
    /// No packet.
    Malformed,
}

/// Reads a frame.
pub fn read(frame: &str) -> Frame<'_> {
    let mut rest = frame.chars();
    match rest.next() {
        Some('1') => Frame::Close,
        Some('2') => Frame::Ping(rest.as_str()),
        Some('4') => packet(rest.as_str()),
        // Open, pong, upgrade, noop; a binary attachment.
        Some('0' | '3' | '5' | '6' | 'b') => Frame::Other,
        _ => Frame::Malformed,
    }
}

fn packet(text: &str) -> Frame<'_> {
    let mut rest = text.chars();
    let kind = rest.next();
    let (namespace, data) = match rest.as_str() {
        named if named.starts_with('/') => named.split_once(',').unwrap_or((named, "")),
        data => (NAMESPACE, data),
    };
    match kind {
        Some('0') => Frame::Connect { namespace, auth: data },
        Some('1') => Frame::Disconnect { namespace },
        // Events, acknowledgements, refusals; with attachments, too.
        Some('2'..='6') => Frame::Other,
        _ => Frame::Malformed,
    }
}

/// The credential among what a client shows: `auth: {token}` in its options.
pub fn token(auth: &str) -> Option<String> {
    let mut shown: Map<String, Value> = serde_json::from_str(auth).ok()?;
    match shown.remove("token") {
        Some(Value::String(token)) => Some(token),
        _ => None,
    }
}

/// The first packet of a connection.
pub fn open(connection: &ConnectionId) -> String {
    let handshake = json!({
        "sid": connection,
        "upgrades": [],
        "pingInterval": PING_INTERVAL_MS,
        "pingTimeout": PING_TIMEOUT_MS,
        "maxPayload": crate::MAX_FRAME_BYTES,
    });
    format!("0{handshake}")
}

/// The client is in the namespace.
pub fn connected(connection: &ConnectionId) -> String {
    format!("40{}", json!({"sid": connection}))
}

/// The client may not enter.
pub fn refused(namespace: &str, message: &str) -> String {
    let place = if namespace == NAMESPACE { String::new() } else { format!("{namespace},") };
    format!("44{place}{}", json!({"message": message}))
}

/// The answer to a ping.
pub fn pong(data: &str) -> String {
    format!("3{data}")
}

/// An event with its data.
pub fn event(name: &Value, data: &Value) -> String {
    format!("42[{name},{data}]")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_are_told_apart() {
        let connect = |namespace, auth| Frame::Connect { namespace, auth };
        assert_eq!(read(r#"40{"token":"x"}"#), connect("/", r#"{"token":"x"}"#));
        assert_eq!(read("40"), connect("/", ""));
        assert_eq!(read(r#"40/admin,{"token":"x"}"#), connect("/admin", r#"{"token":"x"}"#));
        assert_eq!(read("40/admin"), connect("/admin", ""));
        assert_eq!(read("41"), Frame::Disconnect { namespace: "/" });
        assert_eq!(read("2probe"), Frame::Ping("probe"));
        assert_eq!(read("1"), Frame::Close);
        for other in ["3", "6", r#"42["a",1]"#, "4312[]", r#"451-["a",{"_placeholder":true,"num":0}]"#, "bAQID"] {
            assert_eq!(read(other), Frame::Other, "{other}");
        }
        for bad in ["", "x", "4", "47", "{}", "9", "\u{20ac}"] {
            assert_eq!(read(bad), Frame::Malformed, "{bad}");
        }
    }

    #[test]
    fn a_token_stands_in_the_auth_object() {
        assert_eq!(token(r#"{"token":"a.b.c","more":1}"#).as_deref(), Some("a.b.c"));
        for none in ["", "null", "{}", r#"{"token":1}"#, r#"["token"]"#] {
            assert_eq!(token(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_said_has_the_protocols_form() {
        let id: ConnectionId = "L0SM9cOFvHcCIhw=".parse().unwrap();
        let handshake: Value = serde_json::from_str(open(&id).strip_prefix('0').unwrap()).unwrap();
        assert_eq!((&handshake["sid"], &handshake["upgrades"]), (&json!("L0SM9cOFvHcCIhw="), &json!([])));
        // A client's timer takes 31 bits.
        assert!(handshake["pingInterval"].as_u64().unwrap() + PING_TIMEOUT_MS < 1 << 31);
        assert!(u128::from(PING_INTERVAL_MS) > crate::LONGEST.as_millis());
        assert_eq!(connected(&id), r#"40{"sid":"L0SM9cOFvHcCIhw="}"#);
        assert_eq!(refused("/", "no"), r#"44{"message":"no"}"#);
        assert_eq!(refused("/a", "no"), r#"44/a,{"message":"no"}"#);
        assert_eq!(event(&json!("a"), &json!({"b": 1})), r#"42["a",{"b":1}]"#);
        assert_eq!(pong("probe"), "3probe");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_frame_or_malformed(frame in ".*", packet in "4[0-9].*") {
            let _ = (read(&frame), read(&packet), token(&frame));
        }

        #[test]
        fn what_a_client_shows_comes_out_again(shown in ".*", namespace in "/[a-z]{0,8}") {
            let auth = json!({"token": shown}).to_string();
            let sent = if namespace == "/" { format!("40{auth}") } else { format!("40{namespace},{auth}") };
            let read = read(&sent);
            prop_assert_eq!(read, Frame::Connect { namespace: &namespace, auth: &auth });
            prop_assert_eq!(token(&auth), Some(shown));
        }
    }
}
