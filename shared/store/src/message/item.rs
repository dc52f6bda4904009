//! Messages as they are stored.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::ids::{ApplicationId, MessageId, OrganizationId};
use tidings_domain::message::{Message, RETENTION};
use tidings_domain::names::{Channel, EventId, EventTypeName, Tag};

use crate::expression::{Item, item, s};
use crate::{DecodeError, keys};

/// The attribute of the payload. It is no field of [`MessageItem`], so that it is moved, never copied.
pub(super) const PAYLOAD: &str = "payload";

#[derive(Debug, Serialize, Deserialize)]
struct MessageItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    event_type: EventTypeName,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    event_id: Option<EventId>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    channels: Vec<Channel>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    tags: Vec<Tag>,
    /// Where it is not set, the payload stays as long as the message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    payload_until: Option<i64>,
    created_at: i64,
    expires_at: i64,
}

/// A message as it is stored, without what makes it owe its work.
pub(super) fn message_item(message: &Message) -> Result<Item, DecodeError> {
    let Message {
        id,
        organization,
        application,
        event_type,
        event_id,
        channels,
        tags,
        payload,
        payload_until,
        created_at,
    } = message;
    let keys::Key { pk, sk } = keys::message(*organization, *application, *id);
    let mut stored = item(&MessageItem {
        pk,
        sk,
        entity: "message".to_owned(),
        v: 1,
        event_type: event_type.clone(),
        event_id: event_id.clone(),
        channels: channels.clone(),
        tags: tags.clone(),
        payload_until: message.expires_early().then_some(payload_until.as_millis()),
        created_at: created_at.as_millis(),
        expires_at: (*created_at + RETENTION).as_secs(),
    });
    if let Some(payload) = payload {
        let text = str::from_utf8(payload).map_err(|error| DecodeError::new(id.to_string(), error))?;
        stored.insert(PAYLOAD.to_owned(), s(text));
    }
    Ok(stored)
}

fn read(stored: MessageItem, payload: Option<String>) -> Result<Message, DecodeError> {
    let MessageItem {
        pk,
        sk,
        entity: _,
        v: _,
        event_type,
        event_id,
        channels,
        tags,
        payload_until,
        created_at,
        expires_at: _,
    } = stored;
    let ids = || -> Option<(OrganizationId, ApplicationId, MessageId)> {
        let (organization, application) = pk.split_once('/')?;
        let id = sk.strip_prefix(keys::MESSAGE)?;
        Some((organization.parse().ok()?, application.parse().ok()?, id.parse().ok()?))
    };
    let (organization, application, id) =
        ids().ok_or_else(|| DecodeError::new(format!("{pk} | {sk}"), "its key names no message"))?;
    let created_at = Timestamp::from_millis(created_at);
    Ok(Message {
        id,
        organization,
        application,
        event_type,
        event_id,
        channels,
        tags,
        payload: payload.map(Bytes::from),
        payload_until: payload_until.map_or(created_at + RETENTION, Timestamp::from_millis),
        created_at,
    })
}

pub(super) fn decode(mut stored: Item) -> Result<Message, DecodeError> {
    let payload = match stored.remove(PAYLOAD) {
        Some(aws_sdk_dynamodb::types::AttributeValue::S(text)) => Some(text),
        _ => None,
    };
    let key = stored.get(keys::SK).and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
    let stored = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new(key, error))?;
    read(stored, payload)
}

/// The message that an image of the table's stream shows. The payload is moved out of the image.
pub fn from_image(mut image: serde_dynamo::Item) -> Result<Message, DecodeError> {
    let payload = match image.remove(PAYLOAD) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text),
        _ => None,
    };
    let stored = serde_dynamo::from_item(image).map_err(|error| DecodeError::new("of a message's image", error))?;
    read(stored, payload)
}
