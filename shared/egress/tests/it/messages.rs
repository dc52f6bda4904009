//! What goes over the wire, and what is read out of an answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use tidings_egress::{RETRY_AFTER_MAX, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::server::{Server, egress, get, read_head};

/// Sends `request`, and returns the head that the server got, in lines.
async fn head_of(request: impl FnOnce(&Server) -> Request) -> Vec<String> {
    let (seen, mut heads) = mpsc::unbounded_channel();
    let seen = Arc::new(seen);
    let server = Server::start(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            seen.send(read_head(&mut stream).await.unwrap()).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            let _ = stream.read(&mut [0; 64]).await;
        }
    })
    .await;
    let answer = egress().send(request(&server)).await.unwrap();
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let head = heads.recv().await.unwrap().replace(&server.address.to_string(), "HOST");
    head.trim_end().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_request_carries_its_headers_and_its_length() {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_bytes(b"Webhook-ID").unwrap(), "msg_1".parse().unwrap());
    headers.append("x-twice", "1".parse().unwrap());
    headers.append("x-twice", "2".parse().unwrap());

    let mut lines = head_of(|server| Request {
        method: Method::POST,
        headers,
        body: Bytes::from_static(b"{}"),
        ..get(server.url("/hook?a=b#part"))
    })
    .await;

    lines.sort();
    assert_eq!(
        lines,
        [
            "POST /hook?a=b HTTP/1.1",
            "accept: */*",
            "content-length: 2",
            "host: HOST",
            concat!("user-agent: Tidings/", env!("CARGO_PKG_VERSION")),
            "webhook-id: msg_1",
            "x-twice: 1",
            "x-twice: 2",
        ]
    );
}

#[tokio::test]
async fn headers_cannot_reframe_the_request() {
    let mut headers = HeaderMap::new();
    headers.insert("host", "169.254.169.254".parse().unwrap());
    headers.insert("content-length", "100".parse().unwrap());
    headers.insert("transfer-encoding", "chunked".parse().unwrap());
    headers.insert("connection", "upgrade".parse().unwrap());
    headers.insert("upgrade", "websocket".parse().unwrap());
    headers.insert("user-agent", "mine".parse().unwrap());

    let mut lines = head_of(|server| Request {
        method: Method::POST,
        headers,
        body: Bytes::from_static(b"{}"),
        ..get(server.url("/"))
    })
    .await;

    lines.sort();
    assert_eq!(lines, ["POST / HTTP/1.1", "accept: */*", "content-length: 2", "host: HOST", "user-agent: mine"]);
}

#[tokio::test]
async fn an_answer_of_any_status_is_an_answer() {
    for status in [200, 404, 429, 500, 599] {
        let server = Server::answering(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n")).await;
        let answer = egress().send(get(server.url("/"))).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.truncated), (status, false));
    }
}

fn asking_for(retry_after: Option<&str>) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert("retry-after", value.parse().unwrap());
    }
    Response {
        status: StatusCode::SERVICE_UNAVAILABLE,
        headers,
        body: Bytes::from_static(b"secret"),
        truncated: false,
        elapsed: Duration::ZERO,
    }
}

#[test]
fn retry_after_is_read_in_all_its_forms() {
    // Sun, 06 Nov 1994 08:49:37 GMT
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (value, wait) in [
        (Some("120"), seconds(120)),
        (Some("0"), seconds(0)),
        (Some(" 7 "), seconds(7)),
        (Some("Sun, 06 Nov 1994 08:50:37 GMT"), seconds(60)),
        (Some("Sunday, 06-Nov-94 08:50:37 GMT"), seconds(60)),
        (Some("Sun Nov  6 08:50:37 1994"), seconds(60)),
        (Some("Sun, 06 Nov 1994 08:49:37 GMT"), seconds(0)),
        (Some("Sat, 05 Nov 1994 08:49:37 GMT"), seconds(0)),
        (Some("999999999"), Some(RETRY_AFTER_MAX)),
        (Some("99999999999999999999999999"), Some(RETRY_AFTER_MAX)),
        (Some("Fri, 06 Nov 2099 08:49:37 GMT"), Some(RETRY_AFTER_MAX)),
        (Some(""), None),
        (Some("-1"), None),
        (Some("+1"), None),
        (Some("1.5"), None),
        (Some("soon"), None),
        (None, None),
    ] {
        assert_eq!(asking_for(value).retry_after(now), wait, "{value:?}");
    }
}

#[test]
fn debug_shows_neither_headers_nor_bodies_nor_queries() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "secret".parse().unwrap());
    let url = "https://example.com/secret?token=secret".parse().unwrap();
    let request = Request { headers, body: Bytes::from_static(b"secret"), ..get(url) };

    assert!(!format!("{request:?}").contains("secret"));
    assert!(!format!("{:?}", asking_for(Some("secret"))).contains("secret"));
}

#[test]
fn a_user_agent_that_is_no_header_value_is_refused_at_once() {
    let options = tidings_egress::Options { user_agent: "two\nlines".to_owned(), ..Default::default() };
    assert!(tidings_egress::Egress::new(options).is_err());
}

#[tokio::test]
async fn a_client_that_was_prepared_sends_like_one_that_was_not() {
    let server = Server::start(async |mut stream| {
        while read_head(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let egress = egress();
    egress.prepare().unwrap();
    egress.prepare().unwrap();
    for _ in 0..2 {
        assert_eq!(egress.send(get(server.url("/"))).await.unwrap().status, StatusCode::NO_CONTENT);
    }
}
