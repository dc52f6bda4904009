//! The events that AWS sends, built on AWS's own examples (`fixtures/`).

mod http_request;
mod socket;

use aws_lambda_events::event::dynamodb::EventRecord;
use serde_json::{Value, json};

pub use http_request::{HttpAnswer, HttpRequest};
pub use socket::Socket;

/// A batch of a table's stream.
pub fn stream(records: &[EventRecord]) -> Value {
    json!({"Records": records})
}

/// AWS's example of a stream's batch: three records of somebody else's table.
pub fn stream_example() -> Value {
    fixture(include_str!("events/fixtures/dynamodb-stream.json"))
}

/// What a rule of `EventBridge` sends without constant input.
pub fn schedule() -> Value {
    fixture(include_str!("events/fixtures/schedule.json"))
}

/// The constant input of a rule's target: its share of the agenda.
pub fn share(share: u8, of: u8) -> Value {
    json!({"share": share, "of": of})
}

fn set(event: &mut Value, pointer: &str, value: Value) {
    *event.pointer_mut(pointer).expect("the fixture has the field") = value;
}

fn fixture(json: &str) -> Value {
    serde_json::from_str(json).expect("fixtures are JSON")
}
