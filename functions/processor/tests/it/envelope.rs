//! Tokens: what a client registered with comes beside the payload.

use bytes::Bytes;
use tidings_domain::Timestamp;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::message::Message;
use tidings_harness::{Delivery, Plan, Reply};
use tidings_store::Replaced;

use crate::support::outbound::{impatient, key, seal};
use crate::support::{GRACE, World};

const TOKEN: &str = "1312-\"3128\"-\\qwqw \u{fc}";

/// The token as JSON: quotes and backslashes are escaped.
const AS_JSON: &str = r#""1312-\"3128\"-\\qwqw ü""#;

fn with_token(endpoint: &mut Endpoint) {
    endpoint.token = Some(seal(endpoint, "token", TOKEN));
}

fn enveloped(message: &Message) -> Vec<u8> {
    let payload = message.payload.as_ref().unwrap();
    [br#"{"token":"#, AS_JSON.as_bytes(), br#","payload":"#, payload, b"}"].concat()
}

/// That a delivery has this body, and that it is the body that was signed.
fn assert_signed(delivery: &Delivery, body: &[u8]) {
    assert_eq!(String::from_utf8_lossy(&delivery.body), String::from_utf8_lossy(body));
    let at = Timestamp::from_millis(delivery.header("webhook-timestamp").parse::<i64>().unwrap() * 1000);
    assert_eq!(delivery.header("webhook-signature"), key().sign(&delivery.id, at, body));
}

#[tokio::test]
async fn the_token_comes_beside_the_payload_and_what_is_sent_is_signed_in_both_lanes() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Status(500), Reply::Status(200)]));
    let application = world.application().await;
    world.endpoint_with(&application, &world.receiver.url(), with_token).await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.retry(&processor, &message).await;
    let [first, second] = &world.receiver.deliveries()[..] else { panic!("{:?}", world.receiver.deliveries()) };
    for delivery in [first, second] {
        assert_signed(delivery, &enveloped(&message));
        assert_eq!(delivery.json()["token"], TOKEN);
    }
    assert_eq!(world.answers(&message).await, [500, 200]);
}

#[tokio::test]
async fn what_is_sent_again_or_by_the_schedule_alone_has_the_token_too() {
    let world = World::new().await;
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), with_token).await;
    let message = world.message(&application).await;
    world.clock.advance(GRACE);
    let processor = world.processor_with(impatient());
    world.work_off(&processor).await;
    world.resend(&message, &endpoint).await;
    world.work_off(&processor).await;
    let deliveries = world.receiver.deliveries();
    assert_eq!(deliveries.len(), 2);
    for delivery in &deliveries {
        assert_signed(delivery, &enveloped(&message));
    }
}

#[tokio::test]
async fn any_json_is_a_payload_and_others_get_it_alone() {
    let world = World::new().await;
    let application = world.application().await;
    let url = world.receiver.url();
    world.endpoint_with(&application, &format!("{url}/with"), with_token).await;
    world.endpoint(&application, &format!("{url}/without")).await;
    let payload = Bytes::from_static(b"[1.00, {\"a\" :\n\"}\"}]");
    let message = Message { payload: Some(payload.clone()), ..world.new_message(&application) };
    world.put_message(&message, GRACE).await;
    world.stream(&world.processor()).await;
    let mut deliveries = world.receiver.deliveries();
    deliveries.sort_by(|left, right| left.path.cmp(&right.path));
    let [with, without] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_signed(with, &enveloped(&message));
    assert_signed(without, &payload);
}

#[tokio::test]
async fn a_token_that_was_changed_is_the_next_one_that_is_sent() {
    let world = World::new().await;
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), with_token).await;
    let processor = world.processor_with(impatient());
    world.message(&application).await;
    world.stream(&processor).await;
    let mut changed = Endpoint { updated_at: world.clock.now(), ..endpoint.clone() };
    changed.token = Some(seal(&endpoint, "token", "another"));
    assert_eq!(world.table.store().replace_endpoint(&endpoint, &changed, None).await.unwrap(), Replaced::Written);
    world.message(&application).await;
    // The schedule reads the endpoint anew.
    world.clock.advance(GRACE);
    world.work_off(&processor).await;
    let tokens: Vec<_> = world.receiver.deliveries().iter().map(|delivery| delivery.json()["token"].clone()).collect();
    assert_eq!(tokens, [TOKEN, "another"]);
}

#[tokio::test]
async fn a_token_that_cannot_be_opened_is_never_left_out() {
    let world = World::new().await;
    let application = world.application().await;
    let sealed_for_another = |endpoint: &mut Endpoint| endpoint.token = Some(seal(endpoint, "headers", TOKEN));
    world.endpoint_with(&application, &world.receiver.url(), sealed_for_another).await;
    world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.clock.advance(GRACE);
    assert_eq!(world.tick(&processor).await.set_aside, 1);
    assert_eq!(world.receiver.count(), 0);
}
