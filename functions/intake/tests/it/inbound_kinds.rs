//! What each kind of sender says of its webhooks, and where.

use std::fmt::Write as _;

use insta::assert_snapshot;
use tidings_domain::source::{Names, Scheme, SourceKind};
use tidings_domain::transaction::TransactionName;

use crate::support::inbound::{Sender, new_transaction};
use crate::support::{Service, shown};

/// What is said of a webhook with this body and these headers beside its sender's own.
async fn told(sender: &Sender, body: &str, headers: &[(&'static str, &'static str)]) -> String {
    let service = Service::start().await;
    let mut sender = sender.clone();
    for (name, value) in headers {
        sender.headers.retain(|(other, _)| other != name);
        if *value != "absent" {
            sender.headers.push((name, value));
        }
    }
    let (_, path) = service.source_for(&sender).await;
    let answer = service.send(sender.sends(&path, body)).await;
    if answer.status() != 200 {
        return shown(answer).await;
    }
    let transaction = new_transaction(answer).await;
    format!("{} {}", transaction["messageId"], transaction["event"])
}

#[tokio::test]
async fn every_kind_is_verified_and_read_in_its_own_way() {
    for sender in Sender::all() {
        let service = Service::start().await;
        let (source, path) = service.source_for(&sender).await;
        let transaction = new_transaction(service.send(sender.request(&path)).await).await;
        assert_eq!(transaction["messageId"].as_str(), sender.message_id, "{sender:?}");
        assert_eq!(transaction["event"], sender.event, "{sender:?}");
        let name = match sender.message_id {
            Some(id) => TransactionName::of_message(id),
            None => TransactionName::of_transaction(transaction["id"].as_str().unwrap().parse().unwrap()),
        };
        let kept = service.transaction(&source, &name).await.unwrap();
        assert_eq!((&*kept.body, kept.event.as_str()), (sender.body.as_bytes(), sender.event), "{sender:?}");
        assert_eq!(kept.message_id.as_deref(), sender.message_id, "{sender:?}");
    }
}

#[tokio::test]
async fn headers_that_say_what_it_is_are_kept_and_signatures_are_not() {
    let mut all = String::new();
    for sender in Sender::all() {
        let service = Service::start().await;
        let (source, path) = service.source_for(&sender).await;
        let mut request = sender.request(&path);
        for name in
            ["authorization", "cookie", "x-api-key", "x-forwarded-for", "x-slack-signature", "webhook-signature"]
        {
            let own = request.headers().contains_key(name);
            if !own {
                request.headers_mut().insert(name, "not to be kept".parse().unwrap());
            }
        }
        request.headers_mut().insert("user-agent", "x".repeat(600).parse().unwrap());
        let transaction = new_transaction(service.send(request).await).await;
        let id = transaction["id"].as_str().unwrap().parse().unwrap();
        let now = service.clock.now();
        let kept = service.table.store().transaction_by_id(&source, id, now).await.unwrap().unwrap();
        writeln!(all, "{}:", sender.kind()).unwrap();
        for (name, value) in kept.headers.0 {
            assert!(value.len() <= 512 && value != "not to be kept", "{name}");
            writeln!(all, "  {name}: {}", if name == "user-agent" { "..." } else { &value }).unwrap();
        }
        for (_, proof) in sender.proof(sender.body.as_bytes(), crate::support::NOW) {
            assert!(proof.len() < 20 || !service.written().await.contains(&proof), "{sender:?}");
        }
    }
    assert_snapshot!(all, @"
    docebo:
      content-type: application/json
      user-agent: ...
    generic:
      content-type: application/json
      user-agent: ...
      x-thing-event: thing/made
      x-thing-id: thing 1
    github:
      content-type: application/json
      user-agent: ...
      x-github-delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958
      x-github-event: issues
    none:
      content-type: application/json
      user-agent: ...
    shopify:
      content-type: application/json
      user-agent: ...
      x-shopify-topic: orders/create
      x-shopify-webhook-id: b54557e4-bdd9-4b37
    slack:
      content-type: application/json
      user-agent: ...
      x-slack-request-timestamp: 1800000000
    standard:
      content-type: application/json
      user-agent: ...
      webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek
      webhook-timestamp: 1800000000
    stripe:
      content-type: application/json
      user-agent: ...
    ");
}

#[tokio::test]
async fn an_event_is_found_where_its_kind_has_it() {
    let of = Sender::of;
    let (docebo, github, shopify) = (of(SourceKind::Docebo), of(SourceKind::Github), of(SourceKind::Shopify));
    let (slack, standard, stripe) = (of(SourceKind::Slack), of(SourceKind::Standard), of(SourceKind::Stripe));
    let (none, generic) = (of(SourceKind::None), of(SourceKind::Generic));
    let named = |id: Option<&str>, event: Option<&str>| Sender {
        scheme: Scheme::None {
            names: Names {
                id_header: id.map(|name| name.parse().unwrap()),
                event_header: event.map(|name| name.parse().unwrap()),
            },
        },
        ..none.clone()
    };
    let rows: [(_, _, _, Vec<(_, _)>); 16] = [
        ("github without an event", github.clone(), "[]", vec![("x-github-event", "absent")]),
        ("github with an empty one", github, "1", vec![("x-github-event", "")]),
        ("shopify without a topic", shopify, "{}", vec![("x-shopify-topic", "absent")]),
        ("slack's own type", slack.clone(), r#"{"type":"app_rate_limited","event":{"type":1}}"#, vec![]),
        ("slack without anything", slack, "{}", vec![]),
        ("standard without a type", standard.clone(), r#"{"type":null}"#, vec![]),
        ("standard that is a list", standard.clone(), "[]", vec![]),
        ("stripe without a type", stripe, r#"{"id":"evt_1"}"#, vec![]),
        (
            "generic without its headers",
            generic.clone(),
            "{}",
            vec![("x-thing-id", "absent"), ("x-thing-event", "absent")],
        ),
        ("a type and no event", none.clone(), r#"{"type":"other"}"#, vec![]),
        ("an event that is no text", none.clone(), r#"{"event":{"type":"a"},"type":"other"}"#, vec![]),
        ("an empty event", none.clone(), r#"{"event":""}"#, vec![]),
        ("a text", none.clone(), r#""event""#, vec![]),
        ("a header for the id only", named(Some("x-id"), None), r#"{"event":"a"}"#, vec![("x-id", "7")]),
        ("a header for the event only", named(None, Some("x-event")), r#"{"event":"a"}"#, vec![("x-event", "b")]),
        (
            "docebo says more",
            docebo,
            r#"{"message_id":"m","event":"e","fired_by_batch_action":true,"payloads":[{}],"webhook_id":[1],"extra_data":null,"new":{}}"#,
            vec![],
        ),
    ];
    let mut all = String::new();
    for (name, sender, body, headers) in rows {
        writeln!(all, "{name}: {}", told(&sender, body, &headers).await).unwrap();
    }
    assert_snapshot!(all, @r#"
    github without an event: "72d3162e-cc78-11e3-81ab-4c9367dc0958" "unknown"
    github with an empty one: "72d3162e-cc78-11e3-81ab-4c9367dc0958" "unknown"
    shopify without a topic: "b54557e4-bdd9-4b37" "unknown"
    slack's own type: null "app_rate_limited"
    slack without anything: null "unknown"
    standard without a type: "msg_p5jXN8AQM9LWM0D4loKWxJek" "unknown"
    standard that is a list: "msg_p5jXN8AQM9LWM0D4loKWxJek" "unknown"
    stripe without a type: "evt_1" "unknown"
    generic without its headers: null "unknown"
    a type and no event: null "other"
    an event that is no text: null "other"
    an empty event: null "unknown"
    a text: null "unknown"
    a header for the id only: "7" "a"
    a header for the event only: null "b"
    docebo says more: "m" "e"
    "#);
}

/// The signature's headers under the names that they had before.
fn under_older_names(headers: &mut http::HeaderMap) {
    for (new, old) in
        [("webhook-id", "svix-id"), ("webhook-timestamp", "svix-timestamp"), ("webhook-signature", "svix-signature")]
    {
        let value = headers.remove(new).unwrap();
        headers.insert(old, value);
    }
}

#[tokio::test]
async fn an_older_name_of_a_standard_header_is_as_good() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Standard);
    let (source, path) = service.source_for(&sender).await;
    let mut request = sender.request(&path);
    let headers = request.headers_mut();
    under_older_names(headers);
    new_transaction(service.send(request).await).await;
    assert!(service.transaction(&source, &sender.name()).await.is_some());
}

#[tokio::test]
async fn an_id_that_is_not_signed_is_not_taken_for_the_one_that_is() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Standard);
    let (source, path) = service.source_for(&sender).await;
    // Signed under the older names, and an id of the newer one beside them: it would be a webhook that is new each time.
    let mut request = sender.request(&path);
    let headers = request.headers_mut();
    under_older_names(headers);
    headers.insert("webhook-id", "another".parse().unwrap());
    assert_eq!(service.send(request).await.status(), 401);
    // And the other way round.
    let mut request = sender.request(&path);
    request.headers_mut().insert("svix-id", "another".parse().unwrap());
    new_transaction(service.send(request).await).await;
    assert!(service.transaction(&source, &sender.name()).await.is_some());
    assert_eq!(service.kept().await, (1, 0));
}
