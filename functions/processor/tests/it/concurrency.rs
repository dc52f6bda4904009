//! Several processors on the same agenda.

use std::time::Duration;

use tidings_harness::{Plan, Reply};

use crate::support::{GRACE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processors_on_the_same_due_entries_never_work_on_one_job_at_the_same_time() {
    let world = World::new().await;
    // Long enough for a second delivery to be seen beside the first.
    world.receiver.set_plan(Plan::always(Reply::After(Duration::from_millis(30), Box::new(Reply::Status(200)))));
    let jobs = world.accept_many(200).await;
    world.clock.advance(GRACE);
    let processors = [world.processor(), world.processor(), world.processor()];
    let [first, second, third] = &processors;
    let summaries = tokio::join!(world.tick(first), world.tick(second), world.tick(third));
    let summaries = [summaries.0, summaries.1, summaries.2];
    assert_eq!(summaries.iter().map(|summary| summary.finished).sum::<usize>(), 200, "{summaries:?}");
    assert!(summaries.iter().filter(|summary| summary.finished > 0).count() > 1, "one did everything: {summaries:?}");
    assert!(world.receiver.overlapped().is_empty(), "{:?}", world.receiver.overlapped());
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn the_stream_and_the_schedule_side_by_side_do_nothing_twice() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::always(Reply::After(Duration::from_millis(30), Box::new(Reply::Status(200)))));
    let (fast, slow) = (world.processor(), world.processor());
    let mut jobs = Vec::new();
    for number in 0..60 {
        // Some are the schedule's before the stream brings them, some just after.
        let grace = Duration::from_millis(number * 60);
        jobs.push(world.accept_for(&world.receiver.url(), grace).await);
    }
    let records = world.changes(60).await;
    tokio::join!(world.send(&fast, records), world.tick(&slow));
    assert!(world.receiver.overlapped().is_empty(), "{:?}", world.receiver.overlapped());
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn a_job_that_somebody_else_took_over_is_not_finished_by_who_lost_it() {
    let world = World::new().await;
    let job = world.accept().await;
    let records = world.changes(1).await;
    // While the fast lane's callback is on its way, the entry is moved, as by a run that believed it due.
    world.receiver.set_plan(Plan::always(Reply::After(Duration::from_millis(200), Box::new(Reply::Status(200)))));
    let processor = world.processor();
    let (failed, claim) = tokio::join!(world.send(&processor, records), async {
        world.receiver.wait_for(1).await;
        let entry = world.agenda().await.remove(0);
        let moved = world.clock.now() + GRACE + GRACE;
        world.table.store().claim(&entry, moved).await.unwrap()
    });
    assert!(failed.is_empty());
    let claim = claim.unwrap();
    assert_eq!(world.agenda().await, [claim.entry]);
    assert_eq!(world.stored(&job).await.job.tries, 0);
}
