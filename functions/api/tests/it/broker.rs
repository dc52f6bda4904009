//! Which URLs want which events, as the old broker's callers know it, but for what was wrong with it.

use std::fmt::Write as _;
use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::application::Application;
use tidings_domain::broadcast::{Broadcast, FOLLOWED_AFTER, MAX_RECEIVERS};
use tidings_domain::broker::{self, EventName};
use tidings_domain::endpoint::{Endpoint, Retried};
use tidings_domain::ids::MessageId;
use tidings_domain::message::Message;
use tidings_domain::names::Reference;
use tidings_store::agenda::Starts;
use tidings_store::broadcast::NewBroadcast;
use tidings_store::{Store, Subscribed};

use crate::arrange::{GRACE, imagined_endpoint};
use crate::outbound::{self, imagined_message};
use crate::support::{NOW, Service, application, organization, token};

pub(crate) const PATH: &str = "/api/v0/webhooks";

/// What the fixtures are about.
pub(crate) const EVENT: &str = "upload_image";

pub(crate) fn pair(name: &str, url: &str) -> Value {
    json!({"eventName": name, "webhookUrl": url})
}

pub(crate) fn name(text: &str) -> EventName {
    text.to_owned().try_into().unwrap()
}

/// Registers a URL for an event, for organization 1.
pub(crate) async fn register(service: &Service, name: &str, url: &str) {
    assert_eq!(service.post(PATH, &pair(name, url)).await.status, 200);
}

/// The broker's application of organization 1.
pub(crate) async fn brokers(store: &Store) -> Application {
    let (uid, name) = (broker::application_uid(), broker::APPLICATION_NAME);
    let made = store.ensure_application(organization(1).organization, &uid, name, NOW, [2; 15]).await.unwrap();
    Application::clone(&made)
}

/// The endpoint of a pair.
pub(crate) async fn endpoint_of(store: &Store, event: &str, url: &str) -> Endpoint {
    let application = brokers(store).await;
    let uid = name(event).endpoint_uid(&url.to_owned().try_into().unwrap());
    store.endpoint(application.organization, application.id, &Reference::Uid(uid)).await.unwrap().unwrap()
}

/// A triggered event for these endpoints, with nothing tried yet.
pub(crate) async fn job(store: &Store, number: i64, receivers: &[&Endpoint]) -> (Message, Broadcast) {
    let message = imagined_message(&brokers(store).await, number);
    let mut broadcast = Broadcast::of(&message, EVENT.to_owned(), &[]);
    broadcast.receivers = receivers.iter().map(|endpoint| endpoint.id).collect();
    let (due, follow_due) = (message.created_at + GRACE, message.created_at + FOLLOWED_AFTER);
    let new = NewBroadcast { message: &message, broadcast: &broadcast, due, follow_due, starts: Starts::AtOnce };
    assert!(store.create_broadcast(&new).await.unwrap());
    (message, broadcast)
}

/// A pair, and a job of its event that failed there.
pub(crate) async fn failed(store: &Store) -> MessageId {
    let mut endpoint = imagined_endpoint(&brokers(store).await, 1, None);
    endpoint.uid = Some(name(EVENT).endpoint_uid(&endpoint.url));
    let subscribed = store.subscribe(endpoint.organization, &name(EVENT), &endpoint, None, None).await.unwrap();
    assert!(matches!(subscribed, Subscribed::New));
    let (message, _) = job(store, 1, &[&endpoint]).await;
    outbound::attempt(store, &outbound::failed(&endpoint, &message, 2)).await;
    message.id
}

#[tokio::test]
async fn a_pair_is_answered_back_and_twice_the_same_is_one() {
    let service = Service::start().await;
    let url = "https://example.com/hook";
    assert_snapshot!(service.post(PATH, &pair("  upload image ", url)).await.shown(), @r#"
    200
    {"eventName":"upload image","webhookUrl":"https://example.com/hook"}
    "#);
    assert_snapshot!(service.post(PATH, &pair("upload image", url)).await.shown(), @r#"
    200
    {"eventName":"upload image","webhookUrl":"https://example.com/hook"}
    "#);
    assert_snapshot!(service.get(PATH).await.shown(), @r#"
    200
    [{"eventName":"upload image","webhookUrls":["https://example.com/hook"]}]
    "#);
    let body = json!({"eventName": "upload image", "webhookUrl": url, "since": "older clients send more"});
    assert_eq!(service.post(PATH, &body).await.status, 200);
}

#[tokio::test]
async fn two_requests_for_the_same_pair_at_once_make_one() {
    let service = Service::start().await;
    let body = pair(EVENT, "https://example.com/hook");
    let answers = futures::future::join_all((0..8).map(|_| service.post(PATH, &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let event = service.get(&format!("{PATH}/{EVENT}")).await.json();
    assert_eq!(event, json!({"eventName": EVENT, "webhookUrls": ["https://example.com/hook"]}));
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_and_where() {
    let service = Service::start().await;
    let mut all = String::new();
    for body in [
        json!({}),
        json!([]),
        json!("text"),
        json!({"eventName": 7, "webhookUrl": null}),
        json!({"eventName": "  ab  ", "webhookUrl": "example.com"}),
        json!({"eventName": "a\u{0}bc", "webhookUrl": "ftp://example.com/"}),
        json!({"eventName": "x".repeat(257), "webhookUrl": format!("https://example.com/{}", "x".repeat(4096))}),
        json!({"eventName": EVENT, "webhookUrl": "http://10.0.0.1/"}),
        json!({"eventName": EVENT, "webhookUrl": "https://user:password@example.com/"}),
    ] {
        writeln!(all, "{}", service.post(PATH, &body).await.shown()).unwrap();
    }
    assert_snapshot!(all, @r#"
    400
    {"error":[{"path":["eventName"],"message":"Required"},{"path":["webhookUrl"],"message":"Required"}]}
    400
    {"error":[{"path":[],"message":"Expected object, received array"}]}
    400
    {"error":[{"path":[],"message":"Expected object, received string"}]}
    400
    {"error":[{"path":["eventName"],"message":"Expected string, received number"},{"path":["webhookUrl"],"message":"Expected string, received null"}]}
    400
    {"error":[{"path":["eventName"],"message":"String must contain at least 3 character(s)"},{"path":["webhookUrl"],"message":"Invalid url"}]}
    400
    {"error":[{"path":["eventName"],"message":"must be 3 characters at least and 256 bytes at most, without the space around it"},{"path":["webhookUrl"],"message":"must start with http:// or https://"}]}
    400
    {"error":[{"path":["eventName"],"message":"must be 3 characters at least and 256 bytes at most, without the space around it"},{"path":["webhookUrl"],"message":"must be at most 4096 bytes long"}]}
    400
    {"error":[{"path":["webhookUrl"],"message":"the host is not a public address"}]}
    400
    {"error":[{"path":["webhookUrl"],"message":"a user name or password in the URL is not accepted"}]}
    "#);
    assert_eq!(service.get(PATH).await.body, "[]");
    let unreadable =
        service.send(crate::support::request(&token(&organization(1)), Method::POST, PATH).body("{".into()).unwrap());
    assert_snapshot!(unreadable.await.shown(), @r#"
    400
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1."}
    "#);
}

#[tokio::test]
async fn a_pair_is_an_endpoint_like_any_other() {
    let service = Service::start().await;
    register(&service, EVENT, "https://example.com/hook").await;
    let endpoint = endpoint_of(&service.store, EVENT, "https://example.com/hook").await;
    assert_eq!(endpoint.retry_schedule, Some(broker::retry_schedule()));
    assert_eq!((endpoint.retried, endpoint.event_types), (Retried::Transient, Some(vec![name(EVENT).event_type()])));
    let shown = service.get(&format!("/api/v1/app/tidings.broker/endpoint/{}", endpoint.id)).await.json();
    assert_eq!((&shown["url"], &shown["description"]), (&json!("https://example.com/hook"), &json!(EVENT)));
    let secret = service.get(&format!("/api/v1/app/tidings.broker/endpoint/{}/secret", endpoint.id)).await;
    assert!(secret.json()["key"].as_str().unwrap().starts_with("whsec_"));
    let theirs = service.ask_as(&token(&organization(2)), Method::GET, PATH).await;
    assert_eq!((theirs.status, theirs.body.as_str()), (200, "[]"));
}

#[tokio::test]
async fn a_page_counts_names_and_not_pairs() {
    let service = Service::start().await;
    // The old one took ten pairs, and left out what was over.
    for event in ["charlie", "alpha", "bravo"] {
        for number in 0..12 {
            // Ids tell steps of four milliseconds apart.
            service.clock.advance(Duration::from_millis(10));
            register(&service, event, &format!("https://example.com/{number}")).await;
        }
    }
    let names = async |query: &str| {
        let events = service.get(&format!("{PATH}{query}")).await.json();
        let shown = events.as_array().unwrap().iter().map(|event| {
            format!("{} {}", event["eventName"].as_str().unwrap(), event["webhookUrls"].as_array().unwrap().len())
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(names("").await, "alpha 12, bravo 12, charlie 12");
    assert_eq!(names("?page_size=2").await, "alpha 12, bravo 12");
    assert_eq!(names("?page_size=2&offset=2").await, "charlie 12");
    assert_eq!(names("?page_size=1&offset=1").await, "bravo 12");
    assert_eq!(names("?offset=3").await, "");
    let urls = service.get(&format!("{PATH}/alpha")).await.json()["webhookUrls"].clone();
    let expected: Vec<_> = (0..12).map(|number| format!("https://example.com/{number}")).collect();
    assert_eq!(urls, json!(expected), "in the order in which they were registered");
}

#[tokio::test]
async fn a_page_that_is_no_number_is_refused() {
    let service = Service::start().await;
    let queries = [
        "page_size=x",
        "page_size=0",
        "page_size=101",
        "page_size=-1",
        "page_size=",
        "offset=x",
        "offset=10001",
        "offset=-1",
        "offset=1.5",
        "page_size=1&page_size=2",
        "page_size=99999999999999999999",
    ];
    for path in [PATH, "/api/v0/dead-letters"] {
        for query in queries {
            let answer = service.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.shown(), "400\n{\"error\":\"Invalid parameters\"}", "{query}");
        }
        assert_eq!(service.get(&format!("{path}?page_size=100&offset=10000&more=x")).await.shown(), "200\n[]");
    }
}

#[tokio::test]
async fn an_events_name_is_any_text() {
    let service = Service::start().await;
    for (text, path) in [
        ("upload image/1", "upload%20image%2F1"),
        ("50% off?", "50%25%20off%3F"),
        ("\u{e9}t\u{e9} \u{1f5bc}", "%C3%A9t%C3%A9%20%F0%9F%96%BC"),
        ("a.b..c", "a.b..c"),
    ] {
        register(&service, text, "https://example.com/hook").await;
        let event = service.get(&format!("{PATH}/{path}")).await;
        assert_eq!((event.status, &event.json()["eventName"]), (200, &json!(text)), "{path}");
        let triggered = service.post(&format!("/api/v0/trigger-event/{path}"), &json!({})).await;
        assert_eq!(triggered.status, 202, "{path}");
    }
}

#[tokio::test]
async fn an_event_that_nobody_wants_is_404_where_it_was_500() {
    let service = Service::start().await;
    register(&service, EVENT, "https://example.com/hook").await;
    for path in ["upload_video", "ab", "%00%00%00"] {
        let unknown = service.get(&format!("{PATH}/{path}")).await;
        assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("not_found")), "{path}");
        let trigger = service.post(&format!("/api/v0/trigger-event/{path}"), &json!({})).await;
        assert_eq!((trigger.status, trigger.json()["code"].as_str()), (404, Some("not_found")), "{path}");
    }
    let theirs = service.ask_as(&token(&organization(2)), Method::GET, &format!("{PATH}/{EVENT}")).await;
    assert_eq!(theirs.status, 404);
}

#[tokio::test]
async fn a_pair_that_is_removed_gets_nothing_more() {
    let service = Service::start().await;
    let [one, two] = ["https://example.com/1", "https://example.com/2"];
    register(&service, EVENT, one).await;
    register(&service, EVENT, two).await;
    assert_eq!(service.call(Method::DELETE, PATH, &pair(EVENT, one)).await.shown(), "204\n");
    assert_eq!(service.call(Method::DELETE, PATH, &pair(EVENT, one)).await.status, 404);
    assert_eq!(service.call(Method::DELETE, PATH, &pair("upload_video", two)).await.status, 404);
    assert_eq!(service.get(&format!("{PATH}/{EVENT}")).await.json()["webhookUrls"], json!([two]));
    let application = brokers(&service.store).await;
    assert_eq!(service.store.endpoints_of(application.organization, application.id).await.unwrap().len(), 1);
    assert_eq!(service.call(Method::DELETE, PATH, &pair(EVENT, two)).await.status, 204);
    assert_eq!(
        (service.get(PATH).await.body.as_str(), service.get(&format!("{PATH}/{EVENT}")).await.status),
        ("[]", 404)
    );
    assert_snapshot!(service.call(Method::DELETE, PATH, &json!({"eventName": ""})).await.shown(), @r#"
    400
    {"error":[{"path":["eventName"],"message":"String must contain at least 3 character(s)"},{"path":["webhookUrl"],"message":"Required"}]}
    "#);
}

#[tokio::test]
async fn a_pair_whose_endpoint_was_deleted_can_be_removed_or_registered_again() {
    let service = Service::start().await;
    let urls = ["https://example.com/1", "https://example.com/2"];
    for url in urls {
        register(&service, EVENT, url).await;
        let endpoint = endpoint_of(&service.store, EVENT, url).await;
        let path = format!("/api/v1/app/tidings.broker/endpoint/{}", endpoint.id);
        assert_eq!(service.delete(&path).await.status, 204);
    }
    assert_eq!(service.call(Method::DELETE, PATH, &pair(EVENT, urls[0])).await.status, 204);
    register(&service, EVENT, urls[1]).await;
    assert_eq!(service.get(&format!("{PATH}/{EVENT}")).await.json()["webhookUrls"], json!([urls[1]]));
    endpoint_of(&service.store, EVENT, urls[1]).await;
}

#[tokio::test]
async fn an_event_has_as_many_urls_as_a_job_can_have_and_no_more() {
    let service = Service::start().await;
    for number in 0..MAX_RECEIVERS {
        register(&service, EVENT, &format!("https://example.com/{number}")).await;
    }
    assert_snapshot!(service.post(PATH, &pair(EVENT, "https://example.com/more")).await.shown(), @r#"
    400
    {"error":[{"path":["webhookUrl"],"message":"This event has 1000 URLs, and no more can be registered"}]}
    "#);
    register(&service, EVENT, "https://example.com/7").await;
    register(&service, "upload_video", "https://example.com/more").await;
    assert_eq!(service.call(Method::DELETE, PATH, &pair(EVENT, "https://example.com/7")).await.status, 204);
    register(&service, EVENT, "https://example.com/more").await;
}

#[tokio::test]
async fn an_applications_credential_does_not_reach_the_broker() {
    let service = Service::start().await;
    let bearer = token(&application());
    assert_eq!(service.ask_as(&bearer, Method::GET, PATH).await.status, 403);
    assert_eq!(service.post_as(&bearer, PATH, &pair(EVENT, "https://example.com/hook")).await.status, 403);
}
