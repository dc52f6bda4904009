//! Messages: what an application is told, once accepted.

use std::time::Duration;

use bytes::Bytes;

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::application::{Application, ids, work};
use crate::ids::{ApplicationId, MessageId, OrganizationId, RANDOM_BYTES};
use crate::names::{Channel, EventId, EventTypeName, Tag};

/// Most bytes of a payload.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// Most channels of a message.
pub const MAX_CHANNELS: usize = 5;

/// Most tags of a message.
pub const MAX_TAGS: usize = 8;

/// How long a message and its attempts can be read.
pub const RETENTION: Duration = Duration::from_hours(24 * 90);

/// How long an `eventId` is remembered at least.
pub const EVENT_ID_RETENTION: Duration = Duration::from_hours(24);

/// Payload retention that can be asked for, in days.
pub const PAYLOAD_RETENTION_DAYS: std::ops::RangeInclusive<u64> = 5..=90;

/// What stands in the place of a payload that is gone.
pub const EXPIRED: &str = r#"{"expired": true}"#;

/// Who brings a message to its receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Tidings, to the application's endpoints.
    Endpoints,
    /// Another server, which knows the endpoints: the message is handed over to it.
    Provider,
}

/// A message of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id; `webhook-id` in every request.
    pub id: MessageId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Who is told.
    pub application: ApplicationId,
    /// What it is about.
    pub event_type: EventTypeName,
    /// The sender's own name for it.
    pub event_id: Option<EventId>,
    /// Narrows who gets it.
    pub channels: Vec<Channel>,
    /// What it can be listed by.
    pub tags: Vec<Tag>,
    /// A JSON object, byte for byte as it came: UTF-8. `None` once it was removed.
    pub payload: Option<Bytes>,
    /// From when on the payload is not shown or sent any more.
    pub payload_until: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
}

impl Message {
    /// A new message that nothing narrows; `random` must be fresh random bytes, or follow from what makes it the only one.
    pub fn plain(
        application: &Application,
        event_type: EventTypeName,
        payload: Bytes,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
    ) -> Self {
        Self {
            id: MessageId::new(now, random),
            organization: application.organization,
            application: application.id,
            event_type,
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            payload: Some(payload),
            payload_until: now + RETENTION,
            created_at: now,
        }
    }

    /// What it owes: to be sent to every endpoint that wants it, or to be handed over.
    pub fn work(&self, route: Route) -> Work {
        match route {
            Route::Endpoints => self.owing(Kind::Message),
            Route::Provider => self.owing(Kind::Forward),
        }
    }

    /// What it owes when its payload is to go before the message.
    pub fn expunge_work(&self) -> Work {
        self.owing(Kind::Expunge)
    }

    /// Whether the payload is to go before the message.
    pub fn expires_early(&self) -> bool {
        self.payload_until < self.created_at + RETENTION
    }

    /// The payload, as long as it may be seen.
    pub fn payload_at(&self, now: Timestamp) -> Option<&Bytes> {
        self.payload.as_ref().filter(|_| now < self.payload_until)
    }

    fn owing(&self, kind: Kind) -> Work {
        work(kind, &[&self.organization.to_string(), &self.application.to_string(), &self.id.to_string()])
    }
}

/// The message that work of the kinds `message`, `forward` and `expunge` is for.
pub fn parse_record(record: &RecordName) -> Option<(OrganizationId, ApplicationId, MessageId)> {
    let [organization, application, message] = ids(record)?;
    Some((organization.parse().ok()?, application.parse().ok()?, message.parse().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message(event_type: &str, channels: &[&str]) -> Message {
        let at = Timestamp::from_millis(1_710_341_906_007);
        Message {
            id: MessageId::least_at(at),
            organization: OrganizationId::least_at(at),
            application: ApplicationId::least_at(at),
            event_type: event_type.parse().unwrap(),
            event_id: None,
            channels: channels.iter().map(|name| name.parse().unwrap()).collect(),
            tags: Vec::new(),
            payload: Some(Bytes::from_static(b"{}")),
            payload_until: at + RETENTION,
            created_at: at,
        }
    }

    #[test]
    fn the_record_of_a_message_round_trips() {
        let message = message("a", &[]);
        let parsed = Some((message.organization, message.application, message.id));
        assert_eq!(parse_record(&message.work(Route::Endpoints).record), parsed);
        assert_eq!(parse_record(&message.work(Route::Provider).record), parsed);
        assert_eq!(parse_record(&message.expunge_work().record), parsed);
    }

    #[test]
    fn a_payload_is_seen_until_its_time() {
        let message = Message { payload_until: Timestamp::from_millis(2_000_000_000_000), ..message("a", &[]) };
        assert!(message.payload_at(Timestamp::from_millis(1_999_999_999_999)).is_some());
        assert!(message.payload_at(message.payload_until).is_none());
    }
}
