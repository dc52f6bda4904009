use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::source::Source;
use tidings_domain::transaction::{MAX_REJECTED_BYTES, Transaction, TransactionError, TransactionStatus};

use crate::arrange::{self, GRACE};
use crate::inbound::{self, below, both_ways, listed};
use crate::outbound::at;
use crate::support::{NOW, Service};

async fn start() -> (Service, Source) {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, Some("lms")).await;
    (service, source)
}

fn id(entry: &Value) -> String {
    entry["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_transaction_error_tells_what_was_sent_and_what_is_wrong_with_it() {
    let (service, source) = start().await;
    let error = inbound::transaction_error(&service.store, &source, 1, b"{\"event\": \"\xc3\xa4\"").await;
    let answer = service.get(&below(&source, &format!("/transaction-errors/{}", error.id))).await;
    assert_snapshot!(answer.shown(), @r#"
    200
    {"id":"terr_3OuWiaMxO05UjYUYPdeRUeSGRUH","status":400,"faults":["body.message_id: is required","body.event: is required"],"bodyBytes":14,"whole":true,"receivedAt":"2027-01-15T06:21:00.000Z","headers":{"content-type":"application/json","user-agent":"Docebo"},"body":"{\"event\": \"ä\""}
    "#);
}

#[tokio::test]
async fn a_body_that_is_no_text_is_shown_in_base64() {
    let (service, source) = start().await;
    let error = inbound::transaction_error(&service.store, &source, 1, b"\xff\xfe{\x00").await;
    let body = service.get(&below(&source, &format!("/transaction-errors/{}", error.id))).await.json();
    assert_eq!((body.get("body"), &body["bodyBase64"], &body["whole"]), (None, &json!("//57AA=="), &json!(true)));
}

#[tokio::test]
async fn a_text_that_was_cut_off_within_a_character_is_shown_up_to_it() {
    let (service, source) = start().await;
    let text = format!("{}\u{e4}", "x".repeat(MAX_REJECTED_BYTES - 1));
    let whole = inbound::imagined_transaction_error(&source, 1, text.as_bytes());
    let cut = TransactionError { status: 413, body: whole.body.slice(..MAX_REJECTED_BYTES), ..whole };
    inbound::put_error(&service.store, &source, &cut).await;
    let body = service.get(&below(&source, &format!("/transaction-errors/{}", cut.id))).await.json();
    assert_eq!(body["body"], "x".repeat(MAX_REJECTED_BYTES - 1));
    assert_eq!((&body["whole"], &body["bodyBytes"]), (&json!(false), &json!(MAX_REJECTED_BYTES + 1)));
    assert_eq!(body["status"], 413);
}

#[tokio::test]
async fn transaction_errors_are_listed_newest_first_both_ways_and_without_bodies() {
    let (service, source) = start().await;
    let mut newest_first = Vec::new();
    for number in 1..=5 {
        let error = inbound::transaction_error(&service.store, &source, number, b"x").await;
        newest_first.insert(0, error.id.to_string());
    }
    let path = below(&source, "/transaction-errors");
    assert_eq!(both_ways(&service, &path, id).await, newest_first);
    assert_snapshot!(service.get(&format!("{path}?limit=1")).await.shown(), @r#"
    200
    {"data":[{"id":"terr_3OuXCkIbn7oHzJgTbg0YOHu993F","status":400,"faults":["body.message_id: is required","body.event: is required"],"bodyBytes":1,"whole":true,"receivedAt":"2027-01-15T06:25:00.000Z"}],"iterator":"terr_3OuXCkIbn7oHzJgTbg0YOHu993F","prevIterator":"-terr_3OuXCkIbn7oHzJgTbg0YOHu993F","done":false}
    "#);
    assert_snapshot!(service.get(&format!("{path}?limit=x&iterator=-1")).await.faults(), @r#"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be `terr_` followed by 27 letters or digits"
    "#);
}

#[tokio::test]
async fn a_compute_error_tells_what_could_not_be_computed_and_how_often_it_was_tried() {
    let (service, source) = start().await;
    let transaction = inbound::transaction(&service.store, &source, 1).await;
    inbound::compute_error(&service.store, &source, &transaction, Some(2)).await;
    let error = inbound::compute_error(&service.store, &source, &transaction, Some(2)).await;
    let answer = service.get(&below(&source, &format!("/compute-errors/{}", error.id))).await;
    assert_snapshot!(answer.shown(), @r#"
    200
    {"id":"cerr_3OuWiaNwnkvozBjtP53hpBgLBMK","transactionId":"txn_3OuWiaMxO05UjYUYPdeRUeSGRUH","event":"course.enrollment.created","payload":2,"message":"`user_id` is required","tries":2,"createdAt":"2027-01-15T06:21:30.000Z","updatedAt":"2027-01-15T06:21:30.000Z"}
    "#);
    let of_all = inbound::compute_error(&service.store, &source, &transaction, None).await;
    let answer = service.get(&below(&source, &format!("/compute-errors/{}", of_all.id))).await;
    assert_eq!((&answer.json()["payload"], &answer.json()["tries"]), (&Value::Null, &json!(1)));
}

#[tokio::test]
async fn compute_errors_are_listed_both_ways() {
    let (service, source) = start().await;
    let mut newest_first = Vec::new();
    for number in 1..=5 {
        let transaction = inbound::transaction(&service.store, &source, number).await;
        let error = inbound::compute_error(&service.store, &source, &transaction, Some(0)).await;
        newest_first.insert(0, error.id.to_string());
    }
    let path = below(&source, "/compute-errors");
    assert_eq!(both_ways(&service, &path, id).await, newest_first);
    assert_snapshot!(service.get(&format!("{path}?limit=251&iterator=cerr_1")).await.faults(), @r#"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be `cerr_` followed by 27 letters or digits"
    "#);
}

#[tokio::test]
async fn to_retry_a_compute_error_has_its_transaction_computed_again() {
    let (service, source) = start().await;
    let transaction = inbound::transaction(&service.store, &source, 1).await;
    let error = inbound::compute_error(&service.store, &source, &transaction, None).await;
    let answer = service.post(&below(&source, &format!("/compute-errors/{}/retry", error.id)), &json!({})).await;
    assert_snapshot!(answer.shown(), @r#"
    202
    {"id":"txn_3OuWiaMxO05UjYUYPdeRUeSGRUH","messageId":"wh-1","event":"course.enrollment.created","status":"pending","receivedAt":"2027-01-15T06:21:00.000Z","computedAt":"2027-01-15T06:21:30.000Z","message":null}
    "#);
    let stored = service.store.transaction(transaction.organization, source.id, &transaction.name).await.unwrap();
    assert_eq!(stored.unwrap().status, TransactionStatus::Pending);
    let owed = inbound::owed(&service.store, &transaction.work()).await;
    assert!(owed.iter().any(|entry| entry.key.due == NOW + GRACE), "{owed:?}");
}

#[tokio::test]
async fn a_compute_error_outlives_its_transaction_and_cannot_be_retried_then() {
    let (service, source) = start().await;
    let transaction = inbound::transaction(&service.store, &source, 1).await;
    let error = inbound::compute_error(&service.store, &source, &transaction, None).await;
    // The sender uses its id again, much later.
    let gone = Transaction { id: inbound::imagined_transaction(&source, 2).id, ..transaction.clone() };
    let stale = inbound::imagined_compute_error(&gone, Some(1));
    let until = NOW + Duration::from_hours(24);
    service.store.note_compute_errors(&gone, std::slice::from_ref(&stale), &[], until).await.unwrap();
    let retry = |id| below(&source, &format!("/compute-errors/{id}/retry"));
    assert_snapshot!(service.post(&retry(stale.id), &json!({})).await.shown(), @r#"
    409
    {"code":"conflict","detail":"The transaction of this error is not kept any more."}
    "#);

    service.clock.advance(Duration::from_hours(24 * 2));
    inbound::retain(&service, &source, &json!({"transactions": "1-D"})).await;
    assert_eq!(service.post(&retry(error.id), &json!({})).await.status, 409);
}

#[tokio::test]
async fn errors_past_a_shortened_retention_are_gone_at_once_on_every_route() {
    let (service, source) = start().await;
    let transaction = inbound::transaction(&service.store, &source, 1).await;
    let computing = inbound::compute_error(&service.store, &source, &transaction, None).await;
    let rejected = inbound::transaction_error(&service.store, &source, 1, b"x").await;
    let (errors, failures) = (below(&source, "/transaction-errors"), below(&source, "/compute-errors"));
    let (error, failure) = (format!("{errors}/{}", rejected.id), format!("{failures}/{}", computing.id));
    service.clock.advance(Duration::from_hours(24 * 2));
    assert!(at(1) < service.clock.now());
    for list in [&errors, &failures] {
        assert_eq!(listed(&service.get(list).await, "id").len(), 1);
    }

    let retention = json!({"transactionErrors": "1-D", "computeErrors": "1-D"});
    inbound::retain(&service, &source, &retention).await;
    for list in [&errors, &failures] {
        assert_eq!(listed(&service.get(list).await, "id").len(), 0);
    }
    for one in [&error, &failure] {
        assert_eq!(service.get(one).await.status, 404);
    }
    assert_eq!(service.post(&format!("{failure}/retry"), &json!({})).await.status, 404);
}

#[tokio::test]
async fn what_is_of_another_source_or_not_there_is_not_found() {
    let (service, source) = start().await;
    let other = arrange::source(&service.store, 1, 2, None).await;
    let transaction = inbound::transaction(&service.store, &other, 1).await;
    let computing = inbound::compute_error(&service.store, &other, &transaction, None).await;
    let rejected = inbound::transaction_error(&service.store, &other, 1, b"x").await;
    for rest in [format!("/compute-errors/{}", computing.id), format!("/transaction-errors/{}", rejected.id)] {
        assert_eq!(service.get(&below(&other, &rest)).await.status, 200, "{rest}");
        assert_eq!(service.get(&below(&source, &rest)).await.status, 404, "{rest}");
    }
    let retry = below(&source, &format!("/compute-errors/{}/retry", computing.id));
    assert_eq!(service.post(&retry, &json!({})).await.status, 404);
}
