//! The domain's types as JSON. A type that is added to the vocabulary gets its line here.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::ids::{
    ApiKeyId, ApplicationId, AttemptId, BackgroundTaskId, EndpointId, JobId, MessageId, OrganizationId,
};
use tidings_domain::job::ProviderId;
use tidings_domain::metadata::Metadata;
use tidings_domain::names::{Channel, EventId, EventTypeName, FeatureFlag, Tag, Uid};
use tidings_domain::webhook_url::WebhookUrl;

use super::{FromJson, Whole, gather, text};
use crate::fault::{Fault, FaultKind};

/// Longest name of an entry of metadata, in characters.
const MAX_METADATA_NAME: usize = 128;

/// Longest value of an entry of metadata, in characters.
const MAX_METADATA_VALUE: usize = 4096;

macro_rules! texts {
    ($($type:ty = $read:expr;)+) => {$(
        impl FromJson for $type {
            fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
                text(value, $read)
            }
        }
    )+};
}

texts! {
    ApiKeyId = |text| text.parse::<ApiKeyId>();
    ApplicationId = |text| text.parse::<ApplicationId>();
    AttemptId = |text| text.parse::<AttemptId>();
    BackgroundTaskId = |text| text.parse::<BackgroundTaskId>();
    Channel = Channel::try_from;
    EndpointId = |text| text.parse::<EndpointId>();
    EventId = EventId::try_from;
    EventTypeName = EventTypeName::try_from;
    FeatureFlag = FeatureFlag::try_from;
    JobId = |text| text.parse::<JobId>();
    MessageId = |text| text.parse::<MessageId>();
    OrganizationId = |text| text.parse::<OrganizationId>();
    ProviderId = ProviderId::try_from;
    Tag = Tag::try_from;
    Timestamp = |text| timestamp(&text);
    Uid = Uid::try_from;
    WebhookUrl = WebhookUrl::try_from;
}

/// A text as a point in time.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, &'static str> {
    serde_json::from_value(text.into()).map_err(|_| "must be a date and time as in RFC 3339")
}

impl FromJson for NonZeroU16 {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let Whole(number) = Whole::<1, { u16::MAX as u64 }>::from_json(value)?;
        let number = u16::try_from(number).ok().and_then(Self::new);
        number.ok_or_else(|| vec![Fault::new(FaultKind::Value, "must be 1 to 65535")])
    }
}

impl FromJson for Metadata {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let entries: BTreeMap<String, String> = BTreeMap::from_json(value)?;
        gather(entries.iter().map(|(name, value)| (name.clone(), metadata_entry(name, value))))?;
        Self::try_from(entries).map_err(|error| vec![Fault::new(FaultKind::Value, error.to_string())])
    }
}

fn metadata_entry(name: &str, value: &str) -> Result<(), Vec<Fault>> {
    let bounds = [("its name", name, MAX_METADATA_NAME), ("its value", value, MAX_METADATA_VALUE)];
    let long = bounds.iter().find(|(_, text, most)| text.chars().count() > *most);
    long.map_or(Ok(()), |(what, _, most)| {
        Err(vec![Fault::new(FaultKind::Value, format!("{what} must be at most {most} characters long"))])
    })
}
