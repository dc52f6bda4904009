//! Attempts as they are stored. One with an empty answer stays below 1 KB, one write unit, and so does its key in the
//! index.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::{Delivery, Trigger};
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId};
use tidings_domain::message::RETENTION;
use tidings_domain::names::{Channel, EventTypeName};
use tidings_domain::webhook_url::WebhookUrl;

use crate::expression::{Item, item};
use crate::query::key_of;
use crate::{DecodeError, keys};

/// The attribute of the answer's body.
pub(super) const RESPONSE: &str = "response";

#[derive(Debug, Serialize, Deserialize)]
struct AttemptItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    url: WebhookUrl,
    event_type: EventTypeName,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    channels: Vec<Channel>,
    status: AttemptStatus,
    response_status: u16,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    response: Option<String>,
    duration_ms: u64,
    trigger: Trigger,
    number: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    next_attempt: Option<i64>,
    made_at: i64,
    gsi1pk: String,
    gsi1sk: String,
    expires_at: i64,
}

pub(super) fn attempt_item(attempt: &Attempt) -> Item {
    let Attempt {
        id,
        delivery,
        url,
        event_type,
        channels,
        status,
        response_status,
        response,
        duration,
        trigger,
        number,
        next_attempt,
        made_at,
    } = attempt;
    let keys::Key { pk, sk } = keys::attempt(delivery, *id);
    let index = keys::attempt_index(attempt);
    item(&AttemptItem {
        pk,
        sk,
        entity: "attempt".to_owned(),
        v: 1,
        url: url.clone(),
        event_type: event_type.clone(),
        channels: channels.clone(),
        status: *status,
        response_status: *response_status,
        response: response.clone(),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        trigger: *trigger,
        number: *number,
        next_attempt: next_attempt.map(Timestamp::as_millis),
        made_at: made_at.as_millis(),
        gsi1pk: index.pk,
        gsi1sk: index.sk,
        expires_at: (*made_at + RETENTION).as_secs(),
    })
}

pub(super) fn decode(stored: Item) -> Result<Attempt, DecodeError> {
    let key = key_of(&stored).map(|key| format!("{} | {}", key.pk, key.sk));
    let stored = serde_dynamo::from_item(stored);
    read(stored.map_err(|error| DecodeError::new(key.as_deref().unwrap_or("of an attempt"), error))?)
}

/// The attempt that an image of the table's stream shows.
pub fn from_image(image: serde_dynamo::Item) -> Result<Attempt, DecodeError> {
    read(serde_dynamo::from_item(image).map_err(|error| DecodeError::new("of an attempt's image", error))?)
}

fn read(stored: AttemptItem) -> Result<Attempt, DecodeError> {
    let AttemptItem {
        pk,
        sk,
        entity: _,
        v: _,
        url,
        event_type,
        channels,
        status,
        response_status,
        response,
        duration_ms,
        trigger,
        number,
        next_attempt,
        made_at,
        gsi1pk: _,
        gsi1sk: _,
        expires_at: _,
    } = stored;
    let key = keys::Key { pk, sk };
    let (delivery, id) = parse_key(&key)
        .ok_or_else(|| DecodeError::new(format!("{} | {}", key.pk, key.sk), "its key names no attempt"))?;
    Ok(Attempt {
        id,
        delivery,
        url,
        event_type,
        channels,
        status,
        response_status,
        response,
        duration: Duration::from_millis(duration_ms),
        trigger,
        number,
        next_attempt: next_attempt.map(Timestamp::from_millis),
        made_at: Timestamp::from_millis(made_at),
    })
}

/// How an attempt ended, as its key in the index says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Success,
    /// Another one was due.
    Pending,
    Fail,
}

/// What is known of an attempt without reading more than its keys.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) key: keys::Key,
    pub(super) id: AttemptId,
    pub(super) delivery: Delivery,
    pub(super) ended: Ended,
    pub(super) response_status: u16,
}

impl Listed {
    /// `None` of what a later version wrote.
    pub(super) fn of(item: &Item) -> Option<Self> {
        let key = key_of(item)?;
        let (delivery, id) = parse_key(&key)?;
        let mut parts = item.get(keys::INDEX_SK)?.as_s().ok()?.split('#').skip(1);
        let ended = match parts.next()? {
            "s" => Ended::Success,
            "p" => Ended::Pending,
            "f" => Ended::Fail,
            _ => return None,
        };
        Some(Self { key, id, delivery, ended, response_status: parts.next()?.parse().ok()? })
    }
}

fn parse_key(key: &keys::Key) -> Option<(Delivery, AttemptId)> {
    let mut ids = key.pk.split('/');
    let organization: OrganizationId = ids.next()?.parse().ok()?;
    let application: ApplicationId = ids.next()?.parse().ok()?;
    let message: MessageId = ids.next()?.parse().ok()?;
    let (endpoint, id) = key.sk.strip_prefix(keys::ATTEMPT)?.split_once('#')?;
    let endpoint: EndpointId = endpoint.parse().ok()?;
    Some((Delivery { organization, application, endpoint, message }, id.parse().ok()?))
}
