use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use tidings_domain::idempotency::Answer;

use crate::error::ApiError;

/// Says that an answer was given before, under the same `Idempotency-Key`.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer that is not an error, as it is sent and, under an `Idempotency-Key`, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    answer: Answer,
    replayed: bool,
}

impl Reply {
    /// What was answered before to the same request.
    pub fn replayed(answer: Answer) -> Self {
        Self { answer, replayed: true }
    }

    /// What is to be kept, so that a repetition gets it too.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, replayed: false }
    }
}

/// 200 with a body.
pub fn ok<T: Serialize + ?Sized>(body: &T) -> Result<Reply, ApiError> {
    reply(StatusCode::OK, None, body)
}

/// 201 with a body; `location` is the new thing's path.
pub fn created<T: Serialize + ?Sized>(location: String, body: &T) -> Result<Reply, ApiError> {
    reply(StatusCode::CREATED, Some(location), body)
}

/// 202 with a body.
pub fn accepted<T: Serialize + ?Sized>(body: &T) -> Result<Reply, ApiError> {
    reply(StatusCode::ACCEPTED, None, body)
}

/// 400 with `{"error": ...}`: for the routes whose contract says so. Everywhere else it is an [`ApiError`].
pub fn refused<T: Serialize + ?Sized>(error: &T) -> Result<Reply, ApiError> {
    #[derive(Serialize)]
    struct Refused<'a, T: ?Sized> {
        error: &'a T,
    }
    reply(StatusCode::BAD_REQUEST, None, &Refused { error })
}

/// 204.
pub fn no_content() -> Reply {
    Answer { status: StatusCode::NO_CONTENT.as_u16(), location: None, body: String::new() }.into()
}

fn reply<T: Serialize + ?Sized>(status: StatusCode, location: Option<String>, body: &T) -> Result<Reply, ApiError> {
    let body = serde_json::to_string(body).map_err(ApiError::internal)?;
    Ok(Answer { status: status.as_u16(), location, body }.into())
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Self { answer: Answer { status, location, body }, replayed } = self;
        let location = location.map(HeaderValue::try_from).transpose();
        let (Ok(status), Ok(location)) = (StatusCode::from_u16(status), location) else {
            return ApiError::internal("an answer has a status or location that HTTP does not know").into_response();
        };
        let has_body = !body.is_empty();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(location) = location {
            headers.insert(LOCATION, location);
        }
        if replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
