//! The engine over HTTP, for what cannot be given a connector: the same way to it, so that writes share syncs too.

use std::io;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use axum::response::Response;
use axum::routing::post;
use tokio::net::TcpListener;

use crate::Engine;
use crate::connector;

/// As much as `DynamoDB` takes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Serves `DynamoDB`'s protocol until `shutdown` is done and the requests that were taken are answered. The engine
/// stays open. Signatures are not looked at.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new().route("/", post(answer)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(engine);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn answer(State(engine): State<Engine>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let answer = engine.answer(target, &body).await;
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(connector::CONTENT_TYPE));
    response
}
