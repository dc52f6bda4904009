//! The broker's vocabulary: URLs that want events by name. A pair of both is an endpoint of the broker's application.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::idempotency::hex;
use crate::names::{EventTypeName, Uid};
use crate::retry::RetrySchedule;
use crate::webhook_url::WebhookUrl;

/// Attempts before a delivery is a dead letter; two more follow.
pub const MAIN_ATTEMPTS: u32 = 5;

/// What the application is called that the broker's endpoints belong to.
pub const APPLICATION_NAME: &str = "Broker";

/// The name of that application.
pub fn application_uid() -> Uid {
    "tidings.broker".parse().expect("letters and a dot")
}

/// Exponential, four delays between [`MAIN_ATTEMPTS`]; then those of a dead letter.
pub fn retry_schedule() -> RetrySchedule {
    "5,10,20,40,300,1800".parse().expect("seconds and commas")
}

/// The name of an event: any text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventName(String);

/// A text is no event's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be {} characters at least and {} bytes at most, without the space around it",
    EventName::MIN,
    EventName::MAX
)]
pub struct EventNameError;

impl EventName {
    /// Fewest characters.
    pub const MIN: usize = 3;

    /// Most bytes.
    pub const MAX: usize = 256;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type of its messages. An event type's name takes fewer characters than an event's.
    pub fn event_type(&self) -> EventTypeName {
        format!("event.{}", digest(&[&self.0])).parse().expect("letters, digits and a dot")
    }

    /// The name of the endpoint that brings this event to a URL.
    pub fn endpoint_uid(&self, url: &WebhookUrl) -> Uid {
        format!("event.{}", digest(&[&self.0, url.as_url().as_str()])).parse().expect("letters, digits and a dot")
    }
}

/// Of texts, one behind the other; none can be mistaken for another.
fn digest(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex(&hash.finalize())
}

impl TryFrom<String> for EventName {
    type Error = EventNameError;

    fn try_from(text: String) -> Result<Self, EventNameError> {
        let name = text.trim();
        let fits = name.chars().count() >= Self::MIN && name.len() <= Self::MAX && !name.contains(char::is_control);
        if fits { Ok(Self(name.to_owned())) } else { Err(EventNameError) }
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EventName {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn a_name_is_trimmed_and_has_its_length() {
        assert_eq!(name("  upload image \u{1f5bc} ").as_str(), "upload image \u{1f5bc}");
        assert_eq!(name("\u{e9}t\u{e9}").as_str(), "\u{e9}t\u{e9}");
        for bad in ["", "  ab  ", "a\0b", &"a".repeat(257)] {
            assert_eq!(EventName::try_from(bad.to_owned()), Err(EventNameError), "{bad:?}");
        }
    }

    #[test]
    fn names_and_urls_make_different_endpoints() {
        let url = |text: &str| WebhookUrl::try_from(text.to_owned()).unwrap();
        let (a, b) = (url("https://example.com/a"), url("https://example.com/b"));
        assert_ne!(name("abc").event_type(), name("abd").event_type());
        assert_ne!(name("abc").endpoint_uid(&a), name("abc").endpoint_uid(&b));
        assert_ne!(name("abc").endpoint_uid(&a), name("abd").endpoint_uid(&a));
    }

    #[test]
    fn two_attempts_follow_those_of_the_main_queue() {
        assert_eq!(retry_schedule().max_tries(), 5 + 2);
    }
}
