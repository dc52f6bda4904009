//! What triggers the processor, and what it answers.

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_lambda_events::streams::DynamoDbEventResponse;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use tidings_store::stream::{Change, changes};

use crate::slow_lane::Summary;

/// A trigger.
#[derive(Debug)]
pub enum Event {
    /// The table's stream: a batch of changes.
    Changes(Vec<Change>),
    /// The schedule: look at the agenda.
    Tick(Share),
}

/// A part of the agenda: the shards whose number leaves `share` when divided by `of`. The rule's targets have one each, so
/// that runs work side by side without talking to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ShareFields")]
pub struct Share {
    share: u8,
    of: u8,
}

#[derive(Deserialize)]
struct ShareFields {
    share: u8,
    of: u8,
}

impl Share {
    /// The whole agenda.
    pub const ALL: Self = Self { share: 0, of: 1 };

    /// The shards of this part.
    pub fn shards(self) -> impl Iterator<Item = u8> {
        (0..tidings_domain::agenda::SHARDS).filter(move |shard| shard % self.of == self.share)
    }
}

impl TryFrom<ShareFields> for Share {
    type Error = &'static str;

    fn try_from(ShareFields { share, of }: ShareFields) -> Result<Self, Self::Error> {
        if share < of { Ok(Self { share, of }) } else { Err("`share` must be below `of`") }
    }
}

/// Whether a change starts work in the fast lane: what the filter of the stream mapping in template.yaml asks.
pub fn owes(record: &EventRecord) -> bool {
    record.event_name != "REMOVE" && record.change.new_image.contains_key(tidings_store::OWED)
}

impl<'de> Deserialize<'de> for Event {
    /// A batch has `Records`, a target's constant input has `share` and `of`, and an event of the schedule itself stands
    /// for the whole agenda.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Some(changes) = changes(&mut value) {
            return Ok(Self::Changes(changes));
        }
        if value.get("share").is_some() {
            return serde_json::from_value(value).map(Self::Tick).map_err(de::Error::custom);
        }
        if value.get("detail-type").is_some_and(|name| name == "Scheduled Event") {
            return Ok(Self::Tick(Share::ALL));
        }
        Err(de::Error::custom("neither a batch of a stream (`Records`) nor a tick of the schedule (`share`, `of`)"))
    }
}

/// What the trigger is told.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// The records that Lambda is to send again.
    Changes(DynamoDbEventResponse),
    /// What a run did.
    Tick(Summary),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_belongs_to_one_share() {
        let mut shards: Vec<u8> = (0..4).flat_map(|share| Share { share, of: 4 }.shards()).collect();
        shards.sort_unstable();
        assert_eq!(shards, Share::ALL.shards().collect::<Vec<_>>());
    }

    #[test]
    fn an_event_is_told_by_its_form() {
        let read = |json: &str| serde_json::from_str::<Event>(json);
        assert!(matches!(read(r#"{"Records":[]}"#), Ok(Event::Changes(records)) if records.is_empty()));
        assert!(matches!(read(r#"{"share":3,"of":4}"#), Ok(Event::Tick(Share { share: 3, of: 4 }))));
        assert!(matches!(read(r#"{"detail-type":"Scheduled Event"}"#), Ok(Event::Tick(Share::ALL))));
        for bad in [r#"{"share":4,"of":4}"#, r#"{"share":0,"of":0}"#, r#"{"hello":1}"#, "[]", "null"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
