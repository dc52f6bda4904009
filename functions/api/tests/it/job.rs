use http::Method;
use insta::assert_snapshot;

use crate::arrange;
use crate::support::{Service, organization, token};

#[tokio::test]
async fn a_pending_job_is_read_with_a_record_for_each_provider() {
    let service = Service::start().await;
    let job = arrange::pending(&service.store, 1).await;
    assert_snapshot!(service.get(&format!("/webhook/{}", job.id)).await.shown(), @r#"
    200
    {"jobId":"job_3OuiYbmCiFcMwRtCiOTXmcqKCYx","status":"pending","providers":["gas","internet"],"callbackUrl":"https://example.com/complete","createdAt":"2027-01-15T07:58:21.000Z","updatedAt":"2027-01-15T07:58:21.000Z","attempts":0,"lastError":null,"nextDueAt":"2027-01-15T07:58:51.000Z","records":[{"providerId":"gas","status":"PENDING","date":"2027-01-15T07:58:21.000Z","data":null},{"providerId":"internet","status":"PENDING","date":"2027-01-15T07:58:21.000Z","data":null}]}
    "#);
}

#[tokio::test]
async fn a_postponed_job_says_what_failed_and_when_it_is_next() {
    let service = Service::start().await;
    let job = arrange::postponed(&service.store, 1).await;
    assert_snapshot!(service.get(&format!("/webhook/{}", job.id)).await.shown(), @r#"
    200
    {"jobId":"job_3OuiYbmCiFcMwRtCiOTXmcqKCYx","status":"pending","providers":["gas","internet"],"callbackUrl":"https://example.com/complete","createdAt":"2027-01-15T07:58:21.000Z","updatedAt":"2027-01-15T07:58:51.000Z","attempts":1,"lastError":"gas: answered 500","nextDueAt":"2027-01-15T08:00:21.000Z","records":[{"providerId":"gas","status":"PENDING","date":"2027-01-15T07:58:21.000Z","data":null},{"providerId":"internet","status":"PENDING","date":"2027-01-15T07:58:21.000Z","data":null}]}
    "#);
}

#[tokio::test]
async fn a_complete_job_has_its_providers_data() {
    let service = Service::start().await;
    let job = arrange::complete(&service.store, 1).await;
    assert_snapshot!(service.get(&format!("/webhook/{}", job.id)).await.shown(), @r#"
    200
    {"jobId":"job_3OuiYbmCiFcMwRtCiOTXmcqKCYx","status":"complete","providers":["gas","internet"],"callbackUrl":"https://example.com/complete","createdAt":"2027-01-15T07:58:21.000Z","updatedAt":"2027-01-15T07:59:21.000Z","attempts":1,"lastError":null,"nextDueAt":null,"records":[{"providerId":"gas","status":"COMPLETE","date":"2027-01-15T07:58:51.000Z","data":[{"amount":22.27},{"amount":30}]},{"providerId":"internet","status":"COMPLETE","date":"2027-01-15T07:58:51.000Z","data":[]}]}
    "#);
}

#[tokio::test]
async fn a_failed_job_has_its_last_error_and_the_data_that_came_byte_for_byte() {
    let service = Service::start().await;
    let job = arrange::failed(&service.store, 1).await;
    assert_snapshot!(service.get(&format!("/webhook/{}", job.id)).await.shown(), @r#"
    200
    {"jobId":"job_3OuiYbmCiFcMwRtCiOTXmcqKCYx","status":"failed","providers":["gas","internet"],"callbackUrl":"https://example.com/complete","createdAt":"2027-01-15T07:58:21.000Z","updatedAt":"2027-01-15T07:59:21.000Z","attempts":1,"lastError":"internet: answered 500","nextDueAt":null,"records":[{"providerId":"gas","status":"PENDING","date":"2027-01-15T07:58:51.000Z","data":[{"billedOn":"2020-04-07T15:03:14.257Z","amount":22.270}]},{"providerId":"internet","status":"PENDING","date":"2027-01-15T07:58:21.000Z","data":null}]}
    "#);
}

#[tokio::test]
async fn what_names_no_job_is_404() {
    let service = Service::start().await;
    arrange::pending(&service.store, 1).await;
    let (absent, long) = (arrange::job(2).id.to_string(), "a".repeat(5000));
    for id in [&absent, "1", "job_", "JOB_2", "%00", "%ff", "..%2f..", "key_0ujsswThIGTUYm2K8FjOOfXtY1K", &long] {
        let read = service.get(&format!("/webhook/{id}")).await;
        let retried = service.ask(Method::POST, &format!("/webhook/{id}/retry")).await;
        for answer in [read, retried] {
            let not_found = r#"{"code":"not_found","detail":"Not found."}"#;
            assert_eq!((answer.status, &*answer.body), (404, not_found), "{id}");
        }
    }
}

#[tokio::test]
async fn a_job_is_read_for_ninety_days_after_it_ended() {
    let service = Service::start().await;
    // It ends 160 seconds after the tests' first moment.
    let path = format!("/webhook/{}", arrange::complete(&service.store, 200).await.id);
    service.clock.advance(tidings_store::job::RETENTION);
    assert_eq!(service.get(&path).await.status, 200);
    service.clock.advance(std::time::Duration::from_secs(160));
    assert_eq!(service.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_job_that_was_just_accepted_is_read_at_its_location() {
    let service = Service::start().await;
    let bearer = token(&organization(2));
    let body = serde_json::json!({"providers": ["internet", "gas"], "callbackUrl": "https://example.com/x?y=%20#z"});
    let accepted = service.post_as(&bearer, "/webhook", &body).await;
    let location = accepted.headers["location"].to_str().unwrap();
    let read = service.ask_as(&bearer, Method::GET, location).await.json();
    assert_eq!(read["jobId"], accepted.json()["jobId"]);
    assert_eq!((&read["providers"], &read["callbackUrl"]), (&body["providers"], &body["callbackUrl"]));
    let records: Vec<_> = read["records"].as_array().unwrap().iter().map(|record| &record["providerId"]).collect();
    assert_eq!(records, ["internet", "gas"], "in the order asked for");
}
