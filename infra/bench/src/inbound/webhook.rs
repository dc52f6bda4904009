//! The webhooks that are sent.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings_runtime::Clock;

const USER: &str = "bench";
const PASSWORD: &str = "a password of the benchmarks";

/// What Docebo authenticates with.
pub(crate) fn login() -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

/// A source of webhooks, which may be forwarded to an application.
pub(crate) fn source(uid: &str, forward_to: Option<&str>) -> Value {
    json!({"name": uid, "uid": uid, "kind": "docebo", "username": USER, "password": PASSWORD, "forwardTo": forward_to})
}

/// A minute ago, as Docebo writes it.
pub(crate) fn fired_at() -> String {
    let text = (Clock::system().now() - Duration::from_secs(60)).to_string();
    text.get(..19).unwrap_or_default().replace('T', " ")
}

/// A webhook of Docebo: a user's enrollment, for each number another's.
pub(super) fn webhook(number: usize, fired_at: &str) -> String {
    let payload = payload(number, fired_at);
    json!({
        "event": "course.enrollment.created", "fired_by_batch_action": false, "message_id": message_id(number),
        "payload": payload
    })
    .to_string()
}

/// As long as those that Docebo makes.
pub(crate) fn message_id(number: usize) -> String {
    format!("wh-20240313-145834-5bf0ce52-91d0-40fa-98d8-{number:012}")
}

/// An enrollment, with all its fields.
pub(crate) fn payload(number: usize, fired_at: &str) -> Value {
    json!({
        "fired_at": fired_at, "user_id": number + 1, "username": format!("user{number}"), "course_id": 37,
        "course_name": "Safety", "level": "learner", "enrollment_date": fired_at,
        "enrollment_date_begin_validity": null, "enrollment_date_end_validity": null, "subscribed_by_id": 13250,
        "status": "subscribed"
    })
}
