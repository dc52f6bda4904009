//! What cannot be computed does not hold up what can, and is told.

use serde_json::{Value as Json, json};
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::source::Source;
use tidings_domain::transaction::{MAX_TRIES, TransactionStatus};
use tidings_harness::events;
use tidings_store::agenda::Starts;

use crate::support::inbound::{CREATED, payload};
use crate::support::outbound::impatient;
use crate::support::{CLAIM, GRACE, World};

#[tokio::test]
async fn what_never_comes_to_an_end_is_given_up_and_can_be_computed_again() {
    let world = World::new().await;
    let source = world.source().await;
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    world.changes(1).await;
    // As many processors as there are tries claimed it, and died.
    for _ in 0..MAX_TRIES {
        let entry = world.agenda().await.remove(0);
        world.table.store().claim(&entry, entry.key.due + CLAIM).await.unwrap().unwrap();
    }
    let processor = world.processor_with(impatient());
    world.work_off(&processor).await;
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Failed);
    let [error] = world.compute_errors(&source).await.try_into().unwrap();
    assert_eq!((error.payload, world.status_of(&source, 1).await), (None, None), "{}", error.message);
    world.compute_again(&transaction).await;
    world.stream(&processor).await;
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Computed);
    assert_eq!(world.compute_errors(&source).await, [], "it was mended");
    assert_eq!(world.status_of(&source, 1).await.as_deref(), Some("subscribed"));
}

#[tokio::test]
async fn work_without_its_transaction_or_its_source_is_dropped() {
    let world = World::new().await;
    let (kept, deleted) = (world.source().await, world.source().await);
    let unwritten = world.new_transaction(&kept, "never", CREATED, "{}");
    let key = EntryKey { due: world.clock.now(), work: unwritten.work() };
    let entry = Entry { key, tries: 0, destination: None, note: None };
    world.table.store().put_entries(&[entry], Starts::WhenDue).await.unwrap();
    world.receive(&deleted, "late", CREATED, &payload(1, 1, "subscribed")).await;
    let unseen = world.receive(&deleted, "later", CREATED, &payload(2, 1, "subscribed")).await;
    let mut records = world.changes(2).await;
    let last = records.split_off(1);
    assert!(world.table.store().delete_source(&deleted, world.clock.now() + 100 * GRACE).await.unwrap());
    let processor = world.processor_with(impatient());
    world.send(&processor, last).await;
    world.clock.advance(GRACE);
    let summary = world.tick(&processor).await;
    assert_eq!((summary.finished, summary.dropped), (0, 2), "{summary:?}");
    assert_eq!(world.agenda().await.len(), 1, "the records of the deleted source are still to be removed");
    assert_eq!(world.status_of(&deleted, 2).await, None, "{unseen:?}");
}

#[tokio::test]
async fn a_poison_record_of_a_batch_is_named_and_the_others_are_computed() {
    let world = World::new().await;
    let source = world.source().await;
    let environment = world.function().start().await;
    // The first batch is checked, and what it brings is read from the table.
    environment.invoke(&events::stream(&[])).await.unwrap();
    for user in 1..=3 {
        world.receive(&source, &format!("wh-{user}"), CREATED, &payload(user, 1, "subscribed")).await;
    }
    let mut event = events::stream(&world.changes(3).await);
    for (number, (name, value)) in
        [("work", json!({"S": "unheard-of#thing"})), ("event", json!({"N": "1"}))].into_iter().enumerate()
    {
        let mut poison = event["Records"][number + 1].clone();
        poison["dynamodb"]["SequenceNumber"] = json!(format!("111{number}"));
        poison["dynamodb"]["NewImage"][name] = value;
        event["Records"].as_array_mut().unwrap().insert(number, poison);
    }
    let answer = environment.invoke(&event).await.unwrap();
    let mut failed: Vec<_> =
        answer["batchItemFailures"].as_array().unwrap().iter().map(|one| one["itemIdentifier"].clone()).collect();
    failed.sort_by_key(ToString::to_string);
    assert_eq!(failed, ["1110", "1111"]);
    assert_eq!(computed(&world, &source, 3).await, 3);
    assert_eq!(world.agenda().await, []);
}

/// How many of so many users are enrolled.
async fn computed(world: &World, source: &Source, users: u64) -> usize {
    let mut count = 0;
    for user in 1..=users {
        count += usize::from(world.status_of(source, user).await.is_some());
    }
    count
}

#[tokio::test]
async fn compute_errors_are_counted_in_a_metric_and_told_in_one_line_without_what_was_sent() {
    let world = World::new().await;
    let source = world.source().await;
    let environment = world.function().start().await;
    let secret = json!({"user_id": "a secret of the sender", "username": 5});
    let payloads = [secret.clone(), payload(2, 1, "subscribed"), secret];
    world.receive_group(&source, "group", CREATED, &payloads).await;
    environment.invoke(&events::stream(&world.changes(1).await)).await.unwrap();
    let metrics = environment.logs_with("ComputeErrors");
    let [metric] = &metrics[..] else { panic!("{metrics:?}") };
    let metric: Json = serde_json::from_str(metric).unwrap();
    assert_eq!((metric["ComputeErrors"].as_f64(), metric["_aws"].is_object()), (Some(2.0), true), "{metric}");
    let lines = environment.logs_with("could not be computed");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(environment.logs_with("a secret of the sender").is_empty());
}
