//! Where API Gateway takes what WebSocket connections are to be sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_runtime::Clock;

use crate::server::Server;
use crate::{lock, signature_v4, wait_until};

/// Most bytes of a message, as API Gateway has it.
const MOST_BYTES: usize = 128 * 1024;

/// A stand-in for the `@connections` of an API: it checks every signature, and a connection that nobody opened is gone.
#[derive(Debug)]
pub struct ConnectionsApi {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    connections: Mutex<HashMap<String, Connection>>,
    failures: Mutex<usize>,
    refused: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Connection {
    is_open: bool,
    posted: Vec<String>,
}

impl ConnectionsApi {
    /// Starts one without connections.
    pub async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let router =
            Router::new().route("/live/@connections/{id}", post(answer).delete(answer)).with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared }
    }

    /// The URL of the API and its stage.
    pub fn url(&self) -> String {
        format!("{}/live", self.server.url())
    }

    /// Opens a connection.
    pub fn open(&self, id: &str) {
        lock(&self.shared.connections).entry(id.to_owned()).or_default().is_open = true;
    }

    /// A client goes away without a word.
    pub fn close(&self, id: &str) {
        lock(&self.shared.connections).entry(id.to_owned()).or_default().is_open = false;
    }

    /// Whether a connection is open.
    pub fn is_open(&self, id: &str) -> bool {
        lock(&self.shared.connections).get(id).is_some_and(|connection| connection.is_open)
    }

    /// What a connection was sent.
    pub fn posted(&self, id: &str) -> Vec<String> {
        lock(&self.shared.connections).get(id).map(|connection| connection.posted.clone()).unwrap_or_default()
    }

    /// Frames of JSON that a connection was sent.
    pub fn frames(&self, id: &str) -> Vec<Value> {
        self.posted(id).iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect()
    }

    /// Waits until a connection was sent so many frames, and gives them all.
    pub async fn wait_for(&self, id: &str, count: usize) -> Vec<String> {
        let what = format!("{count} frames for {id}");
        wait_until(&what, Duration::from_secs(10), async || self.posted(id).len() >= count).await;
        self.posted(id)
    }

    /// Answers the next requests with 500.
    pub fn fail(&self, requests: usize) {
        *lock(&self.shared.failures) = requests;
    }

    /// What was wrong with signatures.
    pub fn refused(&self) -> Vec<String> {
        lock(&self.shared.refused).clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MOST_BYTES).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException");
    };
    let method = parts.method.clone();
    let signed = http::Request::from_parts(parts, ());
    let now = Clock::system().now().as_secs();
    if let Err(problem) = signature_v4::check(&signed, &body, "execute-api", now) {
        lock(&shared.refused).push(problem);
        return refusal(StatusCode::FORBIDDEN, "ForbiddenException");
    }
    {
        let mut failures = lock(&shared.failures);
        if *failures > 0 {
            *failures -= 1;
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerErrorException");
        }
    }
    let mut connections = lock(&shared.connections);
    let Some(connection) = connections.get_mut(&id).filter(|connection| connection.is_open) else {
        return refusal(StatusCode::GONE, "GoneException");
    };
    if method == Method::DELETE {
        connection.is_open = false;
        return StatusCode::NO_CONTENT.into_response();
    }
    connection.posted.push(String::from_utf8_lossy(&body).into_owned());
    StatusCode::OK.into_response()
}

fn refusal(status: StatusCode, kind: &'static str) -> Response {
    (status, [("x-amzn-errortype", kind)], axum::Json(json!({"message": kind}))).into_response()
}
