//! Messages and attempts to test with.

use std::time::Duration;

use bytes::Bytes;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::{Delivery, Trigger};
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId};
use tidings_domain::message::{Message, RETENTION, Route};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_store::message::NewMessage;

use crate::support::{NOW, at, organization};

pub(crate) fn application() -> ApplicationId {
    ApplicationId::new(NOW, [2; 15])
}

pub(crate) fn endpoint(number: u8) -> EndpointId {
    EndpointId::new(NOW, [number; 15])
}

pub(crate) fn message_id(second: i64) -> MessageId {
    MessageId::new(at(second), [3; 15])
}

/// A message of organization 1, accepted at this second.
pub(crate) fn message(second: i64) -> Message {
    Message {
        id: message_id(second),
        organization: organization(1),
        application: application(),
        event_type: "user.created".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        payload: Some(Bytes::from(format!("{{\"second\": {second}}}"))),
        payload_until: at(second) + RETENTION,
        created_at: at(second),
    }
}

/// It is due half a minute after it was accepted.
pub(crate) fn new(message: &Message) -> NewMessage<'_> {
    NewMessage { message, due: message.created_at + Duration::from_secs(30), route: Route::Endpoints }
}

pub(crate) fn delivery(message: i64, endpoint_number: u8) -> Delivery {
    Delivery {
        organization: organization(1),
        application: application(),
        endpoint: endpoint(endpoint_number),
        message: message_id(message),
    }
}

/// A success at this second.
pub(crate) fn success(delivery: Delivery, second: i64) -> Attempt {
    Attempt {
        id: AttemptId::new(at(second), [delivery_byte(&delivery); 15]),
        delivery,
        url: WebhookUrl::try_from("https://example.com/hooks/17".to_owned()).unwrap(),
        event_type: "user.created".parse().unwrap(),
        channels: Vec::new(),
        status: AttemptStatus::Success,
        response_status: 200,
        response: Some(String::new()),
        duration: Duration::from_millis(12),
        trigger: Trigger::Scheduled,
        number: 1,
        next_attempt: None,
        made_at: at(second),
    }
}

/// A failure at this second after which another attempt is due.
pub(crate) fn pending(delivery: Delivery, second: i64) -> Attempt {
    Attempt { next_attempt: Some(at(second + 300)), ..failure(delivery, second) }
}

/// The last failure.
pub(crate) fn failure(delivery: Delivery, second: i64) -> Attempt {
    Attempt { status: AttemptStatus::Fail, response_status: 500, ..success(delivery, second) }
}

/// Tells attempts of one time apart.
fn delivery_byte(delivery: &Delivery) -> u8 {
    format!("{}{}", delivery.endpoint, delivery.message).bytes().fold(0, |sum, byte| sum.wrapping_mul(31) ^ byte)
}
