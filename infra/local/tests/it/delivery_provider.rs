//! A platform whose delivery provider is a second service: it comes and goes, and nothing is lost or told twice.

use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tidings_harness::{Plan, Receiver, wait_until};

use crate::support::{Client, Service, tidings};

const PATIENCE: Duration = Duration::from_secs(30);

/// The five that are committed, at this test's own receiver.
const ENDPOINTS: usize = 5;

/// The provider on a port of its choice, or on one that it had before.
fn provider(data: &Path, port: &str) -> Service {
    let mut command = tidings(&["serve", "--port", port, "--data", data.to_str().unwrap()]);
    command.envs([("GRACE_SECONDS", "1")]);
    Service::spawn(&mut command)
}

fn platform(data: &Path, provider: &Service, receiver: &Receiver) -> Service {
    let base = format!("{}/", receiver.url());
    Service::start(
        data,
        &[
            ("SVIX_AUTH_TOKEN", provider.token.as_str()),
            ("SVIX_SERVER_URL", provider.url.as_str()),
            ("PRECONFIGURED_BASE_URL", base.as_str()),
            ("GRACE_SECONDS", "1"),
            ("RETRY_SCHEDULE", "1x600"),
            ("JOB_RETRY_SCHEDULE", "1x600"),
        ],
    )
}

async fn status(client: &Client, organization: &str) -> Value {
    client.get(&format!("/api/webhooks/organizations/{organization}/initialization-status")).await.body
}

async fn wait_for(client: &Client, organization: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait_until(what, PATIENCE, async || holds(&status(client, organization).await)).await;
    status(client, organization).await
}

async fn initialize(client: &Client, organization: &str) {
    let accepted = client.post(&format!("/api/webhooks/organizations/{organization}/initialize"), &json!({})).await;
    assert_eq!(accepted.status, 201, "{accepted:?}");
}

fn is_initialized(status: &Value) -> bool {
    status["endpointIds"].as_array().is_some_and(|ids| ids.len() == ENDPOINTS) && status["lastError"].is_null()
}

async fn send(client: &Client, event_id: &str) -> Value {
    let body = json!({"eventType": "sandbox.created", "payload": {"id": "sb-1"}, "eventId": event_id});
    let answer = client.post("/api/webhooks/organizations/acme/send", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[tokio::test]
async fn a_platform_goes_on_while_its_delivery_provider_does_not() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(Plan::status(200)).await;
    let mut second = provider(there.path(), "0");
    let port = second.url.rsplit(':').next().unwrap().to_owned();
    let service = platform(here.path(), &second, &receiver);
    let client = service.client();
    let healthy = async || client.get("/api/webhooks/status").await.body["healthy"].clone();
    assert_eq!(healthy().await, true);
    initialize(&client, "acme").await;
    let acme = wait_for(&client, "acme", "the endpoints are made", is_initialized).await;
    assert!(acme["svixApplicationId"].as_str().unwrap().starts_with("app_"), "{acme}");
    let listed = client.get("/api/webhooks/organizations/acme/endpoints").await.body;
    assert_eq!(listed.as_array().unwrap().len(), ENDPOINTS);

    second.kill();
    assert_eq!(healthy().await, false);
    let first = send(&client, "order-1").await;
    let again = send(&client, "order-1").await;
    assert_eq!(first["id"], again["id"]);
    let event = json!({
        "event": "volume.created", "organizationId": "acme", "id": "vol-1", "createdAt": "2026-01-01T00:00:00.000Z",
        "name": "data", "state": "ready"
    });
    let accepted = client.post("/api/webhooks/events", &event).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    initialize(&client, "beta").await;
    let failed = |status: &Value| !status["lastError"].is_null();
    let beta = wait_for(&client, "beta", "the initialization fails", failed).await;
    assert!(beta["lastError"].as_str().unwrap().starts_with("Failed to create Svix application: "), "{beta}");
    let stats = client.get("/api/webhooks/initialization-stats").await.body;
    assert_eq!((&stats["totalOrganizations"], &stats["initializedOrganizations"]), (&json!(2), &json!(1)));

    let second = provider(there.path(), &port);
    let beta = wait_for(&client, "beta", "the initialization is done later", is_initialized).await;
    assert!(beta["retryCount"].as_u64().unwrap() > 0, "{beta}");
    // Each event is for an endpoint of its own kind, and for the one that wants everything.
    let paths = |id: &str| {
        let mut paths: Vec<_> = receiver.deliveries_of(id).into_iter().map(|delivery| delivery.path).collect();
        paths.sort();
        paths
    };
    wait_until("four deliveries", PATIENCE, async || receiver.count() >= 4).await;
    let ids: std::collections::BTreeSet<_> = receiver.deliveries().into_iter().map(|delivery| delivery.id).collect();
    let mut sent: Vec<_> = ids.iter().flat_map(|id| paths(id)).collect();
    sent.sort();
    let expected = ["all-events", "all-events", "sandbox-events", "volume-events"];
    assert_eq!(sent, expected.map(|suffix| format!("/complete/acme/{suffix}")));

    // What was handed over is not delivered again, and its attempts are told of by this side's name for it.
    send(&client, "order-1").await;
    let id = first["id"].as_str().unwrap();
    let attempts = format!("/api/webhooks/organizations/acme/messages/{id}/attempts");
    let is_told = async || client.get(&attempts).await.body.as_array().is_some_and(|attempts| attempts.len() == 2);
    wait_until("the attempts are told of", PATIENCE, is_told).await;
    assert_eq!(receiver.count(), 4);
    drop(second);
}

#[tokio::test]
async fn endpoints_are_made_replaced_and_deleted_at_the_provider() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(Plan::status(200)).await;
    let second = provider(there.path(), "0");
    let service = platform(here.path(), &second, &receiver);
    let (client, other) = (service.client(), second.client());
    let endpoints = "/api/webhooks/organizations/acme/endpoints";
    let made = client.post(endpoints, &json!({"url": receiver.url(), "description": "Mine"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_str().unwrap();
    let read = other.get(&format!("/api/v1/app/acme/endpoint/{id}")).await;
    assert_eq!((read.status.as_u16(), &read.body["description"]), (200, &json!("Mine")));
    let gone = client.send(Method::DELETE, &format!("{endpoints}/{id}"), None, None).await.unwrap();
    assert_eq!(gone.status, 204);
    let again = client.send(Method::DELETE, &format!("{endpoints}/{id}"), None, None).await.unwrap();
    assert_eq!(again.status, 404);

    initialize(&client, "acme").await;
    let before = wait_for(&client, "acme", "the endpoints are made", is_initialized).await;
    let updating = client.post("/api/webhooks/update-all-endpoints", &json!({})).await;
    assert_eq!((updating.status.as_u16(), &updating.body), (200, &json!({"updating": ["acme"]})));
    let is_replaced = |status: &Value| is_initialized(status) && status["endpointIds"] != before["endpointIds"];
    let after = wait_for(&client, "acme", "the endpoints are replaced", is_replaced).await;
    let there = async || {
        let listed = other.get("/api/v1/app/acme/endpoint").await.body;
        let mut ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        ids.sort_by_key(ToString::to_string);
        ids
    };
    let mut saved = after["endpointIds"].as_array().unwrap().clone();
    saved.sort_by_key(ToString::to_string);
    wait_until("the old ones are deleted", PATIENCE, async || there().await == saved).await;
}
