use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::fault::{Fault, MAX_FAULTS};

type Source = Box<dyn Error + Send + Sync>;

/// An answer that is an error. It is made by naming the situation; status, code and public text follow from
/// that in one place. A cause given to it goes to the log and cannot get into the body.
#[derive(Debug)]
pub struct ApiError(Situation);

#[derive(Debug)]
enum Situation {
    Invalid(Vec<Fault>),
    Malformed(Cow<'static, str>),
    MalformedBody(Vec<Fault>),
    AuthenticationFailed,
    Unverified(Proof),
    InsufficientAccess,
    LimitReached(Cow<'static, str>),
    NotFound,
    MethodNotAllowed,
    Conflict { detail: Cow<'static, str>, retry_after: Option<Duration> },
    PayloadTooLarge { limit_bytes: usize },
    UnsupportedMediaType { wanted: &'static str },
    TooManyRequests { retry_after: Duration },
    Unavailable(Source),
    Internal(Source),
}

/// How a request that carries no bearer token shows where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A user and a password: HTTP Basic.
    Login,
    /// A signature of its body.
    Signature,
}

/// Every `code` that an error body can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
pub enum ErrorCode {
    /// 401: no credential, or not a valid one.
    #[serde(rename = "authentication_failed")]
    AuthenticationFailed,
    /// 409: it is there already, or it changed meanwhile.
    #[serde(rename = "conflict")]
    Conflict,
    /// 400: the request cannot be read.
    #[serde(rename = "generic_error")]
    GenericError,
    /// 403: the credential is valid, and not enough. Spelled with a space, as peers spell it.
    #[serde(rename = "insufficient access")]
    InsufficientAccess,
    /// 400: there are as many as there may be.
    #[serde(rename = "limit_reached")]
    LimitReached,
    /// 405: the path exists, the method does not.
    #[serde(rename = "method_not_allowed")]
    MethodNotAllowed,
    /// 404: it is not there, or the caller may not know that it is.
    #[serde(rename = "not_found")]
    NotFound,
    /// 413: the body is larger than this route takes.
    #[serde(rename = "payload_too_large")]
    PayloadTooLarge,
    /// 500: our mistake.
    #[serde(rename = "server_error")]
    ServerError,
    /// 429: slower, please.
    #[serde(rename = "too_many_requests")]
    TooManyRequests,
    /// 503: something that we need does not answer.
    #[serde(rename = "unavailable")]
    Unavailable,
    /// 415: the body is said to be something else than JSON.
    #[serde(rename = "unsupported_media_type")]
    UnsupportedMediaType,
}

/// How long a caller should wait before it asks again when something that we need does not answer.
const UNAVAILABLE_RETRY_AFTER: Duration = Duration::from_secs(1);

impl ApiError {
    /// 422: the request can be read and breaks rules; `faults` are complete with where they are.
    pub fn invalid(mut faults: Vec<Fault>) -> Self {
        debug_assert!(!faults.is_empty(), "an invalid request has a fault");
        faults.truncate(MAX_FAULTS);
        Self(Situation::Invalid(faults))
    }

    /// 422 for faults that were found in a body, each with its way from there.
    pub fn invalid_body(faults: Vec<Fault>) -> Self {
        Self::invalid(faults.into_iter().map(|fault| fault.within("body")).collect())
    }

    /// 400: the request cannot be read.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Situation::Malformed(detail.into()))
    }

    /// 400: a request cannot be what it is sent as; `faults` are complete with where they are. For the doors where only the
    /// sender's form of it counts; where rules of ours are broken it is [`ApiError::invalid`].
    pub fn malformed_body(mut faults: Vec<Fault>) -> Self {
        debug_assert!(!faults.is_empty(), "a malformed request has a fault");
        faults.truncate(MAX_FAULTS);
        Self(Situation::MalformedBody(faults))
    }

    /// 400: there are as many as there may be; `detail` says of what, and how many.
    pub fn limit_reached(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Situation::LimitReached(detail.into()))
    }

    /// 401: no credential, or not a valid one. Why is not said: it would help whoever tries.
    pub fn authentication_failed() -> Self {
        Self(Situation::AuthenticationFailed)
    }

    /// 401: a request did not show that it comes from where it says. What was wrong is not said.
    pub fn unverified(wanted: Proof) -> Self {
        Self(Situation::Unverified(wanted))
    }

    /// 403: only where the caller may know that the thing exists, else [`ApiError::not_found`].
    pub fn insufficient_access() -> Self {
        Self(Situation::InsufficientAccess)
    }

    /// 404, also for what another tenant owns.
    pub fn not_found() -> Self {
        Self(Situation::NotFound)
    }

    /// 405. The router adds the `Allow` header.
    pub fn method_not_allowed() -> Self {
        Self(Situation::MethodNotAllowed)
    }

    /// 409: it is there already, or it changed meanwhile.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Situation::Conflict { detail: detail.into(), retry_after: None })
    }

    /// 409 that goes away by itself: another request changes the same at this moment.
    pub fn conflict_retry(after: Duration) -> Self {
        let detail = "Another request is changing the same at this moment.".into();
        Self(Situation::Conflict { detail, retry_after: Some(after) })
    }

    /// 413: more than this route takes.
    pub fn payload_too_large(limit_bytes: usize) -> Self {
        Self(Situation::PayloadTooLarge { limit_bytes })
    }

    /// 415: the body is said to be something else than JSON.
    pub fn unsupported_media_type() -> Self {
        Self::unsupported_media_type_of("The body must be JSON: `content-type: application/json`.")
    }

    /// 415 where not only JSON is taken: `wanted` says what is.
    pub fn unsupported_media_type_of(wanted: &'static str) -> Self {
        Self(Situation::UnsupportedMediaType { wanted })
    }

    /// 429.
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self(Situation::TooManyRequests { retry_after })
    }

    /// 503: something that we need does not answer, and may soon. The source goes to the log.
    pub fn unavailable(source: impl Into<Source>) -> Self {
        Self(Situation::Unavailable(source.into()))
    }

    /// 500: our mistake. The source goes to the log.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self(Situation::Internal(source.into()))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body {
    Coded { code: ErrorCode, detail: Cow<'static, str> },
    Faults { detail: Vec<Fault> },
}

/// Why an answer is a 5xx, on its way from the handler to the log at the edge.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) Arc<dyn Error + Send + Sync>);

/// What an operation asks for that takes tokens and keys.
const BEARER: &str = "Bearer";

impl Proof {
    /// What stands in `WWW-Authenticate`, which every 401 has.
    const fn challenge(self) -> &'static str {
        match self {
            Self::Login => r#"Basic realm="tidings", charset="UTF-8""#,
            Self::Signature => r#"Signature realm="tidings""#,
        }
    }
}

struct Parts {
    status: StatusCode,
    body: Body,
    /// What a 401 asks for.
    challenge: &'static str,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
}

impl Situation {
    fn into_parts(self) -> Parts {
        let parts = |status, code, detail: Cow<'static, str>| Parts {
            status,
            body: Body::Coded { code, detail },
            challenge: BEARER,
            retry_after: None,
            cause: None,
        };
        let faults = |status, detail| Parts {
            status,
            body: Body::Faults { detail },
            challenge: BEARER,
            retry_after: None,
            cause: None,
        };
        let cause = |source: Source| Some(Cause(Arc::from(source)));
        match self {
            Self::Invalid(detail) => faults(StatusCode::UNPROCESSABLE_ENTITY, detail),
            Self::MalformedBody(detail) => faults(StatusCode::BAD_REQUEST, detail),
            Self::Malformed(detail) => parts(StatusCode::BAD_REQUEST, ErrorCode::GenericError, detail),
            Self::LimitReached(detail) => parts(StatusCode::BAD_REQUEST, ErrorCode::LimitReached, detail),
            Self::AuthenticationFailed => parts(
                StatusCode::UNAUTHORIZED,
                ErrorCode::AuthenticationFailed,
                "A valid bearer token or API key is needed.".into(),
            ),
            Self::Unverified(wanted) => Parts {
                challenge: wanted.challenge(),
                ..parts(
                    StatusCode::UNAUTHORIZED,
                    ErrorCode::AuthenticationFailed,
                    "The request could not be verified.".into(),
                )
            },
            Self::InsufficientAccess => parts(
                StatusCode::FORBIDDEN,
                ErrorCode::InsufficientAccess,
                "This credential does not reach this operation.".into(),
            ),
            Self::NotFound => parts(StatusCode::NOT_FOUND, ErrorCode::NotFound, "Not found.".into()),
            Self::MethodNotAllowed => parts(
                StatusCode::METHOD_NOT_ALLOWED,
                ErrorCode::MethodNotAllowed,
                "This path does not take this method.".into(),
            ),
            Self::Conflict { detail, retry_after } => {
                Parts { retry_after, ..parts(StatusCode::CONFLICT, ErrorCode::Conflict, detail) }
            }
            Self::PayloadTooLarge { limit_bytes } => parts(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorCode::PayloadTooLarge,
                format!("The body is larger than {limit_bytes} bytes.").into(),
            ),
            Self::UnsupportedMediaType { wanted } => {
                parts(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedMediaType, wanted.into())
            }
            Self::TooManyRequests { retry_after } => Parts {
                retry_after: Some(retry_after),
                ..parts(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, "Too many requests.".into())
            },
            Self::Unavailable(source) => Parts {
                retry_after: Some(UNAVAILABLE_RETRY_AFTER),
                cause: cause(source),
                ..parts(
                    StatusCode::SERVICE_UNAVAILABLE,
                    ErrorCode::Unavailable,
                    "The service cannot answer right now.".into(),
                )
            },
            Self::Internal(source) => Parts {
                cause: cause(source),
                ..parts(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError, "Internal error.".into())
            },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Parts { status, body, challenge, retry_after, cause } = self.0.into_parts();
        let body = serde_json::to_vec(&body).expect("texts and lists of texts serialise");
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(after) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// Rounded up, and at least one: `Retry-After: 0` would ask for the same answer again at once.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}
