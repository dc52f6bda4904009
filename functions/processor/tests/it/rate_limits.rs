//! Rate limits: what is over is delayed, not lost.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use tidings_domain::Timestamp;

use crate::support::outbound::impatient;
use crate::support::{GRACE, World};

const MESSAGES: usize = 25;

/// The most attempts in one second of the service's clock, and that each message got one.
async fn most_in_a_second(world: &World, messages: &[tidings_domain::message::Message]) -> usize {
    let mut seconds: BTreeMap<i64, usize> = BTreeMap::new();
    for message in messages {
        let attempts = world.attempts(message).await;
        assert_eq!(attempts.len(), 1, "delayed, not repeated");
        // To be held up is no try.
        assert_eq!((attempts[0].number, attempts[0].response_status), (1, 200));
        *seconds.entry(attempts[0].made_at.as_secs()).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or_default()
}

async fn deliver(world: &World, application: &tidings_domain::application::Application) -> usize {
    let processor = world.processor_with(impatient());
    let mut messages = Vec::new();
    for _ in 0..MESSAGES {
        messages.push(world.message(application).await);
    }
    world.stream(&processor).await;
    assert!(world.receiver.count() < MESSAGES, "all at once");
    // Second by second, as time goes by.
    for _ in 0..4 * MESSAGES {
        let Some(next) = world.agenda().await.iter().map(|entry| entry.key.due).min() else { break };
        let next = next.max(world.clock.now());
        world.clock.advance(next.since(world.clock.now()));
        world.tick(&processor).await;
    }
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (MESSAGES, 0));
    most_in_a_second(world, &messages).await
}

#[tokio::test]
async fn an_endpoints_limit_delays_and_loses_nothing() {
    let world = World::new().await;
    let application = world.application().await;
    let limited = |endpoint: &mut tidings_domain::endpoint::Endpoint| endpoint.throttle_rate = NonZeroU16::new(5);
    world.endpoint_with(&application, &world.receiver.url(), limited).await;
    let most = deliver(&world, &application).await;
    assert!(most <= 5, "{most} in one second");
}

#[tokio::test]
async fn an_applications_limit_holds_over_all_of_its_endpoints() {
    let world = World::new().await;
    let application = world.application_with(|application| application.throttle_rate = NonZeroU16::new(4)).await;
    world.endpoint(&application, &world.receiver.url()).await;
    let most = deliver(&world, &application).await;
    assert!(most <= 4, "{most} in one second");
}

#[tokio::test]
async fn what_is_over_the_limit_is_due_when_there_is_room_if_all_keep_their_order() {
    let world = World::new().await;
    let application = world.application().await;
    let limited = |endpoint: &mut tidings_domain::endpoint::Endpoint| endpoint.throttle_rate = NonZeroU16::new(2);
    world.endpoint_with(&application, &world.receiver.url(), limited).await;
    // All of one second: from its beginning.
    let now = world.clock.now();
    let second = Timestamp::from_millis((now.as_secs() + 1) * 1000);
    world.clock.advance(second.since(now));
    for _ in 0..6 {
        world.message(&application).await;
    }
    let records = world.changes(6).await;
    world.send(&world.processor(), records).await;
    let mut due: Vec<_> = world.agenda().await.iter().map(|entry| entry.key.due.as_secs()).collect();
    due.sort_unstable();
    let first = due[0];
    assert_eq!((world.receiver.count(), due), (2, vec![first, first, first + 1, first + 1]));
    assert!(first > second.as_secs() && first < (second + GRACE).as_secs());
}
