use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;

use crate::support::{GOOD, Service, job_of, organization, post, post_as, shown, token};

fn keyed(key: &str, body: &str) -> Request<Body> {
    post().header("idempotency-key", key).body(body.to_owned().into()).unwrap()
}

#[tokio::test]
async fn the_same_key_and_body_are_answered_with_the_same_job() {
    let service = Service::start().await;
    let first = service.send(keyed("order 17", GOOD)).await;
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let first = job_of(first).await;
    service.clock.advance(Duration::from_secs(3600));
    let again = service.send(keyed("order 17", GOOD)).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(job_of(again).await, first);
    assert_eq!(service.jobs().await, 1);
}

#[tokio::test]
async fn a_replayed_answer_says_so_and_is_otherwise_the_first_one() {
    let service = Service::start().await;
    service.send(keyed("order 17", GOOD)).await;
    assert_snapshot!(shown(service.send(keyed("order 17", GOOD)).await).await, @r#"
    201 Created
    idempotent-replayed: true
    location: /webhook/job_[id]
    {"jobId":"job_[id]","status":"pending"}
    "#);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict() {
    let service = Service::start().await;
    service.send(keyed("order 17", GOOD)).await;
    let other = r#"{"providers":["gas"],"callbackUrl":"https://example.com/complete"}"#;
    assert_snapshot!(shown(service.send(keyed("order 17", other)).await).await, @r#"
    409 Conflict
    {"code":"conflict","detail":"This idempotency key was used for another request."}
    "#);
    // Bytes count: nobody has to agree on when two texts mean the same.
    let spaced = GOOD.replace(',', ", ");
    assert!(shown(service.send(keyed("order 17", &spaced)).await).await.starts_with("409"));
    assert_eq!(service.jobs().await, 1);
}

#[tokio::test]
async fn another_organizations_key_is_another_key() {
    let service = Service::start().await;
    let mine = job_of(service.send(keyed("order 17", GOOD)).await).await;
    let request = post_as(&token(&organization(2))).header("idempotency-key", "order 17");
    let theirs = job_of(service.send(request.body(GOOD.into()).unwrap()).await).await;
    assert_ne!(mine, theirs);
    assert_eq!(service.jobs().await, 2);
}

#[tokio::test]
async fn requests_at_the_same_time_under_one_key_make_one_job() {
    let service = Service::start().await;
    let requests = (0..32).map(|_| service.send(keyed("order 17", GOOD)));
    let answers = futures::future::join_all(requests).await;
    let replayed = answers.iter().filter(|answer| answer.headers().contains_key("idempotent-replayed")).count();
    assert_eq!(replayed, 31);
    let mut jobs = Vec::new();
    for answer in answers {
        jobs.push(job_of(answer).await);
    }
    jobs.dedup();
    assert_eq!((jobs.len(), service.jobs().await), (1, 1));
}

#[tokio::test]
async fn a_key_is_forgotten_after_twelve_hours() {
    let service = Service::start().await;
    let first = job_of(service.send(keyed("order 17", GOOD)).await).await;
    service.clock.advance(Duration::from_secs(12 * 3600));
    assert_eq!(job_of(service.send(keyed("order 17", GOOD)).await).await, first);
    service.clock.advance(Duration::from_secs(1));
    assert_ne!(job_of(service.send(keyed("order 17", GOOD)).await).await, first);
}

#[tokio::test]
async fn a_request_that_was_refused_does_not_use_its_key_up() {
    let service = Service::start().await;
    assert!(shown(service.send(keyed("order 17", "{}")).await).await.starts_with("422"));
    assert!(shown(service.send(keyed("order 17", "{")).await).await.starts_with("400"));
    job_of(service.send(keyed("order 17", GOOD)).await).await;
}

#[tokio::test]
async fn a_key_is_one_header_of_1_to_255_visible_ascii_characters() {
    let service = Service::start().await;
    let long = "k".repeat(256);
    let cases: [(&str, &[&[u8]]); 5] = [
        ("empty", &[b""]),
        ("too long", &[long.as_bytes()]),
        ("not ASCII", &["caf\u{e9}".as_bytes()]),
        ("a tab", &[b"a\tb"]),
        ("two of them", &[b"a", b"b"]),
    ];
    let mut answers = String::new();
    for (name, keys) in cases {
        let request = keys.iter().fold(post(), |request, key| request.header("idempotency-key", *key));
        let answer = shown(service.send(request.body(GOOD.into()).unwrap()).await).await;
        writeln!(answers, "--- {name}\n{answer}").unwrap();
    }
    assert_snapshot!(answers, @r#"
    --- empty
    422 Unprocessable Entity
    {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    --- too long
    422 Unprocessable Entity
    {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    --- not ASCII
    422 Unprocessable Entity
    {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    --- a tab
    422 Unprocessable Entity
    {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    --- two of them
    422 Unprocessable Entity
    {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    "#);
    assert_eq!(service.jobs().await, 0);
    job_of(service.send(keyed(&"k".repeat(255), GOOD)).await).await;
}
