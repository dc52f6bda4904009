//! Enrollments: what a source's events, and what was imported, come to.

pub mod export;
pub mod import;
mod sheet;

use axum::extract::State;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::docebo::{MAX_NUMBER, MAX_TEXT_CHARS};
use tidings_domain::enrollment::{Enrollment, EnrollmentKey, Field, Value};
use tidings_domain::ids::SourceId;
use tidings_domain::names::Reference;
use tidings_http::{
    ApiError, Caller, FromQuery, ListQuery, ListResponse, Organization, Path, Query, QueryString, Reply, ok,
};
use tidings_store::enrollment::{EnrollmentFilter, EnrollmentPage};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::filters::parameter;
use crate::reach;

/// What of nothing is known stands as `null`.
const NULL: &Value = &Value::Null;

/// Somebody's enrollment in a course or in a session of it, with Docebo's own names. What nobody told is `null`.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrollmentOut<'a> {
    /// Docebo's number of the user.
    #[schema(example = 13250)]
    user_id: u64,
    /// Docebo's number of the course.
    #[schema(example = 37)]
    course_id: u64,
    /// Docebo's number of the session; only for an enrollment in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<u64>,
    /// Who it is.
    #[schema(value_type = Option<String>, example = "jane")]
    username: &'a Value,
    /// What the course is called.
    #[schema(value_type = Option<String>, example = "Safety")]
    course_name: &'a Value,
    /// What the session is called; only for an enrollment in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    session_name: Option<&'a Value>,
    /// What the user is there.
    #[schema(value_type = Option<String>, example = "learner")]
    level: &'a Value,
    /// How far the user has come.
    #[schema(value_type = Option<String>, example = "subscribed")]
    status: &'a Value,
    /// When the user was enrolled.
    #[schema(value_type = Option<String>, format = "date-time")]
    enrollment_date: &'a Value,
    /// From when on it is valid.
    #[schema(value_type = Option<String>, format = "date-time")]
    enrollment_date_begin_validity: &'a Value,
    /// Until when it is valid.
    #[schema(value_type = Option<String>, format = "date-time")]
    enrollment_date_end_validity: &'a Value,
    /// Who enrolled the user.
    #[schema(value_type = Option<u64>, example = 13250)]
    subscribed_by_id: &'a Value,
    /// When the user completed it.
    #[schema(value_type = Option<String>, format = "date-time")]
    completion_date: &'a Value,
    /// When it was deleted; `null` while it is not.
    #[schema(value_type = Option<String>, format = "date-time")]
    deleted_at: Option<Timestamp>,
    /// When what was last told of it happened.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl<'a> EnrollmentOut<'a> {
    fn new(enrollment: &'a Enrollment) -> Self {
        let EnrollmentKey { user: user_id, course: course_id, session: session_id } = enrollment.key;
        let get = |field| enrollment.get(field).unwrap_or(NULL);
        Self {
            user_id,
            course_id,
            session_id,
            username: get(Field::Username),
            course_name: get(Field::CourseName),
            session_name: session_id.map(|_| get(Field::SessionName)),
            level: get(Field::Level),
            status: get(Field::Status),
            enrollment_date: get(Field::EnrollmentDate),
            enrollment_date_begin_validity: get(Field::EnrollmentDateBeginValidity),
            enrollment_date_end_validity: get(Field::EnrollmentDateEndValidity),
            subscribed_by_id: get(Field::SubscribedById),
            completion_date: get(Field::CompletionDate),
            deleted_at: enrollment.deleted_at(),
            updated_at: enrollment.updated_at(),
        }
    }
}

/// What lists and exports of enrollments are narrowed by.
#[derive(Debug, Clone)]
struct Filter(EnrollmentFilter);

impl FromQuery for Filter {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let status = |text: &str| match text.chars().count() {
            1..=MAX_TEXT_CHARS => Ok(text.to_owned()),
            _ => Err(format!("must be 1 to {MAX_TEXT_CHARS} characters long")),
        };
        Some(Self(EnrollmentFilter {
            user: query.one("user_id", number),
            course: query.one("course_id", number),
            status: query.one("status", status),
            deleted: query.flag("deleted"),
        }))
    }
}

fn number(text: &str) -> Result<u64, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=MAX_NUMBER).contains(number));
    number.ok_or_else(|| format!("must be a whole number from 1 to {MAX_NUMBER}"))
}

impl IntoParams for Filter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let number = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MAX_NUMBER));
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_TEXT_CHARS));
        let flag = ObjectBuilder::new().schema_type(Type::Boolean);
        vec![
            parameter("user_id", "Only this user's.", number().build()),
            parameter("course_id", "Only those in this course and its sessions.", number().build()),
            parameter("status", "Only those with this status.", text.build()),
            parameter("deleted", "Only those that are, or are not, deleted.", flag.build()),
        ]
    }
}

/// Which enrollments to list.
#[derive(Debug)]
pub struct EnrollmentQuery {
    list: ListQuery<EnrollmentKey>,
    filter: Filter,
}

impl FromQuery for EnrollmentQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(Self { filter: Filter::from_query(query)?, list: ListQuery::from_query(query)? })
    }
}

impl IntoParams for EnrollmentQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = Filter::into_params(&place);
        parameters.extend(ListQuery::<EnrollmentKey>::into_params(place));
        parameters
    }
}

/// List enrollments
///
/// In the order of user, course and session. A page may be shorter than asked for, even empty, while it is not the
/// last: it then says how far was looked.
#[utoipa::path(
    get, path = "/in/{source}/enrollments", operation_id = "inbound.enrollment.list", tag = "Inbound",
    security(("HTTPBearer" = [])),
    params(("source" = String, Path, description = "The source's id or uid."), EnrollmentQuery),
    responses((status = 200, body = ListResponse<EnrollmentOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(source): Path<Reference<SourceId>>,
    Query(EnrollmentQuery { list: ListQuery { limit, iterator }, filter: Filter(filter) }): Query<EnrollmentQuery>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let page = state.store.enrollments(&source, state.clock.now(), &filter, iterator, limit.get()).await?;
    let EnrollmentPage { data, first, last, done } = page;
    ok(&ListResponse {
        data: data.iter().map(EnrollmentOut::new).collect(),
        iterator: last.map(|last| last.to_string()),
        prev_iterator: first.map(|first| format!("-{first}")),
        done,
    })
}
