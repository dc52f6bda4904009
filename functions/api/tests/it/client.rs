//! Clients and batches, as the old server's clients know them, but for what was wrong with it.

use std::fmt::Write as _;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::application::Application;
use tidings_domain::attempt::Attempt;
use tidings_domain::broadcast::{Broadcast, Ended, FOLLOWED_AFTER, MAX_RECEIVERS, Tally};
use tidings_domain::client;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::message::Message;
use tidings_store::agenda::Starts;
use tidings_store::broadcast::NewBroadcast;
use tidings_store::{Created, Store};

use crate::arrange::{GRACE, imagined_endpoint};
use crate::outbound::{self, imagined_message};
use crate::support::{Answer, NOW, Service, application, organization, token, vault};

const PATH: &str = "/api/webhooks";
const BATCHES: &str = "/api/webhooks/batches";

fn body(url: &str, token: &str) -> Value {
    json!({"url": url, "token": token})
}

/// The clients' application of organization 1.
async fn clients(store: &Store) -> Application {
    let (uid, name) = (client::application_uid(), client::APPLICATION_NAME);
    let made = store.ensure_application(organization(1).organization, &uid, name, NOW, [1; 15]).await.unwrap();
    Application::clone(&made)
}

/// The client with this URL as it is stored.
async fn stored(store: &Store, url: &str) -> Endpoint {
    let Application { organization, id, .. } = clients(store).await;
    let all = store.endpoints_of(organization, id).await.unwrap();
    all.into_iter().find(|client| client.url.to_string() == url).unwrap()
}

async fn token_of(store: &Store, url: &str) -> String {
    let client = stored(store, url).await;
    let opened = vault().open(client.organization, &client.token_context(), client.token.as_ref().unwrap()).unwrap();
    opened.as_text().unwrap().to_owned()
}

/// A client that is written as it is.
pub(crate) async fn registered(store: &Store, number: u8) -> Endpoint {
    let mut endpoint = imagined_endpoint(&clients(store).await, number, None);
    // Before any message.
    endpoint.created_at = outbound::at(0);
    assert_eq!(store.create_endpoint(&endpoint, None, None).await.unwrap(), Created::Written);
    endpoint
}

async fn broadcast(store: &Store, number: i64, receivers: &[Endpoint]) -> (Message, Broadcast) {
    let message = imagined_message(&clients(store).await, number);
    let broadcast = Broadcast::of(&message, "Test".to_owned(), receivers);
    let (due, follow_due) = (message.created_at + GRACE, message.created_at + FOLLOWED_AFTER);
    let new = NewBroadcast { message: &message, broadcast: &broadcast, due, follow_due, starts: Starts::AtOnce };
    assert!(store.create_broadcast(&new).await.unwrap());
    (message, broadcast)
}

fn masked(answer: &Answer) -> String {
    let mut parts = answer.masked();
    while let Some(at) = parts.find("\"msg_") {
        parts.replace_range(at..at + 33, "\"[id]\"");
    }
    parts
}

#[tokio::test]
async fn a_new_client_is_201_and_one_that_is_registered_already_200() {
    let service = Service::start().await;
    let first = service.post(PATH, &body("https://example.com/a", "1312-3128-qwqw")).await;
    assert_snapshot!(first.masked(), @r#"
    201
    location: /api/v1/app/app_[random]/endpoint/ep_[random]
    [{"url":"https://example.com/a"}]
    "#);
    assert_snapshot!(service.post(PATH, &body("https://example.com/a", "another")).await.masked(), @r#"
    200
    [{"url":"https://example.com/a"}]
    "#);
    service.clock.advance(std::time::Duration::from_secs(1));
    assert_snapshot!(service.post(PATH, &body("http://example.com/b?c=d", "x")).await.masked(), @r#"
    201
    location: /api/v1/app/app_[random]/endpoint/ep_[random]
    [{"url":"https://example.com/a"},{"url":"http://example.com/b?c=d"}]
    "#);
    assert_snapshot!(service.get(PATH).await.masked(), @r#"
    200
    [{"url":"https://example.com/a"},{"url":"http://example.com/b?c=d"}]
    "#);
}

#[tokio::test]
async fn the_first_token_is_kept() {
    let service = Service::start().await;
    service.post(PATH, &body("https://example.com/a", "first")).await;
    service.post(PATH, &body("https://example.com/a", "second")).await;
    assert_eq!(token_of(&service.store, "https://example.com/a").await, "first");
    // A URL that was removed is new again.
    assert_eq!(service.delete("/api/webhooks?url=https://example.com/a").await.status, 204);
    assert_eq!(service.post(PATH, &body("https://example.com/a", "second")).await.status, 201);
    assert_eq!(token_of(&service.store, "https://example.com/a").await, "second");
}

#[tokio::test]
async fn one_url_in_several_spellings_is_one_client() {
    let service = Service::start().await;
    assert_eq!(service.post(PATH, &body("https://example.com", "a")).await.status, 201);
    for spelling in ["https://example.com/", "HTTPS://EXAMPLE.com:443", "https://example.com/a/.."] {
        assert_eq!(service.post(PATH, &body(spelling, "a")).await.status, 200, "{spelling}");
    }
    assert_eq!(service.get(PATH).await.json(), json!([{"url": "https://example.com/"}]));
}

#[tokio::test]
async fn no_answer_has_anybodys_token() {
    let service = Service::start().await;
    let secret = "s3cret-t0ken";
    let mut answers = vec![service.post(PATH, &body("https://example.com/a", secret)).await];
    let id = stored(&service.store, "https://example.com/a").await.id;
    answers.push(service.post(PATH, &body("https://example.com/b", secret)).await);
    answers.push(service.post(PATH, &body("https://example.com/a", secret)).await);
    answers.push(service.post(PATH, &body("ftp://example.com/a", secret)).await);
    for path in [PATH, BATCHES, "/api/v1/app", "/api/v1/app/tidings.clients", "/api/v1/app/tidings.clients/endpoint"] {
        answers.push(service.get(path).await);
    }
    for rest in ["", "/headers", "/secret"] {
        answers.push(service.get(&format!("/api/v1/app/tidings.clients/endpoint/{id}{rest}")).await);
    }
    for answer in answers {
        assert!(!answer.body.contains(secret) && !answer.body.contains("token\""), "{answer:?}");
    }
    // Nor does the table hold it in the clear.
    let sealed = stored(&service.store, "https://example.com/a").await.token.unwrap();
    assert!(!String::from_utf8_lossy(&sealed.0).contains(secret));
}

#[tokio::test]
async fn what_breaks_rules_is_400_with_everything_that_is_wrong() {
    let service = Service::start().await;
    let mut table = String::new();
    for body in [
        json!({}),
        json!(null),
        json!([]),
        json!("x"),
        json!({"url": 1, "token": 2}),
        json!({"url": null, "token": null}),
        json!({"url": "", "token": ""}),
        body("example.com/a", "valid-token"),
        body("ftp://example.com", "a"),
        body("http://", "a"),
        body("https://a b", "a"),
        json!({"url": "mailto:a@example.com"}),
        body("http://10.0.0.7/", "a"),
        body("http://localhost:8080/", ""),
        body("http://[::1]/", "a"),
        body("https://user:password@example.com/", "a"),
    ] {
        writeln!(table, "{body}\n{}", service.post(PATH, &body).await.shown()).unwrap();
    }
    assert_snapshot!(table, @r#"
    {}
    400
    {"error":["\"url\" is required","\"token\" is required"]}
    null
    400
    {"error":["\"value\" must be of type object"]}
    []
    400
    {"error":["\"value\" must be of type object"]}
    "x"
    400
    {"error":["\"value\" must be of type object"]}
    {"url":1,"token":2}
    400
    {"error":["\"url\" must be a string","\"token\" must be a string"]}
    {"url":null,"token":null}
    400
    {"error":["\"url\" must be a string","\"token\" must be a string"]}
    {"url":"","token":""}
    400
    {"error":["\"url\" is not allowed to be empty","\"token\" is not allowed to be empty"]}
    {"url":"example.com/a","token":"valid-token"}
    400
    {"error":["\"url\" must be a valid uri with a scheme matching the https? pattern"]}
    {"url":"ftp://example.com","token":"a"}
    400
    {"error":["\"url\" must be a valid uri with a scheme matching the https? pattern"]}
    {"url":"http://","token":"a"}
    400
    {"error":["\"url\" must be a valid uri with a scheme matching the https? pattern"]}
    {"url":"https://a b","token":"a"}
    400
    {"error":["\"url\" must be a valid uri with a scheme matching the https? pattern"]}
    {"url":"mailto:a@example.com"}
    400
    {"error":["\"url\" must be a valid uri with a scheme matching the https? pattern","\"token\" is required"]}
    {"url":"http://10.0.0.7/","token":"a"}
    400
    {"error":["\"url\" is not allowed: the host is not a public address"]}
    {"url":"http://localhost:8080/","token":""}
    400
    {"error":["\"url\" is not allowed: the host is a name for the local machine","\"token\" is not allowed to be empty"]}
    {"url":"http://[::1]/","token":"a"}
    400
    {"error":["\"url\" is not allowed: the host is not a public address"]}
    {"url":"https://user:password@example.com/","token":"a"}
    400
    {"error":["\"url\" is not allowed: a user name or password in the URL is not accepted"]}
    "#);
    assert_eq!(service.get(PATH).await.json(), json!([]));
}

#[tokio::test]
async fn texts_have_a_greatest_length() {
    let service = Service::start().await;
    let (url, longest) = (format!("https://example.com/{}", "a".repeat(4077)), "t".repeat(client::MAX_TOKEN_BYTES));
    assert_snapshot!(service.post(PATH, &body(&url, &format!("{longest}t"))).await.shown(), @r#"
    400
    {"error":["\"url\" length must be less than or equal to 4096 bytes long","\"token\" length must be less than or equal to 4096 bytes long"]}
    "#);
    let url = &url[..url.len() - 1];
    assert_eq!(service.post(PATH, &body(url, &longest)).await.status, 201);
    assert_eq!(token_of(&service.store, url).await, longest);
}

#[tokio::test]
async fn other_properties_are_passed_over() {
    let service = Service::start().await;
    let answer = service.post(PATH, &json!({"url": "https://example.com/", "token": " ", "more": {}})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn a_client_is_removed_by_its_url() {
    let service = Service::start().await;
    service.post(PATH, &body("https://example.com/a?b=c&d", "x")).await;
    let remove = "/api/webhooks?url=https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%26d";
    assert_snapshot!(service.delete(remove).await.shown(), @"204");
    assert_eq!(service.get(PATH).await.json(), json!([]));
    assert_snapshot!(service.delete(remove).await.shown(), @r#"
    404
    {"code":"not_found","detail":"Not found."}
    "#);
    assert_snapshot!(service.delete("/api/webhooks?url=nothing").await.shown(), @r#"
    404
    {"code":"not_found","detail":"Not found."}
    "#);
    assert_snapshot!(service.delete(PATH).await.shown(), @r#"
    400
    {"error":["\"url\" is required"]}
    "#);
    assert_snapshot!(service.delete("/api/webhooks?url=").await.shown(), @r#"
    400
    {"error":["\"url\" is not allowed to be empty"]}
    "#);
    assert_snapshot!(service.delete("/api/webhooks?url=https://a.example&url=https://b.example").await.shown(), @r#"
    422
    {"detail":[{"loc":["query","url"],"msg":"must be there once","type":"value_error"}]}
    "#);
}

#[tokio::test]
async fn a_client_is_an_endpoint_like_any_other() {
    let service = Service::start().await;
    service.post(PATH, &body("https://example.com/a", "x")).await;
    let id = stored(&service.store, "https://example.com/a").await.id;
    let path = format!("/api/v1/app/tidings.clients/endpoint/{id}");
    assert_eq!(service.get(&path).await.json()["url"], "https://example.com/a");
    assert!(service.get(&format!("{path}/secret")).await.json()["key"].as_str().unwrap().starts_with("whsec_"));
    // Under another URL it is another client, and the first one can be registered anew.
    assert_eq!(service.patch(&path, &json!({"url": "https://example.com/b"})).await.status, 200);
    assert_eq!(service.get(PATH).await.json(), json!([{"url": "https://example.com/b"}]));
    assert_eq!(service.post(PATH, &body("https://example.com/b", "y")).await.status, 200);
    assert_eq!(service.post(PATH, &body("https://example.com/a", "z")).await.status, 201);
    assert_eq!(token_of(&service.store, "https://example.com/b").await, "x");
    assert_eq!(service.delete(&path).await.status, 204);
    assert_eq!(service.get(PATH).await.json(), json!([{"url": "https://example.com/a"}]));
}

#[tokio::test]
async fn two_who_register_one_url_at_once_make_one_client() {
    let service = Service::start().await;
    let new = body("https://example.com/a", "x");
    let answers = futures::future::join_all((0..8).map(|_| service.post(PATH, &new))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(200) + count(409)), (1, 7), "{answers:?}");
    assert_eq!(service.get(PATH).await.json(), json!([{"url": "https://example.com/a"}]));
}

#[tokio::test]
async fn there_are_no_more_clients_than_a_broadcast_reaches() {
    let service = Service::start().await;
    let application = clients(&service.store).await;
    for number in 0..MAX_RECEIVERS {
        let mut client = imagined_endpoint(&application, 1, None);
        let mut random = [0; 15];
        random[..8].copy_from_slice(&number.to_be_bytes());
        client.id = tidings_domain::ids::EndpointId::new(NOW, random);
        client.url = format!("https://example.com/{number}").try_into().unwrap();
        assert_eq!(service.store.create_endpoint(&client, None, None).await.unwrap(), Created::Written);
    }
    assert_snapshot!(service.post(PATH, &body("https://example.com/new", "x")).await.shown(), @r#"
    400
    {"error":["There are 1000 clients, and no more can be registered"]}
    "#);
    assert_eq!(service.post(PATH, &body("https://example.com/7", "x")).await.status, 200);
}

#[tokio::test]
async fn organizations_have_clients_of_their_own() {
    let service = Service::start().await;
    service.post(PATH, &body("https://example.com/a", "x")).await;
    broadcast(&service.store, 1, &[]).await;
    let other = token(&organization(2));
    for path in [PATH, BATCHES] {
        assert_eq!(service.ask_as(&other, Method::GET, path).await.json(), json!([]));
    }
    let remove = "/api/webhooks?url=https://example.com/a";
    assert_eq!(service.ask_as(&other, Method::DELETE, remove).await.status, 404);
    assert_eq!(service.post_as(&other, PATH, &body("https://example.com/a", "y")).await.status, 201);
    assert_eq!(service.ask_as(&other, Method::DELETE, remove).await.status, 204);
    assert_eq!(service.get(PATH).await.json(), json!([{"url": "https://example.com/a"}]));
    for (method, path) in [(Method::GET, PATH), (Method::GET, BATCHES), (Method::DELETE, remove)] {
        assert_eq!(service.ask_as(&token(&application()), method, path).await.status, 403);
    }
}

#[tokio::test]
async fn a_batch_says_where_each_client_stands() {
    let service = Service::start().await;
    let store = &service.store;
    let mut all = Vec::new();
    for number in 1..=5 {
        all.push(registered(store, number).await);
    }
    let (message, _) = broadcast(store, 1, &all).await;
    outbound::attempt(store, &outbound::failed(&all[0], &message, 2)).await;
    outbound::attempt(store, &outbound::succeeded(&all[0], &message, 3)).await;
    outbound::attempt(store, &outbound::failed(&all[1], &message, 2)).await;
    let silent = Attempt {
        response_status: 0,
        response: Some("the connection was refused".to_owned()),
        ..outbound::failed(&all[2], &message, 2)
    };
    outbound::attempt(store, &silent).await;
    outbound::attempt(store, &outbound::pending(&all[3], &message, 2)).await;
    assert_snapshot!(masked(&service.get(BATCHES).await), @r#"
    200
    [{"id":"[id]","createdAt":"2027-01-15T06:21:00.000Z","processed":["https://example.com/1"],"failed":["https://example.com/2 - answered 500","https://example.com/3 - the connection was refused"],"pending":["https://example.com/4","https://example.com/5"]}]
    "#);
    // Its attempts are what any message's are.
    let path = format!("/api/v1/app/tidings.clients/msg/{}/endpoint", message.id);
    assert_eq!(service.get(&path).await.json()["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_batch_without_a_client_says_so() {
    let service = Service::start().await;
    assert_eq!(service.get(BATCHES).await.shown(), "200\n[]");
    broadcast(&service.store, 1, &[]).await;
    assert_snapshot!(masked(&service.get(BATCHES).await), @r#"
    200
    [{"id":"[id]","createdAt":"2027-01-15T06:21:00.000Z","processed":[],"failed":[],"message":"No Clients Registered yet"}]
    "#);
}

#[tokio::test]
async fn a_batch_that_has_ended_is_shown_like_the_others() {
    let service = Service::start().await;
    let client = registered(&service.store, 1).await;
    let (message, open) = broadcast(&service.store, 1, std::slice::from_ref(&client)).await;
    outbound::attempt(&service.store, &outbound::failed(&client, &message, 2)).await;
    let before = service.get(BATCHES).await.body;
    let work = open.work();
    let page = service.store.due(work.shard(), outbound::at(100_000), None, 100).await.unwrap();
    let entry = page.entries.into_iter().find(|entry| entry.key.work == work).unwrap();
    let claim = service.store.claim(&entry, outbound::at(100_001)).await.unwrap().unwrap();
    let ended = Broadcast { ended: Some(Ended { at: NOW, tally: Tally::default() }), ..open };
    let finished = service.store.end_broadcast(&claim, &ended).await.unwrap();
    assert_eq!(finished, tidings_store::agenda::Finished::Written);
    assert_eq!(service.get(BATCHES).await.body, before);
}

#[tokio::test]
async fn batches_are_listed_newest_first_in_pages() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for number in 1..=5 {
        ids.insert(0, broadcast(&service.store, number, &[]).await.0.id.to_string());
    }
    let page = async |query: &str| -> Vec<String> {
        let answer = service.get(&format!("{BATCHES}{query}")).await;
        let listed = |batch: &Value| batch["id"].as_str().unwrap().to_owned();
        answer.json().as_array().unwrap().iter().map(listed).collect()
    };
    assert_eq!(page("").await, ids);
    assert_eq!(page("?limit=2").await, ids[..2]);
    assert_eq!(page(&format!("?limit=2&iterator={}", ids[1])).await, ids[2..4]);
    assert_eq!(page(&format!("?limit=2&iterator={}", ids[3])).await, ids[4..]);
    for limit in ["0", "251", "many"] {
        assert_eq!(service.get(&format!("{BATCHES}?limit={limit}")).await.status, 422, "{limit}");
    }
}
