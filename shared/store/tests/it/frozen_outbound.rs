//! The same for messages and attempts, and what they are known by.

use std::time::Duration;

use tidings_domain::attempt::AttemptStatus;
use tidings_domain::delivery::{Delivery, Trigger};
use tidings_domain::idempotency::{Fingerprint, IdempotencyKey};
use tidings_domain::ids::{ApplicationId, EndpointId, MessageId};
use tidings_domain::message::{Message, RETENTION, Route};
use tidings_domain::page::PageLimit;
use tidings_store::attempt::{AttemptFilter, DeliveryCounts};
use tidings_store::message::{MessageAccepted, MessageFilter, MessageKey, NewMessage};

use crate::frozen::{ORGANIZATION, organization, stored};
use crate::support::at;

const MESSAGE: &str = "msg_2dmHlRqYhKBaVUuWxGxZ7IfOEEp";

fn application() -> ApplicationId {
    "app_2dmHlPBrNdbSXHkUrzEyTQ3mEXz".parse().unwrap()
}

fn endpoint() -> EndpointId {
    "ep_2dmHlPBrNdbSXHkUrzEyTQ3mEXz".parse().unwrap()
}

fn message_id() -> MessageId {
    MESSAGE.parse().unwrap()
}

/// What the fixture holds.
fn message() -> Message {
    Message {
        id: message_id(),
        organization: organization(),
        application: application(),
        event_type: "user.created".parse().unwrap(),
        event_id: Some("evt-17".parse().unwrap()),
        channels: vec!["eu".parse().unwrap()],
        tags: vec!["vip".parse().unwrap()],
        payload: Some(r#"{ "b":1.0e2, "a": "x" }"#.into()),
        payload_until: at(5 * 24 * 3600),
        created_at: at(0),
    }
}

#[tokio::test]
async fn messages_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/message.json")).await;
    let filter = MessageFilter { with_payload: true, ..MessageFilter::default() };
    let page = store.messages(organization(), application(), &filter, None, PageLimit::default(), at(1)).await.unwrap();
    let bare = Message {
        id: "msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz".parse().unwrap(),
        event_type: "user.deleted".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        payload: None,
        payload_until: at(0) + RETENTION,
        ..message()
    };
    assert_eq!(page.data, [message(), bare]);
}

#[tokio::test]
async fn attempts_of_version_1_are_read_and_those_of_later_ones_are_not_listed() {
    let store = stored(include_str!("../fixtures/v1/attempt.json")).await;
    let (filter, limit) = (AttemptFilter::default(), PageLimit::default());
    let by_endpoint = store
        .attempts_by_endpoint(organization(), application(), endpoint(), &filter, None, limit, at(9))
        .await
        .unwrap();
    let by_message = store
        .attempts_by_message(organization(), application(), message_id(), &filter, None, limit, at(9))
        .await
        .unwrap();
    assert_eq!(by_endpoint, by_message);
    let [taken, failed] = &by_endpoint.data[..] else { panic!("{by_endpoint:?}") };
    let delivery = Delivery {
        organization: organization(),
        application: application(),
        endpoint: endpoint(),
        message: message_id(),
    };
    assert_eq!((taken.delivery, failed.delivery), (delivery, delivery));
    assert_eq!((taken.status, taken.response_status, taken.number), (AttemptStatus::Success, 200, 2));
    assert_eq!((taken.trigger, taken.response.as_deref(), taken.next_attempt), (Trigger::Manual, None, None));
    assert_eq!((failed.status, failed.response_status, failed.number), (AttemptStatus::Fail, 503, 1));
    assert_eq!((failed.trigger, failed.response.as_deref()), (Trigger::Scheduled, Some("try later")));
    assert_eq!((failed.next_attempt, failed.made_at, failed.duration), (Some(at(6)), at(1), Duration::from_millis(17)));
    assert_eq!(
        (failed.url.to_string(), failed.event_type.as_str()),
        ("https://example.com/hook".to_owned(), "user.created")
    );
    assert_eq!(failed.channels, ["eu".parse().unwrap()]);
    let counts =
        store.count_deliveries(organization(), application(), endpoint(), at(0), at(30 * 24 * 3600)).await.unwrap();
    assert_eq!(counts, DeliveryCounts { success: 1, pending: 0, fail: 0 });
}

#[tokio::test]
async fn reservations_of_version_1_are_read() {
    let items: Vec<serde_json::Value> =
        [include_str!("../fixtures/v1/reservation.json"), include_str!("../fixtures/v1/message.json")]
            .into_iter()
            .flat_map(|fixture| serde_json::from_str::<Vec<serde_json::Value>>(fixture).unwrap())
            .collect();
    let store = stored(&serde_json::to_string(&items).unwrap()).await;
    assert!(items[0]["pk"]["S"].as_str().unwrap().starts_with(ORGANIZATION));
    let key = |fingerprint: &str| MessageKey {
        key: IdempotencyKey::try_from("order#17").unwrap(),
        fingerprint: Fingerprint::from_stored(fingerprint.to_owned()),
    };
    let other = Message { id: MessageId::new(at(60), [1; 15]), created_at: at(60), ..message() };
    let new = NewMessage { message: &other, due: at(90), route: Route::Endpoints };
    let same = MessageAccepted::Repeated { id: message_id(), created_at: at(0) };
    assert_eq!(store.create_message(&new, Some(&key("0123abcd"))).await.unwrap(), same);
    assert_eq!(store.create_message(&new, Some(&key("4567"))).await.unwrap(), MessageAccepted::OtherRequest);
    assert_eq!(store.create_message(&new, None).await.unwrap(), MessageAccepted::EventIdTaken);
}
