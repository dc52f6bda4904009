//! The stream's lane alone: no tick comes.

use std::time::Duration;

use tidings_domain::job::JobStatus;
use tidings_harness::{Outcome, Plan, Receiver, Reply};

use crate::support::{DELAY, FAST_PATIENCE, GRACE, Wishes, World};

#[tokio::test]
async fn the_stream_alone_completes_what_is_healthy() {
    let world = World::new().await;
    let jobs = world.accept_many(20).await;
    let failed = world.send(&world.processor(), world.changes(20).await).await;
    assert!(failed.is_empty(), "{failed:?}");
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn after_its_first_batch_it_reads_nothing_of_the_table() {
    let world = World::new().await;
    let processor = world.processor();
    world.accept().await;
    world.send(&processor, world.changes(1).await).await;
    world.table.meter().reset();
    let job = world.accept().await;
    world.send(&processor, world.changes(1).await).await;
    let calls: Vec<_> = world.table.meter().calls().into_iter().map(|(name, calls)| (name, calls.count)).collect();
    assert_eq!(calls, [("TransactWriteItems".to_owned(), 1), ("UpdateItem".to_owned(), 2)]);
    assert_eq!(world.status(&job).await, JobStatus::Complete);
}

#[tokio::test]
async fn what_cannot_end_before_the_schedule_owns_it_is_not_started() {
    let world = World::new().await;
    let soon = world.accept_for(&world.receiver.url(), Duration::from_millis(1900)).await;
    let in_time = world.accept_for(&world.receiver.url(), Duration::from_secs(5)).await;
    world.send(&world.processor(), world.changes(2).await).await;
    assert_eq!(world.status(&in_time).await, JobStatus::Complete);
    let left = world.stored(&soon).await.job;
    assert_eq!((left.status, left.tries, left.last_error), (JobStatus::Pending, 0, None));
    assert_eq!((world.providers.total(), world.receiver.count(), world.agenda().await.len()), (2, 1, 1));
}

/// A short grace must not turn into time-outs of nothing, which would be blamed on whom was asked.
#[tokio::test]
async fn little_time_makes_it_less_patient_and_blames_nobody() {
    let world = World::new().await;
    // The fast lane's own patience would not fit twice.
    let long = Duration::from_secs(3);
    let processor = world.processor_with(Wishes { patience: long, fast_patience: long, ..Wishes::default() });
    world.receiver.set_plan(Plan::always(Reply::After(Duration::from_millis(100), Box::new(Reply::Status(200)))));
    for grace in [2, 3, 4, 5] {
        world.accept_for(&world.receiver.url(), Duration::from_secs(grace)).await;
        world.send(&processor, world.changes(1).await).await;
    }
    let job = world.accept().await;
    world.send(&processor, world.changes(1).await).await;
    assert_eq!(world.status(&job).await, JobStatus::Complete, "some destination was believed to be slow");
    let given_up = |delivery: &tidings_harness::Delivery| matches!(delivery.outcome, Outcome::Abandoned(_));
    assert!(!world.receiver.deliveries().iter().any(given_up));
}

#[tokio::test]
async fn it_gives_up_soon_on_a_slow_receiver_and_the_schedule_waits_for_it_in_full() {
    let world = World::new().await;
    let slow = Reply::After(2 * FAST_PATIENCE, Box::new(Reply::Status(200)));
    world.receiver.set_plan(Plan::always(slow));
    let job = world.accept().await;
    let processor = world.processor();
    world.send(&processor, world.changes(1).await).await;
    let tried = world.stored(&job).await.job;
    assert_eq!((tried.status, tried.tries), (JobStatus::Pending, 1));
    assert_eq!(tried.last_error.as_deref(), Some("callback: no answer within 0.5 s"));

    world.clock.advance(DELAY);
    let summary = world.tick(&processor).await;
    assert_eq!(summary.finished, 1, "{summary:?}");
    assert_eq!(world.status(&job).await, JobStatus::Complete);
    let outcomes: Vec<_> = world.receiver.deliveries().into_iter().map(|delivery| delivery.is_taken()).collect();
    assert_eq!(outcomes, [false, true]);
}

#[tokio::test]
async fn a_destination_that_timed_out_is_left_to_the_schedule() {
    let world = World::new().await;
    let dead = Receiver::start(Plan::always(Reply::Hang)).await;
    let processor = world.processor();
    world.accept_for(&dead.url(), GRACE).await;
    world.send(&processor, world.changes(1).await).await;
    assert_eq!(dead.count(), 1);

    let left = world.accept_for(&dead.url(), GRACE).await;
    let other = world.accept().await;
    world.send(&processor, world.changes(2).await).await;
    assert_eq!((dead.count(), world.stored(&left).await.job.tries), (1, 0));
    assert_eq!(world.status(&other).await, JobStatus::Complete);

    // The schedule tries it nevertheless, and when it is well again the fast lane comes back to it.
    dead.set_plan(Plan::status(200));
    world.clock.advance(GRACE);
    world.tick(&processor).await;
    assert_eq!(world.status(&left).await, JobStatus::Complete);
    let again = world.accept_for(&dead.url(), GRACE).await;
    world.send(&processor, world.changes(1).await).await;
    assert_eq!(world.status(&again).await, JobStatus::Complete);
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_delay_the_others_of_its_batch() {
    let world = World::new().await;
    let dead = Receiver::start(Plan::always(Reply::Hang)).await;
    let processor = world.processor();
    for _ in 0..3 {
        world.accept_for(&dead.url(), GRACE).await;
    }
    world.accept_many(20).await;
    let records = world.changes(23).await;
    let started = std::time::Instant::now();
    let (_, waited) = tokio::join!(world.send(&processor, records), async {
        world.receiver.wait_for(20).await;
        started.elapsed()
    });
    assert!(waited < FAST_PATIENCE, "the healthy ones waited {waited:?} for those that hang");
    assert_eq!(dead.count(), 3);
}

#[tokio::test]
async fn a_providers_failure_is_left_to_the_schedule_too() {
    let world = World::new().await;
    world.providers.set_plan(Plan::status(500));
    let job = world.accept().await;
    let processor = world.processor();
    assert!(world.send(&processor, world.changes(1).await).await.is_empty());
    let tried = world.stored(&job).await.job;
    assert_eq!((tried.status, tried.tries), (JobStatus::Pending, 1));
    world.providers.set_plan(Plan::by(|arrival| tidings_harness::Providers::data(&arrival.subject)));
    world.clock.advance(DELAY);
    world.tick(&processor).await;
    world.assert_all_done_once(&[job]).await;
}
