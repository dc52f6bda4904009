//! How large a body may be, and what becomes of one that is larger, or does not arrive.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use tidings_domain::source::SourceKind;
use tidings_domain::transaction::{MAX_BODY_BYTES, MAX_REJECTED_BYTES};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::inbound::{DOCEBO_BODY, Sender, new_transaction};
use crate::support::{Service, shown};

/// A good body of so many bytes.
fn of(bytes: usize) -> String {
    let start = r#"{"message_id":"m","event":"e","fired_by_batch_action":false,"payload":{"a":""#;
    let end = "\"}}";
    format!("{start}{}{end}", "x".repeat(bytes - start.len() - end.len()))
}

#[tokio::test]
async fn the_largest_body_is_accepted() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Docebo);
    let (source, path) = service.source_for(&sender).await;
    let body = of(MAX_BODY_BYTES);
    new_transaction(service.send(sender.sends(&path, body.clone())).await).await;
    let name = tidings_domain::transaction::TransactionName::of_message("m");
    assert_eq!(service.transaction(&source, &name).await.unwrap().body, body);
}

#[tokio::test]
async fn of_a_larger_one_the_beginning_is_kept_if_it_is_its_senders() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Github);
    let (source, path) = service.source_for(&sender).await;
    for bytes in [MAX_BODY_BYTES + 1, 1024 * 1024] {
        let body = of(bytes);
        let mut forged = sender.request(&path);
        *forged.body_mut() = Body::from(body.clone());
        assert_eq!(service.send(forged).await.status(), 401);
        let before = service.errors(&source).await.len();
        let answer = shown(service.send(sender.sends(&path, body.clone())).await).await;
        let expected = r#"{"code":"payload_too_large","detail":"The body is larger than 262144 bytes."}"#;
        assert_eq!(answer, format!("413 Payload Too Large\n{expected}"));
        let errors = service.errors(&source).await;
        assert_eq!(errors.len(), before + 1);
        let error = errors.iter().find(|error| error.body_bytes == bytes).unwrap();
        assert_eq!((error.status, &*error.body), (413, &body.as_bytes()[..MAX_REJECTED_BYTES]));
        assert_eq!(error.faults, ["body: is larger than 262144 bytes"]);
        assert!(!error.is_whole());
    }
}

#[tokio::test]
async fn beyond_a_mebibyte_nothing_is_read_or_kept() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Docebo);
    let (_, path) = service.source_for(&sender).await;
    let body = of(1024 * 1024 + 1);
    let announced = {
        let mut request = sender.sends(&path, "");
        request.headers_mut().insert("content-length", body.len().into());
        request
    };
    let chunks: Vec<_> =
        body.as_bytes().chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect();
    let streamed = {
        let mut request = sender.sends(&path, "");
        *request.body_mut() = Body::from_stream(futures::stream::iter(chunks));
        request
    };
    for request in [announced, streamed, sender.sends(&path, body)] {
        assert_eq!(service.send(request).await.status(), 413);
    }
    assert_eq!(service.kept().await, (0, 0));
}

/// Sends the beginning of a request over a connection of its own, and hands the connection back.
async fn begin(service: &Service, request: &str) -> (TcpStream, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = service.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    (connection, server)
}

fn half_of_a_request(path: &str) -> String {
    let sender = Sender::of(SourceKind::Docebo);
    let (name, value) = sender.proof(b"", crate::support::NOW).remove(0);
    let (body, _) = DOCEBO_BODY.split_at(DOCEBO_BODY.len() / 2);
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{name}: {value}\r\ncontent-length: {}\r\n\r\n{body}",
        DOCEBO_BODY.len()
    )
}

#[tokio::test]
async fn half_of_a_body_is_never_kept() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&Sender::of(SourceKind::Docebo)).await;
    let (mut connection, server) = begin(&service, &half_of_a_request(&path)).await;
    connection.shutdown().await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(service.kept().await, (0, 0));
    // The sender comes again, with all of it.
    new_transaction(service.send(Sender::of(SourceKind::Docebo).request(&path)).await).await;
    assert_eq!(service.kept().await, (1, 0));
    server.abort();
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&Sender::of(SourceKind::Docebo)).await;
    let started = Instant::now();
    let (mut connection, server) = begin(&service, &half_of_a_request(&path)).await;
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(service.kept().await, (0, 0));
    server.abort();
}
