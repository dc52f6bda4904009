//! Enrollments as a table of texts: CSV.
//!
//! A spreadsheet computes a cell that begins like a formula, and some formulas send what is in the sheet elsewhere. So a
//! text that begins like one gets a `'` in front, and so does one that would look as if it had got it: taking one off
//! gives each text back as it was.

use tidings_domain::Timestamp;
use tidings_domain::enrollment::{Enrollment, EnrollmentKey, Field, Value};

/// The columns, in the order in which they are written.
pub(super) const COLUMNS: [&str; 15] = [
    "user_id",
    "course_id",
    "session_id",
    "username",
    "course_name",
    "session_name",
    "level",
    "status",
    "enrollment_date",
    "enrollment_date_begin_validity",
    "enrollment_date_end_validity",
    "subscribed_by_id",
    "completion_date",
    "deleted_at",
    "updated_at",
];

/// The fields of an enrollment that stand in the middle of these columns.
const FIELDS: [Field; 10] = [
    Field::Username,
    Field::CourseName,
    Field::SessionName,
    Field::Level,
    Field::Status,
    Field::EnrollmentDate,
    Field::EnrollmentDateBeginValidity,
    Field::EnrollmentDateEndValidity,
    Field::SubscribedById,
    Field::CompletionDate,
];

/// What a formula begins with.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// What is put in front of a text that begins like one.
const GUARD: char = '\'';

/// The line that names the columns.
pub(super) fn head() -> Result<String, csv::Error> {
    line(COLUMNS)
}

/// An enrollment's line.
pub(super) fn body(enrollment: &Enrollment) -> Result<String, csv::Error> {
    let EnrollmentKey { user, course, session } = enrollment.key;
    let ids = [Some(user), Some(course), session].map(|id| id.map(|id| id.to_string()).unwrap_or_default());
    let fields = FIELDS.map(|field| match enrollment.get(field) {
        None | Some(Value::Null) => String::new(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Text(text)) => guard(text),
    });
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let times = [enrollment.deleted_at(), Some(enrollment.updated_at())].map(time);
    line(ids.into_iter().chain(fields).chain(times))
}

fn line(cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<String, csv::Error> {
    let mut line = Vec::with_capacity(256);
    // Its own buffer is as large as it is told, and a page has thousands of lines.
    let mut builder = csv::WriterBuilder::new();
    let mut writer = builder.terminator(csv::Terminator::CRLF).buffer_capacity(256).from_writer(&mut line);
    writer.write_record(cells)?;
    writer.flush()?;
    drop(writer);
    String::from_utf8(line).map_err(|error| std::io::Error::other(error).into())
}

/// A text as it stands in a cell.
fn guard(text: &str) -> String {
    let mut cell = String::new();
    if text.trim_start_matches(GUARD).starts_with(FORMULA) {
        cell.push(GUARD);
    }
    cell.push_str(text);
    cell
}

/// The text that stands in a cell.
pub(super) fn unguard(cell: &str) -> &str {
    let text = cell.strip_prefix(GUARD).filter(|text| text.trim_start_matches(GUARD).starts_with(FORMULA));
    text.unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_begins_like_a_formula_gets_a_guard() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("'=1", "''=1"),
            ("''-1", "'''-1"),
            ("", ""),
            ("'", "'"),
            ("'t is", "'t is"),
            ("jane@example.com", "jane@example.com"),
            (" =1", " =1"),
        ] {
            assert_eq!(guard(text), cell, "{text:?}");
            assert_eq!(unguard(cell), text, "{cell:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back_from_its_cell(text in "['=+@a\t\r\n -]{0,6}|.*") {
            let cell = guard(&text);
            prop_assert!(!cell.starts_with(FORMULA));
            prop_assert_eq!(unguard(&cell), text);
        }
    }
}
