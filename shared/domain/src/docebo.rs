//! What Docebo's events, and the rows of an import, say of enrollments.
//!
//! An event is judged by its payload alone, so that it says the same whenever it is computed, and again: what becomes of
//! what it says is [`crate::enrollment`]'s to settle. All faults of a payload are told at once, each as a sentence that
//! names the property; none of them shows a value.

mod read;
mod time;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Map, Value as Json};

use self::read::Reader;
use crate::Timestamp;
use crate::enrollment::{EnrollmentChange, EnrollmentKey, Field, Rank, Stamp, Value};

/// Most characters of a text. Every field of an enrollment has to fit into one item of the table, whoever told it.
pub const MAX_TEXT_CHARS: usize = 1_000;

/// Greatest number of a user, a course or a session: what every JSON library reads exactly.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// How far a sender's clock may be ahead.
pub const MAX_AHEAD: Duration = Duration::from_hours(24);

/// What a completed enrollment's status is, where the event does not say.
const COMPLETED: &str = "completed";

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Course,
    Session,
}

/// What the events of a name do, if they are about enrollments.
fn meaning(event: &str) -> Option<(Subject, Rank)> {
    let (subject, verb) = [("course.enrollment.", Subject::Course), ("ilt.session.enrollment.", Subject::Session)]
        .into_iter()
        .find_map(|(prefix, subject)| Some((subject, event.strip_prefix(prefix)?)))?;
    let rank = match verb {
        "created" => Rank::Created,
        "update" | "updated" => Rank::Updated,
        "completed" => Rank::Completed,
        "deleted" => Rank::Deleted,
        _ => return None,
    };
    Some((subject, rank))
}

/// Whether the events of this name say something of enrollments.
pub fn is_enrollment_event(event: &str) -> bool {
    meaning(event).is_some()
}

/// The payloads of a request: those of a group, or its only one. `None` if the body is not what Docebo sends.
pub fn payloads(body: &[u8]) -> Option<Vec<Json>> {
    let mut body: Map<String, Json> = serde_json::from_slice(body).ok()?;
    match (body.remove("payloads"), body.remove("payload")) {
        (Some(Json::Array(payloads)), None) => Some(payloads),
        (None, Some(payload)) => Some(vec![payload]),
        _ => None,
    }
}

/// What one payload of an event says. `None` if the events of this name say nothing of enrollments. `Err` is everything
/// that is wrong with it.
pub fn change(event: &str, payload: &Json, received_at: Timestamp) -> Result<Option<EnrollmentChange>, Vec<String>> {
    let Some((subject, rank)) = meaning(event) else { return Ok(None) };
    let Some(payload) = payload.as_object() else {
        return Err(vec!["the payload must be an object".to_owned()]);
    };
    let mut reader = Reader::new(payload);
    // A clock that is wrong would let its event win over all that follow.
    let at = reader.required_time("fired_at", received_at, "it was received");
    let (user, course) = (reader.required_number("user_id"), reader.required_number("course_id"));
    let session = match subject {
        Subject::Course => None,
        Subject::Session => reader.required_number("session_id"),
    };
    let mut fields = match rank {
        Rank::Deleted => std::collections::BTreeMap::new(),
        Rank::Imported | Rank::Created | Rank::Updated | Rank::Completed => reader.fields(subject.fields()),
    };
    let (Some(at), Some(user), Some(course), []) = (at, user, course, reader.faults()) else {
        return Err(reader.into_faults());
    };
    match rank {
        Rank::Created => {
            // Whoever is enrolled again has not come as far as before.
            fields.entry(Field::Status).or_insert(Value::Null);
            fields.entry(Field::CompletionDate).or_insert(Value::Null);
        }
        Rank::Completed => {
            told(&mut fields, Field::Status, || COMPLETED.to_owned());
            told(&mut fields, Field::CompletionDate, || time::stored(at));
        }
        Rank::Imported | Rank::Updated | Rank::Deleted => {}
    }
    Ok(Some(EnrollmentChange { key: EnrollmentKey { user, course, session }, stamp: Stamp { at, rank }, fields }))
}

/// Sets a field of which nothing else is said.
fn told(fields: &mut std::collections::BTreeMap<Field, Value>, field: Field, text: impl FnOnce() -> String) {
    let value = fields.entry(field).or_insert(Value::Null);
    if *value == Value::Null {
        *value = Value::Text(text());
    }
}

/// What a row of an import says: how an enrollment stood at its `updated_at`, or else when the whole list was made, at
/// `as_of`. With a `deleted_at` it says that the enrollment was deleted then. What is empty is not told, but for the
/// completion date: that somebody has not completed is worth telling. `Err` is everything that is wrong with it.
pub fn row(row: &Map<String, Json>, as_of: Timestamp) -> Result<EnrollmentChange, Vec<String>> {
    const MADE: &str = "the list was made";

    let mut reader = Reader::new(row);
    let (user, course) = (reader.required_number("user_id"), reader.required_number("course_id"));
    let session = reader.number("session_id", 1);
    let updated_at = reader.time("updated_at", as_of, MADE);
    let deleted_at = reader.time("deleted_at", as_of, MADE);
    let mut fields = reader.fields(Subject::Session.fields());
    fields.retain(|field, value| *field == Field::CompletionDate || *value != Value::Null);
    let (Some(user), Some(course), []) = (user, course, reader.faults()) else {
        return Err(reader.into_faults());
    };
    let stamp = match deleted_at {
        Some(at) => Stamp { at, rank: Rank::Deleted },
        None => Stamp { at: updated_at.unwrap_or(as_of), rank: Rank::Imported },
    };
    Ok(EnrollmentChange { key: EnrollmentKey { user, course, session }, stamp, fields })
}

/// How a field is called, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Time,
    Number,
}

const COURSE_FIELDS: [(&str, Field, Form); 9] = [
    ("username", Field::Username, Form::Text),
    ("course_name", Field::CourseName, Form::Text),
    ("level", Field::Level, Form::Text),
    ("status", Field::Status, Form::Text),
    ("enrollment_date", Field::EnrollmentDate, Form::Time),
    ("enrollment_date_begin_validity", Field::EnrollmentDateBeginValidity, Form::Time),
    ("enrollment_date_end_validity", Field::EnrollmentDateEndValidity, Form::Time),
    ("subscribed_by_id", Field::SubscribedById, Form::Number),
    ("completion_date", Field::CompletionDate, Form::Time),
];

const SESSION_NAME: (&str, Field, Form) = ("session_name", Field::SessionName, Form::Text);

impl Subject {
    /// What may be told of it.
    fn fields(self) -> impl Iterator<Item = (&'static str, Field, Form)> {
        let session = match self {
            Self::Course => None,
            Self::Session => Some(SESSION_NAME),
        };
        COURSE_FIELDS.into_iter().chain(session)
    }
}
