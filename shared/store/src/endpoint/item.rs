//! Endpoints and their uids as they are stored.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tidings_domain::Timestamp;
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::ids::{ApplicationId, EndpointId, OrganizationId};
use tidings_domain::names::{Channel, EventTypeName, Uid};
use tidings_domain::retry::RetrySchedule;
use tidings_domain::webhook_url::WebhookUrl;

use crate::application::parse_partition;
use crate::expression::{Item, item};
use crate::metadata::{read_metadata, stored_metadata};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct EndpointItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    uid: Option<Uid>,
    url: WebhookUrl,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    event_types: Option<Vec<EventTypeName>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    channels: Option<Vec<Channel>>,
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    throttle_rate: Option<NonZeroU16>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    retry_schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    timeout_ms: Option<u64>,
    keys: ByteBuf,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    headers: Option<ByteBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    token: Option<ByteBuf>,
    #[serde(skip_serializing_if = "retries_all", default)]
    retried: Retried,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    failing_since: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct EndpointUidItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    endpoint: EndpointId,
}

pub(super) fn endpoint_item(endpoint: &Endpoint) -> Item {
    let Endpoint {
        id,
        organization,
        application,
        uid,
        url,
        description,
        event_types,
        channels,
        disabled,
        throttle_rate,
        metadata,
        retry_schedule,
        timeout,
        keys: Sealed(sealed_keys),
        headers,
        token,
        retried,
        failing_since,
        created_at,
        updated_at,
    } = endpoint;
    let keys::Key { pk, sk } = keys::endpoint(*organization, *application, *id);
    item(&EndpointItem {
        pk,
        sk,
        entity: "endpoint".to_owned(),
        v: 1,
        uid: uid.clone(),
        url: url.clone(),
        description: description.clone(),
        event_types: event_types.clone(),
        channels: channels.clone(),
        disabled: *disabled,
        throttle_rate: *throttle_rate,
        metadata: stored_metadata(metadata),
        retry_schedule: retry_schedule.as_ref().map(stored_schedule),
        timeout_ms: timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        keys: ByteBuf::from(sealed_keys.clone()),
        headers: headers.clone().map(|Sealed(headers)| ByteBuf::from(headers)),
        token: token.clone().map(|Sealed(token)| ByteBuf::from(token)),
        retried: *retried,
        failing_since: failing_since.map(Timestamp::as_millis),
        created_at: created_at.as_millis(),
        updated_at: updated_at.as_millis(),
    })
}

/// An endpoint as it was read from the table.
pub(crate) fn decode_endpoint(stored: Item) -> Result<Endpoint, DecodeError> {
    read(serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an endpoint", error))?)
}

/// The endpoint that an image of the table's stream shows.
pub fn from_image(image: serde_dynamo::Item) -> Result<Endpoint, DecodeError> {
    read(serde_dynamo::from_item(image).map_err(|error| DecodeError::new("of an endpoint's image", error))?)
}

/// Whether an image of the table's stream shows a change of an endpoint's health, which is none for people.
pub fn is_quiet(image: &serde_dynamo::Item) -> bool {
    image.get(crate::QUIET) == Some(&serde_dynamo::AttributeValue::Bool(true))
}

/// The endpoint that stood at this key; `None` if no endpoint did.
pub fn removed_key(key: &serde_dynamo::Item) -> Option<(OrganizationId, ApplicationId, EndpointId)> {
    use serde_dynamo::AttributeValue as Value;

    let (Some(Value::S(pk)), Some(Value::S(sk))) = (key.get(keys::PK), key.get(keys::SK)) else { return None };
    let (organization, application) = parse_partition(pk).ok()?;
    Some((organization, application, sk.strip_prefix(keys::ENDPOINT)?.parse().ok()?))
}

fn read(stored: EndpointItem) -> Result<Endpoint, DecodeError> {
    let EndpointItem {
        pk,
        sk,
        entity: _,
        v: _,
        uid,
        url,
        description,
        event_types,
        channels,
        disabled,
        throttle_rate,
        metadata,
        retry_schedule,
        timeout_ms,
        keys: sealed_keys,
        headers,
        token,
        retried,
        failing_since,
        created_at,
        updated_at,
    } = stored;
    let (organization, application) = parse_partition(&pk)?;
    let wrong = |problem: String| DecodeError::new(format!("{pk} | {sk}"), problem);
    let id = sk.strip_prefix(keys::ENDPOINT).unwrap_or_default();
    Ok(Endpoint {
        id: id.parse().map_err(|error| DecodeError::new(format!("{pk} | {sk}"), error))?,
        organization,
        application,
        uid,
        url,
        description,
        event_types,
        channels,
        disabled,
        throttle_rate,
        metadata: read_metadata(&pk, metadata)?,
        retry_schedule: retry_schedule
            .map(|text| text.parse::<RetrySchedule>().map_err(|error| wrong(error.to_string())))
            .transpose()?,
        timeout: timeout_ms.map(Duration::from_millis),
        keys: Sealed(sealed_keys.into_vec()),
        headers: headers.map(|headers| Sealed(headers.into_vec())),
        token: token.map(|token| Sealed(token.into_vec())),
        retried,
        failing_since: failing_since.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn retries_all(retried: &Retried) -> bool {
    *retried == Retried::All
}

/// A schedule with its repeats counted: ten thousand equal delays are one.
fn stored_schedule(schedule: &RetrySchedule) -> String {
    let runs = schedule.delays().chunk_by(|left, right| left == right);
    let text = |run: &[Duration]| match (run.first().map_or(0, Duration::as_secs), run.len()) {
        (seconds, 1) => seconds.to_string(),
        (seconds, times) => format!("{seconds}x{times}"),
    };
    runs.map(text).collect::<Vec<_>>().join(",")
}

pub(super) fn uid_item(endpoint: &Endpoint, uid: &Uid) -> Item {
    let keys::Key { pk, sk } = keys::endpoint_uid(endpoint.organization, endpoint.application, uid);
    item(&EndpointUidItem { pk, sk, entity: "endpoint_uid".to_owned(), v: 1, endpoint: endpoint.id })
}

pub(super) fn decode_uid(stored: Item) -> Result<EndpointId, DecodeError> {
    let stored: EndpointUidItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an endpoint's uid", error))?;
    Ok(stored.endpoint)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stored_schedule_counts_its_repeats() {
        let schedule: RetrySchedule = "5,60,60,60,5,300".parse().unwrap();
        assert_eq!(stored_schedule(&schedule), "5,60x3,5,300");
        assert_eq!(stored_schedule(&"".parse().unwrap()), "");
    }

    proptest! {
        #[test]
        fn schedules_round_trip(delays in prop::collection::vec((0_u32..100, 1_usize..5), 0..20)) {
            let text: Vec<_> = delays.iter().map(|(seconds, times)| format!("{seconds}x{times}")).collect();
            let schedule: RetrySchedule = text.join(",").parse().unwrap();
            prop_assert_eq!(stored_schedule(&schedule).parse(), Ok(schedule));
        }
    }
}
