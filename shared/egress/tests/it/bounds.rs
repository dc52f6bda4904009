//! Servers that take their time, or never stop. The limits are short, and each server would go on for ever.

use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use http::StatusCode;
use tidings_egress::{Lookup, Options, Phase, Request, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::server::{Server, egress, egress_with, get, ip, read_head};

const LIMIT: Duration = Duration::from_millis(300);
/// Far more than the limit, and far less than a test that hangs.
const SOON: Duration = Duration::from_secs(5);
const DRIP: Duration = Duration::from_millis(20);

fn impatient(server: &Server) -> Request {
    Request { timeout: LIMIT, ..get(server.url("/")) }
}

async fn assert_times_out(server: &Server, expected: Phase, text: &str) {
    let started = Instant::now();
    let error = egress().send(impatient(server)).await.unwrap_err();
    assert!(matches!(error, SendError::Timeout { after: LIMIT, phase } if phase == expected), "{error:?}");
    assert!(error.is_timeout());
    assert_eq!(error.to_string(), text);
    assert!(started.elapsed() >= LIMIT && started.elapsed() < SOON, "{:?}", started.elapsed());
}

/// Writes `drop` every few milliseconds until the client has gone.
async fn drip(mut stream: TcpStream, start: &str, drop: &str) {
    read_head(&mut stream).await.unwrap();
    stream.write_all(start.as_bytes()).await.unwrap();
    while stream.write_all(drop.as_bytes()).await.is_ok() {
        tokio::time::sleep(DRIP).await;
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_in_time() {
    let server = Server::start(|mut stream| async move {
        read_head(&mut stream).await.unwrap();
        pending::<()>().await;
    })
    .await;
    assert_times_out(&server, Phase::Answer, "no answer within 0.3 s").await;
}

#[tokio::test]
async fn a_server_that_drips_headers_is_left_in_time() {
    let server = Server::start(|stream| drip(stream, "HTTP/1.1 200 OK\r\nx-header: ", "x")).await;
    assert_times_out(&server, Phase::Answer, "no answer within 0.3 s").await;
}

#[tokio::test]
async fn a_server_that_sends_interim_answers_for_ever_is_left_in_time() {
    let server = Server::start(|stream| drip(stream, "", "HTTP/1.1 103 Early Hints\r\n\r\n")).await;
    assert_times_out(&server, Phase::Answer, "no answer within 0.3 s").await;
}

#[tokio::test]
async fn a_server_that_drips_its_body_is_left_in_time() {
    let server = Server::start(|stream| drip(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", "x")).await;
    assert_times_out(&server, Phase::Body, "the answer did not end within 0.3 s").await;
}

#[tokio::test]
async fn a_server_that_drips_chunks_is_left_in_time() {
    let server =
        Server::start(|stream| drip(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n"))
            .await;
    assert_times_out(&server, Phase::Body, "the answer did not end within 0.3 s").await;
}

#[tokio::test]
async fn the_body_has_only_what_the_headers_left_of_the_time() {
    let server = Server::start(|stream| async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        drip(stream, "HTTP/1.1 200 OK\r\n\r\n", "x").await;
    })
    .await;
    let started = Instant::now();

    let error = egress().send(Request { timeout: Duration::from_secs(2), ..get(server.url("/")) }).await.unwrap_err();

    assert!(matches!(error, SendError::Timeout { phase: Phase::Body, .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_counts_as_not_connected() {
    let server = Server::start(|stream| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let url = format!("https://{}/", server.address).parse().unwrap();

    let error = egress().send(Request { timeout: LIMIT, ..get(url) }).await.unwrap_err();

    assert!(matches!(error, SendError::Timeout { after: LIMIT, phase: Phase::Connect }), "{error:?}");
    assert_eq!(error.to_string(), "no connection within 0.3 s");
}

#[tokio::test]
async fn connecting_has_a_limit_of_its_own() {
    let server = Server::start(|stream| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let options = Options { allow: vec![ip("127.0.0.1").into()], connect_timeout: LIMIT, ..Options::default() };
    let url = format!("https://{}/", server.address).parse().unwrap();

    let error = egress_with(options).send(Request { timeout: SOON, ..get(url) }).await.unwrap_err();

    assert!(matches!(error, SendError::Timeout { after: LIMIT, phase: Phase::Connect }), "{error:?}");
}

#[tokio::test]
async fn a_dns_server_that_never_answers_counts_as_not_connected() {
    struct Silent;
    impl Lookup for Silent {
        fn lookup(&self, _host: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
            Box::pin(pending())
        }
    }
    let egress = egress_with(Options { lookup: Arc::new(Silent), ..Options::default() });
    let url = "http://silent.example/".parse().unwrap();

    let error = egress.send(Request { timeout: LIMIT, ..get(url) }).await.unwrap_err();

    assert!(matches!(error, SendError::Timeout { after: LIMIT, phase: Phase::Connect }), "{error:?}");
}

#[tokio::test]
async fn a_destination_that_hangs_does_not_hold_up_another() {
    let hanging = Server::start(|mut stream| async move {
        read_head(&mut stream).await.unwrap();
        pending::<()>().await;
    })
    .await;
    let healthy = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let egress = egress();
    let mut hung = JoinSet::new();
    for _ in 0..50 {
        let (egress, request) = (egress.clone(), get(hanging.url("/")));
        hung.spawn(async move { egress.send(request).await });
    }

    for _ in 0..50 {
        let answer = egress.send(Request { timeout: SOON, ..get(healthy.url("/")) }).await.unwrap();
        assert_eq!(answer.body, "ok");
    }

    assert!(hung.try_join_next().is_none());
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_at_its_limit_and_the_connection_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        // Ends only because the client goes away.
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    });

    let answer = egress().send(Request { body_limit: 100_000, ..get(url) }).await.unwrap();

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body.len(), 100_000);
    assert!(answer.truncated);
    tokio::time::timeout(SOON, server).await.expect("the connection is dropped").unwrap();
}

#[tokio::test]
async fn headers_that_never_end_are_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    });

    let error = egress().send(get(url)).await.unwrap_err();

    assert!(matches!(error, SendError::Io { .. }), "{error:?}");
    tokio::time::timeout(SOON, server).await.expect("the connection is dropped").unwrap();
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    for (body_limit, body, truncated) in [(6, "hello", false), (5, "hello", false), (4, "hell", true), (0, "", true)] {
        let answer = egress().send(Request { body_limit, ..get(server.url("/")) }).await.unwrap();
        assert_eq!((answer.body.as_ref(), answer.truncated), (body.as_bytes(), truncated), "limit {body_limit}");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello").await;

    let answer = egress().send(get(server.url("/"))).await.unwrap();

    assert_eq!(answer.body, "hello");
    assert_eq!(answer.headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    for start in ["", "HTTP/1.1 200", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel"] {
        let server = Server::start(move |mut stream| async move {
            read_head(&mut stream).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            // Until the client has gone, so that it sees an end and not a reset.
            let _ = stream.read(&mut [0]).await;
        })
        .await;

        let error = egress().send(get(server.url("/"))).await.unwrap_err();

        assert!(matches!(error, SendError::Io { .. }), "{start:?}: {error:?}");
    }
}
