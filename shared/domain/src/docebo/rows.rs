use serde_json::json;

use super::*;

const MADE: Timestamp = Timestamp::from_millis(1_710_341_914_000);

fn row_of(json: &Json) -> Result<EnrollmentChange, Vec<String>> {
    row(json.as_object().unwrap(), MADE)
}

#[test]
fn a_row_says_how_an_enrollment_stood_when_it_was_last_updated_or_when_the_list_was_made() {
    let said = row_of(&json!({
        "user_id": "13250", "course_id": 37, "session_id": "", "username": "jane", "level": "", "status": "subscribed",
        "completion_date": "", "enrollment_date": "2024-03-13T14:58:26Z", "deleted_at": null,
        "updated_at": "2024-03-13T14:58:26Z", "remark": 5
    }));
    let fields = [
        (Field::Username, Value::Text("jane".to_owned())),
        (Field::Status, Value::Text("subscribed".to_owned())),
        (Field::EnrollmentDate, Value::Text("2024-03-13T14:58:26Z".to_owned())),
        (Field::CompletionDate, Value::Null),
    ];
    let expected = EnrollmentChange {
        key: EnrollmentKey { user: 13_250, course: 37, session: None },
        stamp: Stamp { at: Timestamp::from_millis(1_710_341_906_000), rank: Rank::Imported },
        fields: fields.into(),
    };
    assert_eq!(said, Ok(expected));
    let least = row_of(&json!({"user_id": 1, "course_id": 2, "session_id": 3})).unwrap();
    assert_eq!(least.key, EnrollmentKey { user: 1, course: 2, session: Some(3) });
    assert_eq!((least.stamp, least.fields.len()), (Stamp { at: MADE, rank: Rank::Imported }, 0));
}

#[test]
fn a_row_of_a_deleted_enrollment_deletes_it() {
    let said = row_of(&json!({
        "user_id": 1, "course_id": 2, "username": "jane", "deleted_at": "2024-03-13 14:58:20",
        "updated_at": "2024-03-13 14:58:20"
    }));
    let said = said.unwrap();
    let at = Timestamp::from_millis(1_710_341_900_000);
    assert_eq!((said.stamp, said.fields.len()), (Stamp { at, rank: Rank::Deleted }, 1));
}

#[test]
fn every_fault_of_a_row_is_told() {
    let row = json!({
        "course_id": "x", "session_id": 0, "updated_at": "2024-03-15 00:00:00", "deleted_at": 5, "status": 5
    });
    let faults = row_of(&row).unwrap_err();
    assert_eq!(faults[0], "`user_id` is required");
    for name in ["user_id", "course_id", "session_id", "updated_at", "deleted_at", "status"] {
        assert_eq!(faults.iter().filter(|fault| fault.contains(&format!("`{name}`"))).count(), 1, "{faults:?}");
    }
}
