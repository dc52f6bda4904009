//! Trying again what was refused: once its source is configured otherwise it may be what it is sent as.

use axum::extract::State;
use tidings_domain::ids::{OrganizationId, SourceId, TransactionErrorId, TransactionId};
use tidings_domain::names::Reference;
use tidings_domain::transaction::TransactionName;
use tidings_http::openapi::{HttpErrorOut, HttpValidationError};
use tidings_http::{ApiError, Caller, Organization, Path, Reply};
use tidings_runtime::random;
use tokio::time::Instant;

use super::accept::{Outcome, Webhook, id_taken};
use super::reading::{Reading, read};
use super::{PATIENCE, ReceivedOut, in_time, kept_headers};

/// Try a rejected webhook again
///
/// It goes through its source's door again, as the source is now. It was verified when it came. If it is accepted it is
/// in the transaction errors no more.
#[utoipa::path(
    post, path = "/in/{source}/transaction-errors/{error_id}/retry", operation_id = "inbound.transaction-error.retry",
    tag = "Inbound", security(("HTTPBearer" = [])),
    params(
        ("source" = String, Path, description = "The source's id or uid."),
        ("error_id" = String, Path, description = "The transaction error's id."),
    ),
    responses(
        (status = 200, body = ReceivedOut, description = "Accepted, and safe"),
        (status = 409, body = HttpErrorOut, description = "Not all of its body was kept; or its id was used before for another body"),
        (status = 422, body = HttpValidationError, description = "Everything that is still wrong with it"),
    ),
)]
pub async fn retry(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path((source, error)): Path<(Reference<SourceId>, TransactionErrorId)>,
) -> Result<Reply, ApiError> {
    in_time(Instant::now() + PATIENCE, try_again(&state, caller.organization, &source, error)).await
}

async fn try_again(
    state: &crate::State,
    organization: OrganizationId,
    source: &Reference<SourceId>,
    error: TransactionErrorId,
) -> Result<Reply, ApiError> {
    let now = state.clock.now();
    let source = state.store.source(organization, source).await?.ok_or_else(ApiError::not_found)?;
    let error = state.store.transaction_error(&source, error, now).await?.ok_or_else(ApiError::not_found)?;
    if !error.is_whole() {
        return Err(ApiError::conflict("Only the beginning of its body was kept."));
    }
    let headers = kept_headers::restore(&error.headers);
    let named = match read(&source.scheme, &headers, &error.body).map_err(ApiError::invalid)? {
        Reading::Event(named) => named,
        Reading::Challenge(_) => return Err(ApiError::conflict("It is a question, and no webhook.")),
    };
    let webhook = Webhook { source: &source, headers: &headers, body: error.body.clone(), received_at: now };
    let id = TransactionId::new(now, random::bytes());
    match webhook.accept(state, named, id, TransactionName::of_error(&error)).await? {
        Outcome::Accepted(reply) => {
            state.store.delete_transaction_error(&error).await?;
            Ok(reply)
        }
        Outcome::IdTaken => Err(id_taken()),
    }
}
