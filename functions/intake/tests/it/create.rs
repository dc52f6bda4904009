use insta::assert_snapshot;
use tidings_domain::api_key::{ApiKey, ApiKeySecret};
use tidings_domain::ids::ApiKeyId;
use tidings_domain::page::PageLimit;

use crate::support::{GOOD, NOW, Service, job_of, organization, post, post_as, shown};

#[tokio::test]
async fn an_accepted_job_is_answered_with_its_place_and_status() {
    assert_snapshot!(Service::start().await.post(GOOD).await, @r#"
    201 Created
    location: /webhook/job_[id]
    {"jobId":"job_[id]","status":"pending"}
    "#);
}

#[tokio::test]
async fn an_accepted_job_is_written_with_a_record_for_each_provider_and_what_it_owes() {
    let service = Service::with(&[("GRACE_SECONDS", "7")]).await;
    service.post(GOOD).await;
    assert_snapshot!(service.written().await, @"
    DUE#[shard] | 001800000007000#job#org_[id]/job_[id]
      destination=https://example.com
      entity=agenda
      tries=0
      v=1

    org_[id]/job_[id] | JOB
      callback_url=https://example.com/complete
      created_at=1800000000000
      entity=job
      gsi1pk=org_[id]#JOB#pending
      gsi1sk=job_[id]
      next_due=1800000007000
      owed=1800000007000
      providers=[gas, internet]
      status=pending
      tries=0
      updated_at=1800000000000
      v=1
      work=job#org_[id]/job_[id]

    org_[id]/job_[id] | PROVIDER#gas
      date=1800000000000
      entity=provider_record
      status=PENDING
      v=1

    org_[id]/job_[id] | PROVIDER#internet
      date=1800000000000
      entity=provider_record
      status=PENDING
      v=1
    ");
}

#[tokio::test]
async fn a_key_and_the_answer_under_it_are_written_with_the_job() {
    let service = Service::start().await;
    service.send(post().header("idempotency-key", "order 17").body(GOOD.into()).unwrap()).await;
    let table = service.written().await;
    let kept = table.split("\n\n").find(|item| item.contains("IDEMPOTENCY")).unwrap();
    assert_snapshot!(kept, @r#"
    org_[id]#IDEMPOTENCY#0bcc920e3938c1b86e3483fc9888c6d6d130615fa7544c6b414515d1ba8159bb | IDEMPOTENCY
      body={"jobId":"job_[id]","status":"pending"}
      entity=idempotency
      expires_at=1800043200
      fingerprint=6eabddc194f40e56980a617751d8c5c2d83ad33e63d918bb8883169fac1e2498
      location=/webhook/job_[id]
      status=201
      v=1
    "#);
}

#[tokio::test]
async fn every_answer_has_its_request_id_and_is_not_to_be_cached() {
    let response = Service::start().await.send(post().body(GOOD.into()).unwrap()).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["x-request-id"].len(), 32);
}

#[tokio::test]
async fn the_settings_say_which_providers_there_are() {
    let service = Service::with(&[("PROVIDERS", "water, gas")]).await;
    assert_snapshot!(service.post(GOOD).await, @r#"
    422 Unprocessable Entity
    {"detail":[{"loc":["body","providers","1"],"msg":"is not a known provider","type":"value_error"}]}
    "#);
    let body = r#"{"providers":["gas","water"],"callbackUrl":"https://example.com/complete"}"#;
    assert!(service.post(body).await.starts_with("201"));
}

#[tokio::test]
async fn fifty_providers_are_taken_and_written_in_the_order_asked_for() {
    let names: Vec<String> = (0..50).rev().map(|number| format!("p{number}")).collect();
    let service = Service::with(&[("PROVIDERS", &names.join(","))]).await;
    let body = serde_json::json!({"providers": names, "callbackUrl": "https://example.com/"});
    assert!(service.post(body.to_string()).await.starts_with("201"));
    let table = service.written().await;
    assert!(table.contains(&format!("providers=[{}]", names.join(", "))), "{table}");
    assert_eq!(table.matches("entity=provider_record").count(), 50);
}

#[tokio::test]
async fn two_requests_without_a_key_are_two_jobs() {
    let service = Service::start().await;
    let first = job_of(service.send(post().body(GOOD.into()).unwrap()).await).await;
    let second = job_of(service.send(post().body(GOOD.into()).unwrap()).await).await;
    assert_ne!(first, second);
    assert_eq!(service.jobs().await, 2);
}

#[tokio::test]
async fn an_api_key_of_the_organization_is_enough() {
    let service = Service::start().await;
    let secret = ApiKeySecret::new([3; 32]);
    let key = ApiKey {
        id: ApiKeyId::new(NOW, [4; 15]),
        description: String::new(),
        caller: organization(1),
        hash: secret.hash(),
        created_at: NOW,
    };
    service.table.store().create_api_key(&key).await.unwrap();
    let request = post_as(secret.reveal()).body(GOOD.into()).unwrap();
    assert!(shown(service.send(request).await).await.starts_with("201"));
    let limit = PageLimit::default();
    let page = service.table.store().jobs(organization(1).organization, None, None, limit, NOW).await.unwrap();
    assert_eq!(page.data.len(), 1, "the job is the key's organization's");
}
