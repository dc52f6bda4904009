//! Endpoints that are disabled, by themselves or by somebody.

use std::time::Duration;

use bytes::Bytes;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::DeliveryStatus;
use tidings_domain::endpoint::{Endpoint, FAILING_FOR};
use tidings_domain::ids::AttemptId;
use tidings_harness::Plan;
use tidings_store::Replaced;

use crate::support::World;
use crate::support::outbound::impatient;

/// One attempt for each message.
fn once(endpoint: &mut Endpoint) {
    endpoint.retry_schedule = "".parse().ok();
}

#[tokio::test]
async fn gone_disables_the_endpoint_at_once_and_no_attempt_follows() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(410));
    let (application, endpoint) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let attempt = world.attempts(&message).await.remove(0);
    assert_eq!((attempt.response_status, attempt.next_attempt), (410, None));
    assert!(world.stored_endpoint(&endpoint).await.disabled);
    assert_eq!(world.agenda().await, []);
    // Kept and shown, but not sent.
    let later = world.message(&application).await;
    world.stream(&processor).await;
    assert_eq!((world.receiver.count(), world.attempts(&later).await.len(), world.agenda().await.len()), (1, 0, 0));
}

#[tokio::test]
async fn five_days_of_failures_without_one_success_disable_it() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), once).await;
    let processor = world.processor_with(impatient());
    let fail = async || {
        world.message(&application).await;
        world.work_off(&processor).await;
    };
    fail().await;
    let since = world.stored_endpoint(&endpoint).await.failing_since.unwrap();
    world.clock.advance(FAILING_FOR.saturating_sub(Duration::from_secs(3600)));
    fail().await;
    let stored = world.stored_endpoint(&endpoint).await;
    assert_eq!((stored.disabled, stored.failing_since), (false, Some(since)));
    world.clock.advance(Duration::from_secs(3600));
    fail().await;
    assert!(world.stored_endpoint(&endpoint).await.disabled);
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (3, 0));
}

#[tokio::test]
async fn a_success_in_between_keeps_it_enabled() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), once).await;
    let processor = world.processor_with(impatient());
    world.message(&application).await;
    world.work_off(&processor).await;
    world.clock.advance(FAILING_FOR / 2);
    world.receiver.set_plan(Plan::status(200));
    world.message(&application).await;
    world.work_off(&processor).await;
    assert_eq!(world.stored_endpoint(&endpoint).await.failing_since, None);
    world.clock.advance(FAILING_FOR / 2 + Duration::from_secs(60));
    world.receiver.set_plan(Plan::status(500));
    world.message(&application).await;
    world.work_off(&processor).await;
    assert!(!world.stored_endpoint(&endpoint).await.disabled);
}

/// Somebody whose view of the endpoint was old wrote the success, and nobody noted that it had recovered.
#[tokio::test]
async fn a_success_among_its_attempts_speaks_for_it_although_it_counts_as_failing() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), once).await;
    let processor = world.processor_with(impatient());
    let message = world.message(&application).await;
    world.work_off(&processor).await;
    let failed = world.attempts(&message).await.remove(0);
    world.clock.advance(FAILING_FOR / 2);
    let now = world.clock.now();
    let success = Attempt {
        id: AttemptId::new(now, [9; 15]),
        status: AttemptStatus::Success,
        response_status: 200,
        made_at: now,
        ..failed
    };
    world.table.store().put_attempt(&success).await.unwrap();
    world.clock.advance(FAILING_FOR / 2 + Duration::from_secs(60));
    let before = world.clock.now();
    world.message(&application).await;
    world.work_off(&processor).await;
    let stored = world.stored_endpoint(&endpoint).await;
    assert!(!stored.disabled && stored.failing_since.unwrap() >= before, "{stored:?}");
}

#[tokio::test]
async fn a_pending_delivery_ends_when_its_endpoint_is_disabled_and_counts_as_failed() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let (application, endpoint) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let before = world.stored_endpoint(&endpoint).await;
    let updated_at = before.updated_at + Duration::from_millis(1);
    let after = Endpoint { disabled: true, updated_at, ..before.clone() };
    assert_eq!(world.table.store().replace_endpoint(&before, &after, None).await.unwrap(), Replaced::Written);
    world.retry(&processor, &message).await;
    let attempts = world.attempts(&message).await;
    assert_eq!((world.receiver.count(), attempts.len(), world.agenda().await.len()), (1, 1, 0));
    assert_eq!(DeliveryStatus::of(attempts.first()), DeliveryStatus::Fail);
}

#[tokio::test]
async fn a_pending_delivery_ends_when_its_endpoint_is_deleted() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let (application, endpoint) = world.receiver_endpoint().await;
    world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert!(world.table.store().delete_endpoint(&world.stored_endpoint(&endpoint).await, None).await.unwrap());
    world.work_off(&processor).await;
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (1, 0));
}

#[tokio::test]
async fn a_pending_delivery_ends_when_its_messages_payload_is_gone() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::always(tidings_harness::Reply::Body(500, Bytes::from_static(b"no"))));
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let store = world.table.store();
    assert!(store.expunge_message(message.organization, message.application, message.id).await.unwrap());
    world.retry(&processor, &message).await;
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (1, 0));
    assert_eq!(world.attempts(&message).await[0].next_attempt, None);
}
