//! What could not be computed of inbound webhooks.

use axum::extract::State;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::ids::{ComputeErrorId, SourceId, TransactionId};
use tidings_domain::names::Reference;
use tidings_domain::source::Source;
use tidings_domain::transaction::{ComputeError, Transaction};
use tidings_http::{ApiError, Caller, ListQuery, ListResponse, Organization, Path, Query, Reply, TransactionOut, ok};
use utoipa::ToSchema;

use super::transaction::replay;
use crate::reach;

/// What could not be computed of a transaction.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComputeErrorOut {
    /// Its id.
    #[schema(value_type = String, example = "cerr_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: ComputeErrorId,
    /// The transaction.
    #[schema(value_type = String, example = "txn_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    transaction_id: TransactionId,
    /// The event's name.
    #[schema(example = "course.enrollment.created")]
    event: String,
    /// Which of a group's payloads it is, from 0 on; `null` for all of the transaction.
    payload: Option<usize>,
    /// What is wrong.
    #[schema(example = "`user_id` is required")]
    message: String,
    /// How often it was tried.
    tries: u32,
    /// When it failed first.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last failed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl From<ComputeError> for ComputeErrorOut {
    fn from(error: ComputeError) -> Self {
        let ComputeError {
            id,
            organization: _,
            source: _,
            transaction: transaction_id,
            name: _,
            event,
            payload,
            message,
            tries,
            created_at,
            updated_at,
        } = error;
        Self { id, transaction_id, event, payload, message, tries, created_at, updated_at }
    }
}

/// List compute errors
///
/// Those of the newest transaction first.
#[utoipa::path(
    get, path = "/in/{source}/compute-errors", operation_id = "inbound.compute-error.list", tag = "Inbound",
    security(("HTTPBearer" = [])),
    params(("source" = String, Path, description = "The source's id or uid."), ListQuery<ComputeErrorId>),
    responses((status = 200, body = ListResponse<ComputeErrorOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(source): Path<Reference<SourceId>>,
    Query(ListQuery { limit, iterator }): Query<ListQuery<ComputeErrorId>>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let page = state.store.compute_errors(&source, state.clock.now(), iterator, limit).await?;
    ok(&ListResponse::new(page, |error| error.id.to_string(), ComputeErrorOut::from))
}

/// Read a compute error
#[utoipa::path(
    get, path = "/in/{source}/compute-errors/{error_id}", operation_id = "inbound.compute-error.get", tag = "Inbound",
    security(("HTTPBearer" = [])),
    params(
        ("source" = String, Path, description = "The source's id or uid."),
        ("error_id" = String, Path, description = "The compute error's id."),
    ),
    responses((status = 200, body = ComputeErrorOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path((source, id)): Path<(Reference<SourceId>, ComputeErrorId)>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    ok(&ComputeErrorOut::from(compute_error(&state, &source, id).await?))
}

async fn compute_error(state: &crate::State, source: &Source, id: ComputeErrorId) -> Result<ComputeError, ApiError> {
    let found = state.store.compute_error(source, id, state.clock.now()).await?;
    found.ok_or_else(ApiError::not_found)
}

/// Try a compute error again
///
/// Its transaction is computed again. The error is gone once that went well, and counts one more try if it did not.
#[utoipa::path(
    post, path = "/in/{source}/compute-errors/{error_id}/retry", operation_id = "inbound.compute-error.retry",
    tag = "Inbound", security(("HTTPBearer" = [])),
    params(
        ("source" = String, Path, description = "The source's id or uid."),
        ("error_id" = String, Path, description = "The compute error's id."),
    ),
    responses(
        (status = 202, body = TransactionOut, description = "Its transaction is pending again"),
        (status = 409, description = "Its transaction is not kept any more"),
    ),
)]
pub async fn retry(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path((source, id)): Path<(Reference<SourceId>, ComputeErrorId)>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let error = compute_error(&state, &source, id).await?;
    let transaction = transaction(&state, &source, &error).await?;
    replay::again(&state, std::slice::from_ref(&transaction)).await?;
    replay::pending(transaction)
}

async fn transaction(state: &crate::State, source: &Source, error: &ComputeError) -> Result<Transaction, ApiError> {
    let found = state.store.transaction(source.organization, source.id, &error.name).await?;
    let now = state.clock.now();
    // Under the sender's id there may be another one by now, if the sender uses it again after so long.
    let kept = found.filter(|transaction| {
        transaction.id == error.transaction && now < source.retention.transactions.end(transaction.received_at)
    });
    kept.ok_or_else(|| ApiError::conflict("The transaction of this error is not kept any more."))
}
