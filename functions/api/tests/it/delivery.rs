use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::delivery::Delivery;
use tidings_domain::ids::MessageId;
use tidings_domain::message::Message;

use crate::arrange::GRACE;
use crate::outbound::{self, Acme, at, failed, imagined_message, pending, succeeded};
use crate::support::{NOW, organization, request, token};

const APP: &str = "/api/v1/app/acme";

#[tokio::test]
async fn messages_of_an_endpoint_are_listed_by_their_newest_attempt_with_every_filter() {
    let acme = Acme::start().await;
    let endpoint = &acme.endpoint;
    let taken = acme.message(1).await;
    let waiting = Message { channels: vec!["eu".parse().unwrap()], ..imagined_message(&acme.application, 2) };
    let refused = Message {
        event_type: "user.left".parse().unwrap(),
        tags: vec!["red".parse().unwrap()],
        ..imagined_message(&acme.application, 3)
    };
    outbound::write(acme.store(), &waiting).await;
    outbound::write(acme.store(), &refused).await;
    acme.message(4).await;
    for attempt in [
        pending(endpoint, &taken, 5),
        pending(endpoint, &waiting, 6),
        failed(endpoint, &refused, 7),
        succeeded(endpoint, &taken, 8),
    ] {
        outbound::attempt(acme.store(), &attempt).await;
    }
    let list = async |query: &str| acme.service.get(&format!("{APP}/endpoint/hook/msg?{query}")).await;
    assert_snapshot!(list("limit=2").await.shown().replace("},{", "},\n{"), @r#"
    200
    {"data":[{"id":"msg_3OuWiaMxO05UjYUYPdeRUeSGRUH","eventType":"user.signup","eventId":null,"channels":null,"tags":null,"payload":{ "number": 1.0 },"timestamp":"2027-01-15T06:21:00.000Z","status":0,"statusText":"success","nextAttempt":null},
    {"id":"msg_3OuWxfKmaYwtMR5W0epUwTBCnGl","eventType":"user.left","eventId":null,"channels":null,"tags":["red"],"payload":{ "number": 3.0 },"timestamp":"2027-01-15T06:23:00.000Z","status":2,"statusText":"fail","nextAttempt":null}],"iterator":"atmpt_3OuXRpGQzgfgcCHRChBbq6d5Upj","prevIterator":"-atmpt_3OuXZMkLay6NvdZv0Cm8Z0zYfiy","done":false}
    "#);
    let ids = async |query: &str| {
        let body = list(query).await.json();
        let id = |message: &Value| message["id"].as_str().unwrap().parse::<MessageId>().unwrap();
        body["data"].as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    for (query, expected) in [
        (String::new(), vec![taken.id, refused.id, waiting.id]),
        ("status=0".to_owned(), vec![taken.id]),
        ("status=1".to_owned(), vec![waiting.id]),
        ("status=2".to_owned(), vec![refused.id]),
        ("status=3".to_owned(), vec![]),
        ("channel=eu".to_owned(), vec![waiting.id]),
        ("tag=red".to_owned(), vec![refused.id]),
        ("event_types=user.left".to_owned(), vec![refused.id]),
        (format!("after={}", at(8)), vec![taken.id]),
        (format!("before={}&after={}", at(8), at(7)), vec![refused.id]),
    ] {
        assert_eq!(ids(&query).await, expected, "{query}");
    }
    let without = list("with_content=false").await.json();
    assert!(without["data"].as_array().unwrap().iter().all(|message| message["payload"] == json!({})));
    let first = list("limit=1").await.json();
    let second = list(&format!("limit=1&iterator={}", first["iterator"].as_str().unwrap())).await.json();
    assert_eq!(second["data"][0]["id"], refused.id.to_string());
    let back = list(&format!("limit=1&iterator={}", second["prevIterator"].as_str().unwrap())).await.json();
    assert_eq!(back["data"], first["data"]);
}

#[tokio::test]
async fn endpoints_of_a_message_are_those_with_an_attempt_and_those_that_will_get_it() {
    let acme = Acme::start().await;
    let message = acme.message(1).await;
    outbound::attempt(acme.store(), &pending(&acme.endpoint, &message, 2)).await;
    let refused = acme.endpoint(2, |endpoint| endpoint.disabled = true).await;
    outbound::attempt(acme.store(), &failed(&refused, &message, 2)).await;
    let sending = acme.endpoint(3, |_| {}).await;
    acme.endpoint(4, |endpoint| endpoint.event_types = Some(vec!["other".parse().unwrap()])).await;
    acme.endpoint(5, |endpoint| endpoint.disabled = true).await;
    acme.endpoint(6, |endpoint| endpoint.created_at = at(50)).await;
    let taken = acme.endpoint(7, |_| {}).await;
    outbound::attempt(acme.store(), &failed(&taken, &message, 2)).await;
    outbound::attempt(acme.store(), &succeeded(&taken, &message, 3)).await;
    let list = async |query: &str| acme.service.get(&format!("{APP}/msg/{}/endpoint?{query}", message.id)).await;
    assert_snapshot!(list("limit=1").await.shown(), @r#"
    200
    {"data":[{"id":"ep_2YBXZHqCjgF6iXy9lNopsnrO1Mv","uid":"hook","url":"https://example.com/1","description":"","filterTypes":null,"eventTypes":null,"channels":null,"disabled":false,"throttleRate":null,"rateLimit":null,"version":1,"createdAt":"2023-11-14T22:13:20.000Z","updatedAt":"2023-11-14T22:13:20.000Z","status":1,"statusText":"pending","nextAttempt":"2027-01-15T06:22:05.000Z"}],"iterator":"ep_2YBXZHqCjgF6iXy9lNopsnrO1Mv","prevIterator":"-ep_2YBXZHqCjgF6iXy9lNopsnrO1Mv","done":false}
    "#);
    let all = list("").await.json();
    let shown = |endpoint: &Value| (endpoint["id"].as_str().unwrap().to_owned(), endpoint["statusText"].clone());
    let of = |body: &Value| body["data"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>();
    let expected =
        [(acme.endpoint.id, "pending"), (refused.id, "fail"), (sending.id, "sending"), (taken.id, "success")]
            .map(|(id, status)| (id.to_string(), json!(status)));
    assert_eq!(of(&all), expected);
    // Those that do not get it are passed over, also where a page would end at one.
    for limit in 1..=4 {
        let (mut seen, mut iterator) = (Vec::new(), String::new());
        loop {
            let body = list(&format!("limit={limit}{iterator}")).await.json();
            seen.extend(of(&body));
            if body["done"] == true {
                break;
            }
            iterator = format!("&iterator={}", body["iterator"].as_str().unwrap());
        }
        assert_eq!(seen, expected, "{limit}");
        let body = list(&format!("limit={limit}&iterator=-{}", taken.id)).await.json();
        let from = 3_usize.saturating_sub(limit);
        assert_eq!(of(&body), expected[from..3], "{limit}, backwards");
    }
}

#[tokio::test]
async fn a_resend_puts_one_manual_delivery_on_the_agenda_at_once() {
    let acme = Acme::start().await;
    let message = acme.message(1).await;
    let path = format!("{APP}/msg/{}/endpoint/hook/resend", message.id);
    assert_snapshot!(acme.service.ask(Method::POST, &path).await.shown(), @"
    202
    {}
    ");
    let delivery = Delivery {
        organization: message.organization,
        application: message.application,
        endpoint: acme.endpoint.id,
        message: message.id,
    };
    let owed = acme.owed(&delivery.work()).await;
    let [entry] = &owed[..] else { panic!("{owed:?}") };
    assert_eq!((entry.key.due, entry.tries, entry.note.as_deref()), (NOW + GRACE, 0, Some("manual")));
    assert_eq!(entry.destination, Some(acme.endpoint.id.to_string()), "where the processor keeps its health");
    // Asked twice, it is sent twice.
    assert_eq!(acme.service.ask(Method::POST, &path).await.status, 202);
    assert_eq!(acme.owed(&delivery.work()).await.len(), 2);
}

#[tokio::test]
async fn a_resend_under_a_key_is_one_however_often_it_is_asked() {
    let acme = Acme::start().await;
    let message = acme.message(1).await;
    let path = format!("{APP}/msg/{}/endpoint/hook/resend", message.id);
    let keyed = |path: &str| {
        let request = request(&token(&organization(1)), Method::POST, path).header("idempotency-key", "once");
        acme.service.send(request.body(axum::body::Body::empty()).unwrap())
    };
    assert_eq!(keyed(&path).await.status, 202);
    acme.service.clock.advance(Duration::from_secs(1));
    let again = keyed(&path).await;
    assert_eq!((again.status, &again.headers["idempotent-replayed"]), (202, &"true".parse().unwrap()));
    let other = acme.message(2).await;
    assert_eq!(keyed(&format!("{APP}/msg/{}/endpoint/hook/resend", other.id)).await.status, 409);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_resent() {
    let acme = Acme::start().await;
    let message = acme.message(1).await;
    let disabled = acme.endpoint(2, |endpoint| endpoint.disabled = true).await;
    let resend = async |message: &str, endpoint: &str| {
        acme.service.ask(Method::POST, &format!("{APP}/msg/{message}/endpoint/{endpoint}/resend")).await
    };
    let id = message.id.to_string();
    assert_snapshot!(resend(&id, &disabled.id.to_string()).await.shown(), @r#"
    409
    {"code":"conflict","detail":"This endpoint is disabled: it gets nothing until it is enabled."}
    "#);
    assert_eq!(resend(&id, "nobody").await.status, 404);
    assert_eq!(resend(&imagined_message(&acme.application, 2).id.to_string(), "hook").await.status, 404);
    acme.store().expunge_message(message.organization, message.application, message.id).await.unwrap();
    assert_snapshot!(resend(&id, "hook").await.shown(), @r#"
    409
    {"code":"conflict","detail":"The payload of this message is gone: it cannot be sent any more."}
    "#);
    let early = Message { payload_until: at(100), ..imagined_message(&acme.application, 3) };
    outbound::write(acme.store(), &early).await;
    assert_eq!(resend(&early.id.to_string(), "hook").await.status, 409, "its retention is over");
}
