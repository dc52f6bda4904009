//! What was exported is imported again, and comes to the same.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidings_domain::Timestamp;
use tidings_domain::source::Source;

use crate::arrange;
use crate::inbound::{below, send};
use crate::inbound_enrollment::some;
use crate::inbound_export::pages;
use crate::inbound_import::{CSV, NDJSON, listed, start};

#[tokio::test]
async fn what_was_exported_is_imported_as_it_is() {
    let (service, source) = some().await;
    for (number, format, content_type) in [(3, "csv", CSV), (4, "ndjson", NDJSON)] {
        let export = pages(&service, &below(&source, &format!("/enrollments/export?format={format}"))).await.concat();
        let copy = arrange::source(&service.store, 1, number, None).await;
        let answer = send(&service, &below(&copy, "/enrollments"), content_type, export.clone()).await;
        assert_eq!((answer.status, &answer.json()["created"]), (200, &json!(6)), "{answer:?}");
        assert_eq!(listed(&service, &copy).await, listed(&service, &source).await);
        // And what it came from is as it was.
        send(&service, &below(&source, "/enrollments"), content_type, export.clone()).await;
        let again = pages(&service, &below(&source, &format!("/enrollments/export?format={format}"))).await.concat();
        assert_eq!(again, export);
        let third = send(&service, &below(&source, "/enrollments"), content_type, export).await;
        assert_eq!(third.json()["unchanged"], 6, "{third:?}");
    }
}

/// Rows of which each text may be anything.
fn any_rows() -> impl Strategy<Value = Value> {
    let text = || {
        prop_oneof![
            Just(Value::Null),
            "['=+@\t\r\n,;\" -]{0,5}[a-z]?".prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ]
    };
    let time = || {
        let at = (0_i64..1_800_000_000_000).prop_map(|millis| json!(Timestamp::from_millis(millis)));
        prop_oneof![Just(Value::Null), at]
    };
    // Not longer ago than they are kept.
    let recent = || {
        let at = (1_790_000_000_000_i64..1_800_000_000_000).prop_map(|at| json!(Timestamp::from_millis(at)));
        prop_oneof![Just(Value::Null), at]
    };
    let ids = (1_u64..4, 1_u64..4, prop::option::of(1_u64..3));
    let texts = (text(), text(), text(), text(), text());
    let times = (time(), time(), time(), time());
    let marks = (prop::option::of(0_u64..1_u64 << 53), recent(), recent());
    let row = (ids, texts, times, marks).prop_map(|(ids, texts, times, marks)| {
        json!({
            "user_id": ids.0, "course_id": ids.1, "session_id": ids.2,
            "username": texts.0, "course_name": texts.1, "session_name": texts.2, "level": texts.3, "status": texts.4,
            "enrollment_date": times.0, "enrollment_date_begin_validity": times.1,
            "enrollment_date_end_validity": times.2, "completion_date": times.3,
            "subscribed_by_id": marks.0.map(|number| number.min((1 << 53) - 1)),
            "deleted_at": marks.1, "updated_at": marks.2,
        })
    });
    prop::collection::vec(row, 1..12).prop_map(Value::from)
}

/// Exports what a list comes to, imports that elsewhere, and exports it again.
async fn there_and_back(rows: &Value) {
    let (service, source) = start().await;
    let answer = service.post(&below(&source, "/enrollments"), rows).await;
    assert_eq!((answer.status, &answer.json()["refused"]), (200, &json!(0)), "{answer:?}");
    for (number, format, content_type) in [(2, "csv", CSV), (3, "ndjson", NDJSON)] {
        let export = async |source: &Source| {
            let path = below(source, &format!("/enrollments/export?format={format}&limit=3"));
            pages(&service, &path).await.concat()
        };
        let copy = arrange::source(&service.store, 1, number, None).await;
        let first = export(&source).await;
        let answer = send(&service, &below(&copy, "/enrollments"), content_type, first.clone()).await;
        assert_eq!((answer.status, &answer.json()["refused"]), (200, &json!(0)), "{answer:?}");
        assert_eq!(export(&copy).await, first, "{format}");
        assert_eq!(listed(&service, &copy).await, listed(&service, &source).await, "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_export_that_is_imported_exports_the_same(rows in any_rows()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(there_and_back(&rows));
    }
}
