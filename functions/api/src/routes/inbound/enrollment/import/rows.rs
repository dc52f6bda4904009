//! The rows of a list, in any of its forms. What is wrong with the list as a whole is the request's fault; what is wrong
//! with a row is the row's.

use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use tidings_http::{ApiError, BodyLimit, Fault, FaultKind, parse, read_body};

use super::super::sheet::{COLUMNS, unguard};

/// Most rows of a list.
const MAX_ROWS: usize = 1000;

/// Most columns of a sheet: of more, not each is looked at.
const MAX_COLUMNS: usize = 100;

/// Most bytes of a list.
const MAX_BYTES: usize = 1024 * 1024;

/// What a list may be.
const TYPES: &str = "The body must be CSV, JSON or NDJSON: `content-type: text/csv`, `application/json` or \
                     `application/x-ndjson`.";

/// Columns without which there is no enrollment.
const REQUIRED: [&str; 2] = ["user_id", "course_id"];

/// Longest name that is given back, in characters.
const MAX_NAME_CHARS: usize = 100;

/// What spreadsheets begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The rows of a request's body: what each says, or what is wrong with it.
pub struct Rows(pub(super) Vec<Row>);

type Row = Result<Map<String, Value>, Vec<String>>;

/// The form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
    Ndjson,
}

impl Form {
    /// What a request says that its body is; JSON if it does not say.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(content_type) = headers.get(CONTENT_TYPE) else { return Some(Self::Json) };
        let essence = content_type.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        match &*essence {
            "text/csv" => Some(Self::Csv),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::Ndjson),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Rows {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, ApiError> {
        let form = Form::of(request.headers()).ok_or_else(|| ApiError::unsupported_media_type_of(TYPES))?;
        request.extensions_mut().insert(BodyLimit(MAX_BYTES));
        let body = read_body(request).await?;
        let rows = match form {
            Form::Csv => csv_rows(text(&body)?)?,
            Form::Json => json_rows(&body)?,
            Form::Ndjson => ndjson_rows(text(&body)?)?,
        };
        Ok(Self(rows))
    }
}

/// A fault of something's value.
pub(super) fn fault(why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(FaultKind::Value, why)
}

/// A name that somebody sent, not at any length.
pub(super) fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

fn too_many() -> ApiError {
    ApiError::invalid_body(vec![fault(format!("must have at most {MAX_ROWS} rows"))])
}

fn text(body: &[u8]) -> Result<&str, ApiError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let refuse = |error: std::str::Utf8Error| format!("The body is not UTF-8 from byte {} on.", error.valid_up_to());
    std::str::from_utf8(body).map_err(|error| ApiError::malformed(refuse(error)))
}

fn object(row: Value) -> Row {
    match row {
        Value::Object(row) => Ok(row),
        _ => Err(vec!["must be an object".to_owned()]),
    }
}

fn json_rows(body: &[u8]) -> Result<Vec<Row>, ApiError> {
    let wrong = || {
        let msg = "must be a list, or an object with nothing but a list `enrollments`";
        ApiError::invalid_body(vec![Fault::new(FaultKind::Type, msg)])
    };
    let list = match parse(body).map_err(ApiError::malformed)? {
        Value::Array(list) => list,
        Value::Object(mut object) => match (object.remove("enrollments"), object.is_empty()) {
            (Some(Value::Array(list)), true) => list,
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    };
    if list.len() > MAX_ROWS { Err(too_many()) } else { Ok(list.into_iter().map(object).collect()) }
}

fn ndjson_rows(text: &str) -> Result<Vec<Row>, ApiError> {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).take(MAX_ROWS + 1).collect();
    if lines.len() > MAX_ROWS {
        return Err(too_many());
    }
    // What the strict reader says is of a body; here a line is all that it was given.
    let read = |line: &str| match parse(line.as_bytes()) {
        Ok(row) => object(row),
        Err(why) => Err(vec![why.replacen("The body", "the line", 1)]),
    };
    Ok(lines.into_iter().map(read).collect())
}

fn csv_rows(text: &str) -> Result<Vec<Row>, ApiError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = reader.records().map(|record| record.map_err(ApiError::internal));
    let head = records.next().transpose()?.unwrap_or_default();
    let columns: Vec<_> = head.iter().map(str::trim).collect();
    check_columns(&columns)?;
    let mut rows = Vec::new();
    for record in records {
        if rows.len() == MAX_ROWS {
            return Err(too_many());
        }
        rows.push(csv_row(&columns, &record?));
    }
    Ok(rows)
}

/// Every fault of the line that names the columns.
fn check_columns(columns: &[&str]) -> Result<(), ApiError> {
    if columns.len() > MAX_COLUMNS {
        return Err(ApiError::invalid_body(vec![fault(format!("must have at most {MAX_COLUMNS} columns"))]));
    }
    let at = |kind, why: &'static str, name: &str| Fault::new(kind, why).within(shortened(name));
    let missing = REQUIRED.iter().filter(|name| !columns.contains(name));
    let mut faults: Vec<_> = missing.map(|name| at(FaultKind::Missing, "must be a column", name)).collect();
    for (position, name) in columns.iter().enumerate() {
        if columns.iter().take(position).any(|before| before == name) {
            faults.push(at(FaultKind::Value, "is a column twice", name));
        } else if !COLUMNS.contains(name) {
            faults.push(at(FaultKind::Unknown, "is not known here as a column", name));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid_body(faults)) }
}

fn csv_row(columns: &[&str], record: &csv::StringRecord) -> Row {
    if record.len() != columns.len() {
        let (wanted, given) = (columns.len(), record.len());
        return Err(vec![format!("must have a cell for each column: {wanted}, and not {given}")]);
    }
    let cell = |(name, cell): (&&str, &str)| ((*name).to_owned(), Value::from(unguard(cell)));
    Ok(columns.iter().zip(record).map(cell).collect())
}
