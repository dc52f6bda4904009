//! Single items, batches, queries, tables.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity, ReturnValue,
    ReturnValuesOnConditionCheckFailure, TimeToLiveSpecification, WriteRequest,
};
use tidings_engine::{Engine, FeedOptions, Storage, SweepError};

use crate::support::{TABLE, create_table, get, item, key, memory, n, put, s};

#[tokio::test]
async fn an_item_is_put_read_changed_and_deleted() {
    let (_engine, client) = memory().await;
    put(&client, item("a", "1", 1)).await;
    assert_eq!(get(&client, "a", "1").await.unwrap()["value"], n(1));

    let updated = client
        .update_item()
        .table_name(TABLE)
        .set_key(Some(key("a", "1")))
        .update_expression("ADD #v :one")
        .expression_attribute_names("#v", "value")
        .expression_attribute_values(":one", n(1))
        .return_values(ReturnValue::UpdatedNew)
        .send()
        .await
        .unwrap();
    assert_eq!(updated.attributes.unwrap()["value"], n(2));

    let deleted = client
        .delete_item()
        .table_name(TABLE)
        .set_key(Some(key("a", "1")))
        .return_values(ReturnValue::AllOld)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.attributes.unwrap()["value"], n(2));
    assert!(get(&client, "a", "1").await.is_none());
}

#[tokio::test]
async fn a_failed_condition_says_so_and_shows_the_item_that_is_there() {
    let (engine, client) = memory().await;
    let _feed = engine.feed(FeedOptions::default());
    put(&client, item("a", "1", 1)).await;
    let failed = client
        .put_item()
        .table_name(TABLE)
        .set_item(Some(item("a", "1", 2)))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(failed.item().unwrap()["value"], n(1));
    assert_eq!(failed.message(), Some("The conditional request failed"));
}

#[tokio::test]
async fn a_batch_writes_and_reads_many_items() {
    let (_engine, client) = memory().await;
    let put_of = |sk: &str| {
        let put = PutRequest::builder().set_item(Some(item("a", sk, 1))).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let written = client
        .batch_write_item()
        .request_items(TABLE, vec![put_of("1"), put_of("2"), put_of("3")])
        .send()
        .await
        .unwrap();
    assert!(written.unprocessed_items.unwrap_or_default().is_empty());
    let delete = DeleteRequest::builder().set_key(Some(key("a", "2"))).build().unwrap();
    client
        .batch_write_item()
        .request_items(TABLE, vec![WriteRequest::builder().delete_request(delete).build()])
        .send()
        .await
        .unwrap();
    let keys = KeysAndAttributes::builder()
        .keys(key("a", "1"))
        .keys(key("a", "2"))
        .keys(key("a", "3"))
        .consistent_read(true)
        .build()
        .unwrap();
    let read = client.batch_get_item().request_items(TABLE, keys).send().await.unwrap();
    assert_eq!(read.responses.unwrap()[TABLE].len(), 2);
}

#[tokio::test]
async fn a_query_reads_a_partition_in_pages_and_an_index() {
    let (_engine, client) = memory().await;
    for number in 0..5 {
        let mut item = item("a", &number.to_string(), number);
        item.insert("owner".to_owned(), s(if number % 2 == 0 { "even" } else { "odd" }));
        put(&client, item).await;
    }
    let query = || {
        client
            .query()
            .table_name(TABLE)
            .key_condition_expression("pk = :pk AND sk >= :from")
            .expression_attribute_values(":pk", s("a"))
            .expression_attribute_values(":from", s("1"))
            .limit(3)
    };
    let first = query().send().await.unwrap();
    assert_eq!(first.count, 3);
    let rest = query().set_exclusive_start_key(first.last_evaluated_key).send().await.unwrap();
    assert_eq!(rest.count, 1);
    let odd = client
        .query()
        .table_name(TABLE)
        .index_name("by-owner")
        .key_condition_expression("#o = :o")
        .expression_attribute_names("#o", "owner")
        .expression_attribute_values(":o", s("odd"))
        .scan_index_forward(false)
        .send()
        .await
        .unwrap();
    let sks: Vec<_> = odd.items().iter().map(|item| item["sk"].clone()).collect();
    assert_eq!(sks, [s("3"), s("1")]);
    assert!(!odd.items()[0].contains_key("value"), "keys only");
}

#[tokio::test]
async fn what_is_not_there_or_not_offered_is_an_error_of_dynamodb() {
    let engine = Engine::open(Storage::Memory).unwrap();
    let client = engine.client();
    let missing = client.describe_table().table_name(TABLE).send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_resource_not_found_exception());

    let unknown = client.list_backups().send().await.unwrap_err();
    assert_eq!(unknown.code(), Some("UnknownOperationException"));

    create_table(&client).await;
    let invalid = client.put_item().table_name(TABLE).item("pk", s("a")).send().await.unwrap_err();
    assert_eq!(invalid.code(), Some("ValidationException"));
}

#[tokio::test]
async fn a_feed_changes_neither_answers_nor_capacity() {
    let answers = async |engine: &Engine| {
        let client = engine.client();
        create_table(&client).await;
        let mut lines = Vec::new();
        for round in 0..2 {
            let put = client
                .put_item()
                .table_name(TABLE)
                .set_item(Some(item("a", "1", round)))
                .item("owner", s("me"))
                .item("body", s("x".repeat(3000)))
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
                .await
                .unwrap();
            lines.push(format!("{:?} {:?}", put.attributes, put.consumed_capacity));
            for values in [
                None,
                Some(ReturnValue::None),
                Some(ReturnValue::AllNew),
                Some(ReturnValue::AllOld),
                Some(ReturnValue::UpdatedNew),
                Some(ReturnValue::UpdatedOld),
            ] {
                let update = client
                    .update_item()
                    .table_name(TABLE)
                    .set_key(Some(key("a", "1")))
                    .update_expression("ADD #v :one")
                    .expression_attribute_names("#v", "value")
                    .expression_attribute_values(":one", n(1))
                    .set_return_values(values)
                    .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                    .send()
                    .await
                    .unwrap();
                let value = update.attributes.as_ref().map(|item| (item.len(), item["value"].clone()));
                lines.push(format!("{value:?} {:?}", update.consumed_capacity));
            }
            let delete = client
                .delete_item()
                .table_name(TABLE)
                .set_key(Some(key("a", "1")))
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
                .await
                .unwrap();
            lines.push(format!("{:?} {:?}", delete.attributes, delete.consumed_capacity));
        }
        lines
    };
    let without = answers(&Engine::open(Storage::Memory).unwrap()).await;
    let engine = Engine::open(Storage::Memory).unwrap();
    let feed = engine.feed(FeedOptions::default());
    let with = answers(&engine).await;
    assert_eq!(with, without);
    assert_eq!(feed.stats().waiting(), 16);
}

#[tokio::test]
async fn expired_items_stay_until_they_are_swept() {
    let (engine, client) = memory().await;
    let spec = TimeToLiveSpecification::builder().attribute_name("expires").enabled(true).build().unwrap();
    client.update_time_to_live().table_name(TABLE).time_to_live_specification(spec).send().await.unwrap();
    let mut expired = item("a", "1", 1);
    expired.insert("expires".to_owned(), n(1_000_000_000));
    put(&client, expired).await;
    put(&client, item("a", "2", 1)).await;
    assert!(get(&client, "a", "1").await.is_some());
    assert_eq!(engine.sweep_ttl().unwrap(), 1);
    assert!(get(&client, "a", "1").await.is_none());
    engine.close().await;
    assert!(matches!(engine.sweep_ttl(), Err(SweepError::Closed)));
}

#[tokio::test]
async fn a_closed_engine_answers_with_an_error() {
    let (engine, client) = memory().await;
    engine.close().await;
    engine.close().await;
    let error = client.list_tables().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InternalServerError"));
}
