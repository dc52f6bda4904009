//! The real binary behind a Lambda Runtime API, with the table over HTTP.

use std::time::Duration;

use serde_json::json;
use tidings_domain::job::JobStatus;
use tidings_harness::{Fault, Plan, Reply, Rule, events, wait_until};

use crate::support::World;

/// The binary has no clock that can be moved: its schedule owns these at once.
const DUE: Duration = Duration::ZERO;

#[tokio::test]
async fn a_batch_of_the_stream_is_worked_off_and_answered_without_failures() {
    let world = World::new().await;
    let environment = world.function().start().await;
    let jobs = world.accept_many(5).await;
    let mut event = events::stream(&world.changes(5).await);
    assert_eq!(environment.invoke(&event).await.unwrap(), json!({"batchItemFailures": []}));
    world.assert_all_done_once(&jobs).await;
    // Again some seconds later, to the same process and to another one.
    let written = &mut event["Records"][0]["dynamodb"]["ApproximateCreationDateTime"];
    *written = json!(written.as_f64().unwrap() - 3.0);
    environment.invoke(&event).await.unwrap();
    world.function().start().await.invoke(&event).await.unwrap();
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn a_tick_of_the_schedule_works_off_the_whole_agenda_and_says_what_it_did() {
    let world = World::new().await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(world.accept_for(&world.receiver.url(), DUE).await);
    }
    let environment = world.function().start().await;
    let summary = environment.invoke(&events::schedule()).await.unwrap();
    assert_eq!(summary, json!({"finished": 5, "postponed": 0, "lost": 0, "dropped": 0, "set_aside": 0}));
    world.assert_all_done_once(&jobs).await;
    assert_eq!(environment.logs_with("OldestDueSeconds").len(), 1);
}

#[tokio::test]
async fn the_constant_inputs_of_the_targets_share_the_agenda() {
    let world = World::new().await;
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(world.accept_for(&world.receiver.url(), DUE).await);
    }
    let function = world.function();
    let runs = (0..4).map(|share| {
        let function = &function;
        async move { function.start().await.invoke(&events::share(share, 4)).await.unwrap() }
    });
    let summaries = futures::future::join_all(runs).await;
    let finished: u64 = summaries.iter().map(|summary| summary["finished"].as_u64().unwrap()).sum();
    assert_eq!(finished, 20, "{summaries:?}");
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn a_poison_record_is_named_and_the_rest_of_its_batch_goes_on() {
    let world = World::new().await;
    let environment = world.function().start().await;
    let jobs = world.accept_many(2).await;
    let mut event = events::stream(&world.changes(2).await);
    let mut poison = event["Records"][0].clone();
    poison["dynamodb"]["SequenceNumber"] = json!("111");
    poison["dynamodb"]["NewImage"]["work"] = json!({"N": "1"});
    event["Records"].as_array_mut().unwrap().insert(1, poison);
    let answer = environment.invoke(&event).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "111"}]}));
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn an_event_of_another_form_is_an_error_and_the_next_one_is_taken() {
    let world = World::new().await;
    let environment = world.function().start().await;
    let pid = environment.pid();
    for event in [json!({"hello": 1}), json!([1]), json!({"share": 4, "of": 4}), json!({"detail-type": "Other"})] {
        let error = environment.invoke(&event).await.unwrap_err();
        assert!(error.error_type != "Runtime.ExitError", "{event}: {error}");
    }
    assert!(environment.invoke(&events::schedule()).await.is_ok());
    assert_eq!(environment.pid(), pid, "it went on in the same process");
}

#[tokio::test]
async fn an_engine_that_cannot_be_reached_at_the_start_is_found_later() {
    let world = World::new().await;
    let job = world.accept_for(&world.receiver.url(), DUE).await;
    world.table.unplug().await;
    let environment = world.function().start().await;
    let error = environment.invoke(&events::schedule()).await.unwrap_err();
    assert!(error.message.contains("cannot be reached"), "{error}");
    world.table.plug_in().await;
    environment.invoke(&events::schedule()).await.unwrap();
    assert_eq!(world.status(&job).await, JobStatus::Complete);
}

#[tokio::test]
async fn an_engine_that_goes_away_delays_the_work() {
    let world = World::new().await;
    let environment = world.function().start().await;
    environment.invoke(&events::schedule()).await.unwrap();
    let job = world.accept().await;
    let event = events::stream(&world.changes(1).await);
    world.table.unplug().await;
    // The record is not to blame: its work is left to the schedule.
    assert_eq!(environment.invoke(&event).await.unwrap(), json!({"batchItemFailures": []}));
    assert!(environment.invoke(&events::schedule()).await.is_err());
    world.table.plug_in().await;
    assert_eq!(environment.invoke(&event).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(world.status(&job).await, JobStatus::Complete);
}

#[tokio::test]
async fn a_throttled_table_is_an_error_of_the_tick_and_the_next_one_goes_on() {
    let world = World::new().await;
    let environment = world.function().start().await;
    let job = world.accept_for(&world.receiver.url(), DUE).await;
    world.table.faults().inject(Rule::new(Fault::Throttled).on("Query"));
    let error = environment.invoke(&events::schedule()).await.unwrap_err();
    assert!(error.message.contains("throttled"), "{error}");
    world.table.faults().clear();
    environment.invoke(&events::schedule()).await.unwrap();
    world.assert_all_done_once(&[job]).await;
}

#[tokio::test]
async fn a_process_killed_in_the_middle_of_a_callback_leaves_the_job_to_the_next_batch() {
    let world = World::new().await;
    let slow = Reply::After(Duration::from_secs(2), Box::new(Reply::Status(200)));
    world.receiver.set_plan(Plan::in_order([slow, Reply::Status(200)]));
    let environment = world.function().start().await;
    let job = world.accept().await;
    let event = events::stream(&world.changes(1).await);
    let (answer, ()) = tokio::join!(environment.invoke(&event), async {
        world.receiver.wait_for(1).await;
        environment.kill().await;
    });
    assert_eq!(answer.unwrap_err().error_type, "Runtime.ExitError");
    assert_eq!(world.status(&job).await, JobStatus::Pending);
    assert_eq!(environment.invoke(&event).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(world.status(&job).await, JobStatus::Complete);
    assert_eq!(world.receiver.count(), 2);
    assert_eq!(world.providers.count("gas"), 1, "the data was kept");
}

#[tokio::test]
async fn a_process_killed_with_a_claim_leaves_the_job_until_the_claim_ends() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Hang, Reply::Status(200)]));
    let environment = world.function().env("REQUEST_TIMEOUT_MS", "100").start().await;
    let job = world.accept_for(&world.receiver.url(), DUE).await;
    world.providers.set_plan(Plan::always(Reply::Hang));
    let tick = events::schedule();
    let (answer, ()) = tokio::join!(environment.invoke(&tick), async {
        wait_until("a provider is asked", Duration::from_secs(20), async || world.providers.total() > 0).await;
        environment.kill().await;
    });
    assert!(answer.is_err());
    let entry = world.agenda().await.remove(0);
    assert_eq!((entry.tries, world.stored(&job).await.job.tries), (1, 0));
    assert!(entry.key.due > world.clock.now() && entry.key.due.since(world.clock.now()) < Duration::from_secs(8));
}

#[tokio::test]
async fn settings_that_are_missing_are_named_when_it_starts() {
    let world = World::new().await;
    let environment = world.function().env("SERVICE_ENDPOINT", "").start().await;
    let error = environment.time_to_first_next().await.unwrap_err();
    assert_eq!(error.error_type, "Runtime.ExitError");
    let told = async || !environment.logs_with("SERVICE_ENDPOINT").is_empty();
    wait_until("the log names it", Duration::from_secs(5), told).await;
}
