//! Recover and replay-missing: no silent cap, and on they go after a restart.

use std::time::Duration;

use tidings_domain::background_task::{BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::message::Message;
use tidings_harness::{Fault, Plan, Rule};
use tidings_store::Replaced;

use crate::support::outbound::impatient;
use crate::support::{GRACE, World};

/// More than a page.
const MESSAGES: usize = 250;

/// One attempt for each message.
fn once(endpoint: &mut Endpoint) {
    endpoint.retry_schedule = "".parse().ok();
}

#[tokio::test]
async fn recover_delivers_what_failed_and_nothing_else() {
    let world = World::new().await;
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), once).await;
    let processor = world.processor_with(impatient());
    let before = world.message(&application).await;
    world.work_off(&processor).await;
    world.receiver.set_plan(Plan::status(500));
    let too_old = world.message(&application).await;
    world.work_off(&processor).await;
    world.clock.advance(Duration::from_secs(60));
    let since = world.clock.now();
    let mut failed = Vec::new();
    for _ in 0..3 {
        failed.push(world.message(&application).await);
    }
    world.work_off(&processor).await;
    world.receiver.set_plan(Plan::status(200));
    let taken = world.message(&application).await;
    world.work_off(&processor).await;

    let task = world.task(&endpoint, BackgroundTaskType::Recover, since).await;
    world.changes_so_far();
    world.work_off(&processor).await;
    for message in &failed {
        assert_eq!(world.answers(message).await, [500, 200]);
    }
    let others = [world.answers(&before).await, world.answers(&too_old).await, world.answers(&taken).await];
    assert_eq!(others, [[200], [500], [200]]);
    let done = world.stored_task(&task).await;
    assert_eq!((done.status, done.examined, done.scheduled), (BackgroundTaskStatus::Finished, 4, 3));
}

#[tokio::test]
async fn what_is_recovered_gets_its_whole_schedule_again() {
    let world = World::new().await;
    let application = world.application().await;
    let twice = |endpoint: &mut Endpoint| endpoint.retry_schedule = "60".parse().ok();
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), twice).await;
    world.receiver.set_plan(Plan::status(500));
    let processor = world.processor_with(impatient());
    let message = world.message(&application).await;
    world.work_off(&processor).await;
    world.task(&endpoint, BackgroundTaskType::Recover, message.created_at).await;
    world.work_off(&processor).await;
    let numbers: Vec<_> = world.attempts(&message).await.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 1, 2]);
    assert_eq!(world.attempts(&message).await[3].next_attempt, None);
}

/// What a disabled endpoint missed, in pages, by processors that break off again and again.
async fn replay(broken: impl Fn(&World, usize)) {
    let world = World::new().await;
    let application = world.application().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), |one| one.disabled = true).await;
    let processor = world.processor_with(impatient());
    let mut messages: Vec<Message> = Vec::new();
    for _ in 0..MESSAGES {
        messages.push(world.message(&application).await);
    }
    world.work_off(&processor).await;
    assert_eq!(world.receiver.count(), 0);
    let before = world.stored_endpoint(&endpoint).await;
    let after =
        Endpoint { disabled: false, updated_at: before.updated_at + Duration::from_millis(1), ..before.clone() };
    assert_eq!(world.table.store().replace_endpoint(&before, &after, None).await.unwrap(), Replaced::Written);
    world.clock.advance(Duration::from_secs(60));
    let sent = world.message(&application).await;
    world.work_off(&processor).await;
    assert_eq!(world.answers(&sent).await, [200]);

    let task = world.task(&endpoint, BackgroundTaskType::ReplayMissing, messages[0].created_at).await;
    for round in 0..3 {
        broken(&world, round);
        world.clock.advance(GRACE + Duration::from_secs(60));
        // It may break off: that is the point.
        let _ = world.try_tick(&world.processor_with(impatient())).await;
        world.table.faults().clear();
        let so_far = world.stored_task(&task).await;
        assert!(usize::try_from(so_far.examined).unwrap() <= MESSAGES + 1, "{so_far:?}");
    }
    world.work_off(&processor).await;
    for message in &messages {
        assert_eq!(world.answers(message).await, [200], "missing, or twice");
    }
    assert_eq!(world.answers(&sent).await, [200]);
    let done = world.stored_task(&task).await;
    assert_eq!(done.status, BackgroundTaskStatus::Finished);
    // A page of which the deliveries were made, but not its progress, is not counted again.
    assert_eq!(done.examined, 251);
    assert!((150..=250).contains(&done.scheduled), "{}", done.scheduled);
}

#[tokio::test]
async fn replay_missing_sends_what_was_never_sent() {
    replay(|_, _| {}).await;
}

#[tokio::test]
async fn a_task_that_broke_off_goes_on_where_it_was_and_sends_nothing_twice() {
    replay(|world, round| {
        // Between a page's deliveries and its progress; while reading; while writing the deliveries.
        let rule = match round {
            0 => Rule::new(Fault::Refused).on("TransactWriteItems").containing("background_task"),
            1 => Rule::new(Fault::Unreachable).on("Query").containing("MSG#").after(1),
            _ => Rule::new(Fault::Unreachable).on("BatchWriteItem").after(1),
        };
        world.table.faults().inject(rule);
    })
    .await;
}

#[tokio::test]
async fn a_task_of_an_endpoint_that_is_gone_is_given_up() {
    let world = World::new().await;
    let (application, endpoint) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert!(world.table.store().delete_endpoint(&endpoint, None).await.unwrap());
    let task = world.task(&endpoint, BackgroundTaskType::Recover, message.created_at).await;
    world.stream(&processor).await;
    assert_eq!(world.stored_task(&task).await.status, BackgroundTaskStatus::Failed);
    assert_eq!(world.agenda().await, []);
}
