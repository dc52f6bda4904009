//! Docebo's webhooks at a whole service: from its door to enrollments, and to whoever they are forwarded to.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tidings_egress::SendError;
use tidings_harness::{Plan, Receiver, wait_until};
use tidings_runtime::Clock;

use crate::support::{Answer, Client, Service};

const PATIENCE: Duration = Duration::from_secs(10);

const PASSWORD: &str = "correct horse battery staple";

/// Makes the source whose door `/transaction` is.
pub(crate) async fn make_source(client: &Client, settings: Value) -> Value {
    let mut source = json!({"name": "docebo", "kind": "docebo", "username": "lms", "password": PASSWORD});
    source.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let answer = client.post("/api/v1/source", &source).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

/// Makes an application with one endpoint; its id, and the endpoint's secret.
pub(crate) async fn make_application(client: &Client, url: &str) -> (String, String) {
    let text = |answer: Answer, field: &str| answer.body[field].as_str().unwrap().to_owned();
    let application = text(client.post("/api/v1/app", &json!({"name": "LMS"})).await, "id");
    let path = format!("/api/v1/app/{application}/endpoint");
    let endpoint = text(client.post(&path, &json!({"url": url})).await, "id");
    let secret = text(client.get(&format!("{path}/{endpoint}/secret")).await, "key");
    (application, secret)
}

/// Sends a webhook as Docebo does.
pub(crate) async fn send(client: &Client, password: &str, body: &str) -> Result<Answer, SendError> {
    let mut headers = HeaderMap::new();
    let login = format!("Basic {}", STANDARD.encode(format!("lms:{password}")));
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&login).unwrap());
    client.send_with(Method::POST, "/transaction", headers, body.to_owned()).await
}

/// A time as Docebo writes it. An old one would not do: an enrollment is kept from when its latest event was fired.
pub(crate) fn ago(time: Duration) -> String {
    let text = (Clock::system().now() - time).to_string();
    text[..19].replace('T', " ")
}

/// The same time, as it is told.
pub(crate) fn told(docebo: &str) -> String {
    format!("{}Z", docebo.replace(' ', "T"))
}

fn created(message_id: &str, user: u64, fired_at: &str) -> String {
    let payload = json!({
        "fired_at": fired_at, "user_id": user, "username": "jane", "course_id": 37, "course_name": "Safety",
        "level": "learner", "enrollment_date": fired_at, "enrollment_date_begin_validity": null,
        "enrollment_date_end_validity": null, "subscribed_by_id": 7, "status": "subscribed"
    });
    let body = json!({
        "event": "course.enrollment.created", "fired_by_batch_action": false, "message_id": message_id,
        "payload": payload, "more": 1.50
    });
    // Nothing that writes JSON would write it like this, so what is parsed and written again is not the same.
    serde_json::to_string_pretty(&body).unwrap().replace("1.5", "1.500")
}

async fn enrollments(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("/in/docebo/enrollments?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_webhook_of_docebo_is_an_enrollment_and_a_message_in_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(Plan::status(204)).await;
    let service = Service::start(folder.path(), &[]);
    let client = service.client();
    let (application, secret) = make_application(&client, &receiver.url()).await;
    let source = make_source(&client, json!({"forwardTo": application})).await;
    assert_eq!(source["uid"], "docebo");
    assert!(!source.to_string().contains(PASSWORD), "{source}");

    let fired_at = ago(Duration::from_secs(60));
    let body = created("wh-1", 13250, &fired_at);
    assert_eq!(send(&client, "wrong", &body).await.unwrap().status, 401);
    let answer = send(&client, PASSWORD, &body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["message"], "Transaction has been saved successfully");
    let transaction = &answer.body["newTransaction"];
    assert_eq!((&transaction["messageId"], &transaction["status"]), (&json!("wh-1"), &json!("pending")));

    let is_there = async || !enrollments(&client, "user_id=13250&course_id=37&status=subscribed").await.is_empty();
    wait_until("the enrollment is computed", PATIENCE, is_there).await;
    let at = told(&fired_at);
    let expected = json!({
        "user_id": 13250, "course_id": 37, "username": "jane", "course_name": "Safety", "level": "learner",
        "status": "subscribed", "enrollment_date": at, "enrollment_date_begin_validity": null,
        "enrollment_date_end_validity": null, "subscribed_by_id": 7, "completion_date": null, "deleted_at": null
    });
    let [known] = &enrollments(&client, "").await[..] else { panic!("not one enrollment") };
    let shown: Value = expected.as_object().unwrap().keys().map(|name| (name.clone(), known[name].clone())).collect();
    assert_eq!(shown, expected);

    let delivery = receiver.wait_for(1).await.remove(0);
    assert_eq!(delivery.body, body, "byte for byte");
    let verify = |body: &[u8]| standardwebhooks::Webhook::new(&secret).unwrap().verify(body, &delivery.headers);
    verify(body.as_bytes()).unwrap();
    verify(body.replace("jane", "joan").as_bytes()).unwrap_err();
    let message = client.get(&format!("/api/v1/app/{application}/msg/{}", delivery.id)).await.body;
    assert_eq!(message["eventType"], "docebo.course.enrollment.created");
    let read = format!("/in/docebo/transactions/{}", transaction["id"].as_str().unwrap());
    let computed = client.get(&read).await.body;
    assert_eq!((&computed["status"], &computed["message"]), (&json!("computed"), &json!(delivery.id)));
}

#[tokio::test]
async fn what_is_sent_again_is_the_same_and_what_is_wrong_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(Plan::status(200)).await;
    let service = Service::start(folder.path(), &[]);
    let client = service.client();
    let (application, _) = make_application(&client, &receiver.url()).await;
    make_source(&client, json!({"forwardTo": application})).await;

    let body = created("wh-1", 1, &ago(Duration::from_secs(60)));
    let first = send(&client, PASSWORD, &body).await.unwrap();
    receiver.wait_for(1).await;
    let again = send(&client, PASSWORD, &body).await.unwrap();
    assert_eq!((again.status.as_u16(), &again.body["message"]), (200, &first.body["message"]));
    assert_eq!(again.body["newTransaction"]["id"], first.body["newTransaction"]["id"]);
    let other = send(&client, PASSWORD, &body.replace("jane", "joan")).await.unwrap();
    assert_eq!(other.status, 409, "{other:?}");
    let malformed = send(&client, PASSWORD, "{\"event\": 7}").await.unwrap();
    assert_eq!(malformed.status, 400, "{malformed:?}");

    // What comes next is delivered next: nothing came of the redelivery.
    send(&client, PASSWORD, &created("wh-2", 2, &ago(Duration::from_secs(50)))).await.unwrap();
    let ids: Vec<_> = receiver.wait_for(2).await.iter().map(|one| one.json()["message_id"].clone()).collect();
    assert_eq!(ids, ["wh-1", "wh-2"]);
    let ids: Vec<_> = client.all("/in/docebo/transactions").await.iter().map(|one| one["messageId"].clone()).collect();
    assert_eq!(ids, ["wh-2", "wh-1"]);
    let errors = client.all("/in/docebo/transaction-errors").await;
    assert_eq!(errors.iter().map(|error| error["status"].clone()).collect::<Vec<_>>(), [400, 409]);
}

#[tokio::test]
async fn a_payload_of_a_group_that_cannot_be_computed_fails_alone_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), &[]);
    let client = service.client();
    make_source(&client, json!({})).await;
    let at = ago(Duration::from_secs(60));
    let payloads = json!([
        {"fired_at": at, "user_id": 1, "course_id": 37, "status": "subscribed"},
        {"fired_at": "yesterday", "user_id": 2, "course_id": 37},
        {"fired_at": at, "user_id": 3, "course_id": 37, "status": "subscribed"}
    ]);
    let body = json!({
        "event": "course.enrollment.created", "fired_by_batch_action": true, "message_id": "wh-group", "payloads": payloads
    });
    assert_eq!(send(&client, PASSWORD, &body.to_string()).await.unwrap().status, 200);
    let is_over = async || client.all("/in/docebo/transactions").await[0]["status"] == "failed";
    wait_until("the group is computed as far as it can be", PATIENCE, is_over).await;
    let users: Vec<_> = client.all("/in/docebo/enrollments").await.iter().map(|one| one["user_id"].clone()).collect();
    assert_eq!(users, [1, 3]);
    let errors = client.all("/in/docebo/compute-errors").await;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0]["message"].as_str().unwrap().contains("fired_at"), "{errors:?}");
}

#[tokio::test]
async fn sources_and_what_they_got_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &[("GRACE_SECONDS", "1")]);
    make_source(&service.client(), json!({})).await;
    let body = created("wh-1", 1, &ago(Duration::from_secs(60)));
    let first = send(&service.client(), PASSWORD, &body).await.unwrap();
    assert_eq!(first.status, 200, "{first:?}");
    service.kill();

    let service = Service::start(folder.path(), &[("GRACE_SECONDS", "1")]);
    let client = service.client();
    let again = send(&client, PASSWORD, &body).await.unwrap();
    assert_eq!(again.body["newTransaction"]["id"], first.body["newTransaction"]["id"]);
    let second = send(&client, PASSWORD, &created("wh-2", 2, &ago(Duration::from_secs(60)))).await.unwrap();
    assert_eq!(second.status, 200, "{second:?}");
    let are_there = async || enrollments(&client, "").await.len() == 2;
    wait_until("both enrollments are there", PATIENCE, are_there).await;
}

#[tokio::test]
async fn the_banner_names_the_door_for_webhooks() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), &[]);
    let door = format!("{}/transaction", service.url);
    assert!(service.banner.contains(&door), "{}", service.banner);
    // Nobody has made the source yet.
    assert_eq!(send(&service.client(), PASSWORD, "{}").await.unwrap().status, 404);
    make_source(&service.client(), json!({})).await;
    assert_eq!(send(&service.client(), PASSWORD, "{}").await.unwrap().status, 400);
}
