//! What came in through the doors of sources, by the store.

use bytes::Bytes;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, Work};
use tidings_domain::enrollment::EnrollmentChange;
use tidings_domain::ids::{TransactionErrorId, TransactionId};
use tidings_domain::source::Source;
use tidings_domain::transaction::{
    ComputeError, KeptHeaders, Transaction, TransactionError, TransactionName, TransactionStatus,
};
use tidings_store::Store;
use tidings_store::transaction::TransactionAccepted;

use crate::arrange::GRACE;
use crate::outbound::at;
use crate::support::{Answer, NOW, Service, organization, request, token};

/// Another retention for what is there already.
pub(crate) async fn retain(service: &Service, source: &Source, retention: &serde_json::Value) {
    let body = serde_json::json!({"retention": retention});
    assert_eq!(service.patch(&format!("/api/v1/source/{}", source.id), &body).await.status, 200);
}

fn headers() -> KeptHeaders {
    let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    KeptHeaders([("content-type", "application/json"), ("user-agent", "Docebo")].map(header).to_vec())
}

/// One that was computed. Higher numbers are younger, by a minute each; 100 is received now.
pub(crate) fn imagined_transaction(source: &Source, number: i64) -> Transaction {
    let received_at = at(number);
    let message_id = format!("wh-{number}");
    Transaction {
        id: TransactionId::new(received_at, [u8::try_from(number).unwrap(); 15]),
        organization: source.organization,
        source: source.id,
        name: TransactionName::of_message(&message_id),
        message_id: Some(message_id),
        event: "course.enrollment.created".to_owned(),
        headers: headers(),
        body: Bytes::from(format!(r#"{{ "number": {number}.0,  "text": "\u00e4" }}"#)),
        received_at,
        status: TransactionStatus::Computed,
        computed_at: Some(received_at + GRACE),
        message: None,
    }
}

pub(crate) async fn write(store: &Store, source: &Source, transaction: &Transaction) {
    let (due, until) = (transaction.received_at + GRACE, source.retention.transactions.end(transaction.received_at));
    assert_eq!(store.create_transaction(transaction, due, until).await.unwrap(), TransactionAccepted::Written);
}

pub(crate) async fn transaction(store: &Store, source: &Source, number: i64) -> Transaction {
    let transaction = imagined_transaction(source, number);
    write(store, source, &transaction).await;
    transaction
}

/// A request that was rejected for what its body is.
pub(crate) fn imagined_transaction_error(source: &Source, number: i64, body: &[u8]) -> TransactionError {
    TransactionError {
        id: TransactionErrorId::new(at(number), [u8::try_from(number).unwrap(); 15]),
        organization: source.organization,
        source: source.id,
        status: 400,
        faults: vec!["body.message_id: is required".to_owned(), "body.event: is required".to_owned()],
        headers: headers(),
        body: Bytes::copy_from_slice(body),
        body_bytes: body.len(),
        received_at: at(number),
    }
}

pub(crate) async fn put_error(store: &Store, source: &Source, error: &TransactionError) {
    store.put_transaction_error(error, source.retention.transaction_errors.end(error.received_at)).await.unwrap();
}

pub(crate) async fn transaction_error(store: &Store, source: &Source, number: i64, body: &[u8]) -> TransactionError {
    let error = imagined_transaction_error(source, number, body);
    put_error(store, source, &error).await;
    error
}

/// That one of a transaction's payloads could not be computed.
pub(crate) fn imagined_compute_error(transaction: &Transaction, payload: Option<usize>) -> ComputeError {
    ComputeError::new(transaction, payload, "`user_id` is required".to_owned(), transaction.received_at + GRACE)
}

pub(crate) async fn compute_error(
    store: &Store,
    source: &Source,
    transaction: &Transaction,
    payload: Option<usize>,
) -> ComputeError {
    let error = imagined_compute_error(transaction, payload);
    let until = source.retention.compute_errors.end(error.updated_at);
    store.note_compute_errors(transaction, std::slice::from_ref(&error), &[], until).await.unwrap();
    error
}

/// Enrollments as rows of an import say them.
pub(crate) async fn enroll(store: &Store, source: &Source, rows: &serde_json::Value) {
    enroll_at(store, source, rows, NOW).await;
}

/// The same at another time.
pub(crate) async fn enroll_at(store: &Store, source: &Source, rows: &serde_json::Value, now: Timestamp) {
    let change = |row: &serde_json::Value| tidings_domain::docebo::row(row.as_object().unwrap(), NOW).unwrap();
    let changes: Vec<EnrollmentChange> = rows.as_array().unwrap().iter().map(change).collect();
    store.merge_enrollments(source, &changes, now).await.unwrap();
}

/// What the agenda holds for some work, up to a day from now.
pub(crate) async fn owed(store: &Store, work: &Work) -> Vec<Entry> {
    let until = NOW + std::time::Duration::from_hours(24);
    let page = store.due(work.shard(), until, None, 1000).await.unwrap();
    page.entries.into_iter().filter(|entry| entry.key.work == *work).collect()
}

/// A path below a source's door.
pub(crate) fn below(source: &Source, rest: &str) -> String {
    format!("/in/{}{rest}", source.id)
}

/// Sends a body of some type.
pub(crate) async fn send(service: &Service, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = request(&token(&organization(1)), http::Method::POST, path).header("content-type", content_type);
    service.send(request.body(body.into().into()).unwrap()).await
}

/// One property of each entry of a list.
pub(crate) fn listed(answer: &Answer, property: &str) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let text = |entry: &serde_json::Value| entry[property].as_str().unwrap().to_owned();
    body["data"].as_array().unwrap().iter().map(text).collect()
}

/// Walks through a whole list, page by page, forwards and then back again: what both ways showed, in the list's order.
pub(crate) async fn both_ways<T: Clone + PartialEq + std::fmt::Debug>(
    service: &Service,
    path: &str,
    read: impl Fn(&serde_json::Value) -> T,
) -> Vec<T> {
    let page = async |query: String| {
        let answer = service.get(&format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        let data: Vec<T> = body["data"].as_array().unwrap().iter().map(&read).collect();
        (data, body)
    };
    let (mut forwards, mut query) = (Vec::new(), "limit=2".to_owned());
    let last = loop {
        let (data, body) = page(query).await;
        forwards.extend(data.clone());
        if body["done"] == true {
            break (data, body);
        }
        query = format!("limit=2&iterator={}", body["iterator"].as_str().unwrap());
    };
    let (mut back, mut body) = last;
    while let Some(before) = body["prevIterator"].as_str() {
        let (data, previous) = page(format!("limit=2&iterator={before}")).await;
        back = [data, back].concat();
        if previous["done"] == true {
            break;
        }
        body = previous;
    }
    assert_eq!(back, forwards, "{path}");
    forwards
}
