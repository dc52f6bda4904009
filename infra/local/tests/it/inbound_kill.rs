//! The service is killed again and again while webhooks come in: each that was answered is kept, computed and forwarded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_harness::{Delivery, Plan, Receiver, Reply, wait_until};
use tokio::sync::Mutex;

use crate::inbound::{ago, make_application, make_source, send, told};
use crate::support::{Client, Service};

const PASSWORD: &str = "another horse, another staple";

/// Users, of whom each is enrolled by one webhook and has completed the course by another.
const USERS: u64 = 100;
const WEBHOOKS: u64 = 2 * USERS;
const KILLS: usize = 20;
const SENDERS: usize = 8;

/// One of every so many webhooks is a group, with an enrollment besides.
const GROUPS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_inbound() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(Plan::by_chance(seed, [(0.2, Reply::Status(500))], Reply::Status(200))).await;
    let environment = [("GRACE_SECONDS", "2"), ("RETRY_SCHEDULE", "1x60"), ("REQUEST_TIMEOUT_MS", "1000")];
    let start = || Service::start(folder.path(), &environment);

    let mut service = start();
    let (application, _) = make_application(&service.client(), &receiver.url()).await;
    make_source(&service.client(), json!({"password": PASSWORD, "forwardTo": application})).await;
    let times = Times { created: ago(Duration::from_secs(7200)), completed: ago(Duration::from_secs(60)) };
    let mut numbers: Vec<u64> = (0..WEBHOOKS).collect();
    random.shuffle(&mut numbers);
    let client = Arc::new(Mutex::new(service.client()));
    let mut senders = tokio::task::JoinSet::new();
    for part in numbers.chunks(numbers.len().div_ceil(SENDERS)) {
        senders.spawn(send_all(part.to_vec(), times.clone(), Arc::clone(&client)));
    }
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.u64(20..600))).await;
        service.kill();
        service = start();
        *client.lock().await = service.client();
    }
    let accepted: BTreeMap<String, Value> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!(accepted.len() as u64, WEBHOOKS);

    let client = service.client();
    let transactions = async || client.all("/in/docebo/transactions").await;
    let are_computed = async || transactions().await.iter().all(|one| one["status"] == "computed");
    wait_until("every webhook is computed", Duration::from_secs(60), are_computed).await;
    let kept: BTreeMap<String, Value> = transactions().await.into_iter().map(by_message_id).collect();
    let ids = |transactions: &BTreeMap<String, Value>| {
        transactions.iter().map(|(name, one)| (name.clone(), one["id"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(transactions().await.len() as u64, WEBHOOKS, "a redelivery is the same transaction");
    assert_eq!(ids(&kept), ids(&accepted), "each is the one that its sender was told of");
    assert_eq!(client.all("/in/docebo/compute-errors").await, Vec::<Value>::new());
    enrollments_are_right(&client, &times).await;

    let taken = |id: &str| receiver.deliveries_of(id).iter().any(Delivery::is_taken);
    let messages: Vec<String> = kept.values().map(|one| one["message"].as_str().unwrap().to_owned()).collect();
    let are_taken = async || messages.iter().all(|id| taken(id));
    wait_until("every webhook is forwarded", Duration::from_secs(60), are_taken).await;
    let mut names = BTreeMap::<String, BTreeSet<String>>::new();
    for delivery in receiver.deliveries() {
        let message_id = delivery.json()["message_id"].as_str().unwrap().to_owned();
        names.entry(message_id).or_default().insert(delivery.id);
    }
    for (message_id, ids) in names {
        let message = kept[&message_id]["message"].as_str().unwrap();
        assert_eq!(ids, BTreeSet::from([message.to_owned()]), "{message_id} was forwarded under one id");
    }
}

async fn enrollments_are_right(client: &Client, times: &Times) {
    let enrollments = client.all("/in/docebo/enrollments").await;
    let mut expected: Vec<_> = (0..USERS)
        .map(|user| json!([user + 1, 37, "completed", told(&times.created), told(&times.completed)]))
        .collect();
    let others = (0..WEBHOOKS).filter(|number| number % GROUPS == 0);
    expected.extend(others.map(|number| json!([1000 + number, 38, null, null, null])));
    let shown = |one: &Value| {
        json!([one["user_id"], one["course_id"], one["status"], one["enrollment_date"], one["completion_date"]])
    };
    assert_eq!(enrollments.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[derive(Clone)]
struct Times {
    created: String,
    completed: String,
}

fn webhook(number: u64, times: &Times) -> String {
    let user = number / 2 + 1;
    let Times { created, completed } = times;
    let (event, payload) = if number.is_multiple_of(2) {
        let told = json!({"fired_at": created, "enrollment_date": created, "status": "subscribed"});
        ("course.enrollment.created", told)
    } else {
        ("course.enrollment.completed", json!({"fired_at": completed, "completion_date": completed}))
    };
    let mut payload = payload;
    payload["user_id"] = json!(user);
    payload["course_id"] = json!(37);
    let mut body = json!({"event": event, "fired_by_batch_action": false, "message_id": format!("wh-{number}")});
    if number.is_multiple_of(GROUPS) {
        let other = json!({"fired_at": created, "user_id": 1000 + number, "course_id": 38});
        body["payloads"] = json!([payload, other]);
    } else {
        body["payload"] = payload;
    }
    body.to_string()
}

fn by_message_id(transaction: Value) -> (String, Value) {
    (transaction["messageId"].as_str().unwrap().to_owned(), transaction)
}

/// Sends its part of the webhooks, each until it is answered.
async fn send_all(numbers: Vec<u64>, times: Times, client: Arc<Mutex<Client>>) -> Vec<(String, Value)> {
    let mut accepted = Vec::new();
    for number in numbers {
        let body = webhook(number, &times);
        loop {
            let client = client.lock().await.clone();
            match send(&client, PASSWORD, &body).await {
                Ok(answer) if answer.status == 200 => {
                    accepted.push(by_message_id(answer.body["newTransaction"].clone()));
                    break;
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    accepted
}
