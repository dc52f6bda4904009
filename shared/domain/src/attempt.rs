//! Attempts: the record of each request that was made to deliver a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::delivery::{Delivery, Trigger};
use crate::ids::AttemptId;
use crate::names::{Channel, EventTypeName};
use crate::webhook_url::WebhookUrl;

/// Most bytes of an answer that are kept.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptStatus {
    /// With 2xx.
    Success,
    /// Otherwise.
    Fail,
}

/// An attempt to deliver a message to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Which message, to which endpoint.
    pub delivery: Delivery,
    /// Where the request went.
    pub url: WebhookUrl,
    /// The message's type, for lists.
    pub event_type: EventTypeName,
    /// The message's channels, for lists.
    pub channels: Vec<Channel>,
    /// How it ended.
    pub status: AttemptStatus,
    /// The answer's status code; 0 if there was no answer.
    pub response_status: u16,
    /// The answer's body, or why there was none. `None` once it was removed.
    pub response: Option<String>,
    /// From the start of the request to the end of the answer.
    pub duration: Duration,
    /// Why it was made.
    pub trigger: Trigger,
    /// Which attempt of its delivery's schedule it is, the first being 1.
    pub number: u32,
    /// When the next one is due, if there is one.
    pub next_attempt: Option<Timestamp>,
    /// When it was made.
    pub made_at: Timestamp,
}

impl Attempt {
    /// What went wrong, in a few words; `None` if nothing did.
    pub fn error(&self) -> Option<String> {
        match (self.status, self.response_status) {
            (AttemptStatus::Success, _) => None,
            (AttemptStatus::Fail, 0) => Some(self.response.clone().unwrap_or_else(|| "no answer".to_owned())),
            (AttemptStatus::Fail, status) => Some(format!("answered {status}")),
        }
    }
}

/// A receiver's answer as it is kept: valid UTF-8, cut at a character.
pub fn kept_response(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.get(..text.floor_char_boundary(MAX_RESPONSE_BYTES)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_kept_answer_is_bounded_and_cut_at_a_character(
            body in prop::collection::vec(any::<u8>(), 0..200), filler in 0..2 * MAX_RESPONSE_BYTES,
        ) {
            let long = [vec![b'x'; filler], body, "\u{20ac}".repeat(6000).into_bytes()].concat();
            let kept = kept_response(&long);
            prop_assert!(kept.len() <= MAX_RESPONSE_BYTES && kept.len() > MAX_RESPONSE_BYTES - 4);
        }
    }

    #[test]
    fn a_short_answer_is_kept_whole() {
        assert_eq!(kept_response("gr\u{fc}\u{df}e".as_bytes()), "gr\u{fc}\u{df}e");
    }
}
