//! A tick of the schedule: the events of a minute.

use std::time::Duration;

use generator::{Summary, Tick};
use tidings_domain::agenda::Kind;
use tidings_harness::{Fault, Rule};

use crate::support::{NOW, TICK, World, generator, json};

#[tokio::test]
async fn a_tick_writes_a_minute_of_events_at_the_multiples_of_the_frequency() {
    let world = World::start(5000).await;
    assert_eq!(world.generator.minute(TICK).await.unwrap(), Summary { written: 12, known: 0 });
    let due: Vec<i64> = (0..12).map(|number| number * 5000).collect();
    assert_eq!(world.due(Kind::Message).await, due);
    // Each is looked at five seconds after it was sent.
    assert_eq!(world.due(Kind::Broadcast).await, due.iter().map(|due| due + 5000).collect::<Vec<_>>());
    for broadcast in world.broadcasts().await {
        let message = world.message(&broadcast).await;
        assert_eq!((message.event_type.as_str(), &*broadcast.subject), ("OrderReceived", "OrderReceived"));
        assert_eq!(message.created_at, broadcast.created_at);
        assert!((1..=10).contains(&json(&message).as_array().unwrap().len()));
    }
}

#[tokio::test]
async fn the_events_are_for_those_who_are_clients_at_the_tick() {
    let world = World::start(20_000).await;
    let clients = [world.client(1).await.id, world.client(2).await.id];
    world.generator.minute(TICK).await.unwrap();
    let broadcasts = world.broadcasts().await;
    assert_eq!(broadcasts.len(), 3);
    assert!(broadcasts.iter().all(|broadcast| broadcast.receivers == clients), "{broadcasts:?}");
}

#[tokio::test]
async fn without_a_client_there_is_a_broadcast_to_nobody() {
    let world = World::start(60_000).await;
    world.generator.minute(TICK).await.unwrap();
    let broadcasts = world.broadcasts().await;
    assert_eq!(broadcasts.iter().map(|broadcast| broadcast.receivers.len()).collect::<Vec<_>>(), [0]);
}

#[tokio::test]
async fn a_tick_that_is_delivered_twice_makes_nothing_twice() {
    let world = World::start(5000).await;
    world.generator.minute(TICK).await.unwrap();
    let first = world.broadcasts().await;
    let payload = json(&world.message(&first[0]).await);
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(world.generator.minute(TICK).await.unwrap(), Summary { written: 0, known: 12 });
    assert_eq!(world.broadcasts().await, first);
    assert_eq!(json(&world.message(&first[0]).await), payload);
}

#[tokio::test]
async fn a_tick_that_failed_midway_is_made_up_for_by_its_repetition() {
    let world = World::start(5000).await;
    world.generator.minute(Tick { time: NOW - Duration::from_secs(60) }).await.unwrap();
    world.table.faults().inject(Rule::new(Fault::Refused));
    assert!(world.generator.minute(TICK).await.is_err());
    world.table.faults().clear();
    let Summary { written, known } = world.generator.minute(TICK).await.unwrap();
    assert_eq!(written + known, 12);
    assert_eq!(world.broadcasts().await.len(), 24);
}

#[tokio::test]
async fn minutes_join_without_a_gap_also_where_the_frequency_does_not_divide_them() {
    for frequency in [700, 7000, 45_000, 90_000] {
        let world = World::start(frequency).await;
        for minute in 0..4 {
            let time = NOW + Duration::from_secs(60) * minute;
            world.generator.minute(Tick { time }).await.unwrap();
            world.clock.advance(Duration::from_secs(60));
        }
        let due = world.due(Kind::Message).await;
        let step = i64::try_from(frequency).unwrap();
        assert!(due.iter().all(|due| (NOW.as_millis() + due) % step == 0), "{frequency}: {due:?}");
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == step), "{frequency}: {due:?}");
        assert!((0..step).contains(&due[0]) && (240_000 - step..240_000).contains(due.last().unwrap()), "{due:?}");
    }
}

#[tokio::test]
async fn a_tick_that_comes_much_too_late_makes_nothing() {
    let world = World::start(5000).await;
    world.clock.advance(Duration::from_secs(121));
    assert_eq!(world.generator.minute(TICK).await.unwrap(), Summary::default());
    assert_eq!(world.owed(Kind::Message).await, []);
    // A function that was merely slow to start is not.
    let tick = Tick { time: NOW + Duration::from_secs(100) };
    assert_eq!(world.generator.minute(tick).await.unwrap().written, 12);
}

#[tokio::test]
async fn organizations_have_events_of_their_own() {
    let world = World::start(30_000).await;
    world.generator.minute(TICK).await.unwrap();
    let other = generator(world.store(), &world.clock, 2, 30_000);
    assert_eq!(other.minute(TICK).await.unwrap(), Summary { written: 2, known: 0 });
    assert_eq!(world.broadcasts().await.len(), 2);
    assert_eq!(world.owed(Kind::Message).await.len(), 4);
}
