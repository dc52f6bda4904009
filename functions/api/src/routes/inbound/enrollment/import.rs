//! Enrollments from a list: how they stood when it was made.

mod body;
mod rows;

use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use tidings_domain::enrollment::EnrollmentChange;
use tidings_domain::ids::SourceId;
use tidings_domain::names::Reference;
use tidings_domain::{Timestamp, docebo};
use tidings_http::{ApiError, Caller, FromQuery, Organization, Path, Query, QueryString, Reply, ok};
use tidings_store::enrollment::Merged;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use self::body::EnrollmentsIn;
use self::rows::Rows;
use super::sheet;
use crate::filters::{date_time, parameter};
use crate::reach;

/// Most properties of a row of which it is told that they are not known.
const MAX_UNKNOWN: usize = 10;

/// When a list was made.
#[derive(Debug, Clone, Copy)]
pub struct ImportQuery {
    as_of: Option<Timestamp>,
}

impl FromQuery for ImportQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self { as_of: query.time("as_of") })
    }
}

impl IntoParams for ImportQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "When the list was made: what events told later stays as it is. Now, if not given. A row with an \
                           `updated_at` has its own time.";
        vec![parameter("as_of", description, date_time())]
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowResult {
    /// Nothing was known of this enrollment.
    Created,
    /// It says something new.
    Updated,
    /// All of it was known, or something later is.
    Unchanged,
    /// It is at fault, and nothing was done with it.
    Refused,
}

/// What became of a row, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowOut {
    /// Which one, from 1 on. The line with the names of columns is none.
    row: usize,
    /// What became of it.
    result: RowResult,
    /// Everything that is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["`user_id` is required"]))]
    faults: Option<Vec<String>>,
}

/// What became of a list.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ImportOut {
    /// How many rows are new.
    created: usize,
    /// How many say something new.
    updated: usize,
    /// How many say nothing new.
    unchanged: usize,
    /// How many are at fault.
    refused: usize,
    /// All of them, in their order.
    rows: Vec<RowOut>,
}

impl ImportOut {
    fn push(&mut self, result: RowResult, faults: Option<Vec<String>>) {
        let count = match result {
            RowResult::Created => &mut self.created,
            RowResult::Updated => &mut self.updated,
            RowResult::Unchanged => &mut self.unchanged,
            RowResult::Refused => &mut self.refused,
        };
        *count += 1;
        self.rows.push(RowOut { row: self.rows.len() + 1, result, faults });
    }
}

impl From<Merged> for RowResult {
    fn from(merged: Merged) -> Self {
        match merged {
            Merged::Created => Self::Created,
            Merged::Updated => Self::Updated,
            Merged::Unchanged => Self::Unchanged,
        }
    }
}

/// Import enrollments
///
/// At most 1,000 at once, and 1 MiB: a longer list is sent in pieces. A row that is at fault harms no other, and to send
/// a list again does no harm. What an export gave is taken as it is. In CSV the first line names the columns; `user_id`
/// and `course_id` must be among them.
#[utoipa::path(
    post, path = "/in/{source}/enrollments", operation_id = "inbound.enrollment.import", tag = "Inbound",
    security(("HTTPBearer" = [])),
    params(("source" = String, Path, description = "The source's id or uid."), ImportQuery),
    request_body(
        description = "A list of enrollments, with the names that lists and exports have.",
        content(
            (EnrollmentsIn = "application/json", example = json!([{"user_id": 13250, "course_id": 37}])),
            (String = "text/csv", example = json!("user_id,course_id,status\r\n13250,37,subscribed\r\n")),
            (String = "application/x-ndjson", example = json!("{\"user_id\":13250,\"course_id\":37}\n")),
        ),
    ),
    responses(
        (status = 200, body = ImportOut, description = "What became of each row"),
        (status = 415, description = "The body is none of the three"),
    ),
)]
pub async fn import(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(source): Path<Reference<SourceId>>,
    Query(ImportQuery { as_of }): Query<ImportQuery>,
    Rows(rows): Rows,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let now = state.clock.now();
    let as_of = as_of.unwrap_or(now);
    if as_of > now + docebo::MAX_AHEAD {
        return Err(ApiError::invalid(vec![
            rows::fault("must be at most a day ahead").within("as_of").within("query"),
        ]));
    }
    // A clock that is somewhat ahead is no reason to let its list win over what happens meanwhile.
    let as_of = as_of.min(now);
    let read: Vec<_> = rows.into_iter().map(|row| row.and_then(|row| change(&row, as_of))).collect();
    let changes: Vec<_> = read.iter().filter_map(|row| row.as_ref().ok()).cloned().collect();
    let mut merged = state.store.merge_enrollments(&source, &changes, now).await?.into_iter();
    let mut report = ImportOut::default();
    for row in read {
        match row {
            Ok(_) => {
                let merged = merged.next().ok_or_else(|| ApiError::internal("a change came to nothing"))?;
                report.push(merged.into(), None);
            }
            Err(faults) => report.push(RowResult::Refused, Some(faults)),
        }
    }
    ok(&report)
}

/// What a row says, or everything that is wrong with it.
fn change(row: &Map<String, Value>, as_of: Timestamp) -> Result<EnrollmentChange, Vec<String>> {
    let unknown = row.keys().filter(|name| !sheet::COLUMNS.contains(&name.as_str()));
    let unknown = unknown.take(MAX_UNKNOWN);
    let mut faults: Vec<_> = unknown.map(|name| format!("`{}` is not known here", rows::shortened(name))).collect();
    match docebo::row(row, as_of) {
        Ok(change) if faults.is_empty() => Ok(change),
        Ok(_) => Err(faults),
        Err(others) => {
            faults.extend(others);
            Err(faults)
        }
    }
}
