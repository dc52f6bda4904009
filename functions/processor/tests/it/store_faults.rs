//! The table fails in one place after the other: the work stays on the agenda, and nothing is lost.

use std::time::Duration;

use tidings_domain::job::JobStatus;
use tidings_harness::{Fault, Rule};

use crate::support::{CLAIM, GRACE, Wishes, World};

/// Faults that pass.
const PASSING: [Fault; 6] =
    [Fault::Throttled, Fault::Conflict, Fault::InternalError, Fault::Gateway, Fault::Unreachable, Fault::AnswerLost];

/// The calls of the fast lane, in their order: the check of the first batch, the providers' data, the result.
const FAST: [(&str, usize); 4] = [("BatchGetItem", 0), ("UpdateItem", 0), ("UpdateItem", 1), ("TransactWriteItems", 0)];

/// The calls of the slow lane: the age, the look, the claims, the jobs, the data, the results, the next look.
const SLOW: [(&str, usize); 8] = [
    ("Query", 0),
    ("Query", 16),
    ("TransactWriteItems", 0),
    ("TransactWriteItems", 1),
    ("Query", 33),
    ("UpdateItem", 1),
    ("TransactWriteItems", 3),
    ("Query", 40),
];

const JOBS: usize = 3;

/// Only writes meet transactions.
fn happens(fault: Fault, operation: &str) -> bool {
    fault != Fault::Conflict || !matches!(operation, "Query" | "BatchGetItem")
}

/// After a disturbed beginning, the schedule brings everything to its end.
async fn recovers(world: &World, jobs: &[tidings_domain::job::Job], what: &str) {
    world.table.faults().clear();
    let processor = world.processor_with(Wishes { stay: Duration::ZERO, ..Wishes::default() });
    for _ in 0..2 {
        world.clock.advance(CLAIM);
        world.tick(&processor).await;
    }
    for job in jobs {
        assert_eq!(world.status(job).await, JobStatus::Complete, "{what}");
        assert!(!world.receiver.deliveries_of(&job.id.to_string()).is_empty(), "{what}");
    }
    assert_eq!(world.agenda().await, [], "{what}");
    assert!(world.receiver.overlapped().is_empty(), "{what}");
}

#[tokio::test]
async fn a_fault_in_the_fast_lane_leaves_the_work_to_the_schedule() {
    for fault in PASSING {
        for (operation, after) in FAST.into_iter().filter(|place| happens(fault, place.0)) {
            let what = format!("{fault:?} of {operation} {after}");
            let world = World::new().await;
            let jobs = world.accept_many(JOBS).await;
            let records = world.changes(JOBS).await;
            world.table.faults().inject(Rule::new(fault).on(operation).after(after));
            assert!(world.send(&world.processor(), records).await.is_empty(), "{what}: the records are not to blame");
            recovers(&world, &jobs, &what).await;
        }
    }
}

#[tokio::test]
async fn a_fault_in_the_slow_lane_leaves_the_work_to_the_next_run() {
    for fault in PASSING {
        for (operation, after) in SLOW.into_iter().filter(|place| happens(fault, place.0)) {
            let what = format!("{fault:?} of {operation} {after}");
            let world = World::new().await;
            let jobs = world.accept_many(JOBS).await;
            world.clock.advance(GRACE);
            world.table.faults().inject(Rule::new(fault).on(operation).after(after));
            // Some runs fail, and say so; what they claimed is due again.
            let run = world.try_tick(&world.processor_with(Wishes { stay: Duration::ZERO, ..Wishes::default() })).await;
            if let Err(error) = run {
                assert!(error.retryable(), "{what}: {error}");
            }
            recovers(&world, &jobs, &what).await;
        }
    }
}

#[tokio::test]
async fn a_short_disturbance_is_not_noticed() {
    for fault in [Fault::Conflict, Fault::InternalError, Fault::Gateway, Fault::Unreachable, Fault::AnswerLost] {
        for operation in ["BatchGetItem", "UpdateItem", "TransactWriteItems"] {
            let world = World::new().await;
            let jobs = world.accept_many(1).await;
            // A single item's conflict is none of the SDK's retries.
            if fault == Fault::Conflict && operation != "TransactWriteItems" {
                continue;
            }
            world.table.faults().inject(Rule::new(fault).on(operation).times(2));
            world.send(&world.processor(), world.changes(1).await).await;
            assert_eq!(world.status(&jobs[0]).await, JobStatus::Complete, "{fault:?} of {operation}");
            world.assert_all_done_once(&jobs).await;
        }
    }
}

/// What has been claimed is finished although the run cannot look further.
#[tokio::test]
async fn a_run_that_cannot_look_on_finishes_what_it_started() {
    let world = World::new().await;
    // As many as one destination may have at once: all are started at the first look.
    let jobs = world.accept_many(16).await;
    world.clock.advance(GRACE);
    // Not the jobs' own queries: those of the agenda after the first look.
    world.table.faults().inject(Rule::new(Fault::Throttled).on("Query").containing("DUE#").after(32));
    let error = world.try_tick(&world.processor()).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn a_check_of_a_batch_that_is_answered_in_parts_is_whole() {
    let world = World::new().await;
    let jobs = world.accept_many(20).await;
    world.table.faults().inject(Rule::new(Fault::Unprocessed).on("BatchGetItem").times(4));
    world.send(&world.processor(), world.changes(20).await).await;
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn what_the_table_refuses_is_set_aside_in_the_slow_lane_and_named_in_the_fast_one() {
    let world = World::new().await;
    world.accept_many(2).await;
    let records = world.changes(2).await;
    let numbers: Vec<_> = records.iter().filter_map(|record| record.change.sequence_number.clone()).collect();
    world.table.faults().inject(Rule::new(Fault::Refused).on("UpdateItem"));
    let mut failed = world.send(&world.processor(), records).await;
    failed.sort_unstable();
    assert_eq!(failed, numbers);
    world.clock.advance(GRACE);
    let summary = world.tick(&world.processor()).await;
    assert_eq!((summary.set_aside, world.agenda().await.len()), (2, 2));
}
