//! What a JSON list looks like. It is read row by row, so that each row has its own faults: these types are schemas only.

use serde::Serialize;
use utoipa::ToSchema;

/// A list of enrollments, as it is or within an object.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a schema only")]
pub(in super::super) enum EnrollmentsIn {
    List(Vec<EnrollmentIn>),
    Object {
        /// The list.
        #[schema(max_items = 1000)]
        enrollments: Vec<EnrollmentIn>,
    },
}

/// How somebody's enrollment in a course or in a session of it stood. What is empty or left out is not told, but for the
/// completion date. Numbers may be texts of their digits; a time without a zone, like `2024-03-13 14:58:26`, is UTC.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct EnrollmentIn {
    /// Docebo's number of the user.
    #[schema(minimum = 1, example = 13250)]
    user_id: u64,
    /// Docebo's number of the course.
    #[schema(minimum = 1, example = 37)]
    course_id: u64,
    /// Docebo's number of the session, for an enrollment in one.
    #[schema(minimum = 1)]
    session_id: Option<u64>,
    /// Who it is.
    #[schema(max_length = 1000, example = "jane")]
    username: Option<String>,
    /// What the course is called.
    #[schema(max_length = 1000, example = "Safety")]
    course_name: Option<String>,
    /// What the session is called.
    #[schema(max_length = 1000)]
    session_name: Option<String>,
    /// What the user is there.
    #[schema(max_length = 1000, example = "learner")]
    level: Option<String>,
    /// How far the user has come.
    #[schema(max_length = 1000, example = "subscribed")]
    status: Option<String>,
    /// When the user was enrolled.
    #[schema(format = "date-time")]
    enrollment_date: Option<String>,
    /// From when on it is valid.
    #[schema(format = "date-time")]
    enrollment_date_begin_validity: Option<String>,
    /// Until when it is valid.
    #[schema(format = "date-time")]
    enrollment_date_end_validity: Option<String>,
    /// Who enrolled the user.
    #[schema(example = 13250)]
    subscribed_by_id: Option<u64>,
    /// When the user completed it.
    #[schema(format = "date-time")]
    completion_date: Option<String>,
    /// When it was deleted, if it is.
    #[schema(format = "date-time")]
    deleted_at: Option<String>,
    /// When the row was true; when the list was made, if not given.
    #[schema(format = "date-time")]
    updated_at: Option<String>,
}
