//! Inbound webhooks that were rejected. `intake` has the route that tries one again: it goes through the door once more.

use std::collections::BTreeMap;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::ids::{SourceId, TransactionErrorId};
use tidings_domain::names::Reference;
use tidings_domain::transaction::TransactionError;
use tidings_http::{ApiError, Caller, ListQuery, ListResponse, Organization, Path, Query, Reply, ok};
use utoipa::ToSchema;

use crate::reach;

/// An inbound webhook that was verified and yet rejected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionErrorOut {
    /// Its id.
    #[schema(value_type = String, example = "terr_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: TransactionErrorId,
    /// The status code that its sender got.
    #[schema(example = 400)]
    status: u16,
    /// What is wrong with it.
    #[schema(example = json!(["body.message_id: is required"]))]
    faults: Vec<String>,
    /// How large its body was.
    body_bytes: usize,
    /// Whether all of the body is kept, and it can be tried again.
    whole: bool,
    /// When it was received.
    #[schema(value_type = String, format = "date-time")]
    received_at: Timestamp,
}

/// A rejected webhook with all that was kept of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WholeTransactionErrorOut {
    #[serde(flatten)]
    error: TransactionErrorOut,
    /// The headers that matter, by their names in lower case.
    headers: BTreeMap<String, String>,
    /// What is kept of the body, if it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// What is kept of the body, if it is not: in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl TransactionErrorOut {
    fn new(error: &TransactionError) -> Self {
        let TransactionError {
            id,
            organization: _,
            source: _,
            status,
            faults,
            headers: _,
            body: _,
            body_bytes,
            received_at,
        } = error;
        Self {
            id: *id,
            status: *status,
            faults: faults.clone(),
            body_bytes: *body_bytes,
            whole: error.is_whole(),
            received_at: *received_at,
        }
    }
}

impl WholeTransactionErrorOut {
    fn new(error: &TransactionError) -> Self {
        let text = as_text(error);
        let body_base64 = text.is_none().then(|| STANDARD.encode(&error.body));
        Self {
            error: TransactionErrorOut::new(error),
            headers: error.headers.0.iter().cloned().collect(),
            body: text.map(str::to_owned),
            body_base64,
        }
    }
}

/// What is kept of a body, as a text if it is one. Where it was cut off in the middle of a character, without that.
fn as_text(error: &TransactionError) -> Option<&str> {
    match std::str::from_utf8(&error.body) {
        Ok(text) => Some(text),
        Err(fault) if fault.error_len().is_none() && !error.is_whole() => {
            error.body.get(..fault.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok())
        }
        Err(_) => None,
    }
}

/// List transaction errors
///
/// Requests that a source sent and that were rejected, newest first.
#[utoipa::path(
    get, path = "/in/{source}/transaction-errors", operation_id = "inbound.transaction-error.list", tag = "Inbound",
    security(("HTTPBearer" = [])),
    params(("source" = String, Path, description = "The source's id or uid."), ListQuery<TransactionErrorId>),
    responses((status = 200, body = ListResponse<TransactionErrorOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(source): Path<Reference<SourceId>>,
    Query(ListQuery { limit, iterator }): Query<ListQuery<TransactionErrorId>>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let page = state.store.transaction_errors(&source, state.clock.now(), iterator, limit).await?;
    ok(&ListResponse::new(page, |error| error.id.to_string(), |error| TransactionErrorOut::new(&error)))
}

/// Read a transaction error
///
/// With the headers and the body, of which the first 16 KiB are kept.
#[utoipa::path(
    get, path = "/in/{source}/transaction-errors/{error_id}", operation_id = "inbound.transaction-error.get",
    tag = "Inbound", security(("HTTPBearer" = [])),
    params(
        ("source" = String, Path, description = "The source's id or uid."),
        ("error_id" = String, Path, description = "The transaction error's id."),
    ),
    responses((status = 200, body = WholeTransactionErrorOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path((source, id)): Path<(Reference<SourceId>, TransactionErrorId)>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let found = state.store.transaction_error(&source, id, state.clock.now()).await?;
    ok(&WholeTransactionErrorOut::new(&found.ok_or_else(ApiError::not_found)?))
}
