//! What clients say, and what they are answered.

use std::time::Duration;

use realtime::{LONGEST, MAX_FRAME_BYTES, Standing};
use serde_json::{Value, json};
use tidings_domain::api_key::{ApiKey, ApiKeySecret};
use tidings_domain::ids::ApiKeyId;
use tidings_harness::{Fault, Rule};
use tidings_runtime::random;

use crate::support::{World, admin, id};

/// What a plain client was told before its connection ended.
fn error(world: &World, name: &str) -> String {
    let frames = world.held.frames(name);
    assert_eq!((frames.len(), &frames[0]["event"]), (1, &json!("error")), "{frames:?}");
    assert!(!world.held.is_open(name));
    frames[0]["data"]["message"].as_str().unwrap().to_owned()
}

fn connect(token: &str) -> String {
    format!("40{}", json!({"token": token}))
}

#[tokio::test]
async fn a_token_in_the_first_frame_is_answered_and_kept_until_its_end() {
    let world = World::new().await;
    let Standing::Listening(until) = world.listen("one", &admin(1)).await else { panic!("not listening") };
    let left = until.since(world.clock.now());
    // An hour, and the leeway that clocks are given.
    assert!(left > Duration::from_secs(3600) && left <= Duration::from_secs(3661), "{left:?}");
    let kept = world.table.store().connection(&id("one")).await.unwrap().unwrap();
    assert_eq!((kept.until, kept.caller), (until, Some(admin(1))));
}

#[tokio::test]
async fn a_connection_ends_after_two_hours_however_long_its_credential_is_good() {
    let world = World::new().await;
    world.open("one", None, None).await.unwrap();
    let token = world.token_for(&admin(1), Duration::from_hours(24));
    let Standing::Listening(until) = world.say("one", &json!({"token": token}).to_string()).await else {
        panic!("not listening")
    };
    assert!(until.since(world.clock.now()) <= LONGEST);
    world.held.said("one");
    world.clock.advance(LONGEST);
    // Not even a good credential makes it longer.
    let token = world.token(&admin(1));
    assert_eq!(world.say("one", &json!({"token": token}).to_string()).await, Standing::Ended);
    assert!(error(&world, "one").contains("over"));
}

#[tokio::test]
async fn a_wrong_credential_is_told_and_ends_a_plain_connection() {
    let world = World::new().await;
    let expired = world.token_for(&admin(1), Duration::from_secs(1));
    world.clock.advance(Duration::from_secs(120));
    for token in ["nobody", "", "tdk_no", &expired, &format!("{}x", world.token(&admin(1)))] {
        world.open("one", None, None).await.unwrap();
        assert_eq!(world.say("one", &json!({"token": token}).to_string()).await, Standing::Ended);
        assert_eq!(error(&world, "one"), "The credential is not valid.");
        assert_eq!(world.table.store().connection(&id("one")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn bad_and_huge_frames_are_told_and_end_a_plain_connection() {
    let world = World::new().await;
    let huge = "x".repeat(MAX_FRAME_BYTES + 1);
    for (frame, message) in [("hello", "first frame"), ("{}", "first frame"), (&huge, "too large")] {
        world.open("one", None, None).await.unwrap();
        assert_eq!(world.say("one", frame).await, Standing::Ended);
        assert!(error(&world, "one").contains(message));
    }
    world.listen("one", &admin(1)).await;
    assert_eq!(world.say("one", r#"{"event":"subscribe"}"#).await, Standing::Ended);
    assert!(error(&world, "one").contains("not understood"));
}

#[tokio::test]
async fn a_ping_is_answered_to_those_who_listen() {
    let world = World::new().await;
    world.listen("one", &admin(1)).await;
    assert!(matches!(world.say("one", r#"{"event":"ping"}"#).await, Standing::Listening(_)));
    assert_eq!(world.held.said("one"), [r#"{"event":"pong"}"#]);
    world.clock.advance(Duration::from_secs(3700));
    assert_eq!(world.say("one", r#"{"event":"ping"}"#).await, Standing::Ended);
    assert_eq!(error(&world, "one"), "The credential is not valid any more.");
}

#[tokio::test]
async fn a_later_token_takes_the_place_of_the_first() {
    let world = World::new().await;
    let Standing::Listening(first) = world.listen("one", &admin(1)).await else { panic!("not listening") };
    world.clock.advance(Duration::from_mins(30));
    let token = json!({"token": world.token(&admin(1))}).to_string();
    let Standing::Listening(later) = world.say("one", &token).await else { panic!("not listening") };
    assert!(later > first && world.held.events("one") == ["connected"]);
}

#[tokio::test]
async fn a_client_of_socket_io_enters_leaves_and_is_answered() {
    let world = World::new().await;
    world.open("one", Some("4"), None).await.unwrap();
    let token = world.token(&admin(1));
    assert!(matches!(world.say("one", &connect(&token)).await, Standing::Listening(_)));
    assert_eq!(world.held.said("one"), [r#"40{"sid":"one"}"#]);
    for (frame, answer) in [("2probe", Some("3probe")), ("2", Some("3")), ("3", None), (r#"42["hello"]"#, None)] {
        assert!(matches!(world.say("one", frame).await, Standing::Listening(_)), "{frame}");
        assert_eq!(world.held.said("one").first().map(String::as_str), answer, "{frame}");
    }
    assert_eq!(world.say("one", "41").await, Standing::Ended);
    assert_eq!(world.table.store().connection(&id("one")).await.unwrap(), None);
    assert!(!world.held.is_open("one"));
}

#[tokio::test]
async fn a_client_of_socket_io_is_told_why_it_may_not_enter_and_may_try_again() {
    let world = World::new().await;
    world.open("one", Some("4"), None).await.unwrap();
    for frame in [connect("nobody"), "40".to_owned(), r#"40{"token":7}"#.to_owned()] {
        assert_eq!(world.say("one", &frame).await, Standing::Unknown);
        assert_eq!(world.held.said("one"), [r#"44{"message":"The credential is not valid."}"#]);
    }
    let token = world.token(&admin(1));
    assert_eq!(world.say("one", &format!("40/admin,{}", json!({"token": token}))).await, Standing::Unknown);
    assert_eq!(world.held.said("one"), [r#"44/admin,{"message":"Invalid namespace"}"#]);
    assert!(matches!(world.say("one", &connect(&token)).await, Standing::Listening(_)));
}

#[tokio::test]
async fn frames_that_are_no_packets_end_a_connection_of_socket_io() {
    let world = World::new().await;
    for frame in ["", "hello", r#"{"token":"x"}"#, "4x", &"4".repeat(MAX_FRAME_BYTES + 1)] {
        world.open("one", Some("4"), None).await.unwrap();
        assert_eq!(world.say("one", frame).await, Standing::Ended);
        assert!(!world.held.is_open("one") && world.held.said("one").is_empty());
    }
}

#[tokio::test]
async fn an_api_key_is_a_credential_without_an_end() {
    let world = World::new().await;
    let secret = ApiKeySecret::new(random::bytes());
    let now = world.clock.now();
    let key = ApiKey {
        id: ApiKeyId::new(now, random::bytes()),
        description: String::new(),
        caller: admin(1),
        hash: secret.hash(),
        created_at: now,
    };
    world.table.store().create_api_key(&key).await.unwrap();
    world.open("one", None, None).await.unwrap();
    let frame = json!({"token": secret.reveal()}).to_string();
    let Standing::Listening(until) = world.say("one", &frame).await else { panic!("not listening") };
    assert!(until.since(world.clock.now()) > Duration::from_secs(7000));
}

#[tokio::test]
async fn a_connection_that_nobody_knows_is_ended() {
    let world = World::new().await;
    world.held.open("one");
    assert_eq!(world.say("one", r#"{"event":"ping"}"#).await, Standing::Ended);
    assert!(!world.held.is_open("one"));
}

#[tokio::test]
async fn a_table_that_cannot_be_reached_is_no_wrong_credential() {
    let world = World::new().await;
    world.open("one", None, None).await.unwrap();
    // The key is looked up after the connection.
    world.table.faults().inject(Rule::new(Fault::Unreachable).on("GetItem").containing("KEY#"));
    let frame = json!({"token": ApiKeySecret::new([7; 32]).reveal()}).to_string();
    assert_eq!(world.say("one", &frame).await, Standing::Ended);
    assert!(error(&world, "one").contains("soon"));
    world.table.faults().clear();
    world.table.faults().inject(Rule::new(Fault::Unreachable).on("GetItem"));
    assert!(world.realtime.hear(&id("one"), &frame).await.is_err());
}

#[tokio::test]
async fn frames_in_any_order_leave_a_connection_that_can_be_told_or_is_gone() {
    let world = World::new().await;
    let token = world.token(&admin(1));
    let frames = ["2", "41", "1", "40", &connect(&token), "42[]", "451-[]", "bAA", "4", "0", "40/x", "2x"];
    for first in frames {
        for second in frames {
            world.open("one", Some("4"), None).await.unwrap();
            let mut standing = world.say("one", first).await;
            if standing != Standing::Ended {
                standing = world.say("one", second).await;
            }
            let kept = world.table.store().connection(&id("one")).await.unwrap();
            assert_eq!(kept.is_none(), standing == Standing::Ended, "{first} {second}");
            let listens = kept.is_some_and(|connection| connection.caller.is_some());
            assert_eq!(listens, matches!(standing, Standing::Listening(_)), "{first} {second}");
            for said in world.held.said("one") {
                let json = said.trim_start_matches(|character: char| character.is_ascii_digit());
                assert!(json.is_empty() || json == "x" || json.starts_with('/') || json.parse::<Value>().is_ok());
            }
        }
    }
}
