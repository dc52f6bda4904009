use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::attempt::Attempt;
use tidings_domain::delivery::Trigger;
use tidings_domain::message::{Message, RETENTION};

use crate::arrange;
use crate::outbound::{self, Acme, at, failed, imagined_message, pending, succeeded};
use crate::support::{Answer, application, organization, token};

const APP: &str = "/api/v1/app/acme";

/// Message 1 was refused at 1 and 2 and taken at 3, message 2, of another type and in a channel, was refused at 4 for
/// good, and nobody answered message 3 at 5.
async fn five() -> (Acme, [Message; 3]) {
    let acme = Acme::start().await;
    let first = acme.message(1).await;
    let second = Message {
        event_type: "user.left".parse().unwrap(),
        channels: vec!["eu".parse().unwrap()],
        ..imagined_message(&acme.application, 2)
    };
    outbound::write(acme.store(), &second).await;
    let third = acme.message(3).await;
    let endpoint = &acme.endpoint;
    for attempt in [
        pending(endpoint, &first, 1),
        pending(endpoint, &first, 2),
        succeeded(endpoint, &first, 3),
        Attempt { response_status: 404, ..failed(endpoint, &second, 4) },
        Attempt { response_status: 0, trigger: Trigger::Manual, ..failed(endpoint, &third, 5) },
    ] {
        outbound::attempt(acme.store(), &attempt).await;
    }
    (acme, [first, second, third])
}

/// When the attempts of a page were made.
fn numbers(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let number = |attempt: &Value| (1..=100).find(|number| at(*number).to_string() == attempt["timestamp"]).unwrap();
    answer.json()["data"].as_array().unwrap().iter().map(number).collect()
}

#[tokio::test]
async fn an_attempt_is_shown_with_all_that_is_known_of_it() {
    let (acme, [first, _, third]) = five().await;
    let path = |message: &Message, attempt: &Attempt| format!("{APP}/msg/{}/attempt/{}", message.id, attempt.id);
    let answer = acme.service.get(&path(&first, &pending(&acme.endpoint, &first, 1))).await;
    assert_snapshot!(answer.shown(), @r#"
    200
    {"id":"atmpt_3OuWiaMxO05UjYUYPdeRUeSGRUH","endpointId":"ep_2YBXZHqCjgF6iXy9lNopsnrO1Mv","msgId":"msg_3OuWiaMxO05UjYUYPdeRUeSGRUH","response":"no, says 1","responseDurationMs":42,"responseStatusCode":500,"status":2,"statusText":"fail","timestamp":"2027-01-15T06:21:00.000Z","triggerType":0,"url":"https://example.com/1"}
    "#);
    assert_snapshot!(acme.service.get(&path(&third, &failed(&acme.endpoint, &third, 5))).await.shown(), @r#"
    200
    {"id":"atmpt_3OuXCkIbn7oHzJgTbg0YOHu993F","endpointId":"ep_2YBXZHqCjgF6iXy9lNopsnrO1Mv","msgId":"msg_3OuWxfKmaYwtMR5W0epUwTBCnGl","response":"no, says 5","responseDurationMs":42,"responseStatusCode":0,"status":2,"statusText":"fail","timestamp":"2027-01-15T06:25:00.000Z","triggerType":1,"url":"https://example.com/1"}
    "#);
    let elsewhere = acme.service.get(&path(&first, &failed(&acme.endpoint, &third, 5))).await;
    assert_eq!(elsewhere.status, 404, "another message's attempt");
}

#[tokio::test]
async fn attempts_come_with_their_messages_where_that_is_asked_for() {
    let (acme, [first, _, third]) = five().await;
    assert!(acme.store().expunge_message(third.organization, third.application, third.id).await.unwrap());
    let answer = acme.service.get(&format!("{APP}/attempt/endpoint/hook?with_msg=true")).await.json();
    let messages: Vec<_> = answer["data"].as_array().unwrap().iter().map(|attempt| &attempt["msg"]).collect();
    assert_eq!(messages.len(), 5);
    assert_eq!(messages[0]["payload"], json!({"expired": true}));
    assert_eq!((&messages[4]["id"], &messages[4]["eventType"]), (&json!(first.id), &json!(first.event_type)));
    assert!(messages[4]["payload"].is_object());
    let without = acme.service.get(&format!("{APP}/attempt/endpoint/hook")).await.json();
    assert_eq!(without["data"][0].get("msg"), None);
}

#[tokio::test]
async fn attempts_at_an_endpoint_are_listed_newest_first_with_every_filter() {
    let (acme, _) = five().await;
    let page = async |query: &str| {
        let named = acme.service.get(&format!("{APP}/attempt/endpoint/hook?{query}")).await;
        let by_id = acme.service.get(&format!("{APP}/attempt/endpoint/{}?{query}", acme.endpoint.id)).await;
        assert_eq!(named.body, by_id.body);
        numbers(&by_id)
    };
    for (query, expected) in [
        (String::new(), vec![5, 4, 3, 2, 1]),
        ("status=0".to_owned(), vec![3]),
        ("status=2".to_owned(), vec![5, 4, 2, 1]),
        ("status=1".to_owned(), vec![]),
        ("status=3".to_owned(), vec![]),
        ("status_code_class=0".to_owned(), vec![5]),
        ("status_code_class=100".to_owned(), vec![]),
        ("status_code_class=200".to_owned(), vec![3]),
        ("status_code_class=400".to_owned(), vec![4]),
        ("status_code_class=500&status=2".to_owned(), vec![2, 1]),
        ("channel=eu".to_owned(), vec![4]),
        ("event_types=user.left".to_owned(), vec![4]),
        ("event_types=user.left,user.signup".to_owned(), vec![5, 4, 3, 2, 1]),
        (format!("after={}", at(3)), vec![5, 4, 3]),
        (format!("before={}", at(3)), vec![2, 1]),
    ] {
        assert_eq!(page(&query).await, expected, "{query}");
    }
    let refused =
        acme.service.get(&format!("{APP}/attempt/endpoint/hook?status=4&status_code_class=200.0&limit=0")).await;
    assert_snapshot!(refused.faults(), @r#"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","status"] value_error "must be 0 (success), 1 (pending), 2 (fail) or 3 (sending)"
    ["query","status_code_class"] value_error "must be 0, 100, 200, 300, 400 or 500"
    "#);
}

#[tokio::test]
async fn attempts_of_a_message_are_listed_newest_first_with_every_filter() {
    let (acme, [first, ..]) = five().await;
    let other = acme.endpoint(2, |_| {}).await;
    outbound::attempt(acme.store(), &failed(&other, &first, 6)).await;
    let page = async |query: &str| numbers(&acme.service.get(&format!("{APP}/attempt/msg/{}?{query}", first.id)).await);
    for (query, expected) in [
        (String::new(), vec![6, 3, 2, 1]),
        ("endpoint_id=hook".to_owned(), vec![3, 2, 1]),
        (format!("endpoint_id={}", other.id), vec![6]),
        ("status=0".to_owned(), vec![3]),
        ("status=2&endpoint_id=hook".to_owned(), vec![2, 1]),
        ("status=1".to_owned(), vec![]),
        ("status_code_class=500".to_owned(), vec![6, 2, 1]),
        ("channel=eu".to_owned(), vec![]),
        ("event_types=user.signup".to_owned(), vec![6, 3, 2, 1]),
        (format!("after={}&before={}", at(2), at(6)), vec![3, 2]),
    ] {
        assert_eq!(page(&query).await, expected, "{query}");
    }
    let unknown = acme.service.get(&format!("{APP}/attempt/msg/{}?endpoint_id=nobody", first.id)).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn pages_of_attempts_follow_one_another_both_ways() {
    let (acme, [first, ..]) = five().await;
    for path in [format!("{APP}/attempt/endpoint/hook?"), format!("{APP}/attempt/msg/{}?", first.id)] {
        let all = numbers(&acme.service.get(&path).await);
        let page = async |rest: &str| acme.service.get(&format!("{path}limit=1{rest}")).await;
        let (mut seen, mut iterator) = (Vec::new(), String::new());
        let mut last = String::new();
        while seen.len() < all.len() {
            let answer = page(&iterator).await;
            seen.extend(numbers(&answer));
            iterator = format!("&iterator={}", answer.json()["iterator"].as_str().unwrap());
            last = format!("&iterator={}", answer.json()["prevIterator"].as_str().unwrap());
        }
        assert_eq!(seen, all);
        let mut before = vec![*all.last().unwrap()];
        while before.len() < all.len() {
            let answer = page(&last).await;
            before = [numbers(&answer), before].concat();
            last = format!("&iterator={}", answer.json()["prevIterator"].as_str().unwrap());
        }
        assert_eq!(before, all, "backwards");
    }
}

#[tokio::test]
async fn an_answer_is_left_out_where_it_is_not_wanted_and_removed_for_ever_by_expunging() {
    let (acme, [first, ..]) = five().await;
    let path = format!("{APP}/attempt/msg/{}", first.id);
    let responses = async |query: &str| {
        let body = acme.service.get(&format!("{path}{query}")).await.json();
        let response = |attempt: &Value| attempt["response"].as_str().unwrap().to_owned();
        body["data"].as_array().unwrap().iter().map(response).collect::<Vec<_>>()
    };
    assert_eq!(responses("").await, ["", "no, says 2", "no, says 1"]);
    assert_eq!(responses("?with_content=false").await, ["", "", ""]);
    let content = format!("{APP}/msg/{}/attempt/{}/content", first.id, pending(&acme.endpoint, &first, 2).id);
    assert_snapshot!(acme.service.delete(&content).await.shown(), @"204");
    assert_eq!(responses("").await, ["", "EXPUNGED", "no, says 1"]);
    let unknown = format!("{APP}/msg/{}/attempt/{}/content", first.id, failed(&acme.endpoint, &first, 50).id);
    assert_eq!(acme.service.delete(&unknown).await.status, 404);
}

#[tokio::test]
async fn attempts_are_gone_after_90_days() {
    let (acme, [first, ..]) = five().await;
    let path = format!("{APP}/msg/{}/attempt/{}", first.id, pending(&acme.endpoint, &first, 1).id);
    assert_eq!(acme.service.get(&path).await.status, 200);
    acme.service.clock.advance(RETENTION + Duration::from_hours(1));
    assert_eq!(acme.service.get(&path).await.status, 404);
    let listed = acme.service.get(&format!("{APP}/attempt/endpoint/hook")).await;
    assert_eq!(listed.json()["data"], json!([]));
}

#[tokio::test]
async fn what_is_not_ones_own_is_404() {
    let (acme, [first, ..]) = five().await;
    let other = arrange::application(acme.store(), 1, 2, Some("other")).await;
    arrange::endpoint(acme.store(), &other, 2, Some("theirs")).await;
    let attempt = pending(&acme.endpoint, &first, 1).id;
    let (endpoint, message) = (acme.endpoint.id, first.id);
    for (bearer, app) in [
        (token(&organization(2)), acme.application.id.to_string()),
        (token(&organization(2)), "acme".to_owned()),
        (token(&organization(1)), "other".to_owned()),
        (token(&application()), "other".to_owned()),
        (token(&application()), other.id.to_string()),
    ] {
        for (method, path) in [
            (Method::GET, format!("attempt/endpoint/{endpoint}")),
            (Method::GET, "attempt/endpoint/hook".to_owned()),
            (Method::GET, format!("attempt/msg/{message}")),
            (Method::GET, format!("msg/{message}/attempt/{attempt}")),
            (Method::DELETE, format!("msg/{message}/attempt/{attempt}/content")),
            (Method::GET, format!("endpoint/{endpoint}/msg")),
            (Method::GET, format!("msg/{message}/endpoint")),
            (Method::POST, format!("msg/{message}/endpoint/{endpoint}/resend")),
            (Method::GET, format!("endpoint/{endpoint}/stats")),
            (Method::GET, format!("endpoint/{endpoint}/attempt-stats")),
        ] {
            let answer = acme.service.ask_as(&bearer, method.clone(), &format!("/api/v1/app/{app}/{path}")).await;
            assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{method} {app}/{path}");
        }
    }
    let mixed = format!("{APP}/msg/{message}/endpoint/theirs/resend");
    assert_eq!(acme.service.ask(Method::POST, &mixed).await.status, 404, "an endpoint of another application");
    let own = token(&application());
    assert_eq!(acme.service.ask_as(&own, Method::GET, &format!("{APP}/attempt/endpoint/hook")).await.status, 200);
}
