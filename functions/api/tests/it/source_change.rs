use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::source::{SourceKey, SourceKeys};

use crate::application::id;
use crate::arrange;
use crate::source::{SOURCES, keys, login, stored};
use crate::support::{NOW, Service};

const ONE: &str = "/api/v1/source/docebo";

async fn service() -> Service {
    let service = Service::start().await;
    arrange::source(&service.store, 1, 1, Some("docebo")).await;
    arrange::application(&service.store, 1, 1, Some("acme")).await;
    service
}

#[tokio::test]
async fn put_replaces_all_but_the_uid_and_the_secret() {
    let service = service().await;
    let body = json!({
        "name": "x", "kind": "docebo", "forwardTo": "acme", "retention": {"transactions": "1-M", "enrollments": "2-Y"}
    });
    assert_snapshot!(service.put(ONE, &body).await.masked(), @r#"
    200
    {"id":"src_[random]","uid":"docebo","name":"x","kind":"docebo","path":"/in/src_[random]","signature":null,"idHeader":null,"eventHeader":null,"forwardTo":"acme","retention":{"transactions":"1-M","transactionErrors":"90-D","computeErrors":"90-D","enrollments":"2-Y"},"createdAt":"2023-11-14T22:13:20.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    assert_snapshot!(service.put(ONE, &json!({"name": "y", "kind": "docebo"})).await.masked(), @r#"
    200
    {"id":"src_[random]","uid":"docebo","name":"y","kind":"docebo","path":"/in/src_[random]","signature":null,"idHeader":null,"eventHeader":null,"forwardTo":null,"retention":{"transactions":"90-D","transactionErrors":"90-D","computeErrors":"90-D","enrollments":"1-Y"},"createdAt":"2023-11-14T22:13:20.000Z","updatedAt":"2027-01-15T08:00:00.001Z"}
    "#);
    assert_eq!(keys(&service, "docebo").await, Some(SourceKeys::new(login("correct horse"))));
    let moved = service.put(ONE, &json!({"name": "y", "kind": "docebo", "uid": "other"})).await;
    assert_eq!((moved.status, service.get(ONE).await.status), (200, 404));
    assert_eq!(service.put(&format!("{SOURCES}/other"), &json!({"name": "y", "kind": "docebo"})).await.status, 200);
}

#[tokio::test]
async fn put_of_an_unknown_uid_creates_and_of_an_unknown_id_is_404() {
    let service = service().await;
    let (path, body) = (format!("{SOURCES}/hub"), json!({"name": "GitHub", "kind": "github", "secret": "s"}));
    let missing = service.put(&path, &json!({"name": "GitHub", "kind": "github"})).await;
    assert_snapshot!(missing.faults(), @r#"  ["body","secret"] value_error.missing "is required""#);
    let first = service.put(&path, &body).await;
    assert_eq!((first.status, first.json()["uid"].as_str()), (201, Some("hub")));
    assert_eq!(first.headers["location"], format!("{SOURCES}/{}", id(&first.json())));
    let again = service.put(&path, &json!({"name": "GitHub", "kind": "github"})).await;
    assert_eq!((again.status, again.body), (200, first.body));
    assert_eq!(service.put(&format!("{SOURCES}/src_0ujsswThIGTUYm2K8FjOOfXtY1K"), &body).await.status, 404);
    let contradicting = json!({"name": "a", "kind": "none", "uid": "b"});
    assert_eq!(service.put(&format!("{SOURCES}/a"), &contradicting).await.status, 422);
}

#[tokio::test]
async fn patch_tells_absent_from_null() {
    let service = service().await;
    let shown = |body: &Value| {
        json!([
            body["name"],
            body["uid"],
            body["forwardTo"],
            body["retention"]["transactions"],
            body["retention"]["enrollments"]
        ])
    };
    let path = format!("{SOURCES}/{}", stored(&service, "docebo").await.id);
    for (change, expected) in [
        (json!({}), json!(["source 1", "docebo", null, "90-D", "1-Y"])),
        (json!({"forwardTo": "acme", "name": "x"}), json!(["x", "docebo", "acme", "90-D", "1-Y"])),
        (json!({"retention": {"transactions": "2-M"}}), json!(["x", "docebo", "acme", "2-M", "1-Y"])),
        (json!({"retention": {"enrollments": "3-Y"}}), json!(["x", "docebo", "acme", "2-M", "3-Y"])),
        (json!({"uid": null, "secret": null}), json!(["x", null, "acme", "2-M", "3-Y"])),
        (json!({"forwardTo": null, "retention": null}), json!(["x", null, null, "90-D", "1-Y"])),
    ] {
        let answer = service.patch(&path, &change).await;
        assert_eq!((answer.status, shown(&answer.json())), (200, expected), "{change}");
        assert_eq!(service.get(&path).await.body, answer.body);
    }
    let bad = json!({"name": null, "kind": null, "uid": "", "forwardTo": "nobody", "retention": {"transactions": null},
        "idHeader": "x", "secret": "hunter2", "password": ""});
    assert_snapshot!(service.patch(&path, &bad).await.faults(), @r#"
    ["body","forwardTo"] value_error "there is no application with this id or uid"
    ["body","name"] type_error "must not be null"
    ["body","uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
    ["body","kind"] type_error "must not be null"
    ["body","idHeader"] value_error "is not for a source of kind `docebo`, which has its own"
    ["body","secret"] value_error "is not for a source of kind `docebo`, which logs in"
    ["body","password"] value_error "must be 1 to 512 bytes long"
    ["body","retention","transactions"] type_error "must be a string"
    "#);
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_none() {
    let service = service().await;
    let before = service.get(ONE).await.body;
    for (method, body) in [
        (Method::PATCH, json!({})),
        (Method::PATCH, json!({"name": "source 1", "username": "docebo", "password": "correct horse"})),
        (Method::PUT, json!({"name": "source 1", "kind": "docebo", "password": "correct horse"})),
    ] {
        let answer = service.call(method, ONE, &body).await;
        assert_eq!((answer.status, &answer.body), (200, &before), "{body}");
    }
}

#[tokio::test]
async fn a_key_that_is_given_takes_the_place_of_all_before_it() {
    let service = service().await;
    service.post(&format!("{ONE}/secret/rotate"), &json!({"password": "second"})).await;
    assert_eq!(keys(&service, "docebo").await.unwrap().accepted(NOW).count(), 2);
    assert_eq!(service.patch(ONE, &json!({"password": "third"})).await.status, 200);
    assert_eq!(keys(&service, "docebo").await, Some(SourceKeys::new(login("third"))));
    assert_eq!(service.patch(ONE, &json!({"username": "jane"})).await.status, 200);
    let jane = SourceKey::Login { username: "jane".to_owned(), password: "third".to_owned() };
    assert_eq!(keys(&service, "docebo").await, Some(SourceKeys::new(jane)));
}

#[tokio::test]
async fn another_kind_needs_a_key_of_its_own() {
    let service = service().await;
    for method in [Method::PUT, Method::PATCH] {
        let faults = service.call(method.clone(), ONE, &json!({"name": "x", "kind": "generic"})).await.faults();
        assert_eq!(
            faults,
            concat!(
                "  [\"body\",\"signature\"] value_error.missing \"is required\"\n",
                "  [\"body\",\"secret\"] value_error.missing \"is required\"\n"
            ),
            "{method}"
        );
    }
    let generic = json!({"kind": "generic", "secret": "s", "signature": {"header": "x-sign"}, "idHeader": "x-id"});
    assert_snapshot!(service.patch(ONE, &generic).await.masked(), @r#"
    200
    {"id":"src_[random]","uid":"docebo","name":"source 1","kind":"generic","path":"/in/src_[random]","signature":{"header":"x-sign","algorithm":"sha256","encoding":"hex","prefix":""},"idHeader":"x-id","eventHeader":null,"forwardTo":null,"retention":{"transactions":"90-D","transactionErrors":"90-D","computeErrors":"90-D","enrollments":"1-Y"},"createdAt":"2023-11-14T22:13:20.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    assert_eq!(keys(&service, "docebo").await, Some(SourceKeys::new(SourceKey::Secret("s".to_owned()))));
    // Of the same kind what is left out stays, and what is given does not touch the rest.
    let changed = service.patch(ONE, &json!({"signature": {"header": "x-sign", "prefix": "v1="}})).await.json();
    assert_eq!((&changed["signature"]["prefix"], &changed["idHeader"]), (&json!("v1="), &json!("x-id")));
    let changed = service.patch(ONE, &json!({"idHeader": null, "eventHeader": "x-event"})).await.json();
    assert_eq!((&changed["idHeader"], &changed["eventHeader"]), (&Value::Null, &json!("x-event")));
    let none = service.patch(ONE, &json!({"kind": "none"})).await.json();
    assert_eq!((&none["signature"], &none["eventHeader"]), (&Value::Null, &json!("x-event")));
    assert_eq!(keys(&service, "docebo").await, None);
    let github = service.patch(ONE, &json!({"kind": "github", "secret": "s"})).await.json();
    assert_eq!((&github["kind"], &github["eventHeader"]), (&json!("github"), &Value::Null));
}

#[tokio::test]
async fn a_uid_names_one_source_of_an_organization() {
    let service = service().await;
    let other = service.post(SOURCES, &json!({"name": "other", "kind": "none"})).await.json();
    let path = format!("{SOURCES}/{}", id(&other));
    for (method, body) in [
        (Method::PATCH, json!({"uid": "docebo"})),
        (Method::PUT, json!({"name": "x", "kind": "none", "uid": "docebo"})),
    ] {
        let answer = service.call(method, &path, &body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("conflict")));
    }
}

/// Whether work on the source's records is owed from 15 s after the tests' first moment on, when every process has
/// forgotten what the source was like.
async fn is_owed(service: &Service) -> bool {
    let work = arrange::imagined_source(1, 1, None).retention_work();
    let mut due = Vec::new();
    for until in [NOW + Duration::from_millis(14_999), NOW + Duration::from_secs(15)] {
        let page = service.store.due(work.shard(), until, None, 100).await.unwrap();
        due.push(page.entries.iter().any(|entry| entry.key.work == work));
    }
    assert!(!due[0]);
    due[1]
}

#[tokio::test]
async fn another_retention_is_owed_to_the_records_that_are_there() {
    let service = service().await;
    service.patch(ONE, &json!({"name": "x", "retention": {"transactions": "90-D"}})).await;
    assert!(!is_owed(&service).await);
    service.patch(ONE, &json!({"retention": {"transactions": "1-D"}})).await;
    assert!(is_owed(&service).await);
}

#[tokio::test]
async fn the_removal_of_a_deleted_sources_records_is_owed() {
    let service = service().await;
    service.delete(ONE).await;
    assert!(is_owed(&service).await);
}
