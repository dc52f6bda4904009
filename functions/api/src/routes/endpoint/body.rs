//! Endpoints as they are sent and answered.

use std::num::NonZeroU16;
use std::time::Duration;

use serde_json::Value;
use tidings_domain::endpoint::{Endpoint, MAX_CHANNELS, MAX_TIMEOUT};
use tidings_domain::endpoint_headers::EndpointHeaders;
use tidings_domain::metadata::Metadata;
use tidings_domain::names::{Channel, EventTypeName, Uid};
use tidings_domain::patch::Patch;
use tidings_domain::retry::RetrySchedule;
use tidings_domain::signature::SigningKey;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_egress::Egress;
use tidings_http::{Fault, FromJson, Object, Set, Text, Whole};
use utoipa::ToSchema;

use super::headers::HeadersIn;
use super::retry_schedule::RetryScheduleIn;
use super::secret::KeyIn;
use crate::body::{set, throttle_rate_patch};

/// As many as fit: an endpoint is one item of the table, and is read whole.
type EventTypes = Set<EventTypeName, 1, 500>;
type Channels = Set<Channel, 1, MAX_CHANNELS>;
type Description = Text<0, 4096>;
type Timeout = Whole<1, { MAX_TIMEOUT.as_secs() }>;

/// A new endpoint.
#[derive(Debug, Clone, ToSchema)]
pub struct EndpointIn {
    /// What can be changed later by the same names.
    #[schema(inline)]
    #[serde(flatten)]
    pub(super) settings: EndpointUpdate,
    /// What requests are signed with; one is made if none is given. `whsk_` and the base64 of an Ed25519 seed signs
    /// asymmetrically.
    #[schema(value_type = Option<String>, example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    pub(super) secret: Option<SigningKey>,
    /// Headers that requests get.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    pub(super) headers: Option<EndpointHeaders>,
}

/// An endpoint as it is to be. `filterTypes` is an older name of `eventTypes`, `rateLimit` of `throttleRate`.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EndpointUpdate {
    /// Where requests go: `http` or `https`, and no private address.
    #[schema(value_type = String, format = "uri", min_length = 1, example = "https://example.com/webhook/")]
    pub(super) url: WebhookUrl,
    /// The caller's own name for it, unique in the application. It serves wherever the id does.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    pub(super) uid: Patch<Uid>,
    /// For people.
    #[schema(value_type = String, required = false, max_length = 4096)]
    pub(super) description: String,
    /// Types that it wants; all if there are none.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 500)]
    pub(super) event_types: Option<Vec<EventTypeName>>,
    /// Channels that it wants. With some, it gets no messages without a channel.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 10)]
    pub(super) channels: Option<Vec<Channel>>,
    /// Gets nothing.
    #[schema(required = false, default = false)]
    pub(super) disabled: bool,
    /// Most attempts a second.
    #[schema(value_type = Option<u16>, minimum = 1)]
    pub(super) throttle_rate: Option<NonZeroU16>,
    /// Texts that the caller keeps here.
    #[schema(value_type = std::collections::BTreeMap<String, String>, required = false)]
    pub(super) metadata: Metadata,
    /// Seconds to wait after the first failure, the second, and so on: at most 20, each at most two days. None is one
    /// attempt only; left out or `null`, the service's schedule holds.
    #[schema(value_type = Option<Vec<u32>>, max_items = 20, example = json!([5, 300, 1800]))]
    pub(super) retry_schedule: Patch<RetrySchedule>,
    /// The longest that one attempt may take, the answer's body included.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 30)]
    pub(super) timeout_seconds: Patch<Duration>,
}

/// A change of an endpoint: what is left out stays. `filterTypes` is an older name of `eventTypes`, `rateLimit` of
/// `throttleRate`.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EndpointPatch {
    /// Where requests go.
    #[schema(value_type = Option<String>, format = "uri", nullable = false, min_length = 1)]
    url: Option<WebhookUrl>,
    /// The caller's own name for it; `null` takes it off.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    uid: Patch<Uid>,
    /// For people.
    #[schema(nullable = false, max_length = 4096)]
    description: Option<String>,
    /// Types that it wants; `null` is all.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 500)]
    event_types: Patch<Vec<EventTypeName>>,
    /// Channels that it wants; `null` is all messages.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 10)]
    channels: Patch<Vec<Channel>>,
    /// Gets nothing.
    #[schema(nullable = false)]
    disabled: Option<bool>,
    /// Most attempts a second; `null` and 0 are no limit.
    #[schema(value_type = Option<u16>, minimum = 0)]
    throttle_rate: Patch<NonZeroU16>,
    /// Replaces all of the texts that are kept here.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>, nullable = false)]
    metadata: Option<Metadata>,
    /// Seconds to wait after each failure; `null` is the service's schedule.
    #[schema(value_type = Option<Vec<u32>>, max_items = 20)]
    retry_schedule: Patch<RetrySchedule>,
    /// The longest that one attempt may take; `null` is the service's.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 30)]
    timeout_seconds: Patch<Duration>,
}

impl EndpointIn {
    /// Reads a body; every fault at once.
    pub(super) fn read(body: Value, egress: &Egress) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(body)?;
        let settings = EndpointUpdate::take(&mut object, egress);
        let secret = object.nullable("secret").map(|KeyIn(key)| key);
        let headers = object.nullable("headers").map(|HeadersIn(headers)| headers);
        object.finish(|| Some(Self { settings: settings?, secret, headers }))
    }
}

impl EndpointUpdate {
    /// Reads a body; every fault at once.
    pub(super) fn read(body: Value, egress: &Egress) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(body)?;
        let settings = Self::take(&mut object, egress);
        object.finish(|| settings)
    }

    /// `None` is a fault that is recorded.
    fn take(object: &mut Object, egress: &Egress) -> Option<Self> {
        let url = object.required::<WebhookUrl>("url");
        let url = check_url(object, url, egress);
        let Common { uid, description, event_types, channels, disabled, metadata, retry_schedule, timeout } =
            Common::take(object);
        let throttle_rate = object.nullable("throttleRate");
        Some(Self {
            url: url?,
            uid,
            description: description.unwrap_or_default(),
            event_types: event_types.or(None),
            channels: channels.or(None),
            disabled: disabled.unwrap_or_default(),
            throttle_rate,
            metadata: metadata.unwrap_or_default(),
            retry_schedule,
            timeout_seconds: timeout,
        })
    }

    /// In the place of what is there. What older client libraries do not know stays when it is left out, and so does
    /// the uid: whoever names an endpoint by it would lose it.
    pub(super) fn replace(self, endpoint: &mut Endpoint) {
        let Self {
            url,
            uid,
            description,
            event_types,
            channels,
            disabled,
            throttle_rate,
            metadata,
            retry_schedule,
            timeout_seconds,
        } = self;
        uid.apply(&mut endpoint.uid);
        retry_schedule.apply(&mut endpoint.retry_schedule);
        timeout_seconds.apply(&mut endpoint.timeout);
        endpoint.url = url;
        endpoint.description = description;
        endpoint.event_types = event_types;
        endpoint.channels = channels;
        endpoint.disabled = disabled;
        endpoint.throttle_rate = throttle_rate;
        endpoint.metadata = metadata;
    }
}

impl EndpointPatch {
    /// Reads a body; every fault at once.
    pub(super) fn read(body: Value, egress: &Egress) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(body)?;
        let url = object.patch_required::<WebhookUrl>("url");
        let url = check_url(&mut object, url, egress);
        let Common { uid, description, event_types, channels, disabled, metadata, retry_schedule, timeout } =
            Common::take(&mut object);
        let throttle_rate = throttle_rate_patch(&mut object);
        object.finish(|| {
            Some(Self {
                url,
                uid,
                description,
                event_types,
                channels,
                disabled,
                throttle_rate,
                metadata,
                retry_schedule,
                timeout_seconds: timeout,
            })
        })
    }

    pub(super) fn apply(self, endpoint: &mut Endpoint) {
        let Self {
            url,
            uid,
            description,
            event_types,
            channels,
            disabled,
            throttle_rate,
            metadata,
            retry_schedule,
            timeout_seconds,
        } = self;
        uid.apply(&mut endpoint.uid);
        event_types.apply(&mut endpoint.event_types);
        channels.apply(&mut endpoint.channels);
        throttle_rate.apply(&mut endpoint.throttle_rate);
        retry_schedule.apply(&mut endpoint.retry_schedule);
        timeout_seconds.apply(&mut endpoint.timeout);
        set(url, &mut endpoint.url);
        set(description, &mut endpoint.description);
        set(disabled, &mut endpoint.disabled);
        set(metadata, &mut endpoint.metadata);
    }
}

/// What new endpoints and changes have by the same names.
struct Common {
    uid: Patch<Uid>,
    description: Option<String>,
    event_types: Patch<Vec<EventTypeName>>,
    channels: Patch<Vec<Channel>>,
    disabled: Option<bool>,
    metadata: Option<Metadata>,
    retry_schedule: Patch<RetrySchedule>,
    timeout: Patch<Duration>,
}

impl Common {
    fn take(object: &mut Object) -> Self {
        object.alias("eventTypes", "filterTypes");
        object.alias("throttleRate", "rateLimit");
        // There is one version of endpoints; the older generation of client libraries numbers it.
        let _: Option<u64> = object.nullable("version");
        Self {
            uid: object.patch("uid"),
            description: object.patch_required::<Description>("description").map(|Text(text)| text),
            event_types: object.patch::<EventTypes>("eventTypes").map(|Set(types)| types),
            channels: object.patch::<Channels>("channels").map(|Set(channels)| channels),
            disabled: object.patch_required("disabled"),
            metadata: object.patch_required("metadata"),
            retry_schedule: object.patch("retrySchedule").map(|RetryScheduleIn(schedule)| schedule),
            timeout: object.patch::<Timeout>("timeoutSeconds").map(|Whole(seconds)| Duration::from_secs(seconds)),
        }
    }
}

/// The URL, if it may be sent to as far as that can be told now.
fn check_url(object: &mut Object, url: Option<WebhookUrl>, egress: &Egress) -> Option<WebhookUrl> {
    let url = url?;
    match egress.check(url.as_url()) {
        Ok(()) => Some(url),
        Err(refused) => {
            object.refuse("url", refused);
            None
        }
    }
}
