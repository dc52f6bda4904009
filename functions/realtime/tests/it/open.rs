//! Handshakes.

use realtime::{Accepted, Standing};
use serde_json::Value;
use tidings_domain::connection::Protocol;
use tidings_harness::{Fault, Rule};

use crate::support::{World, admin, id};

#[tokio::test]
async fn a_client_of_socket_io_is_sent_the_open_packet_once_its_connection_is_there() {
    let world = World::new().await;
    let accepted = world.open("one", Some("4"), None).await.unwrap();
    assert_eq!(accepted, Accepted { sub_protocol: None, standing: Standing::Unknown });
    assert!(world.held.said("one").is_empty(), "nothing is sent before the handshake was answered");
    assert!(world.announce(1).await.is_empty());
    let said = world.held.said("one");
    let handshake: Value = serde_json::from_str(said[0].strip_prefix('0').unwrap()).unwrap();
    assert_eq!((said.len(), &handshake["sid"]), (1, &Value::from("one")));
}

#[tokio::test]
async fn a_credential_beside_the_sub_protocol_is_enough() {
    let world = World::new().await;
    let offered = format!("tidings, {}", world.token(&admin(1)));
    let accepted = world.open("one", None, Some(&offered)).await.unwrap();
    assert_eq!(accepted.sub_protocol, Some("tidings"));
    assert!(matches!(accepted.standing, Standing::Listening(_)));
    world.announce(1).await;
    assert_eq!(world.held.said("one"), [r#"{"event":"connected"}"#]);
    let kept = world.table.store().connection(&id("one")).await.unwrap().unwrap();
    assert_eq!((kept.protocol, kept.caller), (Protocol::Plain, Some(admin(1))));
}

#[tokio::test]
async fn a_plain_client_speaks_first() {
    let world = World::new().await;
    let accepted = world.open("one", None, Some("tidings")).await.unwrap();
    assert_eq!(accepted, Accepted { sub_protocol: Some("tidings"), standing: Standing::Unknown });
    world.announce(1).await;
    assert!(world.held.said("one").is_empty());
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let refusal = world.open("one", Some("3"), None).await.unwrap_err();
    assert_eq!(refusal.status(), 400, "{refusal}");
    let refusal = world.open("one", None, Some("tidings, nobody")).await.unwrap_err();
    assert_eq!(refusal.status(), 401, "{refusal}");
    world.table.faults().inject(Rule::new(Fault::Throttled));
    let refusal = world.open("one", None, None).await.unwrap_err();
    assert_eq!(refusal.status(), 503, "{refusal}");
    world.table.faults().clear();
    assert_eq!(world.table.store().connection(&id("one")).await.unwrap(), None);
    assert!(world.take_all().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_gone_before_it_is_greeted_harms_nobody() {
    let world = World::new().await;
    world.open("gone", Some("4"), None).await.unwrap();
    world.open("here", Some("4"), None).await.unwrap();
    world.held.close("gone");
    assert!(world.announce(2).await.is_empty());
    assert_eq!(world.held.said("here").len(), 1);
}
