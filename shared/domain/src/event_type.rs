//! Event types: what messages are about.

use serde_json::{Map, Value};

use crate::Timestamp;
use crate::ids::OrganizationId;
use crate::names::{EventTypeName, FeatureFlag};

/// The type of the message that `send-example` sends when nobody defined it.
pub const PING: &str = "svix.ping";

/// Most bytes of an event type's schemas as JSON: an event type is one item of the table.
pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;

/// A type of event that an organization tells its applications about.
#[derive(Debug, Clone, PartialEq)]
pub struct EventType {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its name, unique in the organization.
    pub name: EventTypeName,
    /// For people.
    pub description: String,
    /// No longer offered; messages of it are still accepted.
    pub archived: bool,
    /// Not to be used for anything new.
    pub deprecated: bool,
    /// JSON schemas of its payload by version (`1`, `2`, ...).
    pub schemas: Option<Map<String, Value>>,
    /// Whether payloads that break the newest schema are refused.
    pub check_schema: bool,
    /// Seen by application tokens that have one of these; by all if there is none.
    pub feature_flags: Vec<FeatureFlag>,
    /// What it is listed under.
    pub group_name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl EventType {
    /// The schema of the highest version: numbers as numbers, other names after them.
    pub fn newest_schema(&self) -> Option<&Value> {
        let version = |name: &str| (name.parse::<u64>().ok(), name.to_owned());
        self.schemas.as_ref()?.iter().max_by_key(|(name, _)| version(name)).map(|(_, schema)| schema)
    }

    /// What payloads are checked against.
    pub fn checked_schema(&self) -> Option<&Value> {
        self.newest_schema().filter(|_| self.check_schema)
    }

    /// A payload that shows what messages of this type look like, from the schema's `examples` or `example`.
    pub fn example(&self) -> Option<&Value> {
        let schema = self.newest_schema()?;
        schema.get("examples").and_then(|examples| examples.get(0)).or_else(|| schema.get("example"))
    }

    /// Whether a token with these flags sees it.
    pub fn is_visible_with(&self, flags: &[FeatureFlag]) -> bool {
        self.feature_flags.is_empty() || self.feature_flags.iter().any(|flag| flags.contains(flag))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event_type(schemas: &Value) -> EventType {
        let at = Timestamp::from_millis(1_710_341_906_007);
        EventType {
            organization: OrganizationId::least_at(at),
            name: "user.created".parse().unwrap(),
            description: String::new(),
            archived: false,
            deprecated: false,
            schemas: schemas.as_object().cloned(),
            check_schema: true,
            feature_flags: Vec::new(),
            group_name: None,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn the_newest_schema_counts() {
        let kind = event_type(&json!({"9": {"title": "nine"}, "10": {"title": "ten", "examples": [{"a": 1}]}}));
        assert_eq!(kind.checked_schema(), Some(&json!({"title": "ten", "examples": [{"a": 1}]})));
        assert_eq!(kind.example(), Some(&json!({"a": 1})));
        assert_eq!(EventType { check_schema: false, ..kind }.checked_schema(), None);
    }

    #[test]
    fn a_flagged_type_is_seen_with_one_of_its_flags() {
        let flag = |name: &str| name.parse::<FeatureFlag>().unwrap();
        let kind = EventType { feature_flags: vec![flag("a"), flag("b")], ..event_type(&json!(null)) };
        assert!(kind.is_visible_with(&[flag("b")]));
        assert!(!kind.is_visible_with(&[flag("c")]) && !kind.is_visible_with(&[]));
    }
}
