//! An event for now: what a service on one machine makes.

use tidings_domain::agenda::Kind;

use crate::support::{GRACE, NOW, World, json};

#[tokio::test]
async fn an_event_for_now_is_started_by_the_stream() {
    let world = World::start(5000).await;
    let client = world.client(1).await;
    let changes = world.table.changes();
    world.generator.event().await.unwrap();
    let started = changes.take(1).await;
    assert_eq!(started.len(), 1);
    let entries = world.owed(Kind::Message).await;
    assert_eq!(entries.iter().map(|entry| entry.key.due).collect::<Vec<_>>(), [NOW + GRACE]);
    let [broadcast] = &world.broadcasts().await[..] else { panic!("not one broadcast") };
    assert_eq!(broadcast.receivers, [client.id]);
    assert!(json(&world.message(broadcast).await)[0]["deliveryDetails"]["zipCode"].is_string());
}
