//! Asking providers.

use std::time::Duration;

use bytes::Bytes;
use tidings_domain::job::JobStatus;
use tidings_harness::{Plan, Providers, Reply};

use crate::support::{DELAY, GRACE, Wishes, World};

/// `gas` always answers; `internet` does so by a plan.
fn internet(plan: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Plan {
    Plan::by(move |arrival| if arrival.subject == "gas" { Providers::data("gas") } else { plan(arrival.attempt) })
}

#[tokio::test]
async fn a_provider_that_answered_is_not_asked_again_however_often_others_fail() {
    let world = World::new().await;
    // Three requests a try: the third try gets it.
    world.providers.set_plan(internet(
        |attempt| {
            if attempt <= 6 { Providers::failure() } else { Providers::data("internet") }
        },
    ));
    let job = world.accept().await;
    let processor = world.processor();
    world.send(&processor, world.changes(1).await).await;
    let kept = world.stored(&job).await;
    assert!(kept.records[0].data.is_some() && kept.records[1].data.is_none());
    let asked_on = kept.records[0].date;
    for _ in 0..2 {
        world.clock.advance(DELAY);
        world.tick(&processor).await;
    }
    assert_eq!((world.providers.count("gas"), world.providers.count("internet")), (1, 7));
    let stored = world.stored(&job).await;
    assert_eq!((stored.job.status, stored.job.tries), (JobStatus::Complete, 3));
    assert_eq!(stored.records[0].date, asked_on);
}

#[tokio::test]
async fn a_failure_that_is_over_at_once_costs_no_try() {
    let world = World::new().await;
    world.providers.set_plan(internet(
        |attempt| {
            if attempt <= 2 { Providers::failure() } else { Providers::data("internet") }
        },
    ));
    let job = world.accept().await;
    world.send(&world.processor(), world.changes(1).await).await;
    let stored = world.stored(&job).await.job;
    assert_eq!((stored.status, stored.tries, stored.last_error), (JobStatus::Complete, 1, None));
}

#[tokio::test]
async fn what_went_wrong_is_told_in_the_jobs_last_error() {
    let big = Bytes::from(format!("[\"{}\"]", "x".repeat(300 * 1024)));
    let cases = [
        (Reply::Status(500), "provider internet: answered with status 500"),
        (Reply::Status(404), "provider internet: answered with status 404"),
        (Reply::Status(204), "provider internet: answered with status 204"),
        (Reply::Redirect("http://127.0.0.1:1/".to_owned()), "provider internet: answered with status 302"),
        (Reply::Body(200, "#fail".into()), "provider internet: its answer is no JSON list"),
        (Reply::Body(200, "{\"bills\":[]}".into()), "provider internet: its answer is no JSON list"),
        (Reply::Body(200, "[1,".into()), "provider internet: its answer is no JSON list"),
        (Reply::Body(200, big), "provider internet: its answer is over 262144 bytes"),
        (Reply::Hang, "provider internet: no answer within 0.3 s"),
        (Reply::Drip(Duration::from_millis(20)), "provider internet: the answer did not end within 0.3 s"),
    ];
    for (reply, expected) in cases {
        let world = World::new().await;
        let told = reply.clone();
        world.providers.set_plan(internet(move |_| told.clone()));
        let job = world.accept().await;
        world.clock.advance(GRACE);
        let patience = Duration::from_millis(300);
        world.tick(&world.processor_with(Wishes { patience, ..Wishes::default() })).await;
        let stored = world.stored(&job).await.job;
        assert_eq!(stored.last_error.as_deref(), Some(expected), "{reply:?}");
        assert_eq!((stored.status, stored.tries, world.receiver.count()), (JobStatus::Pending, 1, 0));
    }
}

#[tokio::test]
async fn every_provider_that_failed_is_named() {
    let world = World::new().await;
    world.providers.set_plan(Plan::status(503));
    let job = world.accept().await;
    world.send(&world.processor(), world.changes(1).await).await;
    let expected = "provider gas: answered with status 503; provider internet: answered with status 503";
    assert_eq!(world.stored(&job).await.job.last_error.as_deref(), Some(expected));
}

#[tokio::test]
async fn an_answer_of_white_space_and_a_list_is_kept_as_it_is() {
    let world = World::new().await;
    world.providers.set_plan(Plan::always(Reply::Body(200, " [ 1.0, 1e2 ] \n".into())));
    world.accept().await;
    world.send(&world.processor(), world.changes(1).await).await;
    let body = String::from_utf8(world.receiver.deliveries()[0].body.to_vec()).unwrap();
    assert!(body.contains("\"data\":[ 1.0, 1e2 ]"), "{body}");
}
