//! A request as it is asked for, and a response as it came back.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// The longest wait that [`Response::retry_after`] passes on.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// One outbound request.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to. Judged again when it is sent.
    pub url: Url,
    /// Sent as they are, but for those that frame the message (`host`, `content-length`, `transfer-encoding`,
    /// `connection` and what belongs to it): the client writes them, and a second one could smuggle a request.
    /// Their names go out in lower case, however they were spelt: the HTTP library has no way to say it otherwise, and
    /// to HTTP it is the same name.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Limit for everything: DNS, connecting, sending, and reading the answer to its end.
    pub timeout: Duration,
    /// How many bytes of the answer's body are read at most.
    pub body_limit: usize,
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct Response {
    /// The status. A redirect is an answer like any other.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`Request::body_limit`] bytes of it.
    pub body: Bytes,
    /// Whether the body was longer than that. Its rest was not read, and the connection was dropped.
    pub truncated: bool,
    /// From the call to the last byte of the body that was read.
    pub elapsed: Duration,
}

impl Response {
    /// How long the other side asks to be left alone (`Retry-After`, in seconds or as a date), counted from `now`.
    ///
    /// A date in the past is no wait. Anything longer than [`RETRY_AFTER_MAX`] is cut to it, so that a hostile
    /// number neither overflows the sum that it goes into, nor parks a delivery for ever. What cannot be read is `None`.
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let wait = if is_number {
            // More digits than fit are a long time.
            value.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
        } else {
            let until = httpdate::parse_http_date(value).ok()?;
            until.duration_since(now).unwrap_or_default()
        };
        Some(wait.min(RETRY_AFTER_MAX))
    }
}

/// Headers carry credentials, bodies and queries other people's data: none of it belongs in a log.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// As for [`Request`].
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("truncated", &self.truncated)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}
