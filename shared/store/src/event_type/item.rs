//! Event types as they are stored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidings_domain::Timestamp;
use tidings_domain::event_type::EventType;
use tidings_domain::names::FeatureFlag;

use crate::expression::{Item, item};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct EventTypeItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    description: String,
    archived: bool,
    deprecated: bool,
    /// JSON in one text: the table's own numbers and empty names are others than JSON's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    schemas: Option<String>,
    check_schema: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    feature_flags: Vec<FeatureFlag>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    group_name: Option<String>,
    created_at: i64,
    updated_at: i64,
}

pub(super) fn event_type_item(event_type: &EventType) -> Item {
    let EventType {
        organization,
        name,
        description,
        archived,
        deprecated,
        schemas,
        check_schema,
        feature_flags,
        group_name,
        created_at,
        updated_at,
    } = event_type;
    let keys::Key { pk, sk } = keys::event_type(*organization, name);
    let json = |schemas: &Map<String, Value>| serde_json::to_string(schemas).expect("JSON values are JSON");
    item(&EventTypeItem {
        pk,
        sk,
        entity: "event_type".to_owned(),
        v: 1,
        description: description.clone(),
        archived: *archived,
        deprecated: *deprecated,
        schemas: schemas.as_ref().map(json),
        check_schema: *check_schema,
        feature_flags: feature_flags.clone(),
        group_name: group_name.clone(),
        created_at: created_at.as_millis(),
        updated_at: updated_at.as_millis(),
    })
}

pub(super) fn decode_event_type(stored: Item) -> Result<EventType, DecodeError> {
    let stored: EventTypeItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an event type", error))?;
    let EventTypeItem {
        pk,
        sk,
        entity: _,
        v: _,
        description,
        archived,
        deprecated,
        schemas,
        check_schema,
        feature_flags,
        group_name,
        created_at,
        updated_at,
    } = stored;
    let wrong = |problem: &dyn std::fmt::Display| DecodeError::new(format!("{pk} | {sk}"), problem);
    let organization = keys::parse_event_type_partition(&pk).ok_or_else(|| wrong(&"its key names no organization"))?;
    let schemas = schemas.map(|json| serde_json::from_str(&json)).transpose().map_err(|error| wrong(&error))?;
    Ok(EventType {
        organization,
        name: sk.parse().map_err(|error| wrong(&error))?,
        description,
        archived,
        deprecated,
        schemas,
        check_schema,
        feature_flags,
        group_name,
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}
