use std::time::Duration;

use axum::body::Body;
use http::Method;
use insta::assert_snapshot;
use serde_json::json;
use tidings_domain::job::Job;

use crate::arrange::{self, GRACE};
use crate::support::{Answer, Service, organization, request, token};

async fn retry(service: &Service, job: &Job, key: Option<&str>) -> Answer {
    let mut request = request(&token(&organization(1)), Method::POST, &format!("/webhook/{}/retry", job.id));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

async fn read(service: &Service, job: &Job) -> serde_json::Value {
    service.get(&format!("/webhook/{}", job.id)).await.json()
}

#[tokio::test]
async fn a_failed_job_is_pending_again_with_all_its_tries_and_the_data_that_came() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    let before = read(&service, &job).await;
    assert_snapshot!(retry(&service, &job, None).await.shown(), @r#"
    202
    {"jobId":"job_3OuiYbmCiFcMwRtCiOTXmcqKCYx","status":"pending"}
    "#);
    let after = read(&service, &job).await;
    assert_eq!((&after["status"], &after["attempts"]), (&json!("pending"), &json!(0)));
    assert_eq!(after["nextDueAt"], "2027-01-15T08:00:30.000Z", "the fast lane owns it for the grace");
    assert_eq!(after["lastError"], before["lastError"], "why it failed is known until the next try");
    assert_eq!((&after["records"], &after["createdAt"]), (&before["records"], &before["createdAt"]));
    assert_eq!(service.get("/webhook?status=failed").await.json()["data"], json!([]));
    assert_eq!(service.get("/webhook?status=pending").await.json()["data"][0]["jobId"], after["jobId"]);
}

#[tokio::test]
async fn a_job_that_is_tried_again_owes_its_work_once() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    assert_eq!(arrange::owed(&service.store, &job, service.clock.now() + GRACE * 10).await.len(), 0);
    retry(&service, &job, None).await;
    retry(&service, &job, None).await;
    let owed = arrange::owed(&service.store, &job, service.clock.now() + GRACE * 10).await;
    assert_eq!(owed.len(), 1, "{owed:?}");
    assert_eq!((owed[0].key.due, owed[0].tries), (service.clock.now() + GRACE, 0));
    assert_eq!(owed[0].destination.as_deref(), Some("https://example.com"));
}

#[tokio::test]
async fn a_job_that_has_not_failed_is_a_conflict() {
    let service = Service::start().await;
    let pending = arrange::pending(&service.store, 1).await;
    let complete = arrange::complete(&service.store, 2).await;
    assert_snapshot!(retry(&service, &pending, None).await.shown(), @r#"
    409
    {"code":"conflict","detail":"Only a failed job can be tried again; this one is pending."}
    "#);
    assert_snapshot!(retry(&service, &complete, None).await.shown(), @r#"
    409
    {"code":"conflict","detail":"Only a failed job can be tried again; this one is complete."}
    "#);
    // With a key, too; and the key is not used up by it.
    assert_eq!(retry(&service, &pending, Some("again")).await.status, 409);
    let failed = arrange::failed(&service.store, 3).await;
    assert_eq!(retry(&service, &failed, Some("again")).await.status, 202);
}

#[tokio::test]
async fn without_a_key_the_second_retry_is_a_conflict() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    assert_eq!(retry(&service, &job, None).await.status, 202);
    assert_eq!(retry(&service, &job, None).await.status, 409);
}

#[tokio::test]
async fn the_same_key_is_answered_the_same() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    let first = retry(&service, &job, Some("again")).await;
    service.clock.advance(Duration::from_secs(60));
    let second = retry(&service, &job, Some("again")).await;
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert_snapshot!(second.shown(), @r#"
    202
    idempotent-replayed: true
    {"jobId":"job_3OuiYbmCiFcMwRtCiOTXmcqKCYx","status":"pending"}
    "#);
    assert_eq!(read(&service, &job).await["nextDueAt"], "2027-01-15T08:00:30.000Z", "the second one changed nothing");
}

#[tokio::test]
async fn a_key_of_another_request_is_a_conflict() {
    let service = Service::start().await;
    let (one, other) = (arrange::failed(&service.store, 1).await, arrange::failed(&service.store, 2).await);
    assert_eq!(retry(&service, &one, Some("again")).await.status, 202);
    assert_snapshot!(retry(&service, &other, Some("again")).await.shown(), @r#"
    409
    {"code":"conflict","detail":"This idempotency key was used for another request."}
    "#);
    assert_eq!(read(&service, &other).await["status"], "failed");

    // Keys are the organization's, not the path's.
    let body = json!({"providers": ["gas"], "callbackUrl": "https://example.com/"}).to_string();
    let create = request(&token(&organization(1)), Method::POST, "/webhook").header("idempotency-key", "again");
    assert_eq!(service.send(create.body(body.into()).unwrap()).await.status, 409);
}

#[tokio::test]
async fn retries_at_the_same_time_reopen_once() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    let answers = futures::future::join_all((0..16).map(|_| retry(&service, &job, None))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 15, "{statuses:?}");

    let job = arrange::failed(&service.store, 2).await;
    let answers = futures::future::join_all((0..16).map(|_| retry(&service, &job, Some("again")))).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    assert_eq!(arrange::owed(&service.store, &job, service.clock.now() + GRACE * 10).await.len(), 1);
}

#[tokio::test]
async fn a_failed_job_whose_time_is_over_is_404() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    service.clock.advance(tidings_store::job::RETENTION);
    assert_eq!(retry(&service, &job, None).await.status, 404);
}

#[tokio::test]
async fn a_job_that_is_tried_again_does_not_expire() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    retry(&service, &job, None).await;
    service.clock.advance(tidings_store::job::RETENTION * 2);
    assert_eq!(read(&service, &job).await["status"], "pending");
}

#[tokio::test]
async fn a_bad_key_is_422() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    assert_snapshot!(retry(&service, &job, Some("")).await.shown(), @r#"
    422
    {"detail":[{"loc":["header","idempotency-key"],"msg":"must be 1 to 255 visible ASCII characters","type":"value_error"}]}
    "#);
    assert_eq!(read(&service, &job).await["status"], "failed");
}
