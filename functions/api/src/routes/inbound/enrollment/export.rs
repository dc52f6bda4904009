//! Enrollments as a file, in pages.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use http::{HeaderName, HeaderValue};
use tidings_domain::enrollment::{Enrollment, EnrollmentKey};
use tidings_domain::ids::SourceId;
use tidings_domain::names::Reference;
use tidings_domain::page::Position;
use tidings_domain::source::Source;
use tidings_http::{ApiError, Caller, FromQuery, Organization, Path, Query, QueryString};
use tidings_store::enrollment::EnrollmentFilter;
use url::form_urlencoded;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{EnrollmentOut, Filter, sheet};
use crate::filters::{MAX_PAGE_BYTES, parameter};
use crate::reach;

/// Most enrollments of a page, and how many it has if nobody says.
const MAX_LIMIT: usize = 10_000;

/// How often the store is asked for more, at most 5,000 looked at each time: a page that finds nothing ends, too.
const MAX_LOOKS: usize = 6;

/// Tells the Lambda adapter that an answer is a text, where it does not know the type: a REST API would otherwise give
/// its caller Base64.
const IS_TEXT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-lambda-http-content-encoding"), HeaderValue::from_static("text"));

/// What an export is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Format {
    /// A line for each, and one before them that names the columns.
    #[default]
    Csv,
    /// A JSON object in each line.
    Ndjson,
}

impl Format {
    const fn code(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let known = [Self::Csv, Self::Ndjson].into_iter().find(|format| format.code() == text);
        known.ok_or("must be `csv` or `ndjson`")
    }

    fn line(self, enrollment: &Enrollment) -> Result<String, ApiError> {
        match self {
            Self::Csv => sheet::body(enrollment).map_err(ApiError::internal),
            Self::Ndjson => {
                let object = serde_json::to_string(&EnrollmentOut::new(enrollment)).map_err(ApiError::internal)?;
                Ok(object + "\n")
            }
        }
    }
}

/// Which enrollments to export, and how.
#[derive(Debug)]
pub struct ExportQuery {
    format: Format,
    filter: Filter,
    limit: usize,
    iterator: Option<EnrollmentKey>,
}

impl FromQuery for ExportQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let limit = |text: &str| {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit.ok_or_else(|| format!("must be a number from 1 to {MAX_LIMIT}"))
        };
        Some(Self {
            format: query.one("format", Format::parse).unwrap_or_default(),
            filter: Filter::from_query(query)?,
            limit: query.one("limit", limit).unwrap_or(MAX_LIMIT),
            iterator: query.one("iterator", str::parse),
        })
    }
}

impl IntoParams for ExportQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let format = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["csv", "ndjson"]))
            .default(Some("csv".into()));
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX_LIMIT))
            .default(Some(MAX_LIMIT.into()));
        let iterator = ObjectBuilder::new().schema_type(Type::String);
        let mut parameters = vec![parameter("format", "What it is written in.", format.build())];
        parameters.extend(Filter::into_params(place));
        parameters.push(parameter("limit", "How many at most.", limit.build()));
        parameters.push(parameter("iterator", "Where the page before ended: its `link` has it.", iterator.build()));
        parameters
    }
}

impl ExportQuery {
    /// The same query, for what follows. Nothing but a query, so that it holds wherever the caller found this path.
    fn next(&self, iterator: EnrollmentKey) -> String {
        let Self { format, filter: Filter(filter), limit, iterator: _ } = self;
        let EnrollmentFilter { user, course, status, deleted } = filter;
        let mut query = form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
        query.append_pair("format", format.code());
        let filters = [
            ("user_id", user.map(|user| user.to_string())),
            ("course_id", course.map(|course| course.to_string())),
            ("status", status.clone()),
            ("deleted", deleted.map(|deleted| deleted.to_string())),
        ];
        for (name, value) in filters {
            query.extend_pairs(value.map(|value| (name, value)));
        }
        query.append_pair("limit", &limit.to_string()).append_pair("iterator", &iterator.to_string());
        query.finish()
    }
}

/// Some lines of a file, and where it goes on.
struct Lines {
    text: String,
    next: Option<EnrollmentKey>,
}

/// Export enrollments
///
/// As a file, in pages: while there is another one, the header `link` has it, as `rel="next"`. A page may be shorter than
/// asked for. What is exported can be imported. In CSV the first page has a line with the names of the columns, and a
/// text that begins like a formula (with `=`, `+`, `-`, `@`, a tab or a line break) has a `'` in front.
#[utoipa::path(
    get, path = "/in/{source}/enrollments/export", operation_id = "inbound.enrollment.export", tag = "Inbound",
    security(("HTTPBearer" = [])),
    params(("source" = String, Path, description = "The source's id or uid."), ExportQuery),
    responses((
        status = 200, description = "A page of them",
        content((String = "text/csv"), (String = "application/x-ndjson")),
        headers(
            ("link" = String, description = "Where the next page is, if there is one: `<?...>; rel=\"next\"`."),
            ("content-disposition" = String, description = "A name for the file."),
        ),
    )),
)]
pub async fn export(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(source): Path<Reference<SourceId>>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let Lines { text, next } = lines(&state, &source, &query).await?;
    let link = next.map(|next| HeaderValue::try_from(format!("<{}>; rel=\"next\"", query.next(next))));
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    let (content_type, file) = match (query.format, query.iterator) {
        (Format::Csv, None) => ("text/csv; charset=utf-8; header=present", "enrollments.csv"),
        (Format::Csv, Some(_)) => ("text/csv; charset=utf-8; header=absent", "enrollments.csv"),
        (Format::Ndjson, _) => ("application/x-ndjson; charset=utf-8", "enrollments.ndjson"),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{file}\""));
    headers.insert(CONTENT_DISPOSITION, disposition.map_err(ApiError::internal)?);
    if let Some(link) = link.transpose().map_err(ApiError::internal)? {
        headers.insert(LINK, link);
    }
    if query.format == Format::Ndjson {
        let (name, value) = IS_TEXT;
        headers.insert(name, value);
    }
    Ok(response)
}

async fn lines(state: &crate::State, source: &Source, query: &ExportQuery) -> Result<Lines, ApiError> {
    let ExportQuery { format, filter: Filter(filter), limit, iterator } = query;
    let now = state.clock.now();
    let mut text = match (format, iterator) {
        (Format::Csv, None) => sheet::head().map_err(ApiError::internal)?,
        (Format::Csv, Some(_)) | (Format::Ndjson, _) => String::new(),
    };
    let (mut written, mut last) = (0, *iterator);
    for _ in 0..MAX_LOOKS {
        let position = last.map(Position::After);
        let page = state.store.enrollments(source, now, filter, position, limit - written).await?;
        for enrollment in &page.data {
            let line = format.line(enrollment)?;
            if written > 0 && text.len() + line.len() > MAX_PAGE_BYTES {
                return Ok(Lines { text, next: last });
            }
            text.push_str(&line);
            written += 1;
            last = Some(enrollment.key);
        }
        if page.done {
            return Ok(Lines { text, next: None });
        }
        last = page.last.or(last);
        if written == *limit {
            break;
        }
    }
    Ok(Lines { text, next: last })
}
