//! The table's stream, as Lambda brings it: batches of changes.

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use serde_json::Value;

/// A record of the stream. Each is decoded by itself, so that one that cannot be read fails alone.
#[derive(Debug)]
pub enum Change {
    /// Read.
    Record(Box<EventRecord>),
    /// Not read: the sequence number that tells Lambda which one, and why.
    Unreadable {
        /// Empty if not even that could be read.
        sequence_number: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<EventRecord> for Change {
    fn from(record: EventRecord) -> Self {
        Self::Record(Box::new(record))
    }
}

/// The changes of an event, if it is a batch of a stream: then it has `Records`, which are taken out of it.
pub fn changes(event: &mut Value) -> Option<Vec<Change>> {
    let Value::Array(records) = event.get_mut("Records").map(Value::take)? else { return None };
    Some(records.into_iter().map(read).collect())
}

fn read(value: Value) -> Change {
    let sequence_number =
        value.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str).unwrap_or_default().to_owned();
    match serde_json::from_value(value) {
        Ok(record) => Change::Record(record),
        Err(error) => Change::Unreadable { sequence_number, problem: error.to_string() },
    }
}

/// The answer that has Lambda send these records again.
pub fn failures(sequence_numbers: Vec<String>) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = sequence_numbers
        .into_iter()
        .map(|number| {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(number);
            failure
        })
        .collect();
    response
}
