use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::json;

use crate::endpoint::service_with_endpoint;

const HEADERS: &str = "/api/v1/app/acme/endpoint/hook/headers";

#[tokio::test]
async fn headers_are_put_changed_and_read_without_credentials() {
    let service = service_with_endpoint().await;
    assert_snapshot!(service.get(HEADERS).await.shown(), @r#"
    200
    {"headers":{},"sensitive":[]}
    "#);
    let body = json!({"headers": {"X-Team": "a", "Authorization": "Bearer hunter2", "x-api-key": "hunter2"}});
    let put = service.put(HEADERS, &body).await;
    assert_eq!((put.status, &*put.body), (204, ""));
    assert_snapshot!(service.get(HEADERS).await.shown(), @r#"
    200
    {"headers":{"X-Team":"a"},"sensitive":["Authorization","x-api-key"]}
    "#);
    let change =
        json!({"headers": {"x-team": "b", "Authorization": null, "X-New": ""}, "deleteHeaders": ["X-API-Key"]});
    assert_eq!(service.patch(HEADERS, &change).await.status, 204);
    assert_snapshot!(service.get(HEADERS).await.shown(), @r#"
    200
    {"headers":{"X-New":"","x-team":"b"},"sensitive":[]}
    "#);
    assert_eq!(service.put(HEADERS, &json!({"headers": {}})).await.status, 204);
    assert_snapshot!(service.get(HEADERS).await.shown(), @r#"
    200
    {"headers":{},"sensitive":[]}
    "#);
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
    assert_snapshot!(answers, @r#"
    ["body","headers"] value_error "the value of the header `X-A` must be at most 4096 visible ASCII characters, spaces and tabs, and neither begin nor end with a space or tab"
    ["body","headers"] value_error "the value of the header `X-A` must be at most 4096 visible ASCII characters, spaces and tabs, and neither begin nor end with a space or tab"
    ["body","headers"] value_error "the value of the header `X-A` must be at most 4096 visible ASCII characters, spaces and tabs, and neither begin nor end with a space or tab"
    ["body","headers"] value_error "the value of the header `X-A` must be at most 4096 visible ASCII characters, spaces and tabs, and neither begin nor end with a space or tab"
    ["body","headers"] value_error "the value of the header `X-A` must be at most 4096 visible ASCII characters, spaces and tabs, and neither begin nor end with a space or tab"
    ["body","headers"] value_error "the header name `X-A\\r\\nX-Evil` must be 1 to 100 letters, digits, or characters of !#$%&'*+-.^_`|~"
    ["body","headers"] value_error "the header name `X-A: 1` must be 1 to 100 letters, digits, or characters of !#$%&'*+-.^_`|~"
    ["body","headers"] value_error "the header name `` must be 1 to 100 letters, digits, or characters of !#$%&'*+-.^_`|~"
    ["body","headers"] value_error "the header `Host` cannot be replaced"
    ["body","headers"] value_error "the header `content-length` cannot be replaced"
    ["body","headers"] value_error "the header `Transfer-Encoding` cannot be replaced"
    ["body","headers"] value_error "the header `User-Agent` cannot be replaced"
    ["body","headers"] value_error "the header `webhook-signature` cannot be replaced"
    ["body","headers"] value_error "the header `Svix-Id` cannot be replaced"
    "#);
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
        write!(answers, "{:.60}\n{}", body.to_string(), service.put(HEADERS, &body).await.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    {}
      ["body","headers"] value_error.missing "is required"
    {"headers":null}
      ["body","headers"] type_error "must be an object"
    {"headers":[]}
      ["body","headers"] type_error "must be an object"
    {"headers":{"X-A":1,"X-B":[],"X-C":"fine"}}
      ["body","headers","X-A"] type_error "must be a string"
      ["body","headers","X-B"] type_error "must be a string"
    {"headers":{"X-A":null},"sensitive":[]}
      ["body","headers","X-A"] type_error "must be a string"
      ["body","sensitive"] value_error.extra "is not known here"
    {"headers":{"X-A":"1","x-a":"2"}}
      ["body","headers"] value_error "the header `x-a` is given more than once; case does not tell names apart"
    {"headers":{"X-0":"1","X-1":"1","X-2":"1","X-3":"1","X-4":"1
      ["body","headers"] value_error "at most 50 headers of 16384 bytes in all are kept for an endpoint"
    "#);
    let change = json!({"headers": {"X-A": 1}, "deleteHeaders": [1], "other": {}});
    assert_snapshot!(service.patch(HEADERS, &change).await.faults(), @r#"
    ["body","headers","X-A"] type_error "must be a string"
    ["body","deleteHeaders","0"] type_error "must be a string"
    ["body","other"] value_error.extra "is not known here"
    "#);
}

#[tokio::test]
async fn the_table_does_not_hold_a_headers_value() {
    let service = service_with_endpoint().await;
    service.put(HEADERS, &json!({"headers": {"X-Team": "hunter2"}})).await;
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    let all = service.store.client().scan().table_name("tidings").send().await.unwrap();
    assert!(!format!("{:?}", all.items).contains("hunter2"));
}
