//! The real binary behind a Lambda Runtime API, with API Gateway's events, its connections, and the table over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_harness::events::{self, Socket};
use tidings_harness::{ConnectionsApi, wait_until};

use crate::support::{World, admin, id, organization};

const OK: u64 = 200;

async fn deployed() -> (World, ConnectionsApi) {
    (World::new().await, ConnectionsApi::start().await)
}

#[tokio::test]
async fn a_client_of_socket_io_connects_is_told_and_leaves() {
    let (world, gateway) = deployed().await;
    let environment = world.function(&gateway.url()).start().await;
    let socket = Socket::socket_io("L0SM9cOFvHcCIhw=");
    let answer = environment.invoke(&socket.connect()).await.unwrap();
    assert_eq!(answer, json!({"statusCode": OK}));
    gateway.open(socket.id());
    let answer = environment.invoke(&events::stream(&world.take(1).await)).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert!(gateway.posted(socket.id())[0].starts_with(r#"0{"sid":"L0SM9cOFvHcCIhw=""#));

    let connect = format!("40{}", json!({"token": world.token(&admin(1))}));
    assert_eq!(environment.invoke(&socket.message(&connect)).await.unwrap()["statusCode"], OK);
    assert_eq!(gateway.posted(socket.id())[1], r#"40{"sid":"L0SM9cOFvHcCIhw="}"#);

    let application = world.application(organization(1), None).await;
    let endpoint = world.endpoint(&application).await;
    world.attempt(&endpoint, 200).await;
    let batch = events::stream(&world.take(2).await);
    assert_eq!(environment.invoke(&batch).await.unwrap(), json!({"batchItemFailures": []}));
    let posted = gateway.posted(socket.id());
    assert!(posted[2].starts_with(r#"42["endpoint.created",{"endpoint":{"#), "{posted:?}");
    assert!(posted[3].starts_with(r#"42["webhook.delivered",{"messageId":"msg_"#), "{posted:?}");

    environment.invoke(&socket.disconnect()).await.unwrap();
    assert_eq!(world.table.store().connection(&id(socket.id())).await.unwrap(), None);
    assert_eq!(gateway.refused(), Vec::<String>::new(), "every request was signed");
}

#[tokio::test]
async fn a_plain_client_shows_its_token_in_a_frame() {
    let (world, gateway) = deployed().await;
    let environment = world.function(&gateway.url()).start().await;
    let socket = Socket::new("plain");
    environment.invoke(&socket.connect()).await.unwrap();
    gateway.open("plain");
    let frame = json!({"token": world.token(&admin(1))}).to_string();
    environment.invoke(&socket.message(&frame)).await.unwrap();
    assert_eq!(gateway.posted("plain"), [r#"{"event":"connected"}"#]);
    environment.invoke(&socket.message("hello")).await.unwrap();
    assert_eq!(gateway.frames("plain")[1]["event"], "error");
    assert!(!gateway.is_open("plain"));
}

#[tokio::test]
async fn a_sub_protocol_is_answered_and_a_wrong_token_beside_it_refused() {
    let (world, gateway) = deployed().await;
    let environment = world.function(&gateway.url()).start().await;
    let offer = |token: &str| format!("tidings, {token}");
    let socket = Socket::new("good").header("Sec-WebSocket-Protocol", &offer(&world.token(&admin(1))));
    let answer = environment.invoke(&socket.connect()).await.unwrap();
    assert_eq!(answer, json!({"statusCode": OK, "headers": {"Sec-WebSocket-Protocol": "tidings"}}));
    let socket = Socket::new("bad").header("Sec-WebSocket-Protocol", &offer("nobody"));
    assert_eq!(environment.invoke(&socket.connect()).await.unwrap(), json!({"statusCode": 401}));
    let polling = Socket::new("old").query("EIO", "4").query("transport", "polling");
    assert_eq!(environment.invoke(&polling.connect()).await.unwrap(), json!({"statusCode": 400}));
    assert_eq!(world.take(1).await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_opens_late_is_greeted_all_the_same() {
    let (world, gateway) = deployed().await;
    let environment = world.function(&gateway.url()).start().await;
    let socket = Socket::socket_io("late");
    environment.invoke(&socket.connect()).await.unwrap();
    let batch = events::stream(&world.take(1).await);
    let (answer, ()) = tokio::join!(environment.invoke(&batch), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        gateway.open("late");
    });
    assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(gateway.posted("late").len(), 1);
}

#[tokio::test]
async fn a_gateway_that_fails_for_a_moment_is_asked_again() {
    let (world, gateway) = deployed().await;
    let environment = world.function(&gateway.url()).start().await;
    let socket = Socket::new("plain");
    environment.invoke(&socket.connect()).await.unwrap();
    gateway.open("plain");
    gateway.fail(1);
    let frame = json!({"token": world.token(&admin(1))}).to_string();
    environment.invoke(&socket.message(&frame)).await.unwrap();
    assert_eq!(gateway.posted("plain"), [r#"{"event":"connected"}"#]);
}

#[tokio::test]
async fn a_poison_record_is_named_and_an_event_of_another_form_is_an_error() {
    let (world, gateway) = deployed().await;
    let environment = world.function(&gateway.url()).start().await;
    let application = world.application(organization(1), None).await;
    world.endpoint(&application).await;
    let mut event = events::stream(&world.take(1).await);
    let mut poison = event["Records"][0].clone();
    poison["dynamodb"]["SequenceNumber"] = json!("111");
    poison["dynamodb"]["NewImage"]["url"] = json!({"N": "1"});
    event["Records"].as_array_mut().unwrap().insert(0, poison);
    event["Records"].as_array_mut().unwrap().push(json!({"dynamodb": {"SequenceNumber": "112"}}));
    let answer = environment.invoke(&event).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "111"}, {"itemIdentifier": "112"}]}));
    for event in [json!({"hello": 1}), json!([1]), json!({"requestContext": {"connectionId": "a"}})] {
        assert!(environment.invoke(&event).await.is_err(), "{event}");
    }
    let example: Value = events::stream_example();
    assert_eq!(environment.invoke(&example).await.unwrap(), json!({"batchItemFailures": []}));
}

#[tokio::test]
async fn settings_that_are_missing_are_named_when_it_starts() {
    let (world, _gateway) = deployed().await;
    let environment = world.function("").start().await;
    assert!(environment.time_to_first_next().await.is_err());
    let told = async || !environment.logs_with("CONNECTIONS_ENDPOINT").is_empty();
    wait_until("the log names it", Duration::from_secs(5), told).await;
}

#[tokio::test]
async fn no_credential_is_logged() {
    let (world, gateway) = deployed().await;
    let environment = world.function(&gateway.url()).env("RUST_LOG", "debug").start().await;
    let token = world.token(&admin(1));
    let socket = Socket::new("plain");
    environment.invoke(&socket.connect()).await.unwrap();
    gateway.open("plain");
    for token in [token.as_str(), "nobody-but-secret"] {
        environment.invoke(&socket.message(&json!({"token": token}).to_string())).await.unwrap();
    }
    let refused = Socket::new("two").header("Sec-WebSocket-Protocol", "tidings, nobody-but-secret");
    environment.invoke(&refused.connect()).await.unwrap();
    let signature = token.rsplit('.').next().unwrap();
    assert!(environment.logs_with(signature).is_empty());
    assert!(environment.logs_with("nobody-but-secret").is_empty());
}
