//! What a request for a message says.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;
use tidings_domain::message::{MAX_CHANNELS, MAX_TAGS, PAYLOAD_RETENTION_DAYS, RETENTION};
use tidings_domain::names::{Channel, EventId, EventTypeName, Tag};
use tidings_http::{ApplicationIn, Fault, FromJsonAround, Object, RawMember, Set, Whole};
use utoipa::ToSchema;

/// What peers can do and this service cannot: refused, so that nobody believes that it was done.
const UNSUPPORTED: [&str; 2] = ["transformationsParams", "deliverAt"];

const HOUR: Duration = Duration::from_hours(1);

/// A message to be sent.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct MessageIn {
    /// What it is about.
    #[schema(value_type = String, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$", example = "user.signup")]
    pub(super) event_type: EventTypeName,
    /// A JSON object of at most 256 KiB, delivered byte for byte as it is sent.
    #[schema(value_type = Object, example = json!({"email": "test@example.com", "username": "test_user"}))]
    pub(super) payload: Bytes,
    /// The sender's own name for it, unique in its application for a day at least.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    pub(super) event_id: Option<EventId>,
    /// Narrows who gets it.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 5)]
    pub(super) channels: Vec<Channel>,
    /// What it can be listed by.
    #[schema(value_type = Option<Vec<String>>, max_items = 8)]
    pub(super) tags: Vec<Tag>,
    /// How many days the payload is kept; `payloadRetentionHours` says the same in hours.
    #[schema(rename = "payloadRetentionPeriod", value_type = i64, minimum = 5, maximum = 90, default = 90, required = false)]
    pub(super) payload_retention: Duration,
    /// The application to make if nobody has the uid in the path.
    pub(super) application: Option<ApplicationIn>,
}

impl FromJsonAround for MessageIn {
    const RAW: &'static str = "payload";

    fn from_json_around(mut rest: Object, raw: Option<RawMember>) -> Result<Self, Vec<Fault>> {
        let event_type = rest.required("eventType");
        let payload = rest.required_object("payload", raw);
        let event_id = rest.nullable("eventId");
        let channels = rest.nullable::<Set<Channel, 1, MAX_CHANNELS>>("channels").map(|Set(channels)| channels);
        let tags = rest.nullable::<Set<Tag, 0, MAX_TAGS>>("tags").map(|Set(tags)| tags);
        let payload_retention = retention(&mut rest);
        let application = rest.nullable("application");
        for name in UNSUPPORTED {
            if rest.nullable::<Value>(name).is_some() {
                rest.refuse(name, "is not supported: leave it out, or null");
            }
        }
        rest.finish(|| {
            Some(Self {
                event_type: event_type?,
                payload: payload?.bytes,
                event_id,
                channels: channels.unwrap_or_default(),
                tags: tags.unwrap_or_default(),
                payload_retention,
                application,
            })
        })
    }
}

/// How long the payload is kept. Newer clients say it in hours.
fn retention(rest: &mut Object) -> Duration {
    const LEAST: u64 = *PAYLOAD_RETENTION_DAYS.start();
    const MOST: u64 = *PAYLOAD_RETENTION_DAYS.end();

    let days = rest.nullable::<Whole<LEAST, MOST>>("payloadRetentionPeriod").map(|Whole(days)| days * 24);
    let hours =
        rest.nullable::<Whole<{ LEAST * 24 }, { MOST * 24 }>>("payloadRetentionHours").map(|Whole(hours)| hours);
    if days.zip(hours).is_some_and(|(days, hours)| days != hours) {
        rest.refuse("payloadRetentionHours", "must be as long as `payloadRetentionPeriod`, or left out");
    }
    let hours = days.or(hours).and_then(|hours| u32::try_from(hours).ok());
    hours.map_or(RETENTION, |hours| HOUR * hours)
}
