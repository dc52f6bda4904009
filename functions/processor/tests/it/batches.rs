//! Batches as Lambda sends them: again after a crash or a failure, and with records that nobody can read.

use std::time::Duration;

use aws_lambda_events::event::dynamodb::EventRecord;
use processor::event::Event;
use serde_json::{Value, json};
use tidings_domain::job::JobStatus;
use tidings_harness::events;
use tidings_store::stream::Change;

use crate::support::World;

/// The same record with another image.
fn with_image(record: &EventRecord, sequence_number: &str, image: Value) -> Value {
    let mut record = serde_json::to_value(record).unwrap();
    record["dynamodb"]["NewImage"] = image;
    record["dynamodb"]["SequenceNumber"] = json!(sequence_number);
    record
}

fn read(records: &[Value]) -> Vec<Change> {
    match serde_json::from_value(json!({"Records": records})).unwrap() {
        Event::Changes(changes) => changes,
        Event::Tick(share) => panic!("{share:?}"),
    }
}

#[tokio::test]
async fn a_batch_that_a_new_environment_gets_again_does_nothing_twice() {
    let world = World::new().await;
    let jobs = world.accept_many(5).await;
    let records = world.changes(5).await;
    // The first environment got as far as the third record.
    world.send(&world.processor(), records[..3].to_vec()).await;
    world.send(&world.processor(), records).await;
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn an_old_batch_does_nothing_twice() {
    let world = World::new().await;
    let processor = world.processor();
    let jobs = world.accept_many(3).await;
    let records = world.changes(3).await;
    world.send(&processor, records.clone()).await;
    world.clock.advance(Duration::from_secs(3));
    world.send(&processor, records).await;
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn more_records_than_one_read_can_check_are_all_checked() {
    let world = World::new().await;
    let jobs = world.accept_many(130).await;
    let records = world.changes(130).await;
    world.send(&world.processor(), records[..120].to_vec()).await;
    world.send(&world.processor(), records).await;
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn what_comes_again_after_a_failed_record_is_not_done_twice() {
    let world = World::new().await;
    let processor = world.processor();
    world.accept().await;
    world.send(&processor, world.changes(1).await).await;
    let jobs = world.accept_many(3).await;
    let mut records: Vec<Value> =
        world.changes(3).await.iter().map(|record| serde_json::to_value(record).unwrap()).collect();
    records.insert(1, json!({"eventID": "x", "dynamodb": {"SequenceNumber": "17"}}));
    for _ in 0..3 {
        assert_eq!(world.send_changes(&processor, read(&records)).await, ["17"]);
    }
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn a_record_that_nobody_can_read_fails_alone_and_is_named() {
    let world = World::new().await;
    let jobs = world.accept_many(2).await;
    let records = world.changes(2).await;
    let image = serde_json::to_value(&records[0].change.new_image).unwrap();
    let but = |name: &str, value: Value| {
        let mut image = image.clone();
        image[name] = value;
        image
    };
    let batch = [
        serde_json::to_value(&records[0]).unwrap(),
        with_image(&records[0], "1", json!({"owed": {"N": "soon"}})),
        with_image(&records[0], "2", but("owed", json!({"S": "tomorrow"}))),
        with_image(&records[0], "3", but("work", json!({"S": "unheard-of#thing"}))),
        with_image(&records[0], "4", but("owed", json!({"X": "not an attribute"}))),
        json!({"dynamodb": {"SequenceNumber": "5"}}),
        json!("no record at all"),
        serde_json::to_value(&records[1]).unwrap(),
    ];
    let failed = world.send_changes(&world.processor(), read(&batch)).await;
    assert_eq!(failed, ["1", "2", "3", "4", "5", ""]);
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn a_job_that_nobody_can_read_fails_alone_and_stays_on_the_agenda() {
    let world = World::new().await;
    // A processor whose first batch is behind it does not look at the agenda.
    let processor = world.processor();
    world.send(&processor, Vec::new()).await;
    let jobs = world.accept_many(2).await;
    let records = world.changes(2).await;
    let mut image = serde_json::to_value(&records[0].change.new_image).unwrap();
    image["providers"] = json!({"S": "not a list"});
    let batch = [with_image(&records[0], "7", image), serde_json::to_value(&records[1]).unwrap()];
    assert_eq!(world.send_changes(&processor, read(&batch)).await, ["7"]);
    assert_eq!(world.status(&jobs[1]).await, JobStatus::Complete);
    assert_eq!(world.agenda().await.len(), 1);
}

#[tokio::test]
async fn what_owes_nothing_is_skipped() {
    let world = World::new().await;
    let job = world.accept().await;
    let mut record = world.changes(1).await.remove(0);
    let mut batch = events::stream_example()["Records"].as_array().unwrap().clone();
    batch.push(with_image(&record, "9", json!({"pk": {"S": "a"}, "sk": {"S": "b"}, "entity": {"S": "unheard-of"}})));
    record.event_name = "REMOVE".to_owned();
    batch.push(serde_json::to_value(&record).unwrap());
    let failed = world.send_changes(&world.processor(), read(&batch)).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!((world.providers.total(), world.stored(&job).await.job.tries), (0, 0));
}
