use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::source::Source;

use crate::arrange;
use crate::inbound::{self, below, both_ways};
use crate::support::{NOW, Service};

/// What a user's enrollments are known by in these tests.
fn key(entry: &Value) -> String {
    let session = entry.get("session_id").map(|session| format!(".{session}")).unwrap_or_default();
    format!("{}.{}{session}", entry["user_id"], entry["course_id"])
}

/// Three users in two courses and a session.
pub(crate) async fn some() -> (Service, Source) {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, Some("lms")).await;
    let other = arrange::source(&service.store, 1, 2, None).await;
    inbound::enroll(&service.store, &source, &rows()).await;
    inbound::enroll(&service.store, &other, &json!([{"user_id": 4, "course_id": 37}])).await;
    (service, source)
}

pub(crate) fn rows() -> Value {
    let jane = json!({
        "user_id": 13250, "course_id": 37, "username": "jane", "course_name": "Safety", "level": "learner",
        "status": "completed", "enrollment_date": "2026-12-13 14:58:26", "enrollment_date_begin_validity": null,
        "subscribed_by_id": 7, "completion_date": "2026-12-24T08:00:00Z", "updated_at": "2026-12-24T08:00:00.007Z",
    });
    json!([
        jane,
        {"user_id": 13250, "course_id": 38, "status": "subscribed"},
        {"user_id": 13250, "course_id": 38, "session_id": 5, "session_name": "Monday", "status": "subscribed"},
        {"user_id": 2, "course_id": 37, "status": "subscribed", "deleted_at": "2027-01-02 00:00:00"},
        {"user_id": 10, "course_id": 37, "session_id": 9, "status": "subscribed"},
        {"user_id": 10, "course_id": 370, "status": "completed"},
    ])
}

#[tokio::test]
async fn enrollments_are_listed_by_user_course_and_session_in_docebos_words() {
    let (service, _) = some().await;
    assert_snapshot!(service.get("/in/lms/enrollments").await.shown().replace("},{", "},\n{"), @r#"
    200
    {"data":[{"user_id":2,"course_id":37,"username":null,"course_name":null,"level":null,"status":"subscribed","enrollment_date":null,"enrollment_date_begin_validity":null,"enrollment_date_end_validity":null,"subscribed_by_id":null,"completion_date":null,"deleted_at":"2027-01-02T00:00:00.000Z","updated_at":"2027-01-02T00:00:00.000Z"},
    {"user_id":10,"course_id":37,"session_id":9,"username":null,"course_name":null,"session_name":null,"level":null,"status":"subscribed","enrollment_date":null,"enrollment_date_begin_validity":null,"enrollment_date_end_validity":null,"subscribed_by_id":null,"completion_date":null,"deleted_at":null,"updated_at":"2027-01-15T08:00:00.000Z"},
    {"user_id":10,"course_id":370,"username":null,"course_name":null,"level":null,"status":"completed","enrollment_date":null,"enrollment_date_begin_validity":null,"enrollment_date_end_validity":null,"subscribed_by_id":null,"completion_date":null,"deleted_at":null,"updated_at":"2027-01-15T08:00:00.000Z"},
    {"user_id":13250,"course_id":37,"username":"jane","course_name":"Safety","level":"learner","status":"completed","enrollment_date":"2026-12-13T14:58:26Z","enrollment_date_begin_validity":null,"enrollment_date_end_validity":null,"subscribed_by_id":7,"completion_date":"2026-12-24T08:00:00Z","deleted_at":null,"updated_at":"2026-12-24T08:00:00.007Z"},
    {"user_id":13250,"course_id":38,"username":null,"course_name":null,"level":null,"status":"subscribed","enrollment_date":null,"enrollment_date_begin_validity":null,"enrollment_date_end_validity":null,"subscribed_by_id":null,"completion_date":null,"deleted_at":null,"updated_at":"2027-01-15T08:00:00.000Z"},
    {"user_id":13250,"course_id":38,"session_id":5,"username":null,"course_name":null,"session_name":"Monday","level":null,"status":"subscribed","enrollment_date":null,"enrollment_date_begin_validity":null,"enrollment_date_end_validity":null,"subscribed_by_id":null,"completion_date":null,"deleted_at":null,"updated_at":"2027-01-15T08:00:00.000Z"}],"iterator":"13250.38.5","prevIterator":"-2.37","done":true}
    "#);
}

#[tokio::test]
async fn every_filter_goes_both_ways() {
    let (service, source) = some().await;
    let path = below(&source, "/enrollments");
    for (query, expected) in [
        ("", "2.37 10.37.9 10.370 13250.37 13250.38 13250.38.5"),
        ("?user_id=13250", "13250.37 13250.38 13250.38.5"),
        ("?user_id=1", ""),
        ("?course_id=37", "2.37 10.37.9 13250.37"),
        ("?course_id=38", "13250.38 13250.38.5"),
        ("?user_id=13250&course_id=38", "13250.38 13250.38.5"),
        ("?status=completed", "10.370 13250.37"),
        ("?status=Completed", ""),
        ("?course_id=37&status=subscribed", "2.37 10.37.9"),
        ("?user_id=10&status=subscribed", "10.37.9"),
        ("?deleted=true", "2.37"),
        ("?deleted=false", "10.37.9 10.370 13250.37 13250.38 13250.38.5"),
        ("?course_id=37&status=subscribed&deleted=false", "10.37.9"),
    ] {
        assert_eq!(both_ways(&service, &format!("{path}{query}"), key).await.join(" "), expected, "{query}");
    }
}

#[tokio::test]
async fn a_bad_query_of_enrollments_is_refused_with_every_fault() {
    let (service, source) = some().await;
    let bad = "user_id=0&course_id=%2B37&status=&deleted=no&limit=251&iterator=13250";
    let answer = service.get(&below(&source, &format!("/enrollments?{bad}"))).await;
    assert_snapshot!(answer.faults(), @r#"
    ["query","user_id"] value_error "must be a whole number from 1 to 9007199254740991"
    ["query","course_id"] value_error "must be a whole number from 1 to 9007199254740991"
    ["query","status"] value_error "must be 1 to 1000 characters long"
    ["query","deleted"] value_error "must be `true` or `false`"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be `<user>.<course>` or `<user>.<course>.<session>`"
    "#);
    let twice = service.get(&below(&source, "/enrollments?user_id=1&user_id=2&course_id=9007199254740992")).await;
    assert_snapshot!(twice.faults(), @r#"
    ["query","user_id"] value_error "must be there once"
    ["query","course_id"] value_error "must be a whole number from 1 to 9007199254740991"
    "#);
}

#[tokio::test]
async fn enrollments_past_a_shortened_retention_are_gone_at_once_on_every_route() {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, Some("lms")).await;
    let two_weeks_ago = NOW - Duration::from_hours(24 * 14);
    for row in rows().as_array().unwrap() {
        // Jane's, and the deleted one.
        let is_old = row.get("username").is_some() || row.get("deleted_at").is_some();
        let now = if is_old { two_weeks_ago } else { NOW };
        inbound::enroll_at(&service.store, &source, &json!([row]), now).await;
    }
    service.clock.advance(Duration::from_hours(24));
    inbound::retain(&service, &source, &json!({"enrollments": "7-D"})).await;
    let path = below(&source, "/enrollments");
    for query in ["", "?user_id=13250", "?course_id=37", "?deleted=true", "?user_id=13250&course_id=37"] {
        let listed = both_ways(&service, &format!("{path}{query}"), key).await;
        assert!(
            !listed.contains(&"13250.37".to_owned()) && !listed.contains(&"2.37".to_owned()),
            "{query}: {listed:?}"
        );
    }
    let export = service.get(&below(&source, "/enrollments/export?format=ndjson")).await.body;
    let exported: Vec<_> = export.lines().map(|line| key(&serde_json::from_str(line).unwrap())).collect();
    assert_eq!(exported.join(" "), "10.37.9 10.370 13250.38 13250.38.5");
    service.clock.advance(Duration::from_hours(24 * 7));
    assert!(NOW < service.clock.now());
    assert_eq!(both_ways(&service, &path, key).await.len(), 0);
    assert_eq!(service.get(&below(&source, "/enrollments/export?format=ndjson")).await.body, "");
}
