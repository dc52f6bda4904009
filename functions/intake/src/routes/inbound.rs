//! The doors of inbound webhooks. No bearer token is asked for: what a source's kind says is how its sender shows that a
//! request comes from it. Whoever cannot learns whether a source is there, and nothing else.
//!
//! A request that is verified never vanishes. It becomes a transaction, or, if it cannot be one, it is kept as a
//! transaction error; and where neither can be written the answer is 503, so that the sender comes again. Senders do not
//! wait long (Docebo five seconds), so that is also the answer to what takes too long: by then the write may be done, and
//! the redelivery finds it.

mod accept;
mod check;
mod header;
mod kept_headers;
mod reading;
mod retry;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use tidings_domain::Timestamp;
use tidings_domain::ids::SourceId;
use tidings_domain::names::{Reference, Uid};
use tidings_domain::source::verification::{Unverified, verify};
use tidings_domain::source::{DOCEBO, Source, SourceKeys, SourceKind};
use tidings_domain::transaction::MAX_BODY_BYTES;
use tidings_http::openapi::{HttpErrorOut, HttpValidationError};
use tidings_http::{ApiError, Path, Proof, Query, read_body};
use tidings_store::StoreError;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use self::accept::Webhook;
use self::check::Question;
use self::header::once;
use self::reading::Reading;

pub use self::accept::ReceivedOut;
pub use self::check::CheckOut;
pub use self::retry::{__path_retry, retry};

/// Most bytes of a body that are read. What is between this and [`MAX_BODY_BYTES`] is refused, and its beginning is kept.
pub const MAX_READ_BYTES: usize = 1024 * 1024;

/// How long a sender waits at most for its answer.
const PATIENCE: Duration = Duration::from_millis(4300);

/// The same for Slack, which gives up after three seconds.
const SLACKS_PATIENCE: Duration = Duration::from_millis(2500);

/// Receive a webhook
///
/// The source's kind says how it is verified. A webhook that was received before under the sender's own id of it, with the
/// same body, is answered with what it became then. What is verified and cannot be accepted is kept in the transaction
/// errors.
#[utoipa::path(
    post, path = "/in/{source}", operation_id = "inbound.create", tag = "Inbound",
    params(("source" = String, Path, description = "The source's id; or its uid, if it is the inbound organization's.")),
    request_body(content = Object, description = "JSON of at most 256 KiB, as the sender's kind has it. Its content type does not matter.", content_type = "*/*"),
    responses(
        (status = 200, body = ReceivedOut, description = "Accepted, and safe. Slack's question whether somebody is there is answered in plain text"),
        (status = 400, body = HttpValidationError, description = "Everything that is wrong with it"),
        (status = 401, body = HttpErrorOut, description = "Not verified"),
        (status = 409, body = HttpErrorOut, description = "Its id was used before for another body"),
    ),
)]
pub async fn create(
    State(state): State<crate::State>,
    Path(reference): Path<Reference<SourceId>>,
    request: Request,
) -> Result<Response, ApiError> {
    Box::pin(receive(&state, &reference, request)).await
}

/// Receive a webhook of Docebo
///
/// The door of the inbound organization's source `docebo`, where its listener always was.
#[utoipa::path(
    post, path = "/transaction", operation_id = "inbound.docebo.create", tag = "Inbound",
    request_body(content = Object, description = "JSON of at most 256 KiB. Its content type does not matter.", content_type = "*/*"),
    responses(
        (status = 200, body = ReceivedOut, description = "Accepted, and safe"),
        (status = 400, body = HttpValidationError, description = "Everything that is wrong with it"),
        (status = 401, body = HttpErrorOut, description = "Not verified"),
        (status = 404, body = HttpErrorOut, description = "No source has this uid"),
        (status = 409, body = HttpErrorOut, description = "Its id was used before for another body"),
    ),
)]
pub async fn create_docebo(State(state): State<crate::State>, request: Request) -> Result<Response, ApiError> {
    Box::pin(receive(&state, &docebo()?, request)).await
}

/// Check a source's door
///
/// For senders that ask before they send: a challenge is given back.
#[utoipa::path(
    get, path = "/in/{source}", operation_id = "inbound.check", tag = "Inbound",
    params(
        ("source" = String, Path, description = "The source's id; or its uid, if it is the inbound organization's."),
        check::QuestionIn,
    ),
    responses(
        (status = 200, body = CheckOut, description = "It is open; or the challenge, in plain text"),
        (status = 400, body = HttpErrorOut, description = "The challenge cannot be given back"),
        (status = 401, body = HttpErrorOut, description = "The token is not the source's secret"),
    ),
)]
pub async fn check(
    State(state): State<crate::State>,
    Path(reference): Path<Reference<SourceId>>,
    Query(question): Query<Question>,
) -> Result<Response, ApiError> {
    in_time(Instant::now() + PATIENCE, answer(&state, &reference, question)).await
}

/// Check Docebo's door
#[utoipa::path(
    get, path = "/transaction", operation_id = "inbound.docebo.check", tag = "Inbound",
    params(check::QuestionIn),
    responses(
        (status = 200, body = CheckOut, description = "It is open; or the challenge, in plain text"),
        (status = 400, body = HttpErrorOut, description = "The challenge cannot be given back"),
        (status = 401, body = HttpErrorOut, description = "The token is not the source's secret"),
        (status = 404, body = HttpErrorOut, description = "No source has this uid"),
        (status = 503, body = HttpErrorOut, description = "Cannot be served right now; try again"),
    ),
)]
pub async fn check_docebo(
    State(state): State<crate::State>,
    Query(question): Query<Question>,
) -> Result<Response, ApiError> {
    in_time(Instant::now() + PATIENCE, answer(&state, &docebo()?, question)).await
}

fn docebo() -> Result<Reference<SourceId>, ApiError> {
    DOCEBO.parse().map(|uid: Uid| Reference::Uid(uid)).map_err(ApiError::internal)
}

/// What is dropped here may still be written: that is found by the redelivery.
async fn in_time<T>(deadline: Instant, work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let late = |_| Err(ApiError::unavailable("the answer was not ready in time"));
    timeout_at(deadline, work).await.unwrap_or_else(late)
}

async fn receive(
    state: &crate::State,
    reference: &Reference<SourceId>,
    request: Request,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let source = in_time(started + PATIENCE, find(state, reference)).await?;
    let patience = if source.scheme.kind() == SourceKind::Slack { SLACKS_PATIENCE } else { PATIENCE };
    in_time(started + patience, take_in(state, &source, request)).await
}

async fn take_in(state: &crate::State, source: &Source, request: Request) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let body = read_body(request).await?;
    let received_at = state.clock.now();
    verified(state, source, &headers, &body, received_at)?;
    let webhook = Webhook { source, headers: &headers, body, received_at };
    if webhook.body.len() > MAX_BODY_BYTES {
        webhook.keep_too_large(state).await?;
        return Err(ApiError::payload_too_large(MAX_BODY_BYTES));
    }
    match reading::read(&source.scheme, &headers, &webhook.body) {
        Ok(Reading::Challenge(challenge)) => Ok(check::give_back(challenge)),
        Ok(Reading::Event(named)) => Ok(webhook.accept_or_keep(state, named).await?.into_response()),
        Err(faults) => {
            webhook.keep_malformed(state, &faults).await?;
            Err(ApiError::malformed_body(faults))
        }
    }
}

async fn answer(
    state: &crate::State,
    reference: &Reference<SourceId>,
    question: Question,
) -> Result<Response, ApiError> {
    let source = find(state, reference).await?;
    let keys = if question.has_token() { keys(state, &source)? } else { None };
    question.answer(keys.as_ref(), source.scheme.kind(), state.clock.now())
}

/// The source that an open door's path names. An id is known whosever source it is, a uid only in one organization: in
/// another one it may be somebody else's.
async fn find(state: &crate::State, reference: &Reference<SourceId>) -> Result<Arc<Source>, ApiError> {
    let now = state.clock.now();
    let found = match (reference, state.inbound_organization) {
        (Reference::Id(id), _) => state.store.cached_source_by_id(*id, now).await.map_err(unavailable)?,
        (Reference::Uid(_), Some(organization)) => {
            state.store.cached_source(organization, reference, now).await.map_err(unavailable)?
        }
        (Reference::Uid(_), None) => None,
    };
    found.ok_or_else(ApiError::not_found)
}

/// At these doors each fault of the table is one for which the sender should come again: a 4xx would end its tries, and
/// nobody has the webhook then.
fn unavailable(error: StoreError) -> ApiError {
    ApiError::unavailable(error)
}

fn verified(
    state: &crate::State,
    source: &Source,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), ApiError> {
    let keys = keys(state, source)?;
    verify(&source.scheme, keys.as_ref(), |name| once(headers, name).value(), body, now).map_err(|unverified| {
        tell(source, unverified);
        ApiError::unverified(proof(source.scheme.kind()))
    })
}

/// The one who configured a source wants to know why its webhooks do not arrive; the sender is not told.
fn tell(source: &Source, unverified: Unverified) {
    let (id, kind) = (source.id.to_string(), source.scheme.kind().code());
    info!(source.id = id, source.kind = kind, reason = ?unverified, "inbound request was not verified");
}

fn keys(state: &crate::State, source: &Source) -> Result<Option<SourceKeys>, ApiError> {
    state.vault.open_source_keys(source).map_err(ApiError::internal)
}

const fn proof(kind: SourceKind) -> Proof {
    match kind {
        SourceKind::Docebo => Proof::Login,
        SourceKind::Generic
        | SourceKind::Github
        | SourceKind::None
        | SourceKind::Shopify
        | SourceKind::Slack
        | SourceKind::Standard
        | SourceKind::Stripe => Proof::Signature,
    }
}
