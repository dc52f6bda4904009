//! Who is not a source's sender gets a 401, learns nothing, and leaves nothing.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use tidings_domain::source::{SourceKey, SourceKind};

use crate::support::inbound::{Sender, new_transaction};
use crate::support::{NOW, Service, organization, shown, token};

/// Those who show something.
fn senders() -> impl Iterator<Item = Sender> {
    Sender::all().into_iter().filter(|sender| sender.key.is_some())
}

/// The headers of a request that show where it is from.
fn proofs(sender: &Sender) -> Vec<&'static str> {
    sender.proof(b"", NOW).into_iter().map(|(name, _)| name).collect()
}

fn changed(sender: &Sender, path: &str, change: impl Fn(&mut Request<Body>)) -> Request<Body> {
    let mut request = sender.request(path);
    change(&mut request);
    request
}

/// Requests that are not from a sender, each with what is wrong with it.
fn forged(sender: &Sender, path: &str) -> Vec<(String, Request<Body>)> {
    let mut all = Vec::new();
    for name in proofs(sender) {
        let mut add = |what: &str, change: &dyn Fn(&mut Request<Body>)| {
            all.push((format!("{what} {name}"), changed(sender, path, change)));
        };
        add("without", &|request| drop(request.headers_mut().remove(name)));
        add("empty", &|request| drop(request.headers_mut().insert(name, "".parse().unwrap())));
        add("nonsense in", &|request| drop(request.headers_mut().insert(name, "v1,=".parse().unwrap())));
        add("bytes in", &|request| {
            request.headers_mut().insert(name, http::HeaderValue::from_bytes(b"v1,\xff\xfe").unwrap());
        });
        add("a very long", &|request| drop(request.headers_mut().insert(name, "a".repeat(60_000).parse().unwrap())));
        add("twice the same", &|request| {
            let value = request.headers()[name].clone();
            request.headers_mut().append(name, value);
        });
        add("another beside", &|request| {
            request.headers_mut().append(name, "x".parse().unwrap());
        });
    }
    let other = match sender.key.clone().unwrap() {
        SourceKey::Login { username, .. } => SourceKey::Login { username, password: "hunter3: a pass".to_owned() },
        SourceKey::Secret(secret) => SourceKey::Secret(format!("{}AAAA", &secret[..secret.len() - 4])),
    };
    assert_ne!(Some(&other), sender.key.as_ref());
    let thief = Sender { key: Some(other), ..sender.clone() };
    all.push(("another key".to_owned(), thief.request(path)));
    if sender.kind() != SourceKind::Docebo {
        let tampered = changed(sender, path, |request| *request.body_mut() = Body::from(format!("{} ", sender.body)));
        all.push(("another body".to_owned(), tampered));
        all.push(("no body".to_owned(), changed(sender, path, |request| *request.body_mut() = Body::empty())));
    }
    let bearer = token(&organization(1));
    all.push((
        "an organization's token instead".to_owned(),
        Request::post(path).header("authorization", format!("Bearer {bearer}")).body(Body::from(sender.body)).unwrap(),
    ));
    all.push(("nothing".to_owned(), Request::post(path).body(Body::from(sender.body)).unwrap()));
    all.push(("nothing and no JSON".to_owned(), Request::post(path).body(Body::from("{")).unwrap()));
    all.push(("nothing and too large".to_owned(), Request::post(path).body(Body::from(" ".repeat(300_000))).unwrap()));
    all
}

#[tokio::test]
async fn every_forged_request_of_every_kind_is_the_same_401_and_is_not_kept() {
    for sender in senders() {
        let service = Service::start().await;
        let (_, path) = service.source_for(&sender).await;
        let before = service.written().await;
        let expected = shown(service.send(Request::post(&path).body(Body::from("{}")).unwrap()).await).await;
        assert!(expected.starts_with("401"), "{expected}");
        for (name, request) in forged(&sender, &path) {
            assert_eq!(shown(service.send(request).await).await, expected, "{}: {name}", sender.kind());
        }
        assert_eq!(service.written().await, before, "{}", sender.kind());
        new_transaction(service.send(sender.request(&path)).await).await;
    }
}

#[tokio::test]
async fn a_401_says_what_is_asked_for_and_not_what_was_wrong() {
    let service = Service::start().await;
    let mut answers = Vec::new();
    for (number, sender) in (1..).zip(senders()) {
        let source = sender.source(service.table.store(), number, None).await;
        let request = Request::post(format!("/in/{}", source.id)).body(Body::from("{}")).unwrap();
        answers.push(shown(service.send(request).await).await);
    }
    answers.sort();
    answers.dedup();
    assert_snapshot!(answers.join("\n"), @r#"
    401 Unauthorized
    www-authenticate: Basic realm="tidings", charset="UTF-8"
    {"code":"authentication_failed","detail":"The request could not be verified."}
    401 Unauthorized
    www-authenticate: Signature realm="tidings"
    {"code":"authentication_failed","detail":"The request could not be verified."}
    "#);
}

#[tokio::test]
async fn one_source_does_not_take_what_is_for_another() {
    let service = Service::start().await;
    for (number, sender) in (1..).zip(senders()) {
        sender.source(service.table.store(), number, Some(sender.kind().code())).await;
    }
    for from in senders() {
        for to in senders().filter(|to| to.kind() != from.kind()) {
            let answer = service.send(from.request(&format!("/in/{}", to.kind()))).await;
            assert_eq!(answer.status(), 401, "{} at {}", from.kind(), to.kind());
        }
    }
    assert_eq!(service.kept().await, (0, 0));
}

#[tokio::test]
async fn a_recorded_request_is_good_for_minutes_only_where_its_time_is_signed() {
    for kind in [SourceKind::Slack, SourceKind::Standard, SourceKind::Stripe] {
        let service = Service::start().await;
        let sender = Sender::of(kind);
        let (_, path) = service.source_for(&sender).await;
        service.clock.advance(Duration::from_secs(299));
        new_transaction(service.send(sender.request(&path)).await).await;
        service.clock.advance(Duration::from_secs(2));
        assert_eq!(service.send(sender.request(&path)).await.status(), 401, "{kind}");
    }
}

#[tokio::test]
async fn a_source_whose_keys_do_not_open_is_our_mistake_and_lets_nobody_in() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Github);
    let mut source = sender.source(service.table.store(), 1, None).await;
    let before = source.clone();
    // Those of another source, put in the place of its own.
    let other = sender.source(service.table.store(), 2, None).await;
    source.keys = other.keys;
    source.updated_at = NOW + Duration::from_secs(1);
    let replaced = service.table.store().replace_source(&before, &source, NOW).await.unwrap();
    assert_eq!(replaced, tidings_store::Replaced::Written);
    assert_snapshot!(shown(service.send(sender.request(&format!("/in/{}", source.id))).await).await, @r#"
    500 Internal Server Error
    {"code":"server_error","detail":"Internal error."}
    "#);
    assert_eq!(service.kept().await, (0, 0));
}

#[tokio::test]
async fn a_source_that_should_have_keys_and_has_none_lets_nobody_in() {
    for sender in senders() {
        let service = Service::start().await;
        let keyless = Sender { key: None, ..sender.clone() };
        let (_, path) = service.source_for(&keyless).await;
        assert_eq!(service.send(sender.request(&path)).await.status(), 401, "{}", sender.kind());
        assert_eq!(service.send(keyless.request(&path)).await.status(), 401, "{}", sender.kind());
    }
}
