//! Broadcasts to clients: what is taken, what is refused, and what is written.

use std::fmt::Write as _;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::application::Application;
use tidings_domain::broadcast::Broadcast;
use tidings_domain::client;
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::ids::EndpointId;
use tidings_domain::message::MAX_PAYLOAD_BYTES;
use tidings_domain::metadata::Metadata;
use tidings_domain::page::PageLimit;
use tidings_harness::{Fault, Rule};
use tidings_store::Created;

use crate::support::{NOW, Service, application, organization, shown, token};

const GOOD: &str = r#"{"payload":["aaaa",{"valid":"JSON"}]}"#;

fn request_as(bearer: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/api/webhooks/test").header("authorization", format!("Bearer {bearer}")).body(body.into()).unwrap()
}

async fn trigger(service: &Service, body: impl Into<Body>) -> String {
    shown(service.send(request_as(&token(&organization(1)), body)).await).await
}

/// The clients' application of organization 1.
async fn clients(service: &Service) -> Application {
    let (uid, name) = (client::application_uid(), client::APPLICATION_NAME);
    let organization = organization(1).organization;
    let made = service.table.store().ensure_application(organization, &uid, name, NOW, [1; 15]).await.unwrap();
    Application::clone(&made)
}

/// Registers a client, changed before it is written.
async fn client(service: &Service, number: u8, change: impl FnOnce(&mut Endpoint)) -> EndpointId {
    let application = clients(service).await;
    let mut client = Endpoint {
        id: EndpointId::new(NOW, [number; 15]),
        organization: application.organization,
        application: application.id,
        uid: None,
        url: format!("https://example.com/{number}").try_into().unwrap(),
        description: String::new(),
        event_types: None,
        channels: None,
        disabled: false,
        throttle_rate: None,
        metadata: Metadata::default(),
        retry_schedule: None,
        timeout: None,
        keys: Sealed(Vec::new()),
        headers: None,
        token: Some(Sealed(b"a token".to_vec())),
        retried: Retried::All,
        failing_since: None,
        created_at: NOW,
        updated_at: NOW,
    };
    change(&mut client);
    assert_eq!(service.table.store().create_endpoint(&client, None, None).await.unwrap(), Created::Written);
    client.id
}

/// Everything that was broadcast, newest first.
async fn broadcasts(service: &Service) -> Vec<Broadcast> {
    let Application { organization, id, .. } = clients(service).await;
    let limit = PageLimit::default();
    service.table.store().broadcasts(organization, id, None, limit).await.unwrap().data
}

/// What is sent beside each token.
async fn payload(service: &Service, broadcast: &Broadcast) -> String {
    let &Broadcast { organization, application, message, .. } = broadcast;
    let message = service.table.store().message(organization, application, message, NOW).await.unwrap().unwrap();
    assert_eq!(message.event_type.as_str(), "Test");
    String::from_utf8(message.payload.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_trigger_is_accepted_with_202_and_an_empty_object() {
    let service = Service::start().await;
    client(&service, 1, |_| {}).await;
    assert_snapshot!(trigger(&service, GOOD).await, @"
    202 Accepted
    {}
    ");
}

#[tokio::test]
async fn every_client_of_this_moment_gets_it() {
    let service = Service::start().await;
    let first = client(&service, 1, |_| {}).await;
    let second = client(&service, 2, |_| {}).await;
    client(&service, 3, |client| client.disabled = true).await;
    trigger(&service, GOOD).await;
    // The application is known to this process by now; who is a client is not.
    let third = client(&service, 4, |_| {}).await;
    service.clock.advance(std::time::Duration::from_secs(1));
    trigger(&service, GOOD).await;
    let receivers: Vec<_> = broadcasts(&service).await.into_iter().map(|broadcast| broadcast.receivers).collect();
    assert_eq!(receivers, [vec![first, second, third], vec![first, second]]);
}

#[tokio::test]
async fn the_whole_body_is_sent_byte_for_byte() {
    let service = Service::start().await;
    let body = "{ \"payload\" : [\"a\\u00e9\",{\"valid\":\"x\",\"n\":1.50}], \"more\":1E2 }";
    assert!(trigger(&service, format!("\n {body} \r\n")).await.starts_with("202"));
    assert_eq!(payload(&service, &broadcasts(&service).await[0]).await, body);
}

#[tokio::test]
async fn a_trigger_is_written_at_once_with_what_it_owes() {
    let service = Service::with(&[("GRACE_SECONDS", "7")]).await;
    let changes = service.table.changes();
    trigger(&service, GOOD).await;
    // The stream starts the fan-out alone.
    assert_eq!(changes.take(1).await.len(), 1);
    assert_snapshot!(service.written().await, @r#"
    DUE#[shard] | 001800000005000#broadcast#org_[id]/app_[id]/msg_[id]
      entity=agenda
      tries=0
      v=1

    DUE#[shard] | 001800000007000#message#org_[id]/app_[id]/msg_[id]
      entity=agenda
      tries=0
      v=1

    org_[id]#APPUID#tidings.clients | UID
      application=app_[id]
      entity=application_uid
      v=1

    org_[id]/app_[id] | APP
      created_at=1800000000000
      entity=application
      gsi1pk=org_[id]#APP
      gsi1sk=app_[id]
      name=Clients
      uid=tidings.clients
      updated_at=1800000000000
      v=1

    org_[id]/app_[id] | MSG#msg_[id]
      created_at=1800000000000
      entity=message
      event_type=Test
      expires_at=1807776000
      owed=1800000007000
      payload={"payload":["aaaa",{"valid":"JSON"}]}
      v=1
      work=message#org_[id]/app_[id]/msg_[id]

    org_[id]/app_[id]#BROADCAST | MSG#msg_[id]
      created_at=1800000000000
      entity=broadcast
      expires_at=1807776000
      gsi1pk=org_[id]/app_[id]#OPEN
      gsi1sk=msg_[id]
      receivers=[]
      subject=Test
      v=1
    "#);
}

#[tokio::test]
async fn without_a_client_a_trigger_is_a_broadcast_to_nobody() {
    let service = Service::start().await;
    assert!(trigger(&service, GOOD).await.starts_with("202"));
    let broadcasts = broadcasts(&service).await;
    assert_eq!(broadcasts.iter().map(|broadcast| broadcast.receivers.len()).collect::<Vec<_>>(), [0]);
}

#[tokio::test]
async fn what_breaks_rules_is_400_with_everything_that_is_wrong() {
    let service = Service::start().await;
    let mut table = String::new();
    for body in [
        json!([]),
        json!(null),
        json!("a"),
        json!({}),
        json!({"payload": null}),
        json!({"payload": "a"}),
        json!({"payload": {}}),
        json!({"payload": []}),
        json!({"payload": [{"valid": "JSON"}]}),
        json!({"payload": [{}]}),
        json!({"payload": ["a", 1]}),
        json!({"payload": ["a", ""]}),
        json!({"payload": [""]}),
        json!({"payload": ["a", {"valid": ""}]}),
        json!({"payload": ["a", {"valid": 1}]}),
        json!({"payload": ["a", null]}),
        json!({"payload": ["a", ["b"]]}),
        json!({"payload": [1, {}, {"valid": 2}, null, true]}),
    ] {
        writeln!(table, "{body}\n{}", trigger(&service, body.to_string()).await).unwrap();
    }
    assert_snapshot!(table, @r#"
    []
    400 Bad Request
    {"error":["\"value\" must be of type object"]}
    null
    400 Bad Request
    {"error":["\"value\" must be of type object"]}
    "a"
    400 Bad Request
    {"error":["\"value\" must be of type object"]}
    {}
    400 Bad Request
    {"error":["\"payload\" is required"]}
    {"payload":null}
    400 Bad Request
    {"error":["\"payload\" must be an array"]}
    {"payload":"a"}
    400 Bad Request
    {"error":["\"payload\" must be an array"]}
    {"payload":{}}
    400 Bad Request
    {"error":["\"payload\" must be an array"]}
    {"payload":[]}
    400 Bad Request
    {"error":["\"payload\" does not contain 1 required value(s)"]}
    {"payload":[{"valid":"JSON"}]}
    400 Bad Request
    {"error":["\"payload\" does not contain 1 required value(s)"]}
    {"payload":[{}]}
    400 Bad Request
    {"error":["\"payload[0]\" does not match any of the allowed types","\"payload\" does not contain 1 required value(s)"]}
    {"payload":["a",1]}
    400 Bad Request
    {"error":["\"payload[1]\" does not match any of the allowed types"]}
    {"payload":["a",""]}
    400 Bad Request
    {"error":["\"payload[1]\" does not match any of the allowed types"]}
    {"payload":[""]}
    400 Bad Request
    {"error":["\"payload[0]\" does not match any of the allowed types","\"payload\" does not contain 1 required value(s)"]}
    {"payload":["a",{"valid":""}]}
    400 Bad Request
    {"error":["\"payload[1]\" does not match any of the allowed types"]}
    {"payload":["a",{"valid":1}]}
    400 Bad Request
    {"error":["\"payload[1]\" does not match any of the allowed types"]}
    {"payload":["a",null]}
    400 Bad Request
    {"error":["\"payload[1]\" does not match any of the allowed types"]}
    {"payload":["a",["b"]]}
    400 Bad Request
    {"error":["\"payload[1]\" does not match any of the allowed types"]}
    {"payload":[1,{},{"valid":2},null,true]}
    400 Bad Request
    {"error":["\"payload[0]\" does not match any of the allowed types","\"payload[1]\" does not match any of the allowed types","\"payload[2]\" does not match any of the allowed types","\"payload[3]\" does not match any of the allowed types","\"payload[4]\" does not match any of the allowed types","\"payload\" does not contain 1 required value(s)"]}
    "#);
    assert_eq!(service.count("broadcast").await + service.count("message").await, 0, "something was written");
}

#[tokio::test]
async fn what_was_always_taken_is_taken() {
    let service = Service::start().await;
    for body in [
        json!({"payload": ["a"]}),
        json!({"payload": ["a", {"valid": "x", "more": 1}]}),
        json!({"payload": ["a", "b", {"valid": "1"}, {"valid": "2"}], "more": null}),
    ] {
        assert!(trigger(&service, body.to_string()).await.starts_with("202"), "{body}");
    }
}

#[tokio::test]
async fn no_answer_lists_more_faults_than_it_must() {
    let service = Service::start().await;
    let answer = trigger(&service, json!({"payload": vec![1; 10_000]}).to_string()).await;
    let (status, body) = answer.split_once('\n').unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((status, body["error"].as_array().unwrap().len()), ("400 Bad Request", 101));
}

#[tokio::test]
async fn what_is_not_json_is_refused_as_everywhere() {
    let service = Service::start().await;
    assert_snapshot!(trigger(&service, "{").await, @r#"
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1."}
    "#);
    assert_snapshot!(trigger(&service, format!(r#"{{"payload":["{}"]}}"#, "x".repeat(MAX_PAYLOAD_BYTES))).await, @r#"
    413 Payload Too Large
    {"code":"payload_too_large","detail":"The body is larger than 262144 bytes."}
    "#);
    let typed = Request::post("/api/webhooks/test")
        .header("authorization", format!("Bearer {}", token(&organization(1))))
        .header("content-type", "text/plain");
    assert_snapshot!(shown(service.send(typed.body(GOOD.into()).unwrap()).await).await, @r#"
    415 Unsupported Media Type
    {"code":"unsupported_media_type","detail":"The body must be JSON: `content-type: application/json`."}
    "#);
}

#[tokio::test]
async fn only_the_organization_may_trigger() {
    let service = Service::start().await;
    let answer = shown(service.send(request_as(&token(&application()), GOOD)).await).await;
    assert!(answer.starts_with("403"), "{answer}");
    let nobody = Request::post("/api/webhooks/test").body(GOOD.into()).unwrap();
    assert!(shown(service.send(nobody).await).await.starts_with("401"));
}

#[tokio::test]
async fn organizations_have_clients_of_their_own() {
    let service = Service::start().await;
    client(&service, 1, |_| {}).await;
    let answer = shown(service.send(request_as(&token(&organization(2)), GOOD)).await).await;
    assert!(answer.starts_with("202"), "{answer}");
    assert_eq!(broadcasts(&service).await, []);
    assert_eq!(service.count("broadcast").await, 1);
}

#[tokio::test]
async fn a_table_that_fails_is_not_a_broadcast() {
    for fault in [Fault::Throttled, Fault::Unreachable, Fault::Refused] {
        let service = Service::start().await;
        service.table.faults().inject(Rule::new(fault));
        let answer = trigger(&service, GOOD).await;
        let expected = if fault == Fault::Refused { "500" } else { "503" };
        assert!(answer.starts_with(expected), "{fault:?}: {answer}");
        service.table.faults().clear();
        assert_eq!(service.count("broadcast").await + service.count("message").await, 0, "{fault:?}");
        assert!(trigger(&service, GOOD).await.starts_with("202"), "{fault:?}");
    }
}
