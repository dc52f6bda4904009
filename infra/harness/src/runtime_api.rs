//! The Lambda Runtime API (2018-06-01), served to one process.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tidings_runtime::Clock;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};

use crate::lock;
use crate::server::Server;

/// The longest answer that Lambda takes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// Why an event was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvokeError {
    /// The kind: what the function says (`errorType`), or `Runtime.ExitError`, `Sandbox.Timedout` for its environment.
    pub error_type: String,
    /// The text.
    pub message: String,
}

impl InvokeError {
    pub(crate) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self { error_type: error_type.to_owned(), message: message.into() }
    }

    fn read(body: &[u8], headers: &HeaderMap) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let header = headers.get("lambda-runtime-function-error-type").and_then(|kind| kind.to_str().ok());
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let message = text("errorMessage").map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
        Self::new(text("errorType").or(header).unwrap_or("Unknown"), message)
    }
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

impl std::error::Error for InvokeError {}

pub(crate) type Answer = Result<Bytes, InvokeError>;

/// The API as one process sees it.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    server: Server,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Invocation>,
}

#[derive(Debug)]
struct Invocation {
    request_id: String,
    event: Bytes,
    timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    name: String,
    clock: Clock,
    queue: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    /// When the process first asked for an event, or why it never will.
    ready: watch::Sender<Option<Result<Instant, InvokeError>>>,
}

impl RuntimeApi {
    pub(crate) async fn start(name: &str) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            clock: Clock::system(),
            queue: AsyncMutex::new(receiver),
            waiting: Mutex::default(),
            ready: watch::Sender::new(None),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared, queue }
    }

    /// `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it.
    pub(crate) fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// Hands an event over; the answer comes when the process gives it.
    pub(crate) fn push(&self, event: Bytes, timeout: Duration) -> oneshot::Receiver<Answer> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let request_id = format!("00000000-0000-4000-8000-{:012x}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let (sender, answer) = oneshot::channel();
        lock(&self.shared.waiting).insert(request_id.clone(), sender);
        // It fails never: the receiver lives as long as the API.
        let _ = self.queue.send(Invocation { request_id, event, timeout });
        answer
    }

    /// When the process asked for its first event, or why it could not start.
    pub(crate) async fn ready(&self) -> Result<Instant, InvokeError> {
        let mut ready = self.shared.ready.subscribe();
        let known = ready.wait_for(Option::is_some).await.map(|known| known.clone());
        known.ok().flatten().unwrap_or_else(|| Err(InvokeError::new("Runtime.ExitError", "the server ended")))
    }

    /// What the process reported instead of starting.
    pub(crate) fn init_error(&self) -> Option<InvokeError> {
        self.shared.ready.borrow().clone()?.err()
    }
}

impl Shared {
    fn answer(&self, request_id: &str, answer: Answer) -> StatusCode {
        let Some(waiting) = lock(&self.waiting).remove(request_id) else { return StatusCode::BAD_REQUEST };
        // Whoever invoked it may have given up.
        let _ = waiting.send(answer);
        StatusCode::ACCEPTED
    }

    fn set_ready(&self, result: Result<Instant, InvokeError>) {
        self.ready.send_if_modified(|ready| {
            let first = ready.is_none();
            if first {
                *ready = Some(result);
            }
            first
        });
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.set_ready(Ok(Instant::now()));
    let invocation = shared.queue.lock().await.recv().await;
    let Some(Invocation { request_id, event, timeout }) = invocation else {
        return reply(StatusCode::GONE);
    };
    let deadline = (shared.clock.now() + timeout).as_millis().to_string();
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{}", shared.name);
    Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", request_id)
        .header("lambda-runtime-deadline-ms", deadline)
        .header("lambda-runtime-invoked-function-arn", arn)
        .header("lambda-runtime-trace-id", "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c;Sampled=0")
        .body(Body::from(event))
        .unwrap_or_else(|_| reply(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    let answer = if body.len() > MAX_ANSWER {
        Err(InvokeError::new("Function.ResponseSizeTooLarge", format!("{} bytes", body.len())))
    } else {
        Ok(body)
    };
    reply(shared.answer(&id, answer))
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    reply(shared.answer(&id, Err(InvokeError::read(&body, &headers))))
}

async fn init_error(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.set_ready(Err(InvokeError::read(&body, &headers)));
    reply(StatusCode::ACCEPTED)
}

fn reply(status: StatusCode) -> Response {
    let mut response = Response::new(Body::from("{\"status\":\"OK\"}"));
    *response.status_mut() = status;
    response
}
