//! Clients of a whole service, from their registration to the line of the log that tells of a batch's end.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tidings_harness::{Plan, Receiver, Reply, wait_until};

use crate::support::{Client, Service, tidings};

/// Failures are followed up soon.
const RETRIES: (&str, &str) = ("RETRY_SCHEDULE", "1,1");

const LONG: Duration = Duration::from_secs(40);

/// A service whose log goes to a file in the folder of its data.
fn start(folder: &Path, more: &[&str], environment: &[(&str, &str)]) -> Service {
    let mut command = tidings(&["serve", "--port", "0", "--data", folder.to_str().unwrap()]);
    command.args(more).envs(environment.iter().copied());
    Service::spawn_with(&mut command, File::create(folder.join("log")).unwrap().into())
}

/// The messages of the log.
fn log(folder: &Path) -> Vec<String> {
    let log = fs::read_to_string(folder.join("log")).unwrap();
    let message = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        line.pointer("/fields/message").or(line.get("message")).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    log.lines().map(message).collect()
}

/// The lines that tell of a batch's end.
fn batch_lines(folder: &Path) -> Vec<Value> {
    log(folder).iter().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
}

async fn register(client: &Client, url: &str, token: &str) -> Value {
    let answer = client.post("/api/webhooks", &json!({"url": url, "token": token})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

async fn batches(client: &Client) -> Vec<Value> {
    let answer = client.get("/api/webhooks/batches").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.as_array().unwrap().clone()
}

#[tokio::test]
async fn every_client_gets_a_trigger_with_its_token_also_one_that_fails_first() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &[], &[RETRIES]);
    let client = service.client();
    // What it answers need not be JSON, as it had to be once.
    let good = Receiver::start(Plan::status(204)).await;
    let recovering = Receiver::start(Plan::in_order([Reply::Status(500), Reply::Status(200)])).await;
    register(&client, &good.url(), "one").await;
    let all = register(&client, &recovering.url(), "two").await;
    assert_eq!(all, json!([{"url": good.url()}, {"url": recovering.url()}]));

    let body = json!({"payload": ["aaaa", {"valid": "JSON"}]});
    let answer = client.post("/api/webhooks/test", &body).await;
    assert_eq!((answer.status.as_u16(), answer.body), (202, json!({})));

    let got = good.wait_for(1).await;
    assert_eq!(got[0].json(), json!({"token": "one", "payload": body}));
    let got = recovering.wait_for(2).await;
    for delivery in &got {
        assert_eq!(delivery.json(), json!({"token": "two", "payload": body}));
        assert!(!delivery.id.is_empty() && !delivery.header("webhook-signature").is_empty(), "{delivery:?}");
    }
    assert_eq!(got[0].id, got[1].id, "a retry is the same message");

    let expected = json!([good.url(), recovering.url()]);
    let is_over = async || batches(&client).await[0]["processed"] == expected;
    wait_until("both took it", LONG, is_over).await;
    let all = batches(&client).await;
    assert_eq!((all.len(), &all[0]["failed"], all[0].get("pending")), (1, &json!([]), None), "{all:?}");
    wait_until("the log tells of the end", LONG, async || !batch_lines(folder.path()).is_empty()).await;
    assert_eq!(batch_lines(folder.path()), [json!({"processed": expected, "failed": []})]);
    assert_eq!((good.count(), recovering.count()), (1, 2));
}

#[tokio::test]
async fn a_client_that_never_takes_it_is_failed_in_the_log_once_nobody_tries_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = start(folder.path(), &[], &[RETRIES]);
    let client = service.client();
    let (good, bad) = (Receiver::start(Plan::status(200)).await, Receiver::start(Plan::status(503)).await);
    register(&client, &good.url(), "one").await;
    register(&client, &bad.url(), "t0ken-of-the-bad-one").await;
    client.post("/api/webhooks/test", &json!({"payload": ["a"]})).await;
    bad.wait_for(3).await;
    wait_until("the log tells of the end", LONG, async || !batch_lines(folder.path()).is_empty()).await;
    let failed = json!([format!("{} - answered 503", bad.url())]);
    assert_eq!(batch_lines(folder.path()), [json!({"processed": [good.url()], "failed": failed})]);
    assert_eq!(batches(&client).await[0]["failed"], failed);
    // It ends once, also for a service that starts anew.
    assert!(service.terminate().success());
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("t0ken-of-the-bad-one"), "a token is in the log");
    let service = start(folder.path(), &[], &[RETRIES]);
    assert_eq!(batches(&service.client()).await[0]["failed"], failed);
    assert_eq!((bad.count(), batch_lines(folder.path())), (3, Vec::new()));
}

#[tokio::test]
async fn without_clients_the_log_and_the_batch_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &[], &[]);
    let client = service.client();
    assert_eq!(client.post("/api/webhooks/test", &json!({"payload": ["a"]})).await.status, 202);
    assert_eq!(batches(&client).await[0]["message"], "No Clients Registered yet");
    let said = || log(folder.path()).iter().filter(|line| *line == "No Clients Registered yet").count();
    wait_until("the log says so", LONG, async || said() > 0).await;
    assert_eq!(said(), 1);
}

#[tokio::test]
async fn the_generator_sends_orders_to_every_client_if_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &["--generator"], &[("GENERATORFREQUENCY", "200")]);
    let client = service.client();
    let receiver = Receiver::start(Plan::status(200)).await;
    register(&client, &receiver.url(), "mine").await;
    for delivery in receiver.wait_for(3).await {
        let body = delivery.json();
        assert_eq!(body["token"], "mine");
        let orders = body["payload"].as_array().unwrap();
        assert!((1..=10).contains(&orders.len()));
        for order in orders {
            for field in ["productName", "price", "color", "orderDate", "dispatchBy"] {
                assert!(order[field].is_string(), "{order}");
            }
            for field in ["firstName", "lastName", "street", "county", "city", "country", "zipCode"] {
                assert!(order["deliveryDetails"][field].is_string(), "{order}");
            }
        }
    }
    // Who is removed gets no more than what was on its way.
    let path = format!("/api/webhooks?url={}", receiver.url());
    assert_eq!(client.send(Method::DELETE, &path, None, None).await.unwrap().status, 204);
    wait_until("a batch is to nobody", LONG, async || batches(&client).await[0].get("message").is_some()).await;
}

#[tokio::test]
async fn without_being_asked_for_there_is_no_generator() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &[], &[("GENERATORFREQUENCY", "100")]);
    let client = service.client();
    let receiver = Receiver::start(Plan::status(200)).await;
    register(&client, &receiver.url(), "mine").await;
    client.post("/api/webhooks/test", &json!({"payload": ["a"]})).await;
    receiver.wait_for(1).await;
    assert_eq!(batches(&client).await.len(), 1);
}
