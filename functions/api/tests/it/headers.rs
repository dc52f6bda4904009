use insta::assert_snapshot;
use serde_json::json;

use crate::endpoint::service_with_endpoint;

const HEADERS: &str = "/api/v1/app/acme/endpoint/hook/headers";

#[tokio::test]
async fn headers_are_put_changed_and_read_without_credentials() {
    let service = service_with_endpoint().await;
    assert_snapshot!(service.get(HEADERS).await.shown(), @"");
    let body = json!({"headers": {"X-Team": "a", "Authorization": "Bearer hunter2", "x-api-key": "hunter2"}});
    let put = service.put(HEADERS, &body).await;
    assert_eq!((put.status, &*put.body), (204, ""));
    assert_snapshot!(service.get(HEADERS).await.shown(), @"");
    let change = json!({"headers": {"x-team": "b", "Authorization": null, "X-New": ""}, "deleteHeaders": ["X-API-Key"]});
    assert_eq!(service.patch(HEADERS, &change).await.status, 204);
    assert_snapshot!(service.get(HEADERS).await.shown(), @"");
    assert_eq!(service.put(HEADERS, &json!({"headers": {}})).await.status, 204);
    assert_snapshot!(service.get(HEADERS).await.shown(), @"");
}

#[tokio::test]
async fn a_header_that_could_smuggle_or_pretend_is_refused_and_not_repeated() {
    let service = service_with_endpoint().await;
    let mut answers = String::new();
    for (name, value) in [
        ("X-A", "hunter2\r\nX-Evil: 1"),
        ("X-A", "hunter2\nX-Evil: 1"),
        ("X-A", "hunter2\0"),
        ("X-A", " hunter2"),
        ("X-A", "hunter2\u{e9}"),
        ("X-A\r\nX-Evil", "hunter2"),
        ("X-A: 1", "hunter2"),
        ("", "hunter2"),
        ("Host", "hunter2"),
        ("content-length", "hunter2"),
        ("Transfer-Encoding", "hunter2"),
        ("User-Agent", "hunter2"),
        ("webhook-signature", "hunter2"),
        ("Svix-Id", "hunter2"),
    ] {
        for body in [json!({"headers": {name: value}})] {
            let put = service.put(HEADERS, &body).await;
            assert!(!put.body.contains("hunter2"), "{put:?}");
            assert_eq!(service.patch(HEADERS, &body).await.faults(), put.faults());
            let endpoint = json!({"url": "https://example.com/", "headers": {name: value}});
            assert_eq!(service.post("/api/v1/app/acme/endpoint", &endpoint).await.faults(), put.faults());
            answers += &put.faults();
        }
    }
    assert_snapshot!(answers, @"");
    assert_eq!(service.get(HEADERS).await.json(), json!({"headers": {}, "sensitive": []}));
}

#[tokio::test]
async fn bad_headers_are_422_with_every_fault() {
    let service = service_with_endpoint().await;
    let mut answers = String::new();
    for body in [
        json!({}),
        json!({"headers": null}),
        json!({"headers": []}),
        json!({"headers": {"X-A": 1, "X-B": [], "X-C": "fine"}}),
        json!({"headers": {"X-A": null}, "sensitive": []}),
        json!({"headers": {"X-A": "1", "x-a": "2"}}),
        json!({"headers": (0..51).map(|number| (format!("X-{number}"), json!("1"))).collect::<serde_json::Map<_, _>>()}),
    ] {
        answers += &format!("{:.60}\n{}", body.to_string(), service.put(HEADERS, &body).await.faults());
    }
    assert_snapshot!(answers, @"");
    let change = json!({"headers": {"X-A": 1}, "deleteHeaders": [1], "other": {}});
    assert_snapshot!(service.patch(HEADERS, &change).await.faults(), @"");
}

#[tokio::test]
async fn the_table_does_not_hold_a_headers_value() {
    let service = service_with_endpoint().await;
    service.put(HEADERS, &json!({"headers": {"X-Team": "hunter2"}})).await;
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    let all = service.store.client().scan().table_name("tidings").send().await.unwrap();
    assert!(!format!("{:?}", all.items).contains("hunter2"));
}
