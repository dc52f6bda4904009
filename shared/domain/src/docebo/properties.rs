//! Events in every order, again and again, and in groups come to the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::enrollment::Enrollment;
use crate::ids::{OrganizationId, SourceId};

const RECEIVED: Timestamp = Timestamp::from_millis(1_710_341_999_000);

const VERBS: [&str; 5] = ["created", "update", "updated", "completed", "deleted"];

/// An event's name and its payload.
type Event = (String, Json);

/// The fields that an event may give, a few of them.
fn given() -> impl Strategy<Value = Json> {
    let status = prop::sample::select(vec![json!("subscribed"), json!("in_progress"), json!("waiting"), json!(null)]);
    let name = prop::sample::select(vec![json!("jane"), json!("joe"), json!("")]);
    let date = prop::sample::select(vec![json!("2024-01-01 00:00:00"), json!("2024-02-01T00:00:00Z"), json!(null)]);
    let number = prop::sample::select(vec![json!(1), json!("2"), json!(null)]);
    let fields = (
        prop::option::of(name),
        prop::option::of(status),
        prop::option::of(date.clone()),
        prop::option::of(date),
        prop::option::of(number),
    );
    fields.prop_map(|(name, status, begin, completion, by)| {
        let fields = [
            ("username", name),
            ("status", status),
            ("enrollment_date_begin_validity", begin),
            ("completion_date", completion),
            ("subscribed_by_id", by),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
    })
}

/// An event of two users, two courses and a session, within a few seconds, so that many are of the same one.
fn event(seconds: std::ops::Range<u32>) -> impl Strategy<Value = Event> {
    let verb = prop::sample::select(VERBS.to_vec());
    (verb, any::<bool>(), 1_u64..=2, 1_u64..=2, seconds, given()).prop_map(
        |(verb, session, user, course, second, fields)| {
            let mut payload = fields;
            let subject = if session { "ilt.session" } else { "course" };
            payload["fired_at"] = json!(format!("2024-03-13 14:{:02}:{:02}", second / 60, second % 60));
            payload["user_id"] = json!(user);
            payload["course_id"] = json!(course.to_string());
            payload["session_id"] = json!(9);
            (format!("{subject}.enrollment.{verb}"), payload)
        },
    )
}

fn computed(events: &[Event]) -> BTreeMap<EnrollmentKey, Enrollment> {
    let (organization, source) = (OrganizationId::least_at(RECEIVED), SourceId::least_at(RECEIVED));
    let mut enrollments = BTreeMap::new();
    for (event, payload) in events {
        let change = change(event, payload, RECEIVED).unwrap().unwrap();
        let unknown = || Enrollment::unknown(organization, source, change.key);
        let enrollment: &mut Enrollment = enrollments.entry(change.key).or_insert_with(unknown);
        let before = enrollment.clone();
        assert_eq!(enrollment.merge(&change), *enrollment != before, "it says whether anything changed");
    }
    enrollments
}

/// What somebody would write who knows the order of the events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Simple {
    is_deleted: bool,
    fields: BTreeMap<Field, Value>,
}

fn applied_in_order(events: &[Event]) -> BTreeMap<EnrollmentKey, Simple> {
    let mut enrollments: BTreeMap<EnrollmentKey, Simple> = BTreeMap::new();
    for (event, payload) in events {
        let EnrollmentChange { key, stamp, fields } = change(event, payload, RECEIVED).unwrap().unwrap();
        let simple = enrollments.entry(key).or_default();
        simple.is_deleted = stamp.rank == Rank::Deleted;
        if stamp.rank == Rank::Created {
            simple.fields.remove(&Field::Status);
            simple.fields.remove(&Field::CompletionDate);
        }
        for (field, value) in fields {
            simple.fields.remove(&field);
            if value != Value::Null {
                simple.fields.insert(field, value);
            }
        }
    }
    enrollments
}

fn simple(enrollment: &Enrollment) -> Simple {
    let said = enrollment.fields.keys().filter_map(|field| Some((*field, enrollment.get(*field)?.clone())));
    Simple { is_deleted: enrollment.deleted_at().is_some(), fields: said.collect() }
}

/// The events, some of them again, in another order.
fn again_and_shuffled(events: Vec<Event>) -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    let most = events.len();
    let repeated = prop::collection::vec(prop::sample::select(events.clone()), 0..=most);
    repeated.prop_flat_map(move |repeated| {
        let all = [events.clone(), repeated].concat();
        (Just(events.clone()), Just(all).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn every_order_and_repetition_of_events_ends_in_the_same_enrollments(
        (events, shuffled) in prop::collection::vec(event(0..4), 1..12).prop_flat_map(again_and_shuffled),
    ) {
        prop_assert_eq!(computed(&events), computed(&shuffled));
    }

    #[test]
    fn groups_of_events_come_to_what_the_events_do(
        (events, shuffled) in prop::collection::vec(event(0..4), 1..12).prop_flat_map(again_and_shuffled),
    ) {
        // All of a group are of one event, as Docebo sends them.
        let mut groups: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
        for (event, payload) in &shuffled {
            groups.entry(event).or_default().push(payload.clone());
        }
        let mut grouped = Vec::new();
        for (event, group) in groups {
            for part in group.chunks(3) {
                let body = json!({"event": event, "payloads": part}).to_string();
                grouped.extend(payloads(body.as_bytes()).unwrap().into_iter().map(|one| (event.to_owned(), one)));
            }
        }
        prop_assert_eq!(computed(&events), computed(&grouped));
    }

    #[test]
    fn events_of_different_seconds_end_as_if_they_had_come_in_order(
        (events, shuffled) in prop::collection::btree_map(0_u32..100, event(0..1), 1..12)
            .prop_map(|events| {
                let at = |second: u32| json!(format!("2024-03-13 14:{:02}:{:02}", second / 60, second % 60));
                let fired = events.into_iter().map(|(second, (event, mut payload))| {
                    payload["fired_at"] = at(second);
                    (event, payload)
                });
                fired.collect::<Vec<_>>()
            })
            .prop_flat_map(again_and_shuffled),
    ) {
        let enrollments = computed(&shuffled);
        let found: BTreeMap<_, _> = enrollments.iter().map(|(key, enrollment)| (*key, simple(enrollment))).collect();
        prop_assert_eq!(found, applied_in_order(&events));
    }

    #[test]
    fn a_payload_of_any_json_is_computed_or_told_what_is_wrong(
        verb in prop::sample::select(VERBS.to_vec()),
        values in prop::collection::hash_map("[a-z_]{0,12}|user_id|course_id|fired_at|status|completion_date", any_json(), 0..8),
    ) {
        let payload = Json::Object(values.into_iter().collect());
        if let Err(faults) = change(&format!("course.enrollment.{verb}"), &payload, RECEIVED) {
            prop_assert!(!faults.is_empty() && faults.iter().all(|fault| fault.starts_with('`')), "{:?}", faults);
        }
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,30}".prop_map(Json::from),
        Just(json!({"a": [1]})),
        "[0-9]{1,20}".prop_map(Json::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?".prop_map(Json::from),
    ]
}
