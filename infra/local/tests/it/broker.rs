//! The broker, from registration to a dead letter and back.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_harness::{Plan, Receiver, wait_until};

use crate::support::{Client, Service};

const EVENT: &str = "upload image";
const TRIGGER: &str = "/api/v0/trigger-event";

/// Time for seven attempts a second apart, and a look at what came of them.
const LONG: Duration = Duration::from_secs(60);

async fn register(client: &Client, event: &str, url: &str) {
    let pair = json!({"eventName": event, "webhookUrl": url});
    let answer = client.post("/api/v0/webhooks", &pair).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, pair));
}

/// Has every URL tried again after a second each time.
async fn hurry(client: &Client) {
    let endpoints = client.get("/api/v1/app/tidings.broker/endpoint").await.body;
    for endpoint in endpoints["data"].as_array().unwrap() {
        let path = format!("/api/v1/app/tidings.broker/endpoint/{}", endpoint["id"].as_str().unwrap());
        let schedule = json!({"retrySchedule": [1, 1, 1, 1, 1, 1]});
        let answer = client.send(http::Method::PATCH, &path, Some(&schedule), None).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

async fn trigger(client: &Client, path: &str, payload: &Value) -> String {
    let answer = client.post(&format!("{TRIGGER}/{path}"), payload).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.body["jobId"].as_str().unwrap().to_owned()
}

fn sum(queue: &Value) -> u64 {
    queue.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// Waits until the counts are these, and holds meanwhile that no delivery is lost or counted twice, and that what failed is
/// a dead letter.
async fn counts_become(client: &Client, deliveries: u64, main: &Value, dead_letters: &Value) {
    let what = format!("{main} and {dead_letters}");
    wait_until(&what, LONG, async || {
        let counts = client.get(TRIGGER).await.body;
        assert_eq!(sum(&counts["mainQueue"]), deliveries, "{counts}");
        assert_eq!(counts["mainQueue"]["failed"].as_u64().unwrap(), sum(&counts["dlq"]), "{counts}");
        let has = |queue: &Value, wanted: &Value| {
            wanted.as_object().unwrap().iter().all(|(state, count)| queue[state] == *count)
        };
        has(&counts["mainQueue"], main) && has(&counts["dlq"], dead_letters)
    })
    .await;
}

#[tokio::test]
async fn an_event_reaches_its_urls_and_a_dead_letter_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), &[]);
    let client = service.client();
    let (well, ill, gone) = (
        Receiver::start(Plan::status(200)).await,
        Receiver::start(Plan::status(500)).await,
        Receiver::start(Plan::status(404)).await,
    );
    for receiver in [&well, &ill, &gone] {
        register(&client, EVENT, &receiver.url()).await;
    }
    hurry(&client).await;
    let payload = json!({"image": "a.png", "size": [1, 2]});
    let id = trigger(&client, "upload%20image", &payload).await;
    counts_become(&client, 3, &json!({"completed": 1, "failed": 2}), &json!({"failed": 2})).await;
    assert_eq!((well.count(), ill.count(), gone.count()), (1, 7, 1));
    for receiver in [&well, &ill, &gone] {
        assert_eq!(receiver.deliveries_of(&id)[0].json(), payload);
    }

    let job = client.get(&format!("{TRIGGER}/{id}")).await.body;
    let told = |url: &str| {
        let deliveries = job["deliveries"].as_array().unwrap();
        let delivery = deliveries.iter().find(|delivery| delivery["webhookUrl"] == url).unwrap();
        (delivery["state"].clone(), delivery["attempts"].as_array().unwrap().len())
    };
    assert_eq!(job["eventName"], EVENT);
    assert_eq!(told(&well.url()), (json!("completed"), 1));
    assert_eq!(told(&ill.url()), (json!("failed"), 7));
    assert_eq!(told(&gone.url()), (json!("failed"), 1), "404 is final");

    let letters = client.get("/api/v0/dead-letters").await.body;
    let letters = letters.as_array().unwrap();
    let errors: Vec<_> = letters.iter().map(|letter| (letter["webhookUrl"].clone(), letter["error"].clone())).collect();
    assert_eq!(errors, [(json!(ill.url()), json!("answered 500")), (json!(gone.url()), json!("answered 404"))]);

    ill.set_plan(Plan::status(200));
    gone.set_plan(Plan::status(200));
    let replayed = client.post(&format!("{TRIGGER}/{id}/replay"), &json!({})).await;
    assert_eq!((replayed.status.as_u16(), &replayed.body["replayed"]), (202, &json!(2)));
    counts_become(&client, 3, &json!({"completed": 3}), &json!({})).await;
    assert_eq!((well.count(), ill.count(), gone.count()), (1, 8, 2));
    assert_eq!(client.get("/api/v0/dead-letters").await.body, json!([]));
}

#[tokio::test]
async fn what_was_picked_up_and_never_finished_is_finished_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("GRACE_SECONDS", "2")];
    let mut service = Service::start(folder.path(), &environment);
    let hanging = Receiver::start(Plan::always(tidings_harness::Reply::Hang)).await;
    register(&service.client(), EVENT, &hanging.url()).await;
    trigger(&service.client(), "upload%20image", &json!({})).await;
    hanging.wait_for(1).await;
    service.kill();
    hanging.set_plan(Plan::status(200));
    let service = Service::start(folder.path(), &environment);
    counts_become(&service.client(), 1, &json!({"completed": 1}), &json!({})).await;
    assert!(hanging.count() >= 2);
}
