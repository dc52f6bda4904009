//! What is sent to an endpoint.

use tidings_domain::Timestamp;
use tidings_domain::endpoint_headers::EndpointHeaders;
use tidings_domain::signature::{EndpointKeys, Grace, SigningKey};

use crate::support::World;
use crate::support::outbound::{key, seal};

#[tokio::test]
async fn the_payload_is_sent_byte_for_byte_and_signed_in_both_header_families() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    world.stream(&world.processor()).await;
    let delivery = world.receiver.deliveries().remove(0);
    assert_eq!(Some(&delivery.body), message.payload.as_ref());
    assert_eq!(delivery.header("content-type"), "application/json");
    assert!(delivery.header("user-agent").starts_with("Tidings/"));
    let [id, at, signature] = ["id", "timestamp", "signature"].map(|part| {
        let [webhook, svix] = ["webhook", "svix"].map(|family| delivery.header(&format!("{family}-{part}")).to_owned());
        assert_eq!(webhook, svix);
        webhook
    });
    assert_eq!(id, message.id.to_string());
    let at = Timestamp::from_millis(at.parse::<i64>().unwrap() * 1000);
    assert_eq!(at.as_secs(), world.attempts(&message).await[0].made_at.as_secs());
    assert_eq!(signature, key().sign(&id, at, &delivery.body));
}

#[tokio::test]
async fn every_key_that_is_valid_signs() {
    let world = World::new().await;
    let application = world.application().await;
    let now = world.clock.now();
    let newer = SigningKey::from_stored(&SigningKey::generate([9; 24]).to_stored()).unwrap();
    let keys = EndpointKeys::new(key()).rotate(newer.clone(), Grace::default(), now).unwrap();
    let rotated = |endpoint: &mut tidings_domain::endpoint::Endpoint| {
        endpoint.keys = seal(endpoint, "keys", &keys.seal_text());
    };
    world.endpoint_with(&application, &world.receiver.url(), rotated).await;
    world.message(&application).await;
    world.stream(&world.processor()).await;
    let delivery = world.receiver.deliveries().remove(0);
    let at = Timestamp::from_millis(delivery.header("webhook-timestamp").parse::<i64>().unwrap() * 1000);
    let expected = [newer, key()].map(|key| key.sign(&delivery.id, at, &delivery.body)).join(" ");
    assert_eq!(delivery.header("webhook-signature"), expected);
}

#[tokio::test]
async fn the_endpoints_headers_are_sent_along() {
    let world = World::new().await;
    let application = world.application().await;
    let headers = [("X-Tenant", "seven"), ("authorization", "Bearer x")];
    let headers = EndpointHeaders::new(headers.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let with_headers = |endpoint: &mut tidings_domain::endpoint::Endpoint| {
        endpoint.headers = Some(seal(endpoint, "headers", &headers.seal_text()));
    };
    world.endpoint_with(&application, &world.receiver.url(), with_headers).await;
    world.message(&application).await;
    world.stream(&world.processor()).await;
    let delivery = world.receiver.deliveries().remove(0);
    assert_eq!((delivery.header("x-tenant"), delivery.header("authorization")), ("seven", "Bearer x"));
}
