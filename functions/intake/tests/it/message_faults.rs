//! Messages while the table fails.

use std::fmt::Write as _;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use tidings_harness::{Fault, Rule};

use crate::support::{Service, post_message, shown};

const GOOD: &str = r#"{"eventType":"a","payload":{}}"#;

const FAULTS: [Fault; 6] =
    [Fault::Throttled, Fault::Conflict, Fault::InternalError, Fault::Gateway, Fault::Unreachable, Fault::Refused];

fn keyed(key: &str) -> Request<Body> {
    post_message("acme").header("idempotency-key", key).body(GOOD.into()).unwrap()
}

#[tokio::test]
async fn a_message_that_cannot_be_written_is_not_accepted() {
    let mut answers = String::new();
    for fault in FAULTS {
        let service = Service::start().await;
        service.acme().await;
        service.message(GOOD).await;
        service.table.faults().inject(Rule::new(fault));
        writeln!(answers, "--- {fault:?}\n{}", service.message(GOOD).await).unwrap();
        assert_eq!(service.count("message").await, 1, "{fault:?}: the one before");
    }
    assert_snapshot!(answers, @r#"
    --- Throttled
    503 Service Unavailable
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    --- Conflict
    409 Conflict
    retry-after: 1
    {"code":"conflict","detail":"Another request is changing the same at this moment."}
    --- InternalError
    503 Service Unavailable
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    --- Gateway
    503 Service Unavailable
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    --- Unreachable
    503 Service Unavailable
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    --- Refused
    500 Internal Server Error
    {"code":"server_error","detail":"Internal error."}
    "#);
}

#[tokio::test]
async fn a_fault_that_passes_is_not_seen() {
    for fault in [Fault::Throttled, Fault::InternalError, Fault::Gateway, Fault::Unreachable, Fault::Unprocessed] {
        let service = Service::start().await;
        service.acme().await;
        service.message(GOOD).await;
        service.table.faults().inject(Rule::new(fault).on("BatchWriteItem").times(1));
        let answer = service.message(GOOD).await;
        assert!(answer.starts_with("202"), "{fault:?}: {answer}");
        assert_eq!((service.count("message").await, service.count("agenda").await), (2, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn a_message_of_which_a_part_is_not_written_is_not_accepted() {
    let service = Service::start().await;
    service.acme().await;
    service.table.faults().inject(Rule::new(Fault::Unprocessed).on("BatchWriteItem"));
    let answer = service.message(GOOD).await;
    assert!(answer.starts_with("503"), "{answer}");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_one_message_under_its_key() {
    let service = Service::start().await;
    service.acme().await;
    service.table.faults().inject(Rule::new(Fault::AnswerLost).on("BatchWriteItem"));
    let lost = shown(service.send(keyed("order 17")).await).await;
    assert!(lost.starts_with("503"), "{lost}");
    service.table.faults().clear();
    let again = service.send(keyed("order 17")).await;
    assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (202, &"true".parse().unwrap()));
    assert_eq!(service.count("message").await, 1);
}

#[tokio::test]
async fn a_request_that_died_after_its_reservation_is_finished_by_its_repetition() {
    let service = Service::start().await;
    service.acme().await;
    service.table.faults().inject(Rule::new(Fault::Unreachable).on("BatchWriteItem"));
    assert!(shown(service.send(keyed("order 17")).await).await.starts_with("503"));
    service.table.faults().clear();
    // It may still be at work, as far as anybody can tell.
    assert_snapshot!(shown(service.send(keyed("order 17")).await).await, @r#"
    409 Conflict
    retry-after: 1
    {"code":"conflict","detail":"Another request is changing the same at this moment."}
    "#);
    service.clock.advance(std::time::Duration::from_secs(11));
    let answer = service.send(keyed("order 17")).await;
    assert_eq!(answer.status(), 202);
    assert_eq!((service.count("message").await, service.count("agenda").await), (1, 1));
}
