//! Batches: what became of each broadcast, client by client.

use axum::extract::State;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::broadcast::Broadcast;
use tidings_domain::client::{Batch, NOBODY};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::MessageId;
use tidings_http::{ApiError, Caller, ListQuery, Organization, Query, Reply, ok};
use utoipa::ToSchema;

use super::application;

/// Broadcasts whose attempts are read side by side.
const AT_ONCE: usize = 8;

/// A broadcast, and where it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchOut {
    /// Its message's id.
    #[schema(value_type = String, example = "msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: MessageId,
    /// When it was accepted.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// URLs that took it.
    processed: Vec<String>,
    /// URLs that did not, each followed by ` - ` and why. Nobody tries any more.
    #[schema(example = json!(["https://example.com/webhook/ - answered 500"]))]
    failed: Vec<String>,
    /// URLs at which it will be tried, or tried again; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pending: Vec<String>,
    /// Only where there was no client: `No Clients Registered yet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "No Clients Registered yet")]
    message: Option<&'static str>,
}

impl BatchOut {
    fn new(broadcast: &Broadcast, batch: Batch) -> Self {
        let Batch { processed, failed, pending } = batch;
        let nobody = broadcast.receivers.is_empty() && processed.len() + failed.len() + pending.len() == 0;
        Self {
            id: broadcast.message,
            created_at: broadcast.created_at,
            processed,
            failed,
            pending,
            message: nobody.then_some(NOBODY),
        }
    }
}

/// List batches
///
/// Newest first, each as it stands now. `iterator` is the `id` that a page ended with.
#[utoipa::path(
    get, path = "/api/webhooks/batches", operation_id = "client.list-batches", tag = "Clients",
    security(("HTTPBearer" = [])), params(ListQuery<MessageId>), responses((status = 200, body = Vec<BatchOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(ListQuery { limit, iterator }): Query<ListQuery<MessageId>>,
) -> Result<Reply, ApiError> {
    let organization = caller.organization;
    let Some(application) = application(&state, organization).await? else { return ok(&Vec::<BatchOut>::new()) };
    let page = state.store.broadcasts(organization, application.id, iterator, limit).await?;
    let clients = state.store.endpoints_of(organization, application.id).await?;
    let batches = page.data.into_iter().map(|broadcast| batch(&state, broadcast, &clients));
    let batches: Vec<BatchOut> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    ok(&batches)
}

async fn batch(state: &crate::State, broadcast: Broadcast, clients: &[Endpoint]) -> Result<BatchOut, ApiError> {
    let Broadcast { organization, application, message, .. } = broadcast;
    let newest = state.store.newest_attempts_of_message(organization, application, message).await?;
    Ok(BatchOut::new(&broadcast, Batch::of(&broadcast, &newest, clients)))
}
