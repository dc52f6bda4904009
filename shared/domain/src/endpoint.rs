//! Endpoints: where an application's messages are sent.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{ApplicationId, EndpointId, OrganizationId};
use crate::message::Message;
use crate::metadata::Metadata;
use crate::names::{Channel, EventTypeName, Uid};
use crate::retry::RetrySchedule;
use crate::webhook_url::WebhookUrl;

/// Most channels of an endpoint.
pub const MAX_CHANNELS: usize = 10;

/// Longest patience with one attempt.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an endpoint may fail without one success before it is disabled.
pub const FAILING_FOR: Duration = Duration::from_hours(24 * 5);

/// Most that the clocks of two functions differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// Bytes that only the vault can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// Which failures are followed by another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retried {
    /// All of them.
    #[default]
    All,
    /// Those that may pass: no answer, 408, 429 and 5xx. Any other answer is final.
    Transient,
}

impl Retried {
    /// Whether an answer with this status, 0 for none, is followed by another attempt.
    pub fn includes(self, status: u16) -> bool {
        match self {
            Self::All => true,
            Self::Transient => matches!(status, 0 | 408 | 429 | 500..),
        }
    }
}

/// A receiver of an application's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose it is.
    pub application: ApplicationId,
    /// The application's own name for it.
    pub uid: Option<Uid>,
    /// Where requests go.
    pub url: WebhookUrl,
    /// For people.
    pub description: String,
    /// Types that it wants; all if unset.
    pub event_types: Option<Vec<EventTypeName>>,
    /// Channels that it wants; with some, it gets no messages without a channel.
    pub channels: Option<Vec<Channel>>,
    /// Gets nothing.
    pub disabled: bool,
    /// Most attempts a second.
    pub throttle_rate: Option<NonZeroU16>,
    /// The application's own texts.
    pub metadata: Metadata,
    /// Its own retry schedule; the service's if unset.
    pub retry_schedule: Option<RetrySchedule>,
    /// Its own patience with one attempt, the answer's body included; the service's if unset.
    pub timeout: Option<Duration>,
    /// What requests are signed with (`signature::EndpointKeys`).
    pub keys: Sealed,
    /// Headers that requests get (`endpoint_headers::EndpointHeaders`), if there are any.
    pub headers: Option<Sealed>,
    /// A text that requests carry in their body, beside the payload, if there is one: what a client registered with.
    pub token: Option<Sealed>,
    /// Which failures are followed by another attempt.
    pub retried: Retried,
    /// When it failed first after its last success.
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Endpoint {
    /// What the vault binds its sealed keys to.
    pub fn keys_context(&self) -> String {
        self.context("keys")
    }

    /// What the vault binds its sealed headers to.
    pub fn headers_context(&self) -> String {
        self.context("headers")
    }

    /// What the vault binds its sealed token to.
    pub fn token_context(&self) -> String {
        self.context("token")
    }

    fn context(&self, what: &str) -> String {
        let Self { organization, application, id, .. } = self;
        format!("{organization}/{application}/{id}#{what}")
    }

    /// Whether it gets this message.
    pub fn wants(&self, message: &Message) -> bool {
        !self.disabled
            && self.event_types.as_ref().is_none_or(|types| types.contains(&message.event_type))
            && self
                .channels
                .as_ref()
                .is_none_or(|channels| message.channels.iter().any(|channel| channels.contains(channel)))
    }

    /// Whether it was there when a message was accepted, as far as that can be told: the clocks of two functions differ.
    pub fn is_older_than(&self, message: &Message) -> bool {
        self.created_at <= message.created_at + CLOCKS_DIFFER
    }

    /// Whether a failure now is one too many.
    pub fn must_be_disabled(&self, now: Timestamp) -> bool {
        self.failing_since.is_some_and(|since| now.since(since) >= FAILING_FOR)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::tests::message;

    pub(crate) fn endpoint() -> Endpoint {
        let at = Timestamp::from_millis(1_710_341_906_007);
        Endpoint {
            id: EndpointId::least_at(at),
            organization: OrganizationId::least_at(at),
            application: ApplicationId::least_at(at),
            uid: None,
            url: WebhookUrl::try_from("https://example.com/hook".to_owned()).unwrap(),
            description: String::new(),
            event_types: None,
            channels: None,
            disabled: false,
            throttle_rate: None,
            metadata: Metadata::default(),
            retry_schedule: None,
            timeout: None,
            keys: Sealed(Vec::new()),
            headers: None,
            token: None,
            retried: Retried::All,
            failing_since: None,
            created_at: at,
            updated_at: at,
        }
    }

    fn names<T: std::str::FromStr<Err: std::fmt::Debug>>(names: &[&str]) -> Vec<T> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn an_endpoint_gets_what_it_asked_for() {
        let plain = message("user.created", &[]);
        let in_channel = message("user.created", &["eu"]);
        let all = endpoint();
        assert!(all.wants(&plain) && all.wants(&in_channel));
        let typed = Endpoint { event_types: Some(names(&["user.created"])), ..endpoint() };
        assert!(typed.wants(&plain) && !typed.wants(&message("user.deleted", &[])));
        let channelled = Endpoint { channels: Some(names(&["eu", "us"])), ..endpoint() };
        assert!(channelled.wants(&in_channel) && !channelled.wants(&plain));
        assert!(!channelled.wants(&message("user.created", &["asia"])));
        assert!(!Endpoint { disabled: true, ..endpoint() }.wants(&plain));
    }

    #[test]
    fn an_endpoint_that_came_later_is_told_from_one_that_was_there() {
        let message = message("a", &[]);
        let made_after = |time| Endpoint { created_at: message.created_at + time, ..endpoint() };
        assert!(made_after(Duration::from_millis(20)).is_older_than(&message));
        assert!(!made_after(Duration::from_secs(60)).is_older_than(&message));
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for (status, passes) in [(0, true), (301, false), (404, false), (408, true), (429, true), (500, true)] {
            assert_eq!(Retried::Transient.includes(status), passes, "{status}");
            assert!(Retried::All.includes(status));
        }
    }

    #[test]
    fn five_days_of_failures_are_too_many() {
        let first = Timestamp::from_millis(1_710_341_906_007);
        let failing = Endpoint { failing_since: Some(first), ..endpoint() };
        assert!(!failing.must_be_disabled(first + FAILING_FOR - Duration::from_secs(1)));
        assert!(failing.must_be_disabled(first + FAILING_FOR));
        assert!(!endpoint().must_be_disabled(first + FAILING_FOR));
    }

    proptest! {
        #[test]
        fn filters_are_both_asked(
            types in prop::option::of(prop::collection::vec("[ab]", 1..3)),
            channels in prop::option::of(prop::collection::vec("[cd]", 1..3)),
            kind in "[ab]", of in prop::collection::vec("[cd]", 0..3), disabled: bool,
        ) {
            let texts = |texts: &[String]| texts.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
            let endpoint = Endpoint {
                event_types: types.as_ref().map(|types| types.iter().map(|name| name.parse().unwrap()).collect()),
                channels: channels.as_ref().map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
                disabled,
                ..endpoint()
            };
            let sent: Vec<&str> = of.iter().map(String::as_str).collect();
            let expected = !disabled
                && types.is_none_or(|types| texts(&types).contains(&kind))
                && channels.is_none_or(|channels| of.iter().any(|channel| channels.contains(channel)));
            prop_assert_eq!(endpoint.wants(&message(&kind, &sent)), expected);
        }
    }
}
