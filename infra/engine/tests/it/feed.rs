//! Order, batches, failures and overflow of the feed.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use tidings_engine::{Feed, FeedOptions};

use crate::support::{TABLE, eventually, item, key, memory, n, put};

fn sort_key(record: &EventRecord) -> String {
    let serde_dynamo::AttributeValue::S(text) = &record.change.keys.inner()["sk"] else {
        panic!("{record:?}");
    };
    text.clone()
}

fn one_lane() -> FeedOptions {
    FeedOptions { parallelization: 1, ..FeedOptions::default() }
}

/// Runs a feed with a handler that sees sort keys and tells which of them fail.
fn run(
    feed: Feed,
    fails: impl Fn(usize, &[String]) -> Vec<usize> + Send + Sync + 'static,
) -> Arc<Mutex<Vec<Vec<String>>>> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    tokio::spawn(feed.run(move |event: Event| {
        let keys: Vec<_> = event.records.iter().map(sort_key).collect();
        let call = {
            let mut calls = seen.lock().unwrap();
            calls.push(keys.clone());
            calls.len()
        };
        let failed = fails(call, &keys).into_iter().map(|index| event.records[index].event_id.clone()).collect();
        async move { failed }
    }));
    calls
}

#[tokio::test]
async fn a_record_has_the_form_of_lambda() {
    let (engine, client) = memory().await;
    let feed = engine.feed(one_lane());
    put(&client, item("a", "1", 7)).await;
    put(&client, item("a", "2", 7)).await;
    let records = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&records);
    tokio::spawn(feed.run(move |event: Event| {
        // What a function gets is what the JSON says.
        let json = serde_json::to_string(&event).unwrap();
        let event: Event = serde_json::from_str(&json).unwrap();
        seen.lock().unwrap().extend(event.records);
        async { Vec::new() }
    }));
    eventually("both records", || records.lock().unwrap().len() == 2).await;
    let records = records.lock().unwrap();
    let [first, second] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!(first.event_name, "INSERT");
    assert_eq!(first.event_source.as_deref(), Some("aws:dynamodb"));
    assert!(first.event_source_arn.as_deref().unwrap().contains(TABLE));
    assert_eq!(first.change.keys.len(), 2);
    let image: HashMap<String, aws_sdk_dynamodb::types::AttributeValue> = first.change.new_image.clone().into();
    assert_eq!(image, item("a", "1", 7));
    assert!(first.change.old_image.is_empty());
    assert!(first.change.size_bytes > 0);
    assert!(first.change.approximate_creation_date_time.timestamp() > 1_700_000_000);
    assert!(first.change.sequence_number < second.change.sequence_number);
    assert_ne!(first.event_id, second.event_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_key_come_in_order_and_lanes_run_at_once() {
    const KEYS: usize = 12;
    const UPDATES: i64 = 25;
    let (engine, client) = memory().await;
    let feed = engine.feed(FeedOptions { batch_size: 3, ..FeedOptions::default() });
    let values: Arc<Mutex<BTreeMap<String, Vec<String>>>> = Arc::default();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, peak) = (Arc::clone(&values), Arc::clone(&most));
    tokio::spawn(feed.run(move |event: Event| {
        let (seen, running, peak) = (Arc::clone(&seen), Arc::clone(&running), Arc::clone(&peak));
        async move {
            assert!(event.records.len() <= 3);
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            for record in &event.records {
                let serde_dynamo::AttributeValue::N(value) = &record.change.new_image.inner()["value"] else {
                    panic!("{record:?}");
                };
                let mut seen = seen.lock().unwrap();
                seen.entry(sort_key(record)).or_default().push(value.clone());
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Vec::new()
        }
    }));
    let writers = (0..KEYS).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let name = format!("key-{number}");
            for value in 0..UPDATES {
                client
                    .update_item()
                    .table_name(TABLE)
                    .set_key(Some(key(&name, &name)))
                    .update_expression("SET #v = :v")
                    .expression_attribute_names("#v", "value")
                    .expression_attribute_values(":v", n(value))
                    .send()
                    .await
                    .unwrap();
            }
        })
    });
    futures::future::join_all(writers).await;
    let all = KEYS * usize::try_from(UPDATES).unwrap();
    eventually("all records", || values.lock().unwrap().values().map(Vec::len).sum::<usize>() == all).await;
    let expected: Vec<_> = (0..UPDATES).map(|value| value.to_string()).collect();
    for (key, got) in values.lock().unwrap().iter() {
        assert_eq!(*got, expected, "{key}");
    }
    assert!(most.load(Ordering::SeqCst) > 1, "lanes ran at once");
}

#[tokio::test]
async fn a_lane_takes_what_waits_and_goes_on_from_the_first_failed_record() {
    let (engine, client) = memory().await;
    let feed = engine.feed(one_lane());
    for number in 1..=5 {
        put(&client, item("a", &number.to_string(), number)).await;
    }
    let calls = run(feed, |call, _| if call == 1 { vec![3, 2] } else { vec![] });
    eventually("two calls", || calls.lock().unwrap().len() == 2).await;
    let calls = calls.lock().unwrap();
    assert_eq!(calls[0], ["1", "2", "3", "4", "5"]);
    assert_eq!(calls[1], ["3", "4", "5"]);
}

#[tokio::test]
async fn a_record_that_fails_three_times_is_dropped_and_the_lane_goes_on() {
    let (engine, client) = memory().await;
    let feed = engine.feed(one_lane());
    for number in 1..=3 {
        put(&client, item("a", &number.to_string(), number)).await;
    }
    let calls = run(feed, |_, keys| keys.iter().position(|key| key == "2").into_iter().collect());
    eventually("four calls", || calls.lock().unwrap().len() == 4).await;
    let calls = calls.lock().unwrap();
    assert_eq!(calls[0], ["1", "2", "3"]);
    assert_eq!(calls[1], ["2", "3"]);
    assert_eq!(calls[2], ["2", "3"]);
    assert_eq!(calls[3], ["3"]);
}

#[tokio::test]
async fn a_record_that_the_handler_panics_at_is_found_by_halving() {
    let (engine, client) = memory().await;
    let feed = engine.feed(one_lane());
    for number in 1..=8 {
        put(&client, item("a", &number.to_string(), number)).await;
    }
    let calls = run(feed, |_, keys| {
        assert!(!keys.contains(&"6".to_owned()), "poison");
        vec![]
    });
    let last = ["8".to_owned()];
    eventually("the last record", || {
        calls.lock().unwrap().last().is_some_and(|call| call.ends_with(&last)) && calls.lock().unwrap().len() > 1
    })
    .await;
    let calls = calls.lock().unwrap();
    let handled: Vec<_> = calls.iter().filter(|keys| !keys.contains(&"6".to_owned())).flatten().cloned().collect();
    assert_eq!(handled, ["1", "2", "3", "4", "5", "7", "8"]);
    assert_eq!(calls.iter().filter(|keys| **keys == ["6"]).count(), 3);
}

#[tokio::test]
async fn a_full_queue_drops_records_and_counts_them() {
    let (engine, client) = memory().await;
    let feed = engine.feed(FeedOptions { queue: 3, ..one_lane() });
    for number in 1..=5 {
        put(&client, item("a", &number.to_string(), number)).await;
    }
    assert_eq!(feed.dropped(), 2);
    let stats = feed.stats();
    let calls = run(feed, |_, _| vec![]);
    eventually("a call", || calls.lock().unwrap().len() == 1).await;
    assert_eq!(calls.lock().unwrap()[0], ["1", "2", "3"]);
    assert_eq!((stats.dropped(), stats.waiting()), (2, 0));
}

#[tokio::test]
async fn a_filter_keeps_records_out_and_one_that_panics_keeps_all_out() {
    let (engine, client) = memory().await;
    let modified = engine.feed(FeedOptions { filter: Arc::new(|record| record.event_name == "MODIFY"), ..one_lane() });
    let broken = engine.feed(FeedOptions { filter: Arc::new(|_| panic!("a bug")), ..one_lane() });
    put(&client, item("a", "1", 1)).await;
    put(&client, item("a", "1", 2)).await;
    assert_eq!(modified.stats().waiting(), 1);
    assert_eq!(broken.stats().waiting(), 0);
}

#[tokio::test]
async fn a_feed_ends_with_the_engine_after_what_waits() {
    let (engine, client) = memory().await;
    let feed = engine.feed(one_lane());
    put(&client, item("a", "1", 1)).await;
    engine.close().await;
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    feed.run(move |event: Event| {
        count.fetch_add(event.records.len(), Ordering::SeqCst);
        async { Vec::new() }
    })
    .await;
    assert_eq!(handled.load(Ordering::SeqCst), 1);
}
