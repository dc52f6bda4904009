//! Messages to the organizations of a platform.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use insta::assert_snapshot;
use serde_json::json;
use tidings_domain::agenda::SHARDS;
use tidings_domain::message::MAX_PAYLOAD_BYTES;
use tidings_harness::{Fault, Rule};

use crate::support::{NOW, Service, admin, application, organization, post_platform, shown, token};

const SEND: &str = "organizations/acme-1/send";
const GOOD: &str = r#"{"eventType":"sandbox.created","payload":{ "id" : "sb-1" }}"#;
const NAMED: &str = r#"{"eventType":"sandbox.created","payload":{"id":"sb-1"},"eventId":"order-17"}"#;

#[tokio::test]
async fn a_message_is_answered_with_200_and_its_application_is_made_on_first_use() {
    let service = Service::start().await;
    assert_snapshot!(service.platform(SEND, GOOD).await, @r#"
    200 OK
    {"id":"msg_[id]","eventType":"sandbox.created","eventId":null,"channels":null,"tags":null,"payload":{ "id" : "sb-1" },"timestamp":"2027-01-15T08:00:00.000Z"}
    "#);
    assert_snapshot!(service.written().await, @r#"
    DUE#[shard] | 001800000030000#message#org_[id]/app_[id]/msg_[id]
      entity=agenda
      tries=0
      v=1

    org_[id]#APPUID#acme-1 | UID
      application=app_[id]
      entity=application_uid
      v=1

    org_[id]/app_[id] | APP
      created_at=1800000000000
      entity=application
      gsi1pk=org_[id]#APP
      gsi1sk=app_[id]
      name=acme-1
      uid=acme-1
      updated_at=1800000000000
      v=1

    org_[id]/app_[id] | MSG#msg_[id]
      created_at=1800000000000
      entity=message
      event_type=sandbox.created
      expires_at=1807776000
      owed=1800000030000
      payload={ "id" : "sb-1" }
      v=1
      work=message#org_[id]/app_[id]/msg_[id]
    "#);
    service.platform(SEND, NAMED).await;
    assert_eq!((service.count("application").await, service.count("message").await), (1, 2));
}

#[tokio::test]
async fn organizations_of_two_tenants_have_nothing_in_common() {
    let service = Service::start().await;
    for number in [1, 2] {
        let request = post_platform(&token(&admin(number)), SEND).body(NAMED.into()).unwrap();
        assert_eq!(service.send(request).await.status(), 200);
    }
    assert_eq!((service.count("application").await, service.count("message").await), (2, 2));
}

#[tokio::test]
async fn with_another_server_a_message_owes_to_be_handed_over() {
    let service = Service::with(&[("SVIX_AUTH_TOKEN", "sk_x"), ("SVIX_SERVER_URL", "http://127.0.0.1:9")]).await;
    let answer = service.platform(SEND, GOOD).await;
    assert!(answer.starts_with("200"), "nobody asks that server here: {answer}");
    assert!(service.written().await.contains("#forward#org_[id]/app_[id]/msg_[id]"));
}

#[tokio::test]
async fn a_repeated_event_id_is_answered_with_the_first_message_and_delivers_nothing() {
    let service = Service::start().await;
    let first = service.platform(SEND, NAMED).await;
    let before = service.written().await;
    service.clock.advance(Duration::from_secs(5));
    let other = NAMED.replace("sb-1", "sb-2").replace("created", "state.updated");
    let again = service.platform(SEND, other).await;
    assert_snapshot!(again, @r#"
    200 OK
    {"id":"msg_[id]","eventType":"sandbox.created","eventId":"order-17","channels":null,"tags":null,"payload":{"id":"sb-1"},"timestamp":"2027-01-15T08:00:00.000Z"}
    "#);
    assert_eq!((&again, service.written().await), (&first, before));
    // Another organization has names of its own.
    assert!(service.platform("organizations/other/send", NAMED).await.starts_with("200"));
    assert_eq!(service.count("message").await, 2);
    // And after its time the name is free.
    service.clock.advance(Duration::from_hours(49));
    assert!(service.platform(SEND, NAMED).await.starts_with("200"));
    assert_eq!(service.count("message").await, 3);
}

#[tokio::test]
async fn a_repeated_event_id_makes_good_what_the_first_request_did_not_live_to_write() {
    let service = Service::start().await;
    service.platform(SEND, NAMED).await;
    let owed = owed(&service).await;
    assert_eq!(owed.len(), 1);
    service.table.store().take_off(&owed[0].key).await.unwrap();
    service.clock.advance(Duration::from_secs(40));
    assert!(service.platform(SEND, NAMED).await.starts_with("200"));
    assert_eq!(self::owed(&service).await, owed);
    // Whoever comes much later does not start it again.
    service.table.store().take_off(&owed[0].key).await.unwrap();
    service.clock.advance(Duration::from_mins(10));
    assert!(service.platform(SEND, NAMED).await.starts_with("200"));
    assert_eq!(self::owed(&service).await, []);
}

async fn owed(service: &Service) -> Vec<tidings_domain::agenda::Entry> {
    let mut entries = Vec::new();
    for shard in 0..SHARDS {
        let until = NOW + Duration::from_hours(1);
        entries.extend(service.table.store().due(shard, until, None, 100).await.unwrap().entries);
    }
    entries
}

#[tokio::test]
async fn an_event_id_whose_first_request_died_is_taken_over() {
    let service = Service::start().await;
    service.platform(SEND, GOOD).await;
    service.table.faults().inject(Rule::new(Fault::Unreachable).on("BatchWriteItem"));
    assert!(service.platform(SEND, NAMED).await.starts_with("503"));
    service.table.faults().clear();
    assert_snapshot!(service.platform(SEND, NAMED).await, @r#"
    409 Conflict
    retry-after: 1
    {"code":"conflict","detail":"Another request is changing the same at this moment."}
    "#);
    service.clock.advance(Duration::from_secs(11));
    assert!(service.platform(SEND, NAMED).await.starts_with("200"));
    assert_eq!(service.count("message").await, 2);
}

#[tokio::test]
async fn the_same_request_under_a_key_makes_one_message() {
    let service = Service::start().await;
    let bearer = token(&admin(1));
    let keyed = |body: &str| {
        post_platform(&bearer, SEND).header("idempotency-key", "17").body(Body::from(body.to_owned())).unwrap()
    };
    let first = shown(service.send(keyed(GOOD)).await).await;
    service.clock.advance(Duration::from_secs(5));
    let again = shown(service.send(keyed(GOOD)).await).await;
    assert_eq!(again.replace("idempotent-replayed: true\n", ""), first);
    assert!(again.contains("idempotent-replayed"), "{again}");
    assert!(shown(service.send(keyed(NAMED)).await).await.starts_with("409"));
    assert_eq!(service.count("message").await, 1);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_refused_with_every_fault() {
    let service = Service::start().await;
    let mut table = String::new();
    let large = json!({"eventType": "a", "payload": {"a": "x".repeat(MAX_PAYLOAD_BYTES)}}).to_string();
    let cases = [
        ("no JSON", "{"),
        ("a list", "[]"),
        ("nothing", "{}"),
        ("everything", r#"{"eventType":"a b","payload":[],"eventId":"a/b","channels":["eu"]}"#),
        ("null", r#"{"eventType":null,"payload":null,"eventId":null}"#),
        ("too large", &large),
    ];
    for (name, body) in cases {
        writeln!(table, "--- {name}\n{}", service.platform(SEND, body.to_owned()).await).unwrap();
    }
    assert_snapshot!(table, @r#"
    --- no JSON
    400 Bad Request
    {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 1."}
    --- a list
    422 Unprocessable Entity
    {"detail":[{"loc":["body"],"msg":"must be an object","type":"type_error"}]}
    --- nothing
    422 Unprocessable Entity
    {"detail":[{"loc":["body","eventType"],"msg":"is required","type":"value_error.missing"},{"loc":["body","payload"],"msg":"is required","type":"value_error.missing"}]}
    --- everything
    422 Unprocessable Entity
    {"detail":[{"loc":["body","eventType"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["body","payload"],"msg":"must be an object","type":"type_error"},{"loc":["body","eventId"],"msg":"must be 1 to 256 letters, digits, `-`, `_` or `.`","type":"value_error"},{"loc":["body","channels"],"msg":"is not known here","type":"value_error.extra"}]}
    --- null
    422 Unprocessable Entity
    {"detail":[{"loc":["body","eventType"],"msg":"must be a string","type":"type_error"},{"loc":["body","payload"],"msg":"must be an object","type":"type_error"}]}
    --- too large
    413 Payload Too Large
    {"code":"payload_too_large","detail":"The body is larger than 262144 bytes."}
    "#);
    for path in
        ["organizations/a%20b/send", "organizations/%23/send", &format!("organizations/{}/send", "a".repeat(257))]
    {
        assert!(service.platform(path, GOOD).await.starts_with("404"), "{path}");
    }
    assert_eq!(service.written().await, "", "something was written");
}

#[tokio::test]
async fn only_an_admin_sends() {
    let service = Service::start().await;
    let member = tidings_domain::caller::Caller { organizations: vec!["acme-1".to_owned()], ..organization(1) };
    for path in [SEND, "events"] {
        for caller in [member.clone(), organization(1), application()] {
            let answer = service.send(post_platform(&token(&caller), path).body(GOOD.into()).unwrap()).await;
            assert_eq!(answer.status(), 403, "{path} {caller:?}");
        }
        let answer = service.send(post_platform("x", path).body(GOOD.into()).unwrap()).await;
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(service.written().await, "", "something was written");
}

#[tokio::test]
async fn a_table_that_fails_is_503_and_nothing_is_accepted() {
    for fault in [Fault::Throttled, Fault::InternalError, Fault::Unreachable] {
        let service = Service::start().await;
        service.table.faults().inject(Rule::new(fault));
        for (path, body) in [(SEND, GOOD), ("events", r#"{"event":"organization.created","organizationId":"a"}"#)] {
            let answer = service.platform(path, body).await;
            assert!(answer.starts_with("503"), "{fault:?}: {answer}");
        }
        assert_eq!(service.written().await, "", "{fault:?}");
    }
}
