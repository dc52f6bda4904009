//! One attempt: how it is judged, and what follows.

use std::time::Duration;

use bytes::Bytes;
use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus, MAX_RESPONSE_BYTES};
use tidings_domain::delivery::Trigger;
use tidings_harness::{Plan, Receiver, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::outbound::impatient;
use crate::support::{FAST_PATIENCE, GRACE, PATIENCE, World};

/// The delay to the next attempt, counted from the attempt's own time, in seconds.
fn delay(attempt: &Attempt) -> f64 {
    attempt.next_attempt.unwrap().since(attempt.made_at).as_secs_f64()
}

#[tokio::test]
async fn the_whole_schedule_is_kept_within_a_fifth_and_every_attempt_is_on_record() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    for (tries, expected) in [5, 300, 1800, 7200, 18000, 36000, 36000].into_iter().enumerate() {
        let attempts = world.attempts(&message).await;
        assert_eq!(attempts.len(), tries + 1);
        let delay = delay(attempts.last().unwrap());
        // The delay is counted from the failure, which is a little later than the attempt.
        let expected = f64::from(expected);
        assert!((0.8 * expected..1.2 * expected + 1.0).contains(&delay), "{delay} s after try {}", tries + 1);
        let due = attempts.last().unwrap().next_attempt.unwrap();
        world.clock.advance((due - Duration::from_millis(500)).since(world.clock.now()));
        assert_eq!(world.tick(&processor).await, processor::Summary::default(), "before its time");
        world.clock.advance(Duration::from_millis(500));
        world.tick(&processor).await;
    }
    let attempts = world.attempts(&message).await;
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert!(attempts.iter().all(|attempt| attempt.status == AttemptStatus::Fail && attempt.response_status == 500));
    assert_eq!(attempts.last().unwrap().next_attempt, None);
    assert_eq!((world.receiver.count(), world.agenda().await), (8, vec![]));
    let ids: std::collections::BTreeSet<_> = world.receiver.deliveries().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 1, "the id tells repeats apart");
}

#[tokio::test]
async fn an_endpoints_own_schedule_goes_before_the_services() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let application = world.application().await;
    let own = |endpoint: &mut tidings_domain::endpoint::Endpoint| endpoint.retry_schedule = "100".parse().ok();
    world.endpoint_with(&application, &world.receiver.url(), own).await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert!((80.0..121.0).contains(&delay(&world.attempts(&message).await[0])));
    world.retry(&processor, &message).await;
    assert_eq!(world.attempts(&message).await[1].next_attempt, None);
}

#[tokio::test]
async fn a_success_ends_the_schedule() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Status(500), Reply::Status(503), Reply::Status(204)]));
    let (application, endpoint) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert!(world.stored_endpoint(&endpoint).await.failing_since.is_some());
    world.retry(&processor, &message).await;
    world.retry(&processor, &message).await;
    assert_eq!((world.answers(&message).await, world.agenda().await), (vec![500, 503, 204], vec![]));
    assert_eq!(world.stored_endpoint(&endpoint).await.failing_since, None);
}

#[tokio::test]
async fn retry_after_is_honoured_in_seconds_and_as_a_date_on_429_and_503_only() {
    async fn asked(status: u16, value: impl FnOnce(Timestamp) -> String) -> f64 {
        let world = World::new().await;
        let value = value(world.clock.now());
        let url = busy(status, value).await;
        let application = world.application().await;
        world.endpoint(&application, &url).await;
        let message = world.message(&application).await;
        world.stream(&world.processor()).await;
        delay(&world.attempts(&message).await[0])
    }
    let date = |now: Timestamp| {
        let at = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_secs()).unwrap() + 90);
        httpdate::fmt_http_date(at)
    };
    for (status, least, most) in [(429, 120.0, 122.0), (503, 120.0, 122.0), (500, 4.0, 7.0)] {
        let delay = asked(status, |_| "120".to_owned()).await;
        assert!((least..most).contains(&delay), "{status}: {delay}");
    }
    let delay = asked(503, date).await;
    assert!((88.0..92.0).contains(&delay), "{delay}");
    let delay = asked(429, |_| "9999999".to_owned()).await;
    assert!((86_400.0..86_402.0).contains(&delay), "a day at most: {delay}");
    // It never makes the next attempt earlier.
    let delay = asked(429, |_| "1".to_owned()).await;
    assert!((4.0..7.0).contains(&delay), "{delay}");
}

#[tokio::test]
async fn redirects_are_failures_and_not_followed() {
    let world = World::new().await;
    let elsewhere = Receiver::start(Plan::status(200)).await;
    world.receiver.set_plan(Plan::always(Reply::Redirect(elsewhere.url())));
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    world.stream(&world.processor()).await;
    let attempt = world.attempts(&message).await.remove(0);
    assert_eq!((attempt.status, attempt.response_status), (AttemptStatus::Fail, 302));
    assert!(attempt.next_attempt.is_some());
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn an_answer_is_kept_up_to_sixteen_kibibytes_cut_at_a_character() {
    let world = World::new().await;
    let long = Bytes::from("\u{20ac}".repeat(10_000));
    world.receiver.set_plan(Plan::always(Reply::Body(200, long)));
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    world.stream(&world.processor()).await;
    let attempt = world.attempts(&message).await.remove(0);
    let kept = attempt.response.unwrap();
    assert_eq!(attempt.status, AttemptStatus::Success);
    assert!(kept.len() <= MAX_RESPONSE_BYTES && kept.len() > MAX_RESPONSE_BYTES - 4, "{}", kept.len());
    assert!(kept.chars().all(|character| character == '\u{20ac}'), "cut inside a character");
}

#[tokio::test]
async fn where_there_is_no_answer_the_record_says_why_in_words() {
    let world = World::new().await;
    let cases = [
        ("http://127.0.0.1:1/", "the connection was refused"),
        ("http://169.254.169.254/latest", "the host is not a public address"),
    ];
    for (url, expected) in cases {
        let application = world.application().await;
        world.endpoint(&application, url).await;
        let message = world.message(&application).await;
        world.stream(&world.processor()).await;
        let attempt = world.attempts(&message).await.remove(0);
        assert_eq!((attempt.response_status, attempt.response.as_deref()), (0, Some(expected)));
        assert_eq!(attempt.status, AttemptStatus::Fail);
    }
}

#[tokio::test]
async fn a_request_that_the_fast_lane_cut_off_is_on_record_and_the_slow_lane_gives_it_its_full_time() {
    let world = World::new().await;
    let slow = Reply::After(2 * FAST_PATIENCE, Box::new(Reply::Status(200)));
    world.receiver.set_plan(Plan::always(slow));
    let application = world.application().await;
    // The cut-off one is never the last, whatever the schedule says.
    let once = |endpoint: &mut tidings_domain::endpoint::Endpoint| endpoint.retry_schedule = "".parse().ok();
    world.endpoint_with(&application, &world.receiver.url(), once).await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let cut_off = world.attempts(&message).await.remove(0);
    assert_eq!((cut_off.status, cut_off.response_status), (AttemptStatus::Fail, 0));
    assert_eq!(cut_off.response.as_deref(), Some("no answer within 0.5 s"));
    assert!(delay(&cut_off) < 7.0, "{}", delay(&cut_off));
    world.retry(&processor, &message).await;
    assert_eq!((world.answers(&message).await, world.agenda().await), (vec![0, 200], vec![]));
}

#[tokio::test]
async fn an_endpoint_that_asks_for_more_patience_than_usual_gets_it() {
    let world = World::new().await;
    let slow = Reply::After(PATIENCE + Duration::from_secs(1), Box::new(Reply::Status(200)));
    world.receiver.set_plan(Plan::always(slow));
    let application = world.application().await;
    let patient = |endpoint: &mut tidings_domain::endpoint::Endpoint| {
        endpoint.timeout = Some(PATIENCE + Duration::from_secs(3));
    };
    world.endpoint_with(&application, &world.receiver.url(), patient).await;
    let usual = world.application().await;
    world.endpoint(&usual, &world.receiver.url()).await;
    let [message, given_up] = [world.message(&application).await, world.message(&usual).await];
    world.clock.advance(GRACE);
    let processor = world.processor_with(impatient());
    // The first run makes the deliveries, and is still there when they are due.
    world.tick(&processor).await;
    world.tick(&processor).await;
    assert_eq!((world.answers(&message).await, world.answers(&given_up).await), (vec![200], vec![0]));
}

#[tokio::test]
async fn an_endpoint_that_asks_for_less_patience_is_given_up_sooner() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::always(Reply::Hang));
    let application = world.application().await;
    let hasty = |endpoint: &mut tidings_domain::endpoint::Endpoint| endpoint.timeout = Some(FAST_PATIENCE / 2);
    world.endpoint_with(&application, &world.receiver.url(), hasty).await;
    let message = world.message(&application).await;
    world.stream(&world.processor()).await;
    let attempt = world.attempts(&message).await.remove(0);
    assert_eq!(attempt.response.as_deref(), Some("no answer within 0.25 s"));
}

#[tokio::test]
async fn a_manual_attempt_is_not_tried_again_and_stops_nothing() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let (application, endpoint) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let due = world.attempts(&message).await[0].next_attempt;
    world.resend(&message, &endpoint).await;
    world.stream(&processor).await;
    let attempts = world.attempts(&message).await;
    let manual = &attempts[1];
    assert_eq!((attempts.len(), manual.trigger, manual.number), (2, Trigger::Manual, 1));
    assert_eq!(manual.next_attempt, due, "the message is still pending there");
    assert_eq!(world.agenda().await.len(), 1);
    // The schedule goes on, and a manual success ends it.
    world.retry(&processor, &message).await;
    assert_eq!(world.attempts(&message).await[2].number, 2);
    world.receiver.set_plan(Plan::status(200));
    world.resend(&message, &endpoint).await;
    world.stream(&processor).await;
    world.work_off(&processor).await;
    assert_eq!(world.answers(&message).await, [500, 500, 500, 200]);
    // What was taken is sent again if somebody asks for it.
    world.resend(&message, &endpoint).await;
    world.stream(&processor).await;
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (5, 0));
}

#[tokio::test]
async fn a_try_that_never_ends_leaves_its_number_out_and_loses_nothing() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Status(500), Reply::Status(200)]));
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    // A processor claimed it, and died.
    let entry = world.agenda().await.remove(0);
    let until = entry.key.due + GRACE;
    world.table.store().claim(&entry, until).await.unwrap().unwrap();
    world.work_off(&processor).await;
    let numbers: Vec<_> = world.attempts(&message).await.iter().map(|attempt| attempt.number).collect();
    assert_eq!((numbers, world.agenda().await), (vec![1, 3], vec![]));
}

#[tokio::test]
async fn what_another_run_took_over_is_still_on_record() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Status(500), Reply::Status(500)]).map(|arrival, reply| {
        if arrival.attempt == 2 { Reply::After(Duration::from_millis(300), Box::new(reply)) } else { reply }
    }));
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let due = world.attempts(&message).await[0].next_attempt.unwrap();
    world.clock.advance(due.since(world.clock.now()));
    let (summary, claim) = tokio::join!(world.tick(&processor), async {
        world.receiver.wait_for(2).await;
        let entry = world.agenda().await.remove(0);
        world.table.store().claim(&entry, entry.key.due + GRACE).await.unwrap()
    });
    assert_eq!(summary.lost, 1);
    assert_eq!(world.attempts(&message).await.len(), 2);
    assert_eq!(world.agenda().await, [claim.unwrap().entry]);
    // Whoever took it over goes on.
    world.receiver.set_plan(Plan::status(200));
    world.work_off(&processor).await;
    assert_eq!(world.answers(&message).await, [500, 500, 200]);
}

/// A server that always answers with a status and a `Retry-After`.
async fn busy(status: u16, retry_after: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The test's payload ends with the only brace that is followed by nothing.
            while !request.ends_with(b"}") {
                assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0);
            }
            let head = format!("HTTP/1.1 {status} Busy\r\nretry-after: {retry_after}\r\ncontent-length: 0\r\n\r\n");
            connection.write_all(head.as_bytes()).await.unwrap();
        }
    });
    url
}
