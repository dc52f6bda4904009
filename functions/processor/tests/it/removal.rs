//! What is removed in the background: payloads whose time is over, and what a deleted application owned.

use std::time::Duration;

use tidings_domain::endpoint::Endpoint;
use tidings_domain::page::{Order, PageLimit};

use crate::support::outbound::impatient;
use crate::support::{GRACE, World};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_payload_is_gone_when_its_retention_is_over_and_the_message_stays() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let mut message = world.new_message(&application);
    message.payload_until = message.created_at + 5 * DAY;
    world.put_message(&message, GRACE).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert_eq!(world.agenda().await.len(), 1);
    let stored = async || {
        let now = world.clock.now();
        let found =
            world.table.store().message(message.organization, message.application, message.id, now).await.unwrap();
        found.unwrap()
    };
    world.clock.advance((5 * DAY).saturating_sub(Duration::from_secs(60)));
    world.tick(&processor).await;
    assert!(stored().await.payload.is_some());
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.tick(&processor).await.finished, 1);
    assert_eq!(stored().await.payload, None);
    assert_eq!((world.agenda().await.len(), world.answers(&message).await), (0, vec![200]));
}

#[tokio::test]
async fn a_deleted_applications_endpoints_and_messages_are_removed() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    world.endpoint_with(&application, &world.receiver.url(), |endpoint: &mut Endpoint| endpoint.disabled = true).await;
    let kept = world.application().await;
    world.endpoint(&kept, &world.receiver.url()).await;
    let mut messages = Vec::new();
    for _ in 0..30 {
        messages.push(world.message(&application).await);
    }
    let other = world.message(&kept).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let store = world.table.store();
    assert!(store.delete_application(&application, world.clock.now() + GRACE).await.unwrap());
    world.clock.advance(GRACE);
    world.work_off(&processor).await;
    let limit = PageLimit::default();
    let endpoints = store.endpoints(application.organization, application.id, None, Order::Ascending, limit).await;
    assert!(endpoints.unwrap().data.is_empty());
    for message in &messages {
        let now = world.clock.now();
        let found = store.message(message.organization, message.application, message.id, now).await.unwrap();
        assert_eq!(found, None);
    }
    assert_eq!(world.answers(&other).await, [200]);
    let endpoints = store.endpoints(kept.organization, kept.id, None, Order::Ascending, limit).await;
    assert_eq!(endpoints.unwrap().data.len(), 1);
}
