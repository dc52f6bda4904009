//! Calling back.

use std::time::Duration;

use serde_json::json;
use tidings_domain::Timestamp;
use tidings_domain::job::{JobStatus, RecordStatus};
use tidings_domain::signature::SigningSecret;
use tidings_harness::{Plan, Receiver, Reply};
use tidings_store::job::Reopened;

use crate::support::{DELAY, GRACE, SECRET, Wishes, World};

#[tokio::test]
async fn the_callback_carries_the_job_and_its_data_in_the_order_asked_for() {
    let world = World::new().await;
    let job = world.accept().await;
    world.send(&world.processor(), world.changes(1).await).await;
    let delivery = world.receiver.deliveries().remove(0);
    let stored = world.stored(&job).await;
    let record = |position: usize, provider: &str| {
        json!({
            "jobId": job.id,
            "providerId": provider,
            "callbackUrl": job.callback_url,
            "status": "PENDING",
            "date": stored.records[position].date,
            "data": [{"billedOn": "2020-04-07T15:03:14.257Z", "amount": 22.27, "of": provider}],
        })
    };
    assert_eq!(delivery.json(), json!({"jobId": job.id, "data": [record(0, "gas"), record(1, "internet")]}));
    // A spelling that a parser would change.
    assert!(String::from_utf8_lossy(&delivery.body).contains("\"amount\": 22.270"));
    assert_eq!((delivery.path.as_str(), delivery.header("content-type")), ("/complete", "application/json"));
    assert!(delivery.header("user-agent").starts_with("Tidings/"));
    assert!(stored.records.iter().all(|record| record.status == RecordStatus::Complete));
}

#[tokio::test]
async fn the_callback_is_signed_and_both_header_families_say_the_same() {
    let world = World::new().await;
    let job = world.accept().await;
    world.send(&world.processor(), world.changes(1).await).await;
    let delivery = world.receiver.deliveries().remove(0);
    let [id, at, signature] = ["id", "timestamp", "signature"].map(|part| {
        let [webhook, svix] = ["webhook", "svix"].map(|family| delivery.header(&format!("{family}-{part}")).to_owned());
        assert_eq!(webhook, svix);
        webhook
    });
    assert_eq!(id, job.id.to_string());
    let at = Timestamp::from_millis(at.parse::<i64>().unwrap() * 1000);
    assert!(delivery.arrived.as_secs() - at.as_secs() <= 1);
    let secret = SigningSecret::for_job_callbacks(SECRET.as_bytes(), job.organization);
    assert_eq!(signature, secret.sign(&id, at, &delivery.body));
}

#[tokio::test]
async fn a_repetition_has_the_same_id_and_body_and_a_new_time() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Status(500), Reply::Status(200)]));
    world.accept().await;
    let processor = world.processor();
    world.send(&processor, world.changes(1).await).await;
    world.clock.advance(DELAY);
    world.tick(&processor).await;
    let [first, second] = world.receiver.deliveries().try_into().unwrap();
    assert_eq!((&first.id, &first.body), (&second.id, &second.body));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"));
}

#[tokio::test]
async fn every_answer_but_2xx_is_a_failure_and_redirects_are_not_followed() {
    let elsewhere = Receiver::start(Plan::status(200)).await;
    let cases = [
        (Reply::Status(400), "callback: answered with status 400"),
        (Reply::Status(500), "callback: answered with status 500"),
        (Reply::Status(304), "callback: answered with status 304"),
        (Reply::Redirect(elsewhere.url()), "callback: answered with status 302"),
    ];
    for (reply, expected) in cases {
        let world = World::new().await;
        world.receiver.set_plan(Plan::always(reply));
        let job = world.accept().await;
        world.send(&world.processor(), world.changes(1).await).await;
        let stored = world.stored(&job).await.job;
        assert_eq!((stored.status, stored.last_error.as_deref()), (JobStatus::Pending, Some(expected)));
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_or_drips_is_a_failure_in_words() {
    let world = World::new().await;
    let dripping = Receiver::start(Plan::always(Reply::Drip(Duration::from_millis(50)))).await;
    let gone = world.accept_for("http://127.0.0.1:1/complete", GRACE).await;
    let forbidden = world.accept_for("http://169.254.169.254/latest", GRACE).await;
    let endless = world.accept_for(&dripping.url(), GRACE).await;
    world.send(&world.processor(), world.changes(3).await).await;
    let errors =
        [gone, forbidden, endless].map(async |job| world.stored(&job).await.job.last_error.unwrap_or_default());
    let [gone, forbidden, endless] = errors.map(Box::pin);
    assert_eq!(gone.await, "callback: the connection was refused");
    assert!(forbidden.await.starts_with("callback: "));
    assert_eq!(endless.await, "callback: the answer did not end within 0.5 s");
}

#[tokio::test]
async fn after_the_last_try_the_job_has_failed_and_can_be_reopened() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(503));
    let job = world.accept().await;
    let processor = world.processor_with(Wishes { schedule: "60,90", stay: Duration::ZERO, ..Wishes::default() });
    world.send(&processor, world.changes(1).await).await;
    for delay in [60, 90] {
        world.clock.advance(Duration::from_secs(delay - 1));
        assert_eq!(world.tick(&processor).await.finished, 0, "before its time");
        world.clock.advance(Duration::from_secs(1));
        world.tick(&processor).await;
    }
    let failed = world.stored(&job).await.job;
    assert_eq!((failed.status, failed.tries, failed.next_due), (JobStatus::Failed, 3, None));
    assert_eq!(failed.last_error.as_deref(), Some("callback: answered with status 503"));
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (3, 0));

    // Reopened, the stream brings it as something new, and its data is still there.
    world.receiver.set_plan(Plan::status(200));
    let now = world.clock.now();
    let reopened = world.table.store().reopen_job(&failed, now + GRACE, now, None).await.unwrap();
    assert_eq!(reopened, Reopened::Pending);
    world.send(&world.processor(), world.changes(1).await).await;
    let stored = world.stored(&job).await.job;
    assert_eq!((stored.status, stored.tries), (JobStatus::Complete, 1));
    assert_eq!((world.providers.count("gas"), world.agenda().await.len()), (1, 0));
}
