use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tidings_telemetry::chain;
use tower::{Layer, Service};
use tracing::{Instrument as _, error, info, info_span, warn};

use crate::error::{ApiError, Cause};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The name of a request in the log. As an extension of a request it is taken over; otherwise it comes from the
/// front door's trace, or is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub HeaderValue);

/// Makes a router ready to serve: 404, 405 and panics with our body, a request id and a line of the access log
/// for every request, every 5xx logged once with its cause, and the headers that all answers have.
///
/// To be called once, on the outermost router: routers that are merged into it must not have been finished.
pub fn finish(router: Router) -> Router {
    router
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(EdgeLayer)
}

#[derive(Clone, Copy)]
struct EdgeLayer;

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge(inner)
    }
}

/// One service instead of a stack of layers: each of those would cost a boxed future per request.
#[derive(Clone)]
struct Edge<S>(S);

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let seen = Seen::of(&request);
        request.extensions_mut().insert(RequestId(seen.id.clone()));
        let span = info_span!("request", request_id = seen.id());
        let answer = self.0.call(request).instrument(span);
        Box::pin(async move {
            let response = match AssertUnwindSafe(answer).catch_unwind().await {
                Ok(Ok(response)) => response,
                Ok(Err(impossible)) => match impossible {},
                Err(panic) => ApiError::internal(Panicked(message(&*panic))).into_response(),
            };
            Ok(seen.finish(response))
        })
    }
}

/// What the log says of a request: never its query, body or headers, which may hold secrets.
struct Seen {
    id: HeaderValue,
    method: Method,
    route: Option<MatchedPath>,
    started: Instant,
}

impl Seen {
    fn of(request: &Request) -> Self {
        let given = request.extensions().get::<RequestId>().map(|RequestId(id)| id.clone());
        Self {
            id: given.or_else(|| trace_root(request.headers())).unwrap_or_else(new_id),
            method: request.method().clone(),
            route: request.extensions().get().cloned(),
            started: Instant::now(),
        }
    }

    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    fn finish(self, mut response: Response) -> Response {
        // The path itself is not logged: it has ids in it, and without a route it is whatever somebody tried.
        let (route, method) = (self.route.as_ref().map_or("unmatched", MatchedPath::as_str), self.method.as_str());
        let (request_id, status) = (self.id(), response.status());
        if let Some(Cause(cause)) = response.extensions_mut().remove::<Cause>() {
            let error = chain(&*cause);
            if status == StatusCode::SERVICE_UNAVAILABLE {
                warn!(request_id, method, route, error, "request could not be served for now");
            } else {
                error!(request_id, method, route, error, "request failed");
            }
        }
        let micros = u32::try_from(self.started.elapsed().as_micros()).unwrap_or(u32::MAX);
        let duration_ms = f64::from(micros) / 1000.0;
        info!(request_id, method, route, status = status.as_u16(), duration_ms, "request");
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.insert(REQUEST_ID, self.id);
        response
    }
}

/// The root of the trace that the front door started: `Root=1-67891233-abcdef012345678912345678;...`.
/// Somebody may have sent it in, so it is taken in this form only.
fn trace_root(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut fields = headers.get(TRACE_ID)?.to_str().ok()?.split(';');
    let root = fields.find_map(|field| field.trim().strip_prefix("Root="))?;
    let form = root.len() == 35 && root.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    form.then(|| HeaderValue::from_str(root).ok()).flatten()
}

/// It only has to be another one each time; nothing is guarded by it.
fn new_id() -> HeaderValue {
    let id = format!("{:032x}", fastrand::u128(..));
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unnamed"))
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
