//! Messages that are accepted: what is answered, what is written, and what a repetition gets.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tidings_domain::ids::MessageId;

use crate::support::{Service, application, organization, post_message, post_message_as, shown, token};

const GOOD: &str = r#"{"eventType":"user.signup","payload":{"email":"a@example.com"}}"#;

fn keyed(key: &str, body: &str) -> Request<Body> {
    post_message("acme").header("idempotency-key", key).body(body.to_owned().into()).unwrap()
}

/// Status and body.
async fn json(service: &Service, request: Request<Body>) -> (u16, Value) {
    use http_body_util::BodyExt as _;

    let (parts, body) = service.send(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

async fn id_of(service: &Service, request: Request<Body>) -> MessageId {
    let (status, body) = json(service, request).await;
    assert_eq!(status, 202, "{body}");
    body["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_message_is_accepted_with_202_and_shown_as_it_was_sent() {
    let service = Service::start().await;
    service.acme().await;
    assert_snapshot!(service.message(GOOD).await, @r#"
    202 Accepted
    {"id":"msg_[id]","eventType":"user.signup","eventId":null,"channels":null,"tags":null,"payload":{"email":"a@example.com"},"timestamp":"2027-01-15T08:00:00.000Z"}
    "#);
    let full = r#" { "payload" : { "z": 1.50,  "a":[1E2,12345678901234567890123] } , "eventType":"user.signup",
        "eventId":"order-17","channels":["eu","us"],"tags":["red"],"payloadRetentionPeriod":5 } "#;
    assert_snapshot!(service.message(full).await, @r#"
    202 Accepted
    {"id":"msg_[id]","eventType":"user.signup","eventId":"order-17","channels":["eu","us"],"tags":["red"],"payload":{ "z": 1.50,  "a":[1E2,12345678901234567890123] },"timestamp":"2027-01-15T08:00:00.000Z"}
    "#);
    let nulls = r#"{"eventType":"a","payload":{},"eventId":null,"channels":null,"tags":null,"application":null,
        "payloadRetentionPeriod":null,"payloadRetentionHours":null,"transformationsParams":null,"deliverAt":null}"#;
    assert_snapshot!(service.message(nulls).await, @r#"
    202 Accepted
    {"id":"msg_[id]","eventType":"a","eventId":null,"channels":null,"tags":null,"payload":{},"timestamp":"2027-01-15T08:00:00.000Z"}
    "#);
}

#[tokio::test]
async fn a_message_is_written_with_what_it_owes_and_when_its_payload_goes() {
    let service = Service::with(&[("GRACE_SECONDS", "7")]).await;
    service.acme().await;
    service.message(r#"{"eventType":"a","payload":{ "b" : 1 },"payloadRetentionPeriod":5}"#).await;
    assert_snapshot!(service.written().await, @r#"
    DUE#[shard] | 001800000007000#message#org_[id]/app_[id]/msg_[id]
      entity=agenda
      tries=0
      v=1

    DUE#[shard] | 001800432000000#expunge#org_[id]/app_[id]/msg_[id]
      entity=agenda
      tries=0
      v=1

    org_[id]#APPUID#acme | UID
      application=app_[id]
      entity=application_uid
      v=1

    org_[id]/app_[id] | APP
      created_at=1800000000000
      entity=application
      gsi1pk=org_[id]#APP
      gsi1sk=app_[id]
      name=Acme
      uid=acme
      updated_at=1800000000000
      v=1

    org_[id]/app_[id] | MSG#msg_[id]
      created_at=1800000000000
      entity=message
      event_type=a
      expires_at=1807776000
      owed=1800000007000
      payload={ "b" : 1 }
      payload_until=1800432000000
      v=1
      work=message#org_[id]/app_[id]/msg_[id]
    "#);
}

#[tokio::test]
async fn a_message_is_one_write_of_three_units_and_no_read_once_its_application_is_known() {
    let service = Service::start().await;
    service.acme().await;
    service.message(GOOD).await;
    service.table.meter().reset();
    service.table.meter().measure(true);
    let body = format!(r#"{{"eventType":"user.signup","payload":{{"a":"{}"}}}}"#, "x".repeat(1024));
    assert!(service.message(body).await.starts_with("202"));
    let calls = service.table.meter().calls();
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["BatchWriteItem"]);
    let total = service.table.meter().total();
    assert_eq!((total.count, total.write_units.round(), total.read_units.round()), (1, 3.0, 0.0), "{total:?}");
}

#[tokio::test]
async fn a_payload_is_left_out_of_the_answer_where_it_is_not_wanted() {
    let service = Service::start().await;
    let acme = service.acme().await;
    let request = Request::post("/api/v1/app/acme/msg?with_content=false")
        .header("authorization", format!("Bearer {}", token(&organization(1))));
    let (status, body) = json(&service, request.body(GOOD.into()).unwrap()).await;
    assert_eq!((status, &body["payload"]), (202, &serde_json::json!({})));
    let id = body["id"].as_str().unwrap().parse().unwrap();
    let stored = service.table.store().message(acme.organization, acme.id, id, service.clock.now()).await.unwrap();
    assert_eq!(stored.unwrap().payload.unwrap(), r#"{"email":"a@example.com"}"#);
}

#[tokio::test]
async fn an_event_id_is_unique_in_its_application_for_a_day() {
    let service = Service::start().await;
    service.acme().await;
    let body = r#"{"eventType":"a","payload":{},"eventId":"order-17"}"#;
    assert!(service.message(body).await.starts_with("202"));
    assert_snapshot!(service.message(body).await, @r#"
    409 Conflict
    {"code":"conflict","detail":"Another message has this eventId."}
    "#);
    let other = post_message("other")
        .body(r#"{"eventType":"a","payload":{},"eventId":"order-17","application":{"name":"Other"}}"#.into())
        .unwrap();
    assert_eq!(json(&service, other).await.0, 202, "another application has names of its own");
    service.clock.advance(Duration::from_hours(23));
    assert!(service.message(body).await.starts_with("409"));
    service.clock.advance(Duration::from_hours(26));
    assert!(service.message(body).await.starts_with("202"), "forgotten");
}

#[tokio::test]
async fn the_same_request_under_a_key_is_answered_the_same_and_makes_one_message() {
    let service = Service::start().await;
    service.acme().await;
    let first = shown(service.send(keyed("order 17", GOOD)).await).await;
    service.clock.advance(Duration::from_hours(1));
    let again = service.send(keyed("order 17", GOOD)).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(shown(again).await.replace("idempotent-replayed: true\n", ""), first);
    assert_snapshot!(shown(service.send(keyed("order 17", &GOOD.replace(":{", ": {"))).await).await, @r#"
    409 Conflict
    {"code":"conflict","detail":"This idempotency key was used for another request."}
    "#);
    assert_eq!(service.count("message").await, 1);
    let id = id_of(&service, keyed("order 17", GOOD)).await;
    service.clock.advance(Duration::from_hours(12));
    assert_ne!(id_of(&service, keyed("order 17", GOOD)).await, id, "a key is remembered for 12 hours");
}

#[tokio::test]
async fn a_key_names_one_request_whatever_its_event_id() {
    let service = Service::start().await;
    service.acme().await;
    let body = r#"{"eventType":"a","payload":{},"eventId":"order-17"}"#;
    let first = id_of(&service, keyed("k", body)).await;
    assert_eq!(id_of(&service, keyed("k", body)).await, first, "a repetition, no clash");
    assert!(shown(service.send(keyed("k2", body)).await).await.starts_with("409"));
    assert_eq!(service.count("message").await, 1);
}

#[tokio::test]
async fn requests_at_the_same_time_under_one_key_make_one_message() {
    let service = Service::start().await;
    service.acme().await;
    let answers = futures::future::join_all((0..32).map(|_| service.send(keyed("order 17", GOOD)))).await;
    for answer in &answers {
        // Who comes while the first is at work is told to come back.
        assert!([202, 409].contains(&answer.status().as_u16()), "{answer:?}");
        assert!(answer.status() == 202 || answer.headers()["retry-after"] == "1", "{answer:?}");
    }
    assert!(answers.iter().any(|answer| answer.status() == 202));
    assert_eq!(service.count("message").await, 1);
}

#[tokio::test]
async fn another_organizations_key_is_another_key() {
    let service = Service::start().await;
    service.acme().await;
    let mine = id_of(&service, keyed("order 17", GOOD)).await;
    let body = GOOD.replacen('{', r#"{"application":{"name":"Theirs"},"#, 1);
    let theirs = post_message_as(&token(&organization(2)), "acme").header("idempotency-key", "order 17");
    assert_ne!(id_of(&service, theirs.body(body.into()).unwrap()).await, mine);
}

#[tokio::test]
async fn application_in_the_body_makes_the_application_that_the_path_names() {
    let service = Service::start().await;
    let body = r#"{"eventType":"a","payload":{},"application":{"name":"Acme","uid":"acme","rateLimit":7,
        "metadata":{"a":"b"}}}"#;
    let first = id_of(&service, post_message("acme").body(body.into()).unwrap()).await;
    let organization = organization(1).organization;
    let reference = "acme".parse().unwrap();
    let made = service.table.store().application(organization, &reference).await.unwrap().unwrap();
    assert_eq!((made.name.as_str(), made.throttle_rate.map(u16::from)), ("Acme", Some(7)));
    let stored = service.table.store().message(organization, made.id, first, service.clock.now()).await.unwrap();
    assert!(stored.is_some());
    // From then on it is there, and what the body says of it does not matter.
    id_of(&service, post_message("acme").body(body.replace("Acme", "Other").into()).unwrap()).await;
    let after = service.table.store().application(organization, &reference).await.unwrap().unwrap();
    assert_eq!((after.id, after.name.as_str()), (made.id, "Acme"));
    // Under its id, too.
    id_of(&service, post_message(&made.id.to_string()).body(body.into()).unwrap()).await;
    assert_eq!(service.count("application").await, 1);
}

#[tokio::test]
async fn of_many_first_messages_at_once_one_makes_the_application() {
    let service = Service::start().await;
    let body = r#"{"eventType":"a","payload":{},"application":{"name":"Acme"}}"#;
    let requests = (0..16).map(|_| id_of(&service, post_message("acme").body(body.into()).unwrap()));
    futures::future::join_all(requests).await;
    assert_eq!((service.count("application").await, service.count("message").await), (1, 16));
}

#[tokio::test]
async fn an_application_that_is_not_there_and_not_made_is_404() {
    let service = Service::start().await;
    let acme = service.acme().await;
    let theirs = token(&organization(2));
    let with = r#"{"eventType":"a","payload":{},"application":{"name":"Acme"}}"#;
    for (name, bearer, path, body) in [
        ("unknown", token(&organization(1)), "nobody".to_owned(), GOOD),
        ("another organization's, by id", theirs.clone(), acme.id.to_string(), GOOD),
        ("another organization's, by uid", theirs.clone(), "acme".to_owned(), GOOD),
        ("another organization's id is no name to make one under", theirs, acme.id.to_string(), with),
        ("no name", token(&organization(1)), "a%20b".to_owned(), with),
        ("a separator", token(&organization(1)), "a%2Fb".to_owned(), with),
    ] {
        let request = post_message_as(&bearer, &path).body(body.into()).unwrap();
        let (status, answer) = json(&service, request).await;
        assert_eq!((status, &answer["code"]), (404, &"not_found".into()), "{name}");
    }
    assert_eq!((service.count("application").await, service.count("message").await), (1, 0));
}

#[tokio::test]
async fn an_applications_token_is_403_even_for_its_own() {
    let service = Service::start().await;
    let own = application();
    let request = post_message_as(&token(&own), "app_0ujsswThIGTUYm2K8FjOOfXtY1K").body(GOOD.into()).unwrap();
    assert_snapshot!(shown(service.send(request).await).await, @r#"
    403 Forbidden
    {"code":"insufficient access","detail":"This credential does not reach this operation."}
    "#);
    assert_eq!(service.written().await, "", "something was written");
}

/// Text that is one JSON value, in every spelling that JSON has.
fn spelled() -> impl Strategy<Value = String> {
    let space = || prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("  ")];
    let leaf = prop_oneof![
        prop_oneof![
            Just("null"),
            Just("true"),
            Just("1.50"),
            Just("1E2"),
            Just("-0"),
            Just("0.1e-7"),
            Just("12345678901234567890123"),
            Just(r#""\u00e9\/\ud83d\ude00""#),
            Just("\"\u{e9}\u{1f600}\u{2028}\""),
        ]
        .prop_map(str::to_owned),
        ".*".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        let item = (space(), inner, space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let list = prop::collection::vec(item.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![list, object(item)]
    })
}

fn object(item: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec(item, 0..6).prop_map(|items| {
        let members = items.iter().enumerate().map(|(number, value)| format!(" \"k{}\" :{value}", 9 - number));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    })
}

#[test]
fn a_payload_is_kept_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (service, acme) = runtime.block_on(async {
        let service = Service::start().await;
        let acme = service.acme().await;
        (service, acme)
    });
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let payloads = object(spelled());
    let kept = runner.run(&payloads, |payload| {
        let body = format!(r#"{{"eventType":"a", "payload" : {payload} ,"tags":["x"]}}"#);
        runtime.block_on(async {
            use http_body_util::BodyExt as _;

            let response = service.send(post_message("acme").body(body.into()).unwrap()).await;
            prop_assert_eq!(response.status().as_u16(), 202);
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let answer = std::str::from_utf8(&bytes).unwrap();
            prop_assert!(answer.contains(&format!("\"payload\":{payload},")), "{}", answer);
            let id = serde_json::from_str::<Value>(answer).unwrap()["id"].as_str().unwrap().parse().unwrap();
            let now = service.clock.now();
            let stored = service.table.store().message(acme.organization, acme.id, id, now).await.unwrap().unwrap();
            prop_assert_eq!(stored.payload.unwrap(), payload.as_bytes());
            Ok(())
        })
    });
    kept.unwrap();
}
