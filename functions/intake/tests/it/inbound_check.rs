//! What senders ask before they send.

use std::fmt::Write as _;

use axum::body::Body;
use http::Request;
use insta::assert_snapshot;
use tidings_domain::source::SourceKind;
use tidings_harness::{Fault, Rule};

use crate::support::inbound::Sender;
use crate::support::{NOW, Service, shown};

async fn ask(service: &Service, path: &str) -> String {
    shown(service.send(Request::get(path).body(Body::empty()).unwrap()).await).await
}

#[tokio::test]
async fn a_challenge_is_given_back_as_text_and_nothing_is_kept() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Github);
    let (_, path) = service.source_for(&sender).await;
    sender.source(service.table.store(), 2, Some("docebo")).await;
    let longest = "~".repeat(512);
    for path in [&*path, "/transaction", "/in/docebo"] {
        for (query, challenge) in [
            ("challenge=abc", "abc"),
            ("hub.mode=subscribe&hub.challenge=1158201444&hub.topic=x", "1158201444"),
            ("challenge=%3Cscript%3Ealert(1)%3C%2Fscript%3E", "<script>alert(1)</script>"),
            ("challenge=a&hub.challenge=a", "a"),
            (&format!("challenge={longest}"), &longest),
        ] {
            let request = Request::get(format!("{path}?{query}")).body(Body::empty()).unwrap();
            let response = service.send(request).await;
            assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8", "{query}");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{query}");
            assert_eq!(shown(response).await, format!("200 OK\n{challenge}"), "{query}");
        }
        assert_eq!(ask(&service, path).await, "200 OK\n{\"status\":\"ok\"}");
        assert_eq!(ask(&service, &format!("{path}?hub.mode=subscribe")).await, "200 OK\n{\"status\":\"ok\"}");
    }
    assert_eq!(service.kept().await, (0, 0));
}

#[tokio::test]
async fn what_no_challenge_need_be_is_refused() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&Sender::of(SourceKind::None)).await;
    let mut answers = Vec::new();
    let long = "a".repeat(513);
    for query in [
        "challenge=",
        "challenge=a%20b",
        "challenge=a%0D%0Ab",
        "challenge=%C3%A9",
        "challenge=%00",
        "challenge=%FF",
        "challenge=a&challenge=b",
        "challenge=a&hub.challenge=b",
        &format!("challenge={long}"),
    ] {
        answers.push(ask(&service, &format!("{path}?{query}")).await);
    }
    answers.dedup();
    assert_snapshot!(answers.join("\n"), @r#"
    400 Bad Request
    {"code":"generic_error","detail":"A challenge must be one text of 1 to 512 visible ASCII characters."}
    "#);
}

#[tokio::test]
async fn a_token_must_be_the_sources_secret() {
    let service = Service::start().await;
    let mut answers = String::new();
    for (number, sender) in (1..).zip([SourceKind::Github, SourceKind::Docebo, SourceKind::None].map(Sender::of)) {
        let source = sender.source(service.table.store(), number, None).await;
        let secret = "It%27s%20a%20Secret%20to%20Everybody";
        for token in [secret, "It%27s", "", "hunter2%3A%20a%20pass", "docebo%3Ahunter2%3A%20a%20pass"] {
            let path = format!("/in/{}?hub.challenge=7&hub.verify_token={token}", source.id);
            let answer = ask(&service, &path).await;
            writeln!(answers, "{} {token:?}: {}", sender.kind(), answer.lines().next().unwrap()).unwrap();
        }
        let twice = format!("/in/{}?challenge=7&hub.verify_token={secret}&hub.verify_token=b", source.id);
        assert!(ask(&service, &twice).await.starts_with("401"));
        // Nothing is said of the challenge before.
        let both = format!("/in/{}?challenge=%00&hub.verify_token=b", source.id);
        assert!(ask(&service, &both).await.starts_with("401"));
    }
    assert_snapshot!(answers, @r#"
    github "It%27s%20a%20Secret%20to%20Everybody": 200 OK
    github "It%27s": 401 Unauthorized
    github "": 401 Unauthorized
    github "hunter2%3A%20a%20pass": 401 Unauthorized
    github "docebo%3Ahunter2%3A%20a%20pass": 401 Unauthorized
    docebo "It%27s%20a%20Secret%20to%20Everybody": 401 Unauthorized
    docebo "It%27s": 401 Unauthorized
    docebo "": 401 Unauthorized
    docebo "hunter2%3A%20a%20pass": 401 Unauthorized
    docebo "docebo%3Ahunter2%3A%20a%20pass": 401 Unauthorized
    none "It%27s%20a%20Secret%20to%20Everybody": 401 Unauthorized
    none "It%27s": 401 Unauthorized
    none "": 401 Unauthorized
    none "hunter2%3A%20a%20pass": 401 Unauthorized
    none "docebo%3Ahunter2%3A%20a%20pass": 401 Unauthorized
    "#);
}

#[tokio::test]
async fn a_source_that_is_not_there_answers_no_challenge() {
    let service = Service::start().await;
    for path in
        ["/in/nobody?challenge=a", "/in/src_1srOrx2ZWZBpBUvZwXKQmoEYga2?challenge=%00", "/transaction?challenge=a"]
    {
        assert_eq!(ask(&service, path).await, "404 Not Found\n{\"code\":\"not_found\",\"detail\":\"Not found.\"}");
    }
    service.table.faults().inject(Rule::new(Fault::Unreachable));
    assert!(ask(&service, "/in/somebody").await.starts_with("503"), "nobody knows whether it is there");
}

#[tokio::test]
async fn slacks_question_is_answered_if_it_is_signed_and_not_kept() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Slack);
    let (source, path) = service.source_for(&sender).await;
    let question = r#"{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
    let response = service.send(sender.sends(&path, question)).await;
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_snapshot!(shown(response).await, @"
    200 OK
    3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P
    ");
    let unsigned = Request::post(&path).body(Body::from(question)).unwrap();
    assert_eq!(service.send(unsigned).await.status(), 401);
    assert_eq!(service.kept().await, (0, 0));
    for challenge in ["7", "null", "\"\"", "\"<a b>\"", &format!("\"{}\"", "a".repeat(513))] {
        let body = format!(r#"{{"challenge":{challenge},"type":"url_verification"}}"#);
        assert_eq!(
            shown(service.send(sender.sends(&path, body)).await).await,
            "400 Bad Request\n{\"detail\":[{\"loc\":[\"body\",\"challenge\"],\"msg\":\"must be a text of 1 to 512 visible ASCII characters\",\"type\":\"value_error\"}]}",
        );
    }
    assert_eq!((service.errors(&source).await.len(), service.count("transaction").await), (5, 0));
    // Others may call an event so.
    let other = Sender::of(SourceKind::None);
    let source = other.source(service.table.store(), 2, None).await;
    let response = service.send(other.sends(&format!("/in/{}", source.id), question)).await;
    let id = crate::support::inbound::new_transaction(response).await["id"].as_str().unwrap().parse().unwrap();
    let kept = service.table.store().transaction_by_id(&source, id, NOW).await.unwrap().unwrap();
    assert_eq!(kept.event, "url_verification");
}
