use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::message::{Message, RETENTION};

use crate::arrange;
use crate::outbound::{self, Acme, at, imagined_message};
use crate::support::{Answer, application, organization, token};

const PATH: &str = "/api/v1/app/acme/msg";

/// Messages 1 to 6; the even ones in a channel, every third with a tag and of another type.
async fn six() -> Acme {
    let acme = Acme::start().await;
    for number in 1..=6 {
        let mut message = imagined_message(&acme.application, number);
        if number % 2 == 0 {
            message.channels = vec!["eu".parse().unwrap()];
        }
        if number % 3 == 0 {
            message.tags = vec!["red".parse().unwrap()];
            message.event_type = "user.left".parse().unwrap();
        }
        outbound::write(acme.store(), &message).await;
    }
    acme
}

/// The numbers of the messages of a page.
fn numbers(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let number = |message: &Value| message["payload"]["number"].as_f64().unwrap();
    answer.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| format!("{}", number(message)).parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_is_found_by_its_event_id_as_long_as_that_is_remembered() {
    let acme = Acme::start().await;
    let event_id = Some("order-17".parse().unwrap());
    let message = Message { event_id, ..imagined_message(&acme.application, 1) };
    outbound::write(acme.store(), &message).await;
    let found = acme.service.get(&format!("{PATH}/order-17")).await;
    assert_eq!((found.status, &found.json()["id"]), (200, &json!(message.id)));
    assert_eq!(acme.service.get("/api/v1/app/acme/attempt/msg/order-17").await.status, 200);
    assert_eq!(acme.service.get(&format!("{PATH}/order-18")).await.status, 404);
    acme.service.clock.advance(Duration::from_hours(72));
    assert_eq!(acme.service.get(&format!("{PATH}/order-17")).await.status, 404);
}

#[tokio::test]
async fn a_message_is_shown_as_it_was_sent() {
    let acme = Acme::start().await;
    let message = Message {
        event_id: Some("order-17".parse().unwrap()),
        channels: vec!["eu".parse().unwrap()],
        tags: vec!["red".parse().unwrap()],
        ..imagined_message(&acme.application, 1)
    };
    outbound::write(acme.store(), &message).await;
    assert_snapshot!(acme.service.get(&format!("{PATH}/{}", message.id)).await.shown(), @r#"
    200
    {"id":"msg_3OuWiaMxO05UjYUYPdeRUeSGRUH","eventType":"user.signup","eventId":"order-17","channels":["eu"],"tags":["red"],"payload":{ "number": 1.0 },"timestamp":"2027-01-15T06:21:00.000Z"}
    "#);
    assert_snapshot!(acme.service.get(&format!("{PATH}/{}?with_content=false", message.id)).await.shown(), @r#"
    200
    {"id":"msg_3OuWiaMxO05UjYUYPdeRUeSGRUH","eventType":"user.signup","eventId":"order-17","channels":["eu"],"tags":["red"],"payload":{},"timestamp":"2027-01-15T06:21:00.000Z"}
    "#);
    let refused = acme.service.get(&format!("{PATH}/{}?with_content=1", message.id)).await;
    assert_snapshot!(refused.faults(), @r#"  ["query","with_content"] value_error "must be `true` or `false`""#);
}

#[tokio::test]
async fn messages_are_listed_newest_first_with_every_filter() {
    let acme = six().await;
    let page = async |query: &str| numbers(&acme.service.get(&format!("{PATH}?{query}")).await);
    for (query, expected) in [
        (String::new(), vec![6, 5, 4, 3, 2, 1]),
        ("channel=eu".to_owned(), vec![6, 4, 2]),
        ("tag=red".to_owned(), vec![6, 3]),
        ("event_types=user.left".to_owned(), vec![6, 3]),
        ("event_types=user.left&event_types=user.signup&channel=eu".to_owned(), vec![6, 4, 2]),
        ("event_types=user.left,user.gone&tag=red&channel=eu".to_owned(), vec![6]),
        ("event_types=user.gone".to_owned(), vec![]),
        (format!("after={}", at(3)), vec![6, 5, 4, 3]),
        (format!("before={}", at(3)), vec![2, 1]),
        (format!("after={}&before={}", at(2), at(5)), vec![4, 3, 2]),
        ("nobody_knows=this".to_owned(), vec![6, 5, 4, 3, 2, 1]),
    ] {
        assert_eq!(page(&query).await, expected, "{query}");
    }
    let without = acme.service.get(&format!("{PATH}?with_content=false&limit=1")).await.json();
    assert_eq!(without["data"][0]["payload"], json!({}));
}

#[tokio::test]
async fn pages_follow_one_another_both_ways_until_done() {
    let acme = six().await;
    let page = async |query: String| acme.service.get(&format!("{PATH}?{query}")).await;
    for (limit, channel) in [(1, ""), (2, ""), (4, ""), (6, ""), (2, "&channel=eu")] {
        let all = numbers(&page(channel.to_owned()).await);
        let (mut seen, mut iterator, mut first) = (Vec::new(), String::new(), String::new());
        loop {
            let answer = page(format!("limit={limit}{channel}{iterator}")).await;
            seen.extend(numbers(&answer));
            let body = answer.json();
            if let Some(previous) = body["prevIterator"].as_str() {
                first = format!("&iterator={previous}");
            }
            if body["done"] == true {
                break;
            }
            iterator = format!("&iterator={}", body["iterator"].as_str().unwrap());
        }
        assert_eq!(seen, all, "{limit} {channel}");
        // And back, from the last page on.
        let mut before = numbers(&page(format!("limit={limit}{channel}{iterator}")).await);
        loop {
            let answer = page(format!("limit={limit}{channel}{first}")).await;
            before = [numbers(&answer), before].concat();
            let body = answer.json();
            if body["done"] == true {
                break;
            }
            first = format!("&iterator={}", body["prevIterator"].as_str().unwrap());
        }
        assert_eq!(before, all, "{limit} {channel}, backwards");
    }
}

#[tokio::test]
async fn a_page_of_large_payloads_ends_early_and_goes_on() {
    let acme = Acme::start().await;
    let payload = format!(r#"{{"a":"{}"}}"#, "x".repeat(256 * 1024 - 8));
    for number in 1..=10 {
        let message = Message { payload: Some(payload.clone().into()), ..imagined_message(&acme.application, number) };
        outbound::write(acme.store(), &message).await;
    }
    let first = acme.service.get(PATH).await;
    assert!(first.body.len() < 3 * 1024 * 1024, "{}", first.body.len());
    let body = first.json();
    assert_eq!((body["data"].as_array().unwrap().len(), &body["done"]), (8, &json!(false)));
    let second = acme.service.get(&format!("{PATH}?iterator={}", body["iterator"].as_str().unwrap())).await.json();
    assert_eq!((second["data"].as_array().unwrap().len(), &second["done"]), (2, &json!(true)));
}

#[tokio::test]
async fn a_bad_query_is_422_with_every_fault() {
    let acme = Acme::start().await;
    let query =
        "limit=251&iterator=-app_1&channel=a%20b&tag=&event_types=a,b%23&after=yesterday&before=1&with_content=no";
    assert_snapshot!(acme.service.get(&format!("{PATH}?{query}")).await.faults(), @r#"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be `msg_` followed by 27 letters or digits"
    ["query","channel"] value_error "must be 1 to 128 letters, digits, `-`, `_` or `.`"
    ["query","event_types"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
    ["query","after"] value_error "must be a date and time as in RFC 3339"
    ["query","before"] value_error "must be a date and time as in RFC 3339"
    ["query","tag"] value_error "must be 1 to 128 letters, digits, `-`, `_` or `.`"
    ["query","with_content"] value_error "must be `true` or `false`"
    "#);
}

#[tokio::test]
async fn an_iterator_of_another_application_shows_nothing_of_it() {
    let acme = six().await;
    let other = arrange::application(acme.store(), 1, 2, Some("other")).await;
    let theirs = outbound::message(acme.store(), &other, 4).await;
    // It is a place in time; whose it is does not matter, and nothing of its own is shown.
    let answer = acme.service.get(&format!("{PATH}?iterator={}", theirs.id)).await;
    assert!(!answer.body.contains(&theirs.id.to_string()));
    for bad in ["msg_%00", "msg_1%23", "MSG%23msg_0ujsswThIGTUYm2K8FjOOfXtY1K", "~", "-", "--", "-1", "null"] {
        let answer = acme.service.get(&format!("{PATH}?iterator={bad}")).await;
        assert_eq!(answer.status, 422, "{bad}: {answer:?}");
    }
}

#[tokio::test]
async fn a_removed_payload_reads_expired_at_once_and_the_message_stays() {
    let acme = Acme::start().await;
    let message = acme.message(1).await;
    let path = format!("{PATH}/{}", message.id);
    assert_snapshot!(acme.service.delete(&format!("{path}/content")).await.shown(), @"204");
    assert_snapshot!(acme.service.get(&path).await.shown(), @r#"
    200
    {"id":"msg_3OuWiaMxO05UjYUYPdeRUeSGRUH","eventType":"user.signup","eventId":null,"channels":null,"tags":null,"payload":{"expired": true},"timestamp":"2027-01-15T06:21:00.000Z"}
    "#);
    let listed = acme.service.get(PATH).await.json();
    assert_eq!(listed["data"][0]["payload"], json!({"expired": true}));
    assert_eq!(acme.service.delete(&format!("{path}/content")).await.status, 204, "it may be asked again");
}

#[tokio::test]
async fn a_payload_reads_expired_as_soon_as_its_retention_is_over() {
    let acme = Acme::start().await;
    let payload_until = at(100) + Duration::from_hours(24 * 5);
    let message = Message { payload_until, ..imagined_message(&acme.application, 100) };
    outbound::write(acme.store(), &message).await;
    let path = format!("{PATH}/{}", message.id);
    acme.service.clock.advance(Duration::from_hours(24 * 5) - Duration::from_millis(1));
    assert_eq!(acme.service.get(&path).await.json()["payload"], json!({"number": 100.0}));
    acme.service.clock.advance(Duration::from_millis(1));
    assert_eq!(acme.service.get(&path).await.json()["payload"], json!({"expired": true}));
    assert_eq!(acme.service.get(PATH).await.json()["data"][0]["payload"], json!({"expired": true}));
    acme.service.clock.advance(RETENTION);
    assert_eq!(acme.service.get(&path).await.status, 404, "after 90 days it is gone");
    assert_eq!(acme.service.get(PATH).await.json()["data"], json!([]));
}

#[tokio::test]
async fn what_is_not_ones_own_is_404() {
    let acme = Acme::start().await;
    let message = acme.message(1).await;
    let other = arrange::application(acme.store(), 1, 2, Some("other")).await;
    let (own, id) = (&acme.application.id, &message.id);
    let (theirs, own_token) = (token(&organization(2)), token(&application()));
    for (name, bearer, path) in [
        ("another organization", &theirs, format!("/api/v1/app/{own}/msg/{id}")),
        ("another organization, by uid", &theirs, format!("{PATH}/{id}")),
        ("another application", &token(&organization(1)), format!("/api/v1/app/other/msg/{id}")),
        ("an application of another token", &own_token, format!("/api/v1/app/{}/msg/{id}", other.id)),
        ("a uid of another token's", &own_token, format!("/api/v1/app/other/msg/{id}")),
        ("no id", &own_token, format!("{PATH}/msg_1")),
        ("an id of another kind", &own_token, format!("{PATH}/{own}")),
        ("a separator", &own_token, format!("{PATH}/{id}%23x")),
    ] {
        for (method, path) in [(Method::GET, path.clone()), (Method::DELETE, format!("{path}/content"))] {
            let answer = acme.service.ask_as(bearer, method.clone(), &path).await;
            assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{name}: {method} {path}");
        }
    }
    assert_eq!(acme.service.ask_as(&own_token, Method::GET, &format!("{PATH}/{id}")).await.status, 200);
    assert_eq!(acme.service.ask_as(&own_token, Method::GET, PATH).await.status, 200);
    for path in ["/api/v1/app/other/msg".to_owned(), format!("/api/v1/app/{}/msg", other.id)] {
        assert_eq!(acme.service.ask_as(&own_token, Method::GET, &path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_precheck_tells_whether_any_endpoint_would_get_it() {
    let acme = Acme::start().await;
    let path = format!("{PATH}/precheck/active");
    let active = async |body: Value| acme.service.post(&path, &body).await.json();
    assert_eq!(active(json!({"eventType": "a"})).await, json!({"active": true}));
    acme.store().disable_endpoint(&acme.endpoint, at(100), None).await.unwrap();
    assert_eq!(active(json!({"eventType": "a"})).await, json!({"active": false}));
    acme.endpoint(2, |endpoint| endpoint.channels = Some(vec!["eu".parse().unwrap()])).await;
    acme.endpoint(3, |endpoint| endpoint.event_types = Some(vec!["b".parse().unwrap()])).await;
    assert_eq!(active(json!({"eventType": "a", "channels": null})).await, json!({"active": false}));
    assert_eq!(active(json!({"eventType": "a", "channels": ["us"]})).await, json!({"active": false}));
    assert_eq!(active(json!({"eventType": "a", "channels": ["us", "eu"]})).await, json!({"active": true}));
    assert_eq!(active(json!({"eventType": "b"})).await, json!({"active": true}));
    assert_snapshot!(acme.service.post(&path, &json!({"channels": [], "x": 1})).await.faults(), @r#"
    ["body","eventType"] value_error.missing "is required"
    ["body","channels"] value_error "must have 1 to 5 items"
    ["body","x"] value_error.extra "is not known here"
    "#);
}
