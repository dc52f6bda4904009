//! What is told to whom.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_domain::api_key::{ApiKey, ApiKeySecret};
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::ApiKeyId;
use tidings_domain::token::TokenHash;
use tidings_harness::{Fault, Rule};
use tidings_runtime::random;
use tidings_store::Replaced;
use tidings_store::stream::Change;

use crate::support::{World, admin, id, organization};

/// Longer than anything is kept, be it what is read or what was taken back.
const KEPT: Duration = Duration::from_secs(6);

fn member(organizations: &[&str]) -> Caller {
    Caller { role: Role::User, organizations: organizations.iter().map(ToString::to_string).collect(), ..admin(1) }
}

#[tokio::test]
async fn attempts_are_told_as_they_ended() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    let endpoint = world.endpoint(&application).await;
    world.take(1).await;
    world.listen("one", &admin(1)).await;
    let good = world.attempt(&endpoint, 204).await;
    let bad = world.attempt(&endpoint, 500).await;
    // The connection's item, and both.
    assert!(world.announce(3).await.is_empty());
    let frames = world.held.frames("one");
    let expected = [
        json!({"event": "webhook.delivered", "data": {
            "messageId": good.delivery.message, "endpointId": endpoint.id, "status": 204, "timestamp": good.made_at,
        }}),
        json!({"event": "webhook.failed", "data": {
            "messageId": bad.delivery.message, "endpointId": endpoint.id, "error": "answered 500", "timestamp": bad.made_at,
        }}),
    ];
    assert_eq!(frames, expected);
}

#[tokio::test]
async fn attempts_of_which_nobody_would_hear_do_not_come_at_all() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    let endpoint = world.endpoint(&application).await;
    world.listen("elsewhere", &admin(2)).await;
    world.take(2).await;
    world.attempt(&endpoint, 204).await;
    // Written after it, so that it would have come before.
    world.endpoint(&application).await;
    let records = world.take(1).await;
    assert!(records.len() == 1 && records[0].change.keys.get("sk").is_some());
    world.realtime.announce(records.into_iter().map(Into::into).collect()).await;
    assert!(world.held.said("elsewhere").is_empty());
}

#[tokio::test]
async fn endpoints_are_told_when_they_are_made_changed_and_deleted_and_their_health_is_not() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    world.listen("one", &admin(1)).await;
    let store = world.table.store();
    let endpoint = world.endpoint(&application).await;
    world.clock.advance(Duration::from_secs(1));
    store.endpoint_failed(&endpoint, world.clock.now()).await.unwrap();
    let mut changed = world.read(&endpoint).await;
    store.endpoint_recovered(&changed).await.unwrap();
    changed.failing_since = None;
    let before = changed.clone();
    changed.description = "changed".to_owned();
    changed.updated_at = world.clock.now();
    assert_eq!(store.replace_endpoint(&before, &changed, None).await.unwrap(), Replaced::Written);
    assert!(store.delete_endpoint(&changed, None).await.unwrap());
    assert!(world.announce(6).await.is_empty());
    let frames = world.held.frames("one");
    let names: Vec<_> = frames.iter().map(|frame| frame["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["endpoint.created", "endpoint.updated", "endpoint.deleted"]);
    assert_eq!(frames[0]["data"]["endpoint"]["id"], json!(endpoint.id));
    assert_eq!(frames[1]["data"]["endpoint"]["description"], "changed");
    assert_eq!(frames[2]["data"]["endpointId"], json!(endpoint.id));
    for frame in frames {
        assert!(!frame.to_string().contains("sealed") && frame["data"]["timestamp"].is_string(), "{frame}");
    }
}

#[tokio::test]
async fn everybody_hears_only_what_is_theirs() {
    let world = World::new().await;
    let acme = world.application(organization(1), Some("acme")).await;
    let other = world.application(organization(1), Some("other")).await;
    let of_application = |id| Caller { scope: Scope::Application(id), role: Role::User, ..admin(1) };
    world.listen("admin", &admin(1)).await;
    world.listen("member", &member(&["acme"])).await;
    world.listen("nobody", &member(&[])).await;
    world.listen("portal", &of_application(acme.id)).await;
    world.listen("other-portal", &of_application(other.id)).await;
    world.listen("stranger", &admin(2)).await;
    world.open("unknown", None, None).await.unwrap();
    world.endpoint(&acme).await;
    assert!(world.announce(8).await.is_empty());
    for (name, hears) in [
        ("admin", true),
        ("member", true),
        ("portal", true),
        ("nobody", false),
        ("other-portal", false),
        ("stranger", false),
        ("unknown", false),
    ] {
        assert_eq!(world.held.events(name) == ["endpoint.created"], hears, "{name}");
    }
}

#[tokio::test]
async fn both_protocols_are_told_the_same() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    world.listen("plain", &admin(1)).await;
    world.open("io", Some("4"), None).await.unwrap();
    world.say("io", &format!("40{}", json!({"token": world.token(&admin(1))}))).await;
    world.announce(2).await;
    world.held.said("io");
    world.endpoint(&application).await;
    world.announce(1).await;
    let plain = world.held.frames("plain").remove(0);
    let packet: Value = serde_json::from_str(world.held.said("io")[0].strip_prefix("42").unwrap()).unwrap();
    assert_eq!(packet, json!([plain["event"], plain["data"]]));
}

#[tokio::test]
async fn nothing_is_told_after_the_credentials_end() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    world.listen("one", &admin(1)).await;
    world.clock.advance(Duration::from_secs(3700));
    world.endpoint(&application).await;
    assert!(world.announce(2).await.is_empty());
    assert!(world.held.said("one").is_empty());
}

#[tokio::test]
async fn an_api_key_that_was_revoked_ends_its_connection() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    let secret = ApiKeySecret::new(random::bytes());
    let now = world.clock.now();
    let key = ApiKey {
        id: ApiKeyId::new(now, random::bytes()),
        description: String::new(),
        caller: admin(1),
        hash: secret.hash(),
        created_at: now,
    };
    let store = world.table.store();
    store.create_api_key(&key).await.unwrap();
    world.open("one", None, None).await.unwrap();
    world.say("one", &json!({"token": secret.reveal()}).to_string()).await;
    world.endpoint(&application).await;
    world.announce(2).await;
    assert_eq!(world.held.events("one"), ["connected", "endpoint.created"]);
    assert!(store.revoke_api_key(organization(1), key.id).await.unwrap());
    world.clock.advance(KEPT);
    world.endpoint(&application).await;
    world.announce(1).await;
    assert_eq!(world.held.events("one"), ["error"]);
    assert!(!world.held.is_open("one"));
    assert_eq!(store.connection(&id("one")).await.unwrap(), None);
}

#[tokio::test]
async fn an_applications_token_that_was_taken_back_ends_its_connection() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    let caller = Caller { scope: Scope::Application(application.id), role: Role::User, ..admin(1) };
    let token = world.token(&caller);
    world.open("one", None, None).await.unwrap();
    world.say("one", &json!({"token": token}).to_string()).await;
    let end = world.clock.now() + Duration::from_hours(1);
    world.table.store().revoke_token(&TokenHash::of(&token), end).await.unwrap();
    world.clock.advance(KEPT);
    world.endpoint(&application).await;
    world.announce(2).await;
    assert_eq!(world.held.events("one"), ["connected", "error"]);
    assert!(!world.held.is_open("one"));
}

#[tokio::test]
async fn a_connection_that_is_gone_is_dropped_and_a_broken_one_keeps_nobody_waiting() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    for name in ["gone", "broken", "here"] {
        world.listen(name, &admin(1)).await;
    }
    world.held.close("gone");
    world.held.break_line("broken");
    world.clock.advance(KEPT);
    world.endpoint(&application).await;
    assert!(world.announce(4).await.is_empty());
    assert_eq!(world.held.events("here"), ["endpoint.created"]);
    let store = world.table.store();
    assert_eq!(store.connection(&id("gone")).await.unwrap(), None);
    assert!(store.connection(&id("broken")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_may_not_be_open_yet_is_not_dropped() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    let offered = format!("tidings, {}", world.token(&admin(1)));
    world.open("young", None, Some(&offered)).await.unwrap();
    world.held.close("young");
    world.endpoint(&application).await;
    assert!(world.announce(2).await.is_empty());
    assert!(world.table.store().connection(&id("young")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_and_the_others_are_told_once() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    world.listen("one", &admin(1)).await;
    world.endpoint(&application).await;
    world.endpoint(&application).await;
    let mut records = world.take(3).await;
    records[1].change.new_image.inner_mut().remove("url");
    let poison = records[1].change.sequence_number.clone().unwrap();
    let batch = || records.iter().cloned().map(Change::from).collect::<Vec<_>>();
    assert_eq!(world.realtime.announce(batch()).await, std::slice::from_ref(&poison));
    assert_eq!(world.held.events("one"), ["endpoint.created"]);
    // Lambda sends what stands behind it again.
    assert_eq!(world.realtime.announce(batch()).await, [poison]);
    assert!(world.held.said("one").is_empty());
}

#[tokio::test]
async fn when_listeners_cannot_be_found_out_the_rest_of_the_batch_comes_again() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    world.listen("one", &admin(1)).await;
    for _ in 0..3 {
        world.endpoint(&application).await;
    }
    let records = world.take(4).await;
    let first = records[1].change.sequence_number.clone().unwrap();
    let batch = || records.iter().cloned().map(Change::from).collect::<Vec<_>>();
    world.table.faults().inject(Rule::new(Fault::Unreachable).on("Query"));
    assert_eq!(world.realtime.announce(batch()).await, [first]);
    assert!(world.held.said("one").is_empty());
    world.table.faults().clear();
    assert!(world.realtime.announce(batch()).await.is_empty());
    assert_eq!(world.held.events("one").len(), 3);
}

#[tokio::test]
async fn a_thousand_listeners_are_told() {
    let world = World::new().await;
    let application = world.application(organization(1), None).await;
    let token = world.token(&admin(1));
    let offered = format!("tidings, {token}");
    for number in 0..1000 {
        world.open(&format!("c{number}"), None, Some(&offered)).await.unwrap();
    }
    world.announce(1000).await;
    world.endpoint(&application).await;
    assert!(world.announce(1).await.is_empty());
    for number in 0..1000 {
        assert_eq!(world.held.events(&format!("c{number}")), ["connected", "endpoint.created"], "{number}");
    }
}
