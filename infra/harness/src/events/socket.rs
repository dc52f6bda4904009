//! What API Gateway sends of a WebSocket connection.

use serde_json::{Map, Value, json};
use tidings_runtime::Clock;

use super::{fixture, set};

/// A connection as API Gateway sees it, to be turned into events.
#[derive(Debug, Clone)]
pub struct Socket {
    id: String,
    connected_at_ms: i64,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Socket {
    /// One that was opened now.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            connected_at_ms: Clock::system().now().as_millis(),
            query: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// One of a client of Socket.IO.
    pub fn socket_io(id: &str) -> Self {
        Self::new(id).query("EIO", "4").query("transport", "websocket")
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds a parameter to its handshake.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a header to its handshake.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `$connect`.
    pub fn connect(&self) -> Value {
        let mut event = self.event(include_str!("fixtures/websocket-connect.json"));
        for (name, value) in &self.headers {
            insert(&mut event, "headers", name, json!(value));
            insert(&mut event, "multiValueHeaders", name, json!([value]));
        }
        if let (false, Some(fields)) = (self.query.is_empty(), event.as_object_mut()) {
            let one = self.query.iter().map(|(name, value)| (name.clone(), json!(value)));
            fields.insert("queryStringParameters".to_owned(), one.collect::<Map<_, _>>().into());
            let all = self.query.iter().map(|(name, value)| (name.clone(), json!([value])));
            fields.insert("multiValueQueryStringParameters".to_owned(), all.collect::<Map<_, _>>().into());
        }
        event
    }

    /// `$default`: a frame.
    pub fn message(&self, body: &str) -> Value {
        let mut event = self.event(include_str!("fixtures/websocket-message.json"));
        set(&mut event, "/body", json!(body));
        event
    }

    /// `$disconnect`.
    pub fn disconnect(&self) -> Value {
        self.event(include_str!("fixtures/websocket-disconnect.json"))
    }

    fn event(&self, json: &str) -> Value {
        let mut event = fixture(json);
        set(&mut event, "/requestContext/connectionId", json!(self.id));
        set(&mut event, "/requestContext/connectedAt", json!(self.connected_at_ms));
        event
    }
}

fn insert(event: &mut Value, object: &str, name: &str, value: Value) {
    let fields = event.get_mut(object).and_then(Value::as_object_mut).expect("the fixture has the field");
    fields.insert(name.to_owned(), value);
}
