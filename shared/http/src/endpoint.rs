use std::num::NonZeroU16;

use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::EndpointId;
use tidings_domain::metadata::Metadata;
use tidings_domain::names::{Channel, EventTypeName, Uid};
use tidings_domain::webhook_url::WebhookUrl;
use utoipa::ToSchema;

/// An endpoint. Its secret and its headers are read by operations of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointOut {
    /// Its id.
    #[schema(value_type = String, example = "ep_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: EndpointId,
    /// The caller's own name for it.
    #[schema(value_type = Option<String>)]
    uid: Option<Uid>,
    /// Where requests go.
    #[schema(value_type = String, format = "uri", min_length = 1, max_length = 4096)]
    url: WebhookUrl,
    /// For people.
    description: String,
    /// Always 1.
    version: u8,
    /// Types that it wants; `null` is all.
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Option<Vec<EventTypeName>>,
    /// The same by its older name.
    #[schema(value_type = Option<Vec<String>>)]
    filter_types: Option<Vec<EventTypeName>>,
    /// Channels that it wants; `null` is all messages.
    #[schema(value_type = Option<Vec<String>>)]
    channels: Option<Vec<Channel>>,
    /// Gets nothing.
    disabled: bool,
    /// Most attempts a second.
    #[schema(value_type = Option<u16>)]
    throttle_rate: Option<NonZeroU16>,
    /// The same by its older name.
    #[schema(value_type = Option<u16>)]
    rate_limit: Option<NonZeroU16>,
    /// Texts that the caller keeps here.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: Metadata,
    /// Seconds to wait after each failure; `null` is the service's schedule.
    retry_schedule: Option<Vec<u64>>,
    /// The longest that one attempt may take; `null` is the service's.
    timeout_seconds: Option<u64>,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl From<Endpoint> for EndpointOut {
    fn from(endpoint: Endpoint) -> Self {
        let Endpoint {
            id,
            organization: _,
            application: _,
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
            keys: _,
            headers: _,
            token: _,
            retried: _,
            failing_since: _,
            created_at,
            updated_at,
        } = endpoint;
        Self {
            id,
            uid,
            url,
            description,
            version: 1,
            filter_types: event_types.clone(),
            event_types,
            channels,
            disabled,
            throttle_rate,
            rate_limit: throttle_rate,
            metadata,
            retry_schedule: retry_schedule
                .map(|schedule| schedule.delays().iter().map(std::time::Duration::as_secs).collect()),
            timeout_seconds: timeout.map(|timeout| timeout.as_secs()),
            created_at,
            updated_at,
        }
    }
}
