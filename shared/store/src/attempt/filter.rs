//! Which attempts a list shows.

use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::DeliveryStatus;
use tidings_domain::ids::EndpointId;
use tidings_domain::names::{Channel, EventTypeName, Tag};

use super::item::{Ended, Listed};

/// Which attempts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    /// That ended so.
    pub status: Option<AttemptStatus>,
    /// Whose answer had a status code of this class: 100, 200 and so on; 0 for no answer.
    pub status_code_class: Option<u16>,
    /// Of messages in this channel.
    pub channel: Option<Channel>,
    /// At this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Of messages of one of these types; of any if there is none.
    pub event_types: Vec<EventTypeName>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub before: Option<Timestamp>,
}

/// Which messages of an endpoint to list, by their newest attempt there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointMessageFilter {
    /// That stand so. Those that are still being sent have no attempt, so they are in no list.
    pub status: Option<DeliveryStatus>,
    /// In this channel.
    pub channel: Option<Channel>,
    /// With this tag.
    pub tag: Option<Tag>,
    /// Of one of these types; of any if there is none.
    pub event_types: Vec<EventTypeName>,
    /// Attempted at this time or later.
    pub since: Option<Timestamp>,
    /// Attempted before this time.
    pub before: Option<Timestamp>,
}

impl AttemptFilter {
    /// What the key in the index tells.
    pub(super) fn takes_key(&self, attempt: &Listed) -> bool {
        let status = match attempt.ended {
            Ended::Success => AttemptStatus::Success,
            Ended::Pending | Ended::Fail => AttemptStatus::Fail,
        };
        self.status.is_none_or(|wanted| wanted == status)
            && self.status_code_class.is_none_or(|class| attempt.response_status / 100 == class / 100)
            && self.endpoint.is_none_or(|endpoint| attempt.delivery.endpoint == endpoint)
    }

    pub(super) fn takes(&self, attempt: &Attempt) -> bool {
        is_about(attempt, self.channel.as_ref(), &self.event_types) && is_between(attempt, self.since, self.before)
    }

    pub(super) fn is_selective(&self) -> bool {
        let Self { status, status_code_class, channel, endpoint, event_types, since: _, before: _ } = self;
        status.is_some()
            || status_code_class.is_some()
            || channel.is_some()
            || endpoint.is_some()
            || !event_types.is_empty()
    }
}

impl EndpointMessageFilter {
    pub(super) fn takes_key(&self, attempt: &Listed) -> bool {
        self.status.is_none_or(|status| match attempt.ended {
            Ended::Success => status == DeliveryStatus::Success,
            Ended::Pending => status == DeliveryStatus::Pending,
            Ended::Fail => status == DeliveryStatus::Fail,
        })
    }

    pub(super) fn takes(&self, attempt: &Attempt) -> bool {
        is_about(attempt, self.channel.as_ref(), &self.event_types) && is_between(attempt, self.since, self.before)
    }

    pub(super) fn is_selective(&self) -> bool {
        let Self { status, channel, tag, event_types, since: _, before: _ } = self;
        status.is_some() || channel.is_some() || tag.is_some() || !event_types.is_empty()
    }
}

fn is_about(attempt: &Attempt, channel: Option<&Channel>, event_types: &[EventTypeName]) -> bool {
    channel.is_none_or(|channel| attempt.channels.contains(channel))
        && (event_types.is_empty() || event_types.contains(&attempt.event_type))
}

fn is_between(attempt: &Attempt, since: Option<Timestamp>, before: Option<Timestamp>) -> bool {
    since.is_none_or(|since| attempt.made_at >= since) && before.is_none_or(|before| attempt.made_at < before)
}
