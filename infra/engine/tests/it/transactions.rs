//! Transactions: all or nothing, with reasons and tokens.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Get, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, TransactGetItem,
    TransactWriteItem, Update,
};
use tidings_engine::FeedOptions;

use crate::support::{Item, TABLE, get, item, key, memory, n, put};

pub(crate) fn put_of(item: Item, condition: Option<&str>) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .set_item(Some(item))
        .set_condition_expression(condition.map(str::to_owned))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap();
    TransactWriteItem::builder().put(put).build()
}

pub(crate) fn update_of(key: Item, condition: Option<&str>) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .set_key(Some(key))
        .set_condition_expression(condition.map(str::to_owned))
        .update_expression("ADD #v :one")
        .expression_attribute_names("#v", "value")
        .expression_attribute_values(":one", n(1))
        .build()
        .unwrap();
    TransactWriteItem::builder().update(update).build()
}

pub(crate) fn delete_of(key: Item) -> TransactWriteItem {
    let delete = Delete::builder().table_name(TABLE).set_key(Some(key)).build().unwrap();
    TransactWriteItem::builder().delete(delete).build()
}

fn check_of(key: Item) -> TransactWriteItem {
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(key))
        .condition_expression("attribute_exists(pk)")
        .build()
        .unwrap();
    TransactWriteItem::builder().condition_check(check).build()
}

async fn value(client: &Client, sk: &str) -> Option<i64> {
    let item = get(client, "a", sk).await?;
    item["value"].as_n().unwrap().parse().ok()
}

#[tokio::test]
async fn a_transaction_happens_as_a_whole() {
    let (_engine, client) = memory().await;
    put(&client, item("a", "gone", 1)).await;
    put(&client, item("a", "kept", 1)).await;
    client
        .transact_write_items()
        .transact_items(put_of(item("a", "new", 7), Some("attribute_not_exists(pk)")))
        .transact_items(update_of(key("a", "kept"), Some("attribute_exists(pk)")))
        .transact_items(delete_of(key("a", "gone")))
        .send()
        .await
        .unwrap();
    let gets = ["new", "kept", "gone"].map(|sk| {
        let get = Get::builder().table_name(TABLE).set_key(Some(key("a", sk))).build().unwrap();
        TransactGetItem::builder().get(get).build()
    });
    let read = client.transact_get_items().set_transact_items(Some(gets.to_vec())).send().await.unwrap();
    let values: Vec<_> = read.responses().iter().map(|one| one.item().map(|item| item["value"].clone())).collect();
    assert_eq!(values, [Some(n(7)), Some(n(2)), None]);
}

#[tokio::test]
async fn a_cancelled_transaction_changes_nothing_and_gives_each_items_reason() {
    let (engine, client) = memory().await;
    let feed = engine.feed(FeedOptions::default());
    put(&client, item("a", "there", 1)).await;
    let error = client
        .transact_write_items()
        .transact_items(put_of(item("a", "new", 7), None))
        .transact_items(put_of(item("a", "there", 7), Some("attribute_not_exists(pk)")))
        .transact_items(check_of(key("a", "absent")))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        panic!("{error:?}");
    };
    let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]);
    let shown = cancelled.cancellation_reasons()[1].item().unwrap();
    assert_eq!(shown["value"], n(1));
    assert_eq!(value(&client, "new").await, None);
    assert_eq!(value(&client, "there").await, Some(1));
    assert_eq!(feed.stats().waiting(), 1, "only the put before");
}

#[tokio::test]
async fn a_token_makes_a_transaction_happen_once() {
    let (engine, client) = memory().await;
    let feed = engine.feed(FeedOptions::default());
    let send = async |sk: &str| {
        client
            .transact_write_items()
            .client_request_token("one-token")
            .transact_items(update_of(key("a", sk), None))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
    };
    send("1").await.unwrap();
    send("1").await.unwrap();
    assert_eq!(value(&client, "1").await, Some(1));
    assert_eq!(feed.stats().waiting(), 1);
    let other = send("2").await.unwrap_err();
    assert_eq!(other.code(), Some("IdempotentParameterMismatchException"));
    assert_eq!(value(&client, "2").await, None);
}

#[tokio::test]
async fn a_failed_transaction_may_be_sent_again_under_its_token() {
    let (_engine, client) = memory().await;
    let send = || {
        client
            .transact_write_items()
            .client_request_token("one-token")
            .transact_items(update_of(key("a", "1"), Some("attribute_exists(pk)")))
            .send()
    };
    send().await.unwrap_err();
    put(&client, item("a", "1", 1)).await;
    send().await.unwrap();
    assert_eq!(value(&client, "1").await, Some(2));
}
