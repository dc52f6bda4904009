//! Endpoints that are not tried again after an answer that would be the same another time.

use std::time::Duration;

use tidings_domain::attempt::AttemptStatus;
use tidings_domain::delivery::Trigger;
use tidings_domain::endpoint::{Endpoint, Retried};
use tidings_harness::{Plan, Reply};

use crate::support::outbound::impatient;
use crate::support::{FAST_PATIENCE, GRACE, World};

fn transient(endpoint: &mut Endpoint) {
    endpoint.retried = Retried::Transient;
}

/// Whether another attempt follows an answer, in the fast lane or by the schedule alone.
async fn is_tried_again(reply: Reply, by_the_stream: bool, change: impl FnOnce(&mut Endpoint)) -> bool {
    let world = World::new().await;
    world.receiver.set_plan(Plan::always(reply));
    let application = world.application().await;
    world.endpoint_with(&application, &world.receiver.url(), change).await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    if by_the_stream {
        world.stream(&processor).await;
    } else {
        // The first run makes the delivery, and the second attempts it.
        world.clock.advance(GRACE);
        world.tick(&processor).await;
        world.tick(&processor).await;
    }
    let attempts = world.attempts(&message).await;
    let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
    assert_eq!(attempt.status, AttemptStatus::Fail);
    let follows = attempt.next_attempt.is_some();
    assert_eq!(world.agenda().await.len(), usize::from(follows), "the attempt and the agenda say the same");
    follows
}

#[tokio::test]
async fn an_answer_that_may_pass_is_followed_by_another_attempt_and_any_other_is_final() {
    for by_the_stream in [true, false] {
        for (status, passes) in [(400, false), (404, false), (409, false), (408, true), (429, true), (500, true)] {
            let again = is_tried_again(Reply::Status(status), by_the_stream, transient).await;
            assert_eq!(again, passes, "{status}, by the stream: {by_the_stream}");
        }
    }
    let redirect = Reply::Redirect("http://127.0.0.1:9/".to_owned());
    assert!(!is_tried_again(redirect, true, transient).await);
}

#[tokio::test]
async fn without_an_answer_there_is_another_attempt() {
    assert!(is_tried_again(Reply::Hang, false, transient).await, "a time-out of the full patience");
    // Cut off by the fast lane.
    let slow = Reply::After(2 * FAST_PATIENCE, Box::new(Reply::Status(404)));
    assert!(is_tried_again(slow, true, transient).await);
    let world = World::new().await;
    let application = world.application().await;
    world.endpoint_with(&application, "http://127.0.0.1:9/", transient).await;
    let message = world.message(&application).await;
    world.stream(&world.processor()).await;
    assert!(world.attempts(&message).await[0].next_attempt.is_some(), "a connection that is refused");
}

#[tokio::test]
async fn the_answer_to_the_attempt_after_one_that_was_cut_off_is_final() {
    let world = World::new().await;
    let slow = Reply::After(2 * FAST_PATIENCE, Box::new(Reply::Status(404)));
    world.receiver.set_plan(Plan::always(slow));
    let application = world.application().await;
    world.endpoint_with(&application, &world.receiver.url(), transient).await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.retry(&processor, &message).await;
    assert_eq!((world.answers(&message).await, world.agenda().await), (vec![0, 404], vec![]));
}

#[tokio::test]
async fn usually_every_failure_is_followed_by_another_attempt() {
    assert!(is_tried_again(Reply::Status(404), true, |_| {}).await);
}

#[tokio::test]
async fn a_final_answer_to_what_somebody_sent_again_leaves_the_schedule_its_try() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Status(503), Reply::Status(404), Reply::Status(200)]));
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), transient).await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let due = world.attempts(&message).await[0].next_attempt;
    world.resend(&message, &endpoint).await;
    world.stream(&processor).await;
    let manual = world.attempts(&message).await.remove(1);
    assert_eq!((manual.trigger, manual.response_status, manual.next_attempt), (Trigger::Manual, 404, due));
    world.clock.advance(Duration::from_secs(10));
    world.tick(&processor).await;
    assert_eq!((world.answers(&message).await, world.agenda().await), (vec![503, 404, 200], vec![]));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_all_the_same() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(410));
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), transient).await;
    world.message(&application).await;
    world.stream(&world.processor()).await;
    assert!(world.stored_endpoint(&endpoint).await.disabled);
}
