//! JSON frames: what a client without a library speaks.
//!
//! It shows its credential in its first frame, `{"token": "..."}`, or beside the sub-protocol `tidings`, and is answered
//! `{"event": "connected"}`. From then on it is told what happens. A later token takes the place of the first one.
//! `{"event": "ping"}` is answered `{"event": "pong"}`.

use serde_json::{Map, Value, json};

/// The sub-protocol beside which a credential may stand.
pub const SUB_PROTOCOL: &str = "tidings";

/// What is said when a credential was accepted.
pub const CONNECTED: &str = r#"{"event":"connected"}"#;

/// The answer to a ping.
pub const PONG: &str = r#"{"event":"pong"}"#;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Who it is.
    Token(String),
    /// It is still there.
    Ping,
}

/// Reads a frame; `None` if it is none of these.
pub fn read(frame: &str) -> Option<Frame> {
    let fields: Map<String, Value> = serde_json::from_str(frame).ok()?;
    match (fields.get("token"), fields.get("event").and_then(Value::as_str)) {
        (Some(Value::String(token)), None) => Some(Frame::Token(token.clone())),
        (None, Some("ping")) => Some(Frame::Ping),
        _ => None,
    }
}

/// What is said before a connection is ended for a reason.
pub fn error(message: &str) -> String {
    json!({"event": "error", "data": {"message": message}}).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_a_token_or_a_ping() {
        assert_eq!(read(r#"{"token":"a.b.c"}"#), Some(Frame::Token("a.b.c".to_owned())));
        assert_eq!(read(r#"{"event":"ping","data":1}"#), Some(Frame::Ping));
        for other in ["", "null", "[]", "{}", r#"{"token":1}"#, r#"{"event":"x"}"#, r#"{"token":"a","event":"ping"}"#] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(frame in ".*", token in ".*") {
            let _ = read(&frame);
            let sent = json!({"token": token}).to_string();
            prop_assert_eq!(read(&sent), Some(Frame::Token(token)));
        }
    }
}
