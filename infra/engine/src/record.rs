//! Changes in the form in which Lambda gets them from a table's stream.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;

use aws_lambda_events::event::dynamodb::{EventRecord, StreamRecord, StreamViewType};
use dynoxide::types::{AttributeValue, Item, item_size};

use crate::schema::Schema;

pub(crate) const INSERT: &str = "INSERT";
pub(crate) const MODIFY: &str = "MODIFY";
pub(crate) const REMOVE: &str = "REMOVE";

/// A record and what decides its lane.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) record: EventRecord,
    /// The same for all items of a partition.
    pub(crate) partition: u64,
}

impl Change {
    /// A change of the item with this key; it carries no number and no image yet.
    pub(crate) fn of(table: &str, schema: &Schema, name: &str, key: &HashMap<String, AttributeValue>) -> Option<Self> {
        let mut hasher = DefaultHasher::new();
        table.hash(&mut hasher);
        key.get(&schema.partition)?.to_key_string()?.hash(&mut hasher);
        let mut change = StreamRecord::default();
        change.size_bytes = size(key);
        change.keys = image(key.clone());
        change.stream_view_type = Some(StreamViewType::NewImage);
        let mut record = EventRecord::default();
        "us-east-1".clone_into(&mut record.aws_region);
        name.clone_into(&mut record.event_name);
        record.event_source = Some("aws:dynamodb".to_owned());
        record.event_version = Some("1.1".to_owned());
        record.event_source_arn = Some(format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/local"));
        record.change = change;
        Some(Self { record, partition: hasher.finish() })
    }

    /// Adds the item as it is after the change.
    pub(crate) fn set_image(&mut self, item: Item) {
        self.record.change.size_bytes += size(&item);
        self.record.change.new_image = image(item);
    }

    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.record.event_name);
    }

    /// Gives the change its place in the order of all.
    pub(crate) fn stamp(&mut self, sequence: u64) {
        self.record.event_id = format!("{sequence:032x}");
        self.record.change.sequence_number = Some(format!("{sequence:021}"));
        #[allow(clippy::disallowed_methods, reason = "the engine stands in for a server with a clock of its own")]
        let now = SystemTime::now();
        self.record.change.approximate_creation_date_time = now.into();
    }
}

fn size(item: &Item) -> i64 {
    i64::try_from(item_size(item)).unwrap_or(i64::MAX)
}

fn image(item: Item) -> serde_dynamo::Item {
    item.into_iter().map(|(name, value)| (name, convert(value))).collect::<HashMap<_, _>>().into()
}

fn convert(value: AttributeValue) -> serde_dynamo::AttributeValue {
    use serde_dynamo::AttributeValue as To;
    match value {
        AttributeValue::S(text) => To::S(text),
        AttributeValue::N(number) => To::N(number),
        AttributeValue::B(bytes) => To::B(bytes),
        AttributeValue::BOOL(truth) => To::Bool(truth),
        AttributeValue::NULL(null) => To::Null(null),
        AttributeValue::SS(set) => To::Ss(set),
        AttributeValue::NS(set) => To::Ns(set),
        AttributeValue::BS(set) => To::Bs(set),
        AttributeValue::L(values) => To::L(values.into_iter().map(convert).collect()),
        AttributeValue::M(members) => To::M(members.into_iter().map(|(name, value)| (name, convert(value))).collect()),
    }
}
