use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::enrollment::Enrollment;
use crate::ids::{OrganizationId, SourceId};

const RECEIVED: Timestamp = Timestamp::from_millis(1_710_341_914_000);

const CREATED: &str = "course.enrollment.created";
const UPDATED: &str = "course.enrollment.updated";
const COMPLETED_EVENT: &str = "course.enrollment.completed";
const DELETED: &str = "course.enrollment.deleted";

/// A payload of user 13250 in course 37, fired at this second of a minute.
fn payload(second: u8, fields: Json) -> Json {
    let mut payload = json!({"fired_at": format!("2024-03-13 14:58:{second:02}"), "user_id": 13_250, "course_id": 37});
    let Json::Object(fields) = fields else { panic!("fields are an object") };
    payload.as_object_mut().unwrap().extend(fields);
    payload
}

fn change_of(event: &str, payload: &Json) -> EnrollmentChange {
    change(event, payload, RECEIVED).unwrap().expect("an enrollment event")
}

fn faults(event: &str, payload: &Json) -> Vec<String> {
    change(event, payload, RECEIVED).unwrap_err()
}

fn enrollment_after(events: &[(&str, Json)]) -> Enrollment {
    let changes: Vec<_> = events.iter().map(|(event, payload)| change_of(event, payload)).collect();
    let (organization, source) = (OrganizationId::least_at(RECEIVED), SourceId::least_at(RECEIVED));
    let mut enrollment = Enrollment::unknown(organization, source, changes[0].key);
    for change in &changes {
        assert_eq!(change.key, enrollment.key);
        enrollment.merge(change);
    }
    enrollment
}

/// What an enrollment shows: its fields that say something, and whether it is deleted.
fn shown(enrollment: &Enrollment) -> (BTreeMap<&'static str, String>, bool) {
    let fields = Subject::Session.fields().filter_map(|(name, field, _)| {
        let text = match enrollment.get(field)? {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null => unreachable!("`get` leaves it out"),
        };
        Some((name, text))
    });
    (fields.collect(), enrollment.deleted_at().is_some())
}

fn fields<const N: usize>(fields: [(&'static str, &str); N]) -> BTreeMap<&'static str, String> {
    fields.into_iter().map(|(name, text)| (name, text.to_owned())).collect()
}

#[test]
fn a_created_enrollment_has_the_fields_of_its_event() {
    let event = payload(
        26,
        json!({
            "username": "jane", "course_name": "Safety", "level": "learner", "enrollment_date": "2024-03-13 14:58:26",
            "enrollment_date_begin_validity": null, "enrollment_date_end_validity": "", "subscribed_by_id": 13_250,
            "status": "subscribed", "something_new": [1, 2]
        }),
    );
    let said = change_of(CREATED, &event);
    assert_eq!(said.key, EnrollmentKey { user: 13_250, course: 37, session: None });
    assert_eq!(said.stamp, Stamp { at: Timestamp::from_millis(1_710_341_906_000), rank: Rank::Created });
    let expected = fields([
        ("username", "jane"),
        ("course_name", "Safety"),
        ("level", "learner"),
        ("enrollment_date", "2024-03-13T14:58:26Z"),
        ("subscribed_by_id", "13250"),
        ("status", "subscribed"),
    ]);
    assert_eq!(shown(&enrollment_after(&[(CREATED, event)])), (expected, false));
}

#[test]
fn names_may_be_missing_or_null() {
    let missing = enrollment_after(&[(CREATED, payload(1, json!({"status": "subscribed"})))]);
    let null = enrollment_after(&[(
        CREATED,
        payload(1, json!({"username": null, "course_name": "", "status": "subscribed"})),
    )]);
    for enrollment in [missing, null] {
        assert_eq!(shown(&enrollment), (fields([("status", "subscribed")]), false));
    }
}

#[test]
fn both_names_of_an_update_change_the_fields_given_and_no_others() {
    for updated in ["course.enrollment.update", UPDATED] {
        let created = (CREATED, payload(1, json!({"level": "learner", "status": "subscribed", "username": "jane"})));
        let update = (updated, payload(2, json!({"status": "in_progress", "username": null})));
        let expected = fields([("level", "learner"), ("status", "in_progress")]);
        assert_eq!(shown(&enrollment_after(&[created, update])), (expected, false), "{updated}");
    }
}

#[test]
fn an_update_makes_an_enrollment_of_which_nothing_was_known() {
    let enrollment = enrollment_after(&[(UPDATED, payload(2, json!({"level": "tutor"})))]);
    assert_eq!(shown(&enrollment), (fields([("level", "tutor")]), false));
}

#[test]
fn what_is_completed_has_its_status_and_its_date_although_the_event_may_not_say_them() {
    for (said, status, date) in [
        (json!({}), "completed", "2024-03-13T14:58:09Z"),
        (json!({"status": null, "completion_date": ""}), "completed", "2024-03-13T14:58:09Z"),
        (json!({"completion_date": "2024-03-13 14:58:08"}), "completed", "2024-03-13T14:58:08Z"),
        (json!({"status": "passed", "completion_date": null}), "passed", "2024-03-13T14:58:09Z"),
    ] {
        let enrollment = enrollment_after(&[(COMPLETED_EVENT, payload(9, said.clone()))]);
        assert_eq!(shown(&enrollment), (fields([("status", status), ("completion_date", date)]), false), "{said}");
    }
}

#[test]
fn an_enrollment_completed_before_it_was_created_is_completed() {
    let created = (CREATED, payload(1, json!({"status": "subscribed", "username": "jane"})));
    let completed = (COMPLETED_EVENT, payload(5, json!({})));
    let expected = fields([("username", "jane"), ("status", "completed"), ("completion_date", "2024-03-13T14:58:05Z")]);
    assert_eq!(shown(&enrollment_after(&[completed, created])), (expected, false));
}

#[test]
fn a_late_created_does_not_bring_back_what_was_deleted_after_it() {
    let created = (CREATED, payload(1, json!({"status": "subscribed"})));
    let enrollment = enrollment_after(&[(DELETED, payload(2, json!({"status": 7}))), created]);
    assert_eq!(shown(&enrollment), (fields([("status", "subscribed")]), true));
    assert_eq!(enrollment.deleted_at(), Some(Timestamp::from_millis(1_710_341_882_000)));
}

#[test]
fn who_is_enrolled_again_is_there_and_has_not_come_as_far_as_before() {
    let first = (CREATED, payload(1, json!({"status": "subscribed", "level": "learner"})));
    let completed = (COMPLETED_EVENT, payload(2, json!({"username": "jane"})));
    let deleted = (DELETED, payload(3, json!({})));
    for again in [json!({"status": "subscribed"}), json!({})] {
        let again = (CREATED, payload(4, again));
        let enrollment = enrollment_after(&[again, first.clone(), deleted.clone(), completed.clone()]);
        let (fields, is_deleted) = shown(&enrollment);
        assert!(!is_deleted && !fields.contains_key("completion_date"), "{fields:?}");
        assert_ne!(fields.get("status").map(String::as_str), Some("completed"));
        assert_eq!((fields["username"].as_str(), fields["level"].as_str()), ("jane", "learner"));
    }
}

#[test]
fn of_two_events_of_one_second_the_later_of_an_enrollments_life_counts() {
    let at = |status: &str| payload(1, json!({"status": status}));
    let in_order = [(CREATED, at("a")), (UPDATED, at("b")), (COMPLETED_EVENT, at("c")), (DELETED, at("d"))];
    for (count, status, is_deleted) in [(1, "a", false), (2, "b", false), (3, "c", false), (4, "c", true)] {
        let mut events = in_order[..count].to_vec();
        events.reverse();
        let (fields, deleted) = shown(&enrollment_after(&events));
        assert_eq!((fields["status"].as_str(), deleted), (status, is_deleted));
    }
}

#[test]
fn a_session_has_enrollments_of_its_own() {
    let course = change_of(CREATED, &payload(1, json!({"session_id": 5, "session_name": "Monday"})));
    assert_eq!(course.key.session, None);
    assert!(!course.fields.contains_key(&Field::SessionName));
    for (verb, rank) in [
        ("created", Rank::Created),
        ("update", Rank::Updated),
        ("updated", Rank::Updated),
        ("completed", Rank::Completed),
        ("deleted", Rank::Deleted),
    ] {
        let event = format!("ilt.session.enrollment.{verb}");
        let said = change_of(&event, &payload(1, json!({"session_id": "5", "session_name": "Monday"})));
        assert_eq!((said.key, said.stamp.rank), (EnrollmentKey { session: Some(5), ..course.key }, rank), "{event}");
        assert_eq!(said.fields.contains_key(&Field::SessionName), rank != Rank::Deleted);
        assert_eq!(faults(&event, &payload(1, json!({}))), ["`session_id` is required"]);
    }
}

#[test]
fn other_events_say_nothing_of_enrollments_whatever_they_hold() {
    for event in ["course.created", "course.enrollment.", "ilt.session.enrollment", "COURSE.ENROLLMENT.CREATED", ""] {
        assert_eq!(change(event, &json!(7), RECEIVED), Ok(None), "{event}");
        assert!(!is_enrollment_event(event));
    }
    assert!(is_enrollment_event(CREATED));
}

#[test]
fn numbers_may_be_texts_of_digits() {
    let mut digits = payload(1, json!({"subscribed_by_id": "0"}));
    digits["user_id"] = json!("013250");
    digits["course_id"] = json!("9007199254740991");
    let said = change_of(CREATED, &digits);
    assert_eq!(said.key, EnrollmentKey { user: 13_250, course: 9_007_199_254_740_991, session: None });
    assert_eq!(said.fields[&Field::SubscribedById], Value::Number(0));
}

#[test]
fn what_is_no_number_is_refused() {
    for wrong in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("+1"),
        json!("1 "),
        json!("0x1"),
        json!(9_007_199_254_740_992_u64),
        json!("18446744073709551616"),
        json!(true),
        json!([1]),
    ] {
        let mut payload = payload(1, json!({}));
        payload["user_id"] = wrong.clone();
        let expected = "`user_id` must be a whole number from 1 to 9007199254740991, or a text of its digits";
        assert_eq!(faults(CREATED, &payload), [expected], "{wrong}");
    }
}

#[test]
fn every_fault_of_a_payload_is_told_and_names_its_property() {
    let payload = json!({
        "fired_at": "soon", "user_id": null, "username": 5, "course_name": "x".repeat(1_001), "level": {},
        "status": [], "enrollment_date": 1_710_341_906, "enrollment_date_begin_validity": "2024-13-01 00:00:00",
        "enrollment_date_end_validity": false, "subscribed_by_id": "me", "completion_date": "today"
    });
    let faults = faults("ilt.session.enrollment.completed", &payload);
    for name in payload.as_object().unwrap().keys().map(String::as_str).chain(["course_id", "session_id"]) {
        let of_it = faults.iter().filter(|fault| fault.starts_with(&format!("`{name}` ")));
        assert_eq!(of_it.count(), 1, "{name}: {faults:?}");
    }
    assert_eq!(faults.len(), 13);
    for no_object in [json!(null), json!([payload]), json!("x")] {
        assert_eq!(change(CREATED, &no_object, RECEIVED).unwrap_err(), ["the payload must be an object"]);
    }
}

#[test]
fn a_text_has_its_longest_length_in_characters() {
    let text = "\u{fc}".repeat(MAX_TEXT_CHARS);
    let said = change_of(CREATED, &payload(1, json!({"username": text.clone()})));
    assert_eq!(said.fields[&Field::Username], Value::Text(text));
}

#[test]
fn an_event_is_fired_at_most_a_day_after_it_was_received() {
    let fired = |at: &str| {
        let mut payload = payload(1, json!({}));
        payload["fired_at"] = json!(at);
        payload
    };
    assert!(change(CREATED, &fired("2024-03-14 14:58:34"), RECEIVED).is_ok());
    assert!(change(CREATED, &fired("1970-01-01 00:00:00"), RECEIVED).is_ok());
    let expected = ["`fired_at` must be at most a day after it was received"];
    assert_eq!(faults(CREATED, &fired("2024-03-14 14:58:35")), expected);
    assert_eq!(faults(CREATED, &fired("9999-12-31T23:59:59Z")), expected);
    assert_eq!(faults(CREATED, &fired("0000-00-00 00:00:00")).len(), 1);
    let precise = change_of(CREATED, &fired("2024-03-13T15:58:26.007+01:00"));
    assert_eq!(precise.stamp.at, Timestamp::from_millis(1_710_341_906_007));
}

#[test]
fn a_group_has_many_payloads_and_another_request_one() {
    assert_eq!(
        payloads(br#"{"event":"x","payloads":[{"a":1},{"a":2}]}"#),
        Some(vec![json!({"a": 1}), json!({"a": 2})])
    );
    assert_eq!(payloads(br#"{"event":"x","payload":{"a":1}}"#), Some(vec![json!({"a": 1})]));
    for other in [r"{}", r"[]", "nonsense", r#"{"payloads":{}}"#, r#"{"payload":{},"payloads":[]}"#] {
        assert_eq!(payloads(other.as_bytes()), None, "{other}");
    }
}
