//! Enrollments: what Docebo's events come to, in whatever order they arrive.
//!
//! # Theory of operation
//! Events come late, twice and out of order, so an enrollment is not the result of applying them one after another. Each
//! of its fields remembers the [`Stamp`] of the event that told it, and a field is replaced only by what has a greater
//! stamp. Being there and being deleted are two such stamps. Taking the greater of two is the same in every order and any
//! number of times, and so is every enrollment.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrganizationId, SourceId};

/// Who is enrolled where. With a session it is an enrollment in that session of the course, and a record of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnrollmentKey {
    /// Docebo's number of the user.
    pub user: u64,
    /// Docebo's number of the course.
    pub course: u64,
    /// Docebo's number of the session.
    pub session: Option<u64>,
}

/// A text is no key of an enrollment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `<user>.<course>` or `<user>.<course>.<session>`")]
pub struct EnrollmentKeyError;

/// `<user>.<course>` or `<user>.<course>.<session>`: where lists go on.
impl fmt::Display for EnrollmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, course, session } = self;
        write!(f, "{user}.{course}")?;
        session.map_or(Ok(()), |session| write!(f, ".{session}"))
    }
}

impl FromStr for EnrollmentKey {
    type Err = EnrollmentKeyError;

    fn from_str(text: &str) -> Result<Self, EnrollmentKeyError> {
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| digits).ok_or(EnrollmentKeyError)
        };
        let mut parts = text.split('.').map(number);
        let (Some(user), Some(course), session, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(EnrollmentKeyError);
        };
        Ok(Self { user: user?, course: course?, session: session.transpose()? })
    }
}

/// What an event did. Of two events of one second the later of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// A row of an import.
    Imported,
    /// `created`.
    Created,
    /// `update` or `updated`.
    Updated,
    /// `completed`.
    Completed,
    /// `deleted`.
    Deleted,
}

/// When something was told, and by what kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    /// When the event was fired.
    pub at: Timestamp,
    /// What it did.
    pub rank: Rank,
}

/// What is known of an enrollment, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Who it is.
    Username,
    /// What the course is called.
    CourseName,
    /// What the session is called.
    SessionName,
    /// `learner`, `instructor`, ...
    Level,
    /// `subscribed`, `in_progress`, `completed`, ...
    Status,
    /// A time.
    EnrollmentDate,
    /// A time.
    EnrollmentDateBeginValidity,
    /// A time.
    EnrollmentDateEndValidity,
    /// A number: who enrolled the user.
    SubscribedById,
    /// A time.
    CompletionDate,
}

/// What a field says. Times are RFC 3339 texts, in UTC, with seconds. The order settles which of two different values
/// counts that were told with the same stamp.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing, and that was said.
    Null,
    /// A number.
    Number(u64),
    /// A text or a time.
    Text(String),
}

/// A field's value, and when it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The value.
    pub value: Value,
    /// When it was told.
    pub stamp: Stamp,
}

/// What one event, or one row of an import, says of one enrollment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentChange {
    /// Which one.
    pub key: EnrollmentKey,
    /// When, and what was done: [`Rank::Deleted`] deletes.
    pub stamp: Stamp,
    /// The fields that it tells.
    pub fields: BTreeMap<Field, Value>,
}

/// Somebody's enrollment in a course or in a session of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose events it comes from.
    pub source: SourceId,
    /// Who is enrolled where.
    pub key: EnrollmentKey,
    /// What is known of it.
    pub fields: BTreeMap<Field, Register>,
    /// The latest that says it is there.
    pub present: Option<Stamp>,
    /// The latest that says it is deleted.
    pub deleted: Option<Stamp>,
}

impl Enrollment {
    /// One of which nothing is known.
    pub fn unknown(organization: OrganizationId, source: SourceId, key: EnrollmentKey) -> Self {
        Self { organization, source, key, fields: BTreeMap::new(), present: None, deleted: None }
    }

    /// Takes in what an event says. Whether that changed anything.
    pub fn merge(&mut self, change: &EnrollmentChange) -> bool {
        let EnrollmentChange { key: _, stamp, fields } = change;
        let mark = if stamp.rank == Rank::Deleted { &mut self.deleted } else { &mut self.present };
        let mut changed = mark.is_none_or(|before| before < *stamp);
        *mark = (*mark).max(Some(*stamp));
        for (field, value) in fields {
            let told = Register { value: value.clone(), stamp: *stamp };
            let before = self.fields.get(field);
            if before.is_none_or(|before| (before.stamp, &before.value) < (told.stamp, &told.value)) {
                self.fields.insert(*field, told);
                changed = true;
            }
        }
        changed
    }

    /// When it was deleted, if it is.
    pub fn deleted_at(&self) -> Option<Timestamp> {
        self.deleted.filter(|deleted| self.present.is_none_or(|present| present < *deleted)).map(|stamp| stamp.at)
    }

    /// When the latest event that it knows of was fired.
    pub fn updated_at(&self) -> Timestamp {
        self.present.max(self.deleted).map(|stamp| stamp.at).unwrap_or_default()
    }

    /// What a field says; nothing if nobody told.
    pub fn get(&self, field: Field) -> Option<&Value> {
        self.fields.get(&field).map(|register| &register.value).filter(|value| **value != Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(at: i64, rank: Rank) -> Stamp {
        Stamp { at: Timestamp::from_millis(at), rank }
    }

    fn change(stamp: Stamp, fields: &[(Field, Value)]) -> EnrollmentChange {
        let key = EnrollmentKey { user: 1, course: 2, session: None };
        EnrollmentChange { key, stamp, fields: fields.iter().cloned().collect() }
    }

    fn unknown() -> Enrollment {
        let at = Timestamp::default();
        let key = EnrollmentKey { user: 1, course: 2, session: None };
        Enrollment::unknown(OrganizationId::least_at(at), SourceId::least_at(at), key)
    }

    #[test]
    fn it_says_whether_anything_changed() {
        let status = [(Field::Status, Value::Text("subscribed".to_owned()))];
        let mut enrollment = unknown();
        assert!(enrollment.merge(&change(stamp(5, Rank::Created), &status)));
        assert!(!enrollment.merge(&change(stamp(5, Rank::Created), &status)), "the same again");
        assert!(!enrollment.merge(&change(stamp(4, Rank::Updated), &status)), "older");
        assert!(enrollment.merge(&change(stamp(4, Rank::Updated), &[(Field::Level, Value::Null)])), "a new field");
        assert!(enrollment.merge(&change(stamp(3, Rank::Deleted), &[])), "a deletion that nobody knew of");
        assert_eq!((enrollment.deleted_at(), enrollment.updated_at()), (None, Timestamp::from_millis(5)));
        assert!(enrollment.merge(&change(stamp(5, Rank::Deleted), &[])));
        assert_eq!(enrollment.deleted_at(), Some(Timestamp::from_millis(5)));
    }

    #[test]
    fn of_two_values_with_one_stamp_the_same_one_counts_in_both_orders() {
        let values = [Value::Null, Value::Number(9), Value::Number(10), Value::Text("a".to_owned())];
        for pair in values.windows(2) {
            for order in [[&pair[0], &pair[1]], [&pair[1], &pair[0]]] {
                let mut enrollment = unknown();
                for value in order {
                    enrollment.merge(&change(stamp(1, Rank::Updated), &[(Field::Status, value.clone())]));
                }
                assert_eq!(enrollment.fields[&Field::Status].value, pair[1]);
            }
        }
    }

    #[test]
    fn an_import_says_less_than_any_event_of_its_second() {
        let mut enrollment = unknown();
        enrollment.merge(&change(stamp(1, Rank::Created), &[(Field::Status, Value::Text("a".to_owned()))]));
        enrollment.merge(&change(stamp(1, Rank::Imported), &[(Field::Status, Value::Text("b".to_owned()))]));
        assert_eq!(enrollment.get(Field::Status), Some(&Value::Text("a".to_owned())));
        assert_eq!(enrollment.get(Field::Level), None);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "1", "1.", ".1", "1.2.", "1.2.3.4", "a.b", "+1.2", "1.-2", "99999999999999999999.1"] {
            assert_eq!(text.parse::<EnrollmentKey>(), Err(EnrollmentKeyError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn keys_round_trip(user in any::<u64>(), course in any::<u64>(), session in any::<Option<u64>>()) {
            let key = EnrollmentKey { user, course, session };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
