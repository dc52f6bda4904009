use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::ids::TransactionId;
use tidings_domain::source::Source;
use tidings_domain::transaction::{Transaction, TransactionStatus};

use crate::arrange::{self, GRACE};
use crate::inbound::{self, below, both_ways, listed};
use crate::outbound::at;
use crate::support::{NOW, Service, organization, token};

/// Five transactions of organization 1's source `lms`, and one of another source.
async fn five() -> (Service, Source, Vec<Transaction>) {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, Some("lms")).await;
    let other = arrange::source(&service.store, 1, 2, None).await;
    let mut transactions = Vec::new();
    for number in 91..=95 {
        transactions.push(inbound::transaction(&service.store, &source, number).await);
    }
    inbound::transaction(&service.store, &other, 93).await;
    (service, source, transactions)
}

fn id(entry: &Value) -> TransactionId {
    entry["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_transaction_is_read_with_its_headers_and_its_body_as_it_was_sent() {
    let (service, source, transactions) = five().await;
    let answer = service.get(&below(&source, &format!("/transactions/{}", transactions[0].id))).await;
    assert_snapshot!(answer.shown(), @r#"
    200
    {"id":"txn_3OuhfBn7VIqMxBJoHUfwgT4cFg3","messageId":"wh-91","event":"course.enrollment.created","status":"computed","receivedAt":"2027-01-15T07:51:00.000Z","computedAt":"2027-01-15T07:51:30.000Z","message":null,"headers":{"content-type":"application/json","user-agent":"Docebo"},"body":{ "number": 91.0,  "text": "\u00e4" }}
    "#);
    let body = std::str::from_utf8(&transactions[0].body).unwrap();
    assert!(answer.body.contains(body), "{}", answer.body);
}

#[tokio::test]
async fn transactions_are_listed_newest_first_without_their_bodies() {
    let (service, source, _) = five().await;
    assert_snapshot!(service.get(&below(&source, "/transactions?limit=2")).await.shown(), @r#"
    200
    {"data":[{"id":"txn_3Oui9LiluQZACwVjTX23a6WUxF1","messageId":"wh-95","event":"course.enrollment.created","status":"computed","receivedAt":"2027-01-15T07:55:00.000Z","computedAt":"2027-01-15T07:55:30.000Z","message":null},{"id":"txn_3Oui1oErJ98StVDFg1RWrCA1mLm","messageId":"wh-94","event":"course.enrollment.created","status":"computed","receivedAt":"2027-01-15T07:54:00.000Z","computedAt":"2027-01-15T07:54:30.000Z","message":null}],"iterator":"txn_3Oui1oErJ98StVDFg1RWrCA1mLm","prevIterator":"-txn_3Oui9LiluQZACwVjTX23a6WUxF1","done":false}
    "#);
}

#[tokio::test]
async fn a_source_is_named_by_its_id_or_its_uid() {
    let (service, source, transactions) = five().await;
    let by_id = service.get(&below(&source, "/transactions")).await;
    assert_eq!(listed(&by_id, "id").len(), 5);
    assert_eq!(service.get("/in/lms/transactions").await.body, by_id.body);
    for path in ["/in/else/transactions".to_owned(), below(&arrange::imagined_source(1, 3, None), "/transactions")] {
        assert_eq!(service.get(&path).await.status, 404, "{path}");
    }
    // A uid is the caller's own organization's.
    let theirs = token(&organization(2));
    assert_eq!(service.ask_as(&theirs, http::Method::GET, "/in/lms/transactions").await.status, 404);
    // Nor is one source's transaction another one's.
    let other = arrange::imagined_source(1, 2, None);
    assert_eq!(service.get(&below(&other, &format!("/transactions/{}", transactions[0].id))).await.status, 404);
    assert_eq!(service.get(&below(&source, "/transactions/txn_1")).await.status, 404);
}

#[tokio::test]
async fn a_list_of_transactions_goes_both_ways_within_its_times() {
    let (service, source, transactions) = five().await;
    let newest_first: Vec<_> = transactions.iter().rev().map(|transaction| transaction.id).collect();
    let path = below(&source, "/transactions");
    assert_eq!(both_ways(&service, &path, id).await, newest_first);
    for (query, expected) in [
        (format!("since={}", at(93)), &newest_first[..3]),
        (format!("before={}", at(93)), &newest_first[3..]),
        (format!("since={}&before={}", at(92), at(95)), &newest_first[1..4]),
        (format!("since={}&before={}", at(95), at(92)), &[][..]),
    ] {
        assert_eq!(both_ways(&service, &format!("{path}?{query}"), id).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_bad_query_is_refused_with_every_fault() {
    let (service, source, _) = five().await;
    let answer = service.get(&below(&source, "/transactions?limit=0&iterator=txn_1&since=today&before=1")).await;
    assert_snapshot!(answer.faults(), @r#"
    ["query","since"] value_error "must be a date and time as in RFC 3339"
    ["query","before"] value_error "must be a date and time as in RFC 3339"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be `txn_` followed by 27 letters or digits"
    "#);
}

#[tokio::test]
async fn a_replayed_transaction_is_pending_and_owes_its_work_again() {
    let (service, source, transactions) = five().await;
    let transaction = &transactions[2];
    let answer = service.post(&below(&source, &format!("/transactions/{}/replay", transaction.id)), &json!({})).await;
    assert_snapshot!(answer.shown(), @r#"
    202
    {"id":"txn_3OuhuGkwhrhla3ulsVr08HnYbSX","messageId":"wh-93","event":"course.enrollment.created","status":"pending","receivedAt":"2027-01-15T07:53:00.000Z","computedAt":"2027-01-15T07:53:30.000Z","message":null}
    "#);
    let (organization, name) = (transaction.organization, &transaction.name);
    let stored = service.store.transaction(organization, source.id, name).await.unwrap().unwrap();
    assert_eq!(stored, Transaction { status: TransactionStatus::Pending, ..transaction.clone() });
    let due: Vec<_> =
        inbound::owed(&service.store, &transaction.work()).await.iter().map(|entry| entry.key.due).collect();
    assert!(due.contains(&(NOW + GRACE)), "{due:?}");
}

#[tokio::test]
async fn a_replay_of_a_time_takes_each_transaction_once_and_the_oldest_first() {
    let (service, source, transactions) = five().await;
    let path = below(&source, "/transactions/replay");
    let range = json!({"since": at(92), "until": at(95), "limit": 2});
    let mut body = range.clone();
    let mut answers = String::new();
    loop {
        // So that what is put on the agenda twice is there twice.
        service.clock.advance(Duration::from_secs(1));
        let answer = service.post(&path, &body).await;
        writeln!(answers, "{}", answer.shown()).unwrap();
        if answer.json()["done"] == true {
            break;
        }
        body["iterator"] = answer.json()["iterator"].clone();
    }
    assert_snapshot!(answers, @r#"
    202
    {"replayed":2,"iterator":"txn_3OuhuGkwhrhla3ulsVr08HnYbSX","done":false}
    202
    {"replayed":1,"iterator":"txn_3Oui1oErJ98StVDFg1RWrCA1mLm","done":true}
    "#);
    let mut replays = BTreeMap::new();
    for transaction in &transactions {
        let owed = inbound::owed(&service.store, &transaction.work()).await;
        let since = owed.iter().filter(|entry| entry.key.due > NOW + GRACE).map(|entry| entry.key.due);
        replays.insert(transaction.message_id.clone().unwrap(), since.collect::<Vec<_>>());
    }
    let (first, second) = (NOW + GRACE + Duration::from_secs(1), NOW + GRACE + Duration::from_secs(2));
    let expected = [("wh-91", vec![]), ("wh-92", vec![first]), ("wh-93", vec![first]), ("wh-94", vec![second])];
    let expected = expected.into_iter().chain([("wh-95", vec![])]).map(|(name, due)| (name.to_owned(), due));
    assert_eq!(replays, expected.collect());
}

#[tokio::test]
async fn a_replay_without_an_end_or_a_size_takes_all_until_now() {
    let (service, source, _) = five().await;
    let answer = service.post(&below(&source, "/transactions/replay"), &json!({"since": at(1), "until": null})).await;
    assert_eq!((answer.status, &answer.json()["replayed"]), (202, &json!(5)));
    let nothing = service.post(&below(&source, "/transactions/replay"), &json!({"since": at(96)})).await;
    assert_snapshot!(nothing.shown(), @r#"
    202
    {"replayed":0,"iterator":null,"done":true}
    "#);
}

#[tokio::test]
async fn a_replay_of_no_time_is_refused_with_every_fault() {
    let (service, source, _) = five().await;
    let path = below(&source, "/transactions/replay");
    let mut faults = String::new();
    for body in [
        json!({}),
        json!([]),
        json!({"since": "today", "until": 5, "iterator": "txn_1", "limit": 251, "all": true}),
        json!({"since": at(95), "until": at(95), "iterator": 7, "limit": 0}),
    ] {
        write!(faults, "{body}\n{}", service.post(&path, &body).await.faults()).unwrap();
    }
    assert_snapshot!(faults, @r#"
    {}
      ["body","since"] value_error.missing "is required"
    []
      ["body"] type_error "must be an object"
    {"since":"today","until":5,"iterator":"txn_1","limit":251,"all":true}
      ["body","since"] value_error "must be a date and time as in RFC 3339"
      ["body","until"] type_error "must be a string"
      ["body","iterator"] value_error "must be `txn_` followed by 27 letters or digits"
      ["body","limit"] value_error "must be 1 to 250"
      ["body","all"] value_error.extra "is not known here"
    {"since":"2027-01-15T07:55:00.000Z","until":"2027-01-15T07:55:00.000Z","iterator":7,"limit":0}
      ["body","iterator"] type_error "must be a string"
      ["body","limit"] value_error "must be 1 to 250"
      ["body","until"] value_error "must be after `since`"
    "#);
}

#[tokio::test]
async fn transactions_past_a_shortened_retention_are_gone_at_once_on_every_route() {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, None).await;
    let old = inbound::imagined_transaction(&source, 1);
    let received_at = NOW - Duration::from_hours(24 * 2);
    let old = Transaction { id: TransactionId::new(received_at, [1; 15]), received_at, ..old };
    inbound::write(&service.store, &source, &old).await;
    let young = inbound::transaction(&service.store, &source, 100).await;
    let (list, one) = (below(&source, "/transactions"), below(&source, &format!("/transactions/{}", old.id)));
    assert_eq!(listed(&service.get(&list).await, "id"), [young.id.to_string(), old.id.to_string()]);

    inbound::retain(&service, &source, &json!({"transactions": "1-D"})).await;
    assert_eq!(listed(&service.get(&list).await, "id"), [young.id.to_string()]);
    assert_eq!(service.get(&one).await.status, 404);
    assert_eq!(service.post(&format!("{one}/replay"), &json!({})).await.status, 404);
    service.clock.advance(Duration::from_secs(1));
    let range = service.post(&below(&source, "/transactions/replay"), &json!({"since": received_at})).await;
    assert_eq!(range.json()["replayed"], 1);
    assert_eq!(inbound::owed(&service.store, &old.work()).await.len(), 1, "only that of its arrival");
}
