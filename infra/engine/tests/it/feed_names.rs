//! Which record each operation makes.

use std::sync::{Arc, Mutex};

use aws_lambda_events::event::dynamodb::Event;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, ReturnValue, WriteRequest};
use tidings_engine::{Engine, FeedOptions};

use crate::support::{Item, TABLE, eventually, item, key, memory, n, put};
use crate::transactions::{delete_of, put_of, update_of};

/// An engine whose changes are kept as `NAME sk value`.
async fn watched() -> (Engine, Client, Arc<Mutex<Vec<String>>>) {
    let (engine, client) = memory().await;
    let feed = engine.feed(FeedOptions { parallelization: 1, ..FeedOptions::default() });
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    tokio::spawn(feed.run(move |event: Event| {
        for record in event.records {
            let keys: Item = record.change.keys.into();
            let image: Item = record.change.new_image.into();
            let value = match image.get("value") {
                Some(AttributeValue::N(value)) => value.clone(),
                _ => "-".to_owned(),
            };
            let sk = keys["sk"].as_s().unwrap();
            seen.lock().unwrap().push(format!("{} {sk} {value}", record.event_name));
        }
        async { Vec::new() }
    }));
    (engine, client, lines)
}

/// Compares after everything before a last write has come.
async fn assert_lines(client: &Client, lines: &Mutex<Vec<String>>, expected: &[&str]) {
    put(client, item("a", "last", 0)).await;
    eventually("the last write's record", || lines.lock().unwrap().iter().any(|line| line.contains(" last "))).await;
    let mut lines = lines.lock().unwrap();
    lines.pop();
    assert_eq!(*lines, expected);
}

#[tokio::test]
async fn a_put_is_an_insert_or_a_modification() {
    let (_engine, client, lines) = watched().await;
    let put_with = async |value, condition: Option<&str>, values: Option<ReturnValue>| {
        client
            .put_item()
            .table_name(TABLE)
            .set_item(Some(item("a", "1", value)))
            .set_condition_expression(condition.map(str::to_owned))
            .set_return_values(values)
            .send()
            .await
    };
    put_with(1, None, None).await.unwrap();
    let second = put_with(2, None, None).await.unwrap();
    assert!(second.attributes.is_none(), "not asked for");
    let third = put_with(3, None, Some(ReturnValue::AllOld)).await.unwrap();
    assert_eq!(third.attributes.unwrap()["value"], n(2));
    put_with(4, Some("attribute_exists(pk)"), None).await.unwrap();
    put_with(5, Some("attribute_not_exists(pk)"), None).await.unwrap_err();
    assert_lines(&client, &lines, &["INSERT 1 1", "MODIFY 1 2", "MODIFY 1 3", "MODIFY 1 4"]).await;
}

#[tokio::test]
async fn an_update_is_an_insert_or_a_modification_with_the_whole_image() {
    let (_engine, client, lines) = watched().await;
    for (sk, condition, values) in [
        ("1", None, None),
        ("1", None, None),
        ("1", Some("attribute_exists(pk)"), Some(ReturnValue::UpdatedOld)),
        ("1", None, Some(ReturnValue::AllNew)),
        ("2", Some("attribute_not_exists(pk)"), Some(ReturnValue::AllOld)),
    ] {
        client
            .update_item()
            .table_name(TABLE)
            .set_key(Some(key("a", sk)))
            .update_expression("ADD #v :one")
            .set_condition_expression(condition.map(str::to_owned))
            .expression_attribute_names("#v", "value")
            .expression_attribute_values(":one", n(1))
            .set_return_values(values)
            .send()
            .await
            .unwrap();
    }
    assert_lines(&client, &lines, &["INSERT 1 1", "MODIFY 1 2", "MODIFY 1 3", "MODIFY 1 4", "INSERT 2 1"]).await;
}

#[tokio::test]
async fn a_delete_is_a_removal_where_something_was() {
    let (_engine, client, lines) = watched().await;
    put(&client, item("a", "1", 1)).await;
    for _ in 0..2 {
        let deleted = client.delete_item().table_name(TABLE).set_key(Some(key("a", "1"))).send().await.unwrap();
        assert!(deleted.attributes.is_none(), "not asked for");
    }
    assert_lines(&client, &lines, &["INSERT 1 1", "REMOVE 1 -"]).await;
}

#[tokio::test]
async fn a_batch_makes_a_record_of_each_item() {
    let (_engine, client, lines) = watched().await;
    put(&client, item("a", "1", 1)).await;
    put(&client, item("a", "3", 1)).await;
    let put_of = |sk: &str| {
        let put = PutRequest::builder().set_item(Some(item("a", sk, 9))).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let delete_of = |sk: &str| {
        let delete = DeleteRequest::builder().set_key(Some(key("a", sk))).build().unwrap();
        WriteRequest::builder().delete_request(delete).build()
    };
    client
        .batch_write_item()
        .request_items(TABLE, vec![put_of("1"), put_of("2"), delete_of("3"), delete_of("4")])
        .send()
        .await
        .unwrap();
    assert_lines(&client, &lines, &["INSERT 1 1", "INSERT 3 1", "MODIFY 1 9", "INSERT 2 9", "REMOVE 3 -"]).await;
}

#[tokio::test]
async fn a_transaction_makes_a_record_of_each_change() {
    let (_engine, client, lines) = watched().await;
    put(&client, item("a", "1", 1)).await;
    put(&client, item("a", "3", 1)).await;
    client
        .transact_write_items()
        .transact_items(put_of(item("a", "1", 5), None))
        .transact_items(put_of(item("a", "2", 5), Some("attribute_not_exists(sk)")))
        .transact_items(update_of(key("a", "3"), Some("attribute_exists(pk)")))
        .transact_items(update_of(key("a", "4"), None))
        .transact_items(delete_of(key("a", "5")))
        .send()
        .await
        .unwrap();
    client.transact_write_items().transact_items(delete_of(key("a", "1"))).send().await.unwrap();
    assert_lines(
        &client,
        &lines,
        &["INSERT 1 1", "INSERT 3 1", "MODIFY 1 5", "INSERT 2 5", "MODIFY 3 2", "INSERT 4 1", "REMOVE 1 -"],
    )
    .await;
}
