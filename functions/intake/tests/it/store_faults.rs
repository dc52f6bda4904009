use std::fmt::Write as _;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use tidings_harness::{Fault, Rule};

use crate::support::{GOOD, Service, job_of, post, post_as, shown};

const FAULTS: [Fault; 6] =
    [Fault::Throttled, Fault::Conflict, Fault::InternalError, Fault::Gateway, Fault::Unreachable, Fault::Refused];

fn keyed(key: &str) -> Request<Body> {
    post().header("idempotency-key", key).body(GOOD.into()).unwrap()
}

#[tokio::test]
async fn a_table_that_fails_is_503_if_it_may_help_to_ask_again_and_500_otherwise() {
    let mut answers = String::new();
    for fault in FAULTS {
        let service = Service::start().await;
        service.table.faults().inject(Rule::new(fault));
        writeln!(answers, "--- {fault:?}\n{}", service.post(GOOD).await).unwrap();
        assert_eq!(service.written().await, "", "{fault:?}");
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
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::Refused) {
        let service = Service::start().await;
        service.table.faults().inject(Rule::new(fault).times(1));
        let answer = service.post(GOOD).await;
        assert!(answer.starts_with("201"), "{fault:?}: {answer}");
    }
}

#[tokio::test]
async fn the_same_key_is_good_after_a_failure() {
    for fault in FAULTS {
        let service = Service::start().await;
        service.table.faults().inject(Rule::new(fault));
        let failed = shown(service.send(keyed("order 17")).await).await;
        assert!(!failed.starts_with('2'), "{failed}");
        service.table.faults().clear();
        let first = job_of(service.send(keyed("order 17")).await).await;
        assert_eq!(job_of(service.send(keyed("order 17")).await).await, first);
        assert_eq!(service.jobs().await, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_one_job_under_its_key() {
    // The client's own retry finds what it wrote.
    let service = Service::start().await;
    service.table.faults().inject(Rule::new(Fault::AnswerLost).on("TransactWriteItems").times(1));
    let first = job_of(service.send(keyed("order 17")).await).await;
    assert_eq!(service.jobs().await, 1);

    // Nobody was told, and the caller asks again.
    service.table.faults().inject(Rule::new(Fault::AnswerLost).on("TransactWriteItems").times(4));
    let lost = shown(service.send(keyed("order 18")).await).await;
    assert!(lost.starts_with("503"), "{lost}");
    service.table.faults().clear();
    let second = job_of(service.send(keyed("order 18")).await).await;
    assert_ne!(first, second);
    assert_eq!(service.jobs().await, 2);
}

#[tokio::test]
async fn a_key_that_cannot_be_looked_up_is_503_and_never_401() {
    let service = Service::start().await;
    let secret = tidings_domain::api_key::ApiKeySecret::new([3; 32]);
    service.table.faults().inject(Rule::new(Fault::Throttled));
    let request = post_as(secret.reveal()).body(Body::from(GOOD)).unwrap();
    assert_snapshot!(shown(service.send(request).await).await, @r#"
    503 Service Unavailable
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    "#);
    service.table.faults().clear();
    let request = post_as(secret.reveal()).body(Body::from(GOOD)).unwrap();
    assert!(shown(service.send(request).await).await.starts_with("401"), "nothing was remembered");
}

#[tokio::test]
async fn what_can_be_refused_without_the_table_asks_nothing_of_it() {
    let service = Service::start().await;
    service.table.faults().inject(Rule::new(Fault::Unreachable));
    for body in ["{", "{}", r#"{"providers":["water"],"callbackUrl":"https://example.com"}"#] {
        assert!(service.post(body).await.starts_with('4'), "{body}");
    }
    assert_eq!(service.table.meter().total().count, 0);
}

#[tokio::test]
async fn an_accepted_job_is_one_call() {
    let service = Service::start().await;
    service.post(GOOD).await;
    assert_eq!(service.table.meter().calls().into_keys().collect::<Vec<_>>(), ["TransactWriteItems"]);
    service.send(keyed("order 17")).await;
    assert_eq!(service.table.meter().total().count, 2);
}
