//! Where a request ends up: names that change their address, mixed answers, redirects.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use http::StatusCode;
use tidings_egress::{ConnectFault, Egress, Options, Refused, SendError};
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::server::{Answers, Server, egress, egress_with, get, ip};

const CLOSING: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
const KEEPING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// 127.0.0.1 stands for a public address, and the rest of loopback for what must not be reached.
fn egress_that_asks(answers: &Arc<Answers>) -> Egress {
    let lookup = Arc::clone(answers);
    egress_with(Options { allow: vec![ip("127.0.0.1").into()], lookup, ..Options::default() })
}

/// A private listener on the port of `server`, and whether anybody has connected to it.
struct Private(TcpListener);

impl Private {
    fn beside(server: &Server) -> Self {
        let listener = TcpListener::bind(SocketAddr::new(ip("127.0.0.2"), server.address.port())).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn assert_untouched(&self) {
        // A connection on loopback is in the queue as soon as the client believes in it.
        assert_eq!(self.0.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn a_name_that_turns_private_is_refused_at_the_next_connection() {
    let server = Server::answering(CLOSING).await;
    let private = Private::beside(&server);
    let answers = Answers::of(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let egress = egress_that_asks(&answers);
    let url = server.url_by_name("rebinds.example");

    let first = egress.send(get(url.clone())).await.unwrap();
    let second = egress.send(get(url)).await.unwrap_err();

    assert_eq!(first.status, StatusCode::OK);
    assert!(
        matches!(second, SendError::Refused(Refused::Address(address)) if address == ip("127.0.0.2")),
        "{second:?}"
    );
    assert_eq!(second.to_string(), "the host is not a public address");
    assert_eq!(answers.left(), 0);
    private.assert_untouched();
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let server = Server::answering(CLOSING).await;
    let private = Private::beside(&server);
    // A client that looked the name up once to check and once to connect would end at the second address.
    let answers = Answers::of(&[&["127.0.0.1"], &["127.0.0.2"]]);

    let answer = egress_that_asks(&answers).send(get(server.url_by_name("rebinds.example"))).await.unwrap();

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answers.left(), 1);
    private.assert_untouched();
}

#[tokio::test]
async fn a_kept_connection_stays_with_the_address_that_was_checked() {
    let server = Server::answering(KEEPING).await;
    let private = Private::beside(&server);
    let answers = Answers::of(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let egress = egress_that_asks(&answers);
    let url = server.url_by_name("rebinds.example");

    egress.send(get(url.clone())).await.unwrap();
    let second = egress.send(get(url)).await;

    // The client may have missed that the connection is free again; then it asks, and refuses.
    match second {
        Ok(answer) => assert_eq!(answer.status, StatusCode::OK),
        Err(error) => assert!(matches!(error, SendError::Refused(_)), "{error:?}"),
    }
    assert_eq!(server.connections(), 1);
    private.assert_untouched();
}

#[tokio::test]
async fn one_private_address_refuses_the_whole_answer() {
    for addresses in [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "::ffff:10.0.0.1"]] {
        let server = Server::answering(CLOSING).await;
        let answers = Answers::of(&[&addresses]);

        let error = egress_that_asks(&answers).send(get(server.url_by_name("mixed.example"))).await.unwrap_err();

        assert!(matches!(error, SendError::Refused(Refused::Address(_))), "{addresses:?}: {error:?}");
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn a_literal_address_is_refused_although_no_name_is_resolved() {
    let server = Server::answering(CLOSING).await;
    let egress = egress_with(Options::default());

    let error = egress.send(get(server.url("/"))).await.unwrap_err();

    assert!(matches!(error, SendError::Refused(Refused::Address(_))), "{error:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_the_system_resolves_is_judged_too() {
    let server = Server::answering(CLOSING).await;
    let one = Options { allow: vec![ip("::1").into()], ..Options::default() };
    let both = Options { allow: vec![ip("::1").into(), ip("127.0.0.1").into()], ..Options::default() };
    let url = server.url_by_name("localhost");

    let error = egress_with(one).send(get(url.clone())).await.unwrap_err();
    let answer = egress_with(both).send(get(url)).await.unwrap();

    assert!(matches!(error, SendError::Refused(Refused::Address(address)) if address == ip("127.0.0.1")), "{error:?}");
    assert_eq!(answer.body, "ok");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_refusal_and_a_missing_name_are_told_apart_over_tls_too() {
    let answers = Answers::of(&[&["10.0.0.1"]]);
    let egress = egress_that_asks(&answers);
    let url: Url = "https://private.example/".parse().unwrap();

    let refused = egress.send(get(url.clone())).await.unwrap_err();
    let missing = egress.send(get(url)).await.unwrap_err();

    assert!(
        matches!(refused, SendError::Refused(Refused::Address(address)) if address == ip("10.0.0.1")),
        "{refused:?}"
    );
    assert!(matches!(missing, SendError::Resolve { .. }), "{missing:?}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = Server::answering(CLOSING).await;
    let location = target.url("/inside");
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let redirecting =
            Server::answering(format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")).await;

        let answer = egress().send(get(redirecting.url("/"))).await.unwrap();

        assert!(answer.status.is_redirection());
        assert_eq!(answer.headers["location"], location.as_str());
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_not_resolved() {
    for answers in [Answers::of(&[]), Answers::of(&[&[]])] {
        let url = "http://nowhere.example/".parse().unwrap();

        let error = egress_that_asks(&answers).send(get(url)).await.unwrap_err();

        assert!(matches!(error, SendError::Resolve { .. }), "{error:?}");
        assert_eq!(error.to_string(), "the host name could not be resolved");
        assert!(!error.is_timeout());
    }
}

#[tokio::test]
async fn a_closed_port_is_a_refused_connection() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();

    let error = egress().send(get(format!("http://{free}/?token=secret").parse().unwrap())).await.unwrap_err();

    assert!(matches!(error, SendError::Connect { fault: ConnectFault::Refused, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the connection was refused");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_named_as_such() {
    let server = Server::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    })
    .await;
    let url = format!("https://{}/", server.address).parse().unwrap();

    let error = egress().send(get(url)).await.unwrap_err();

    assert!(matches!(error, SendError::Connect { fault: ConnectFault::Tls, .. }), "{error:?}");
}
