use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tidings_domain::idempotency::{IdempotencyKey, IdempotencyKeyError};

use crate::error::ApiError;
use crate::fault::{Fault, FaultKind};
use crate::from_json::{FromJson, Object};
use crate::json;
use crate::json::split::{RawMember, Split, split};

/// Largest body of a route that does not say.
pub const DEFAULT_BODY_BYTES: usize = 256 * 1024;

/// Largest body of a route, in bytes: `.layer(axum::Extension(BodyLimit(1024)))`.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// A JSON body.
///
/// No `content-type` counts as JSON, since many clients send none; another one is 415. A body that is not
/// JSON, not UTF-8, nested too deep, or has a property twice in one object, is 400. What breaks `T`'s rules is
/// 422, with all of its faults.
#[derive(Debug)]
pub struct Json<T> {
    /// What the body says.
    pub value: T,
    /// The body as it came, for fingerprints, and for what is passed on byte for byte.
    pub raw: Bytes,
}

impl<S: Send + Sync, T: FromJson> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let raw = read_json(request).await?;
        let value = json::parse(&raw).map_err(ApiError::malformed)?;
        Ok(Self { value: T::from_json(value).map_err(ApiError::invalid_body)?, raw })
    }
}

/// `None` is a request without a body.
impl<S: Send + Sync, T: FromJson> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, ApiError> {
        let raw = read_json(request).await?;
        if raw.trim_ascii().is_empty() {
            return Ok(None);
        }
        let value = json::parse(&raw).map_err(ApiError::malformed)?;
        Ok(Some(Self { value: T::from_json(value).map_err(ApiError::invalid_body)?, raw }))
    }
}

/// Made from a JSON object of which one property is passed on byte for byte.
pub trait FromJsonAround: Sized {
    /// The name of that property.
    const RAW: &'static str;

    /// The value, or its faults. `rest` has the other properties; `raw` is `None` if the property is not there.
    fn from_json_around(rest: Object, raw: Option<RawMember>) -> Result<Self, Vec<Fault>>;
}

/// A JSON body like [`Json`]'s, of which one property stays as it was sent: it is checked as strictly as the rest, and
/// nothing is made of it.
#[derive(Debug)]
pub struct JsonAround<T> {
    /// What the body says.
    pub value: T,
    /// The body as it came, for fingerprints.
    pub raw: Bytes,
}

impl<S: Send + Sync, T: FromJsonAround> FromRequest<S> for JsonAround<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let raw = read_json(request).await?;
        let value = match split(&raw, T::RAW).map_err(ApiError::malformed)? {
            Split::Object(rest, member) => T::from_json_around(rest.into(), member),
            Split::Other => Err(vec![Fault::new(FaultKind::Type, "must be an object")]),
        };
        Ok(Self { value: value.map_err(ApiError::invalid_body)?, raw })
    }
}

async fn read_json(request: Request) -> Result<Bytes, ApiError> {
    if request.headers().get(CONTENT_TYPE).is_none_or(is_json) {
        read_body(request).await
    } else {
        Err(ApiError::unsupported_media_type())
    }
}

fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let ends_in_json = || subtype.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"));
    kind.eq_ignore_ascii_case("application") && (subtype.eq_ignore_ascii_case("json") || ends_in_json())
}

/// The whole body, whatever it holds, for what reads it by rules of its own. Beyond the route's [`BodyLimit`] it is 413.
pub async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let BodyLimit(limit) = request.extensions().get().copied().unwrap_or(BodyLimit(DEFAULT_BODY_BYTES));
    // What says that it is too large is refused unread.
    if content_length(request.headers()).is_some_and(|length| length > limit) {
        return Err(ApiError::payload_too_large(limit));
    }
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::payload_too_large(limit)),
        Err(_) => Err(ApiError::malformed("The body ended before its time.")),
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What the route's path holds. A text that is not of the type names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(match error.kind() {
                // The handler asks for something else than its route has.
                ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. } => {
                    ApiError::internal(error)
                }
                _ => ApiError::not_found(),
            }),
            Err(error) => Err(ApiError::internal(error)),
        }
    }
}

/// The caller's name for this request, if it gave one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency(pub Option<IdempotencyKey>);

impl Idempotency {
    /// The header's name.
    pub const HEADER: &str = "idempotency-key";
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(Self::HEADER).iter();
        let (Some(value), another) = (values.next(), values.next()) else { return Ok(Self(None)) };
        let read = || match another {
            None => value.to_str().map_err(|_| IdempotencyKeyError).and_then(IdempotencyKey::try_from),
            Some(_) => Err(IdempotencyKeyError),
        };
        read().map(|key| Self(Some(key))).map_err(|error| {
            let fault = Fault::new(FaultKind::Value, error.to_string());
            ApiError::invalid(vec![fault.within(Self::HEADER).within("header")])
        })
    }
}
