//! Computing again what was computed: once, or for a range of time.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::ids::{SourceId, TransactionId};
use tidings_domain::names::Reference;
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_domain::transaction::{Transaction, TransactionStatus};
use tidings_http::{
    ApiError, Caller, Fault, FromJson, Json, Object, Organization, Path, Reply, TransactionOut, Whole, accepted,
};
use tidings_store::transaction::Times;
use utoipa::ToSchema;

use crate::reach;

/// Most transactions that one request replays.
const MAX_LIMIT: u64 = 250;

/// Which transactions are to be computed again.
#[derive(Debug, ToSchema)]
pub struct TransactionReplayIn {
    /// Those received from then on.
    #[schema(value_type = String, format = "date-time")]
    since: Timestamp,
    /// Those received before; until now, if not given.
    #[schema(value_type = Option<String>, format = "date-time")]
    until: Option<Timestamp>,
    /// Where the answer before said that it goes on.
    #[schema(value_type = Option<String>)]
    iterator: Option<TransactionId>,
    /// How many at most.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 250, default = 250)]
    limit: PageLimit,
}

/// How far a replay has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransactionReplayOut {
    /// How many this request put on the agenda.
    replayed: usize,
    /// Where the next request goes on; `null` if there was nothing.
    #[schema(value_type = Option<String>, example = "txn_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    iterator: Option<TransactionId>,
    /// Whether that was all.
    done: bool,
}

impl FromJson for TransactionReplayIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let since = object.required::<Timestamp>("since");
        let until = object.nullable::<Timestamp>("until");
        let iterator = object
            .nullable::<String>("iterator")
            .and_then(|text| text.parse().map_err(|error| object.refuse("iterator", error)).ok());
        let limit = object.nullable::<Whole<1, MAX_LIMIT>>("limit").map_or(MAX_LIMIT, |Whole(limit)| limit);
        if since.zip(until).is_some_and(|(since, until)| until <= since) {
            object.refuse("until", "must be after `since`");
        }
        let limit = PageLimit::try_from(limit).unwrap_or_default();
        object.finish(|| Some(Self { since: since?, until, iterator, limit }))
    }
}

/// Puts transactions on the agenda, to be computed as if they had just come.
pub(in super::super) async fn again(state: &crate::State, transactions: &[Transaction]) -> Result<(), ApiError> {
    Ok(state.store.replay_transactions(transactions, state.clock.now() + state.grace).await?)
}

/// The answer to whoever had one replayed.
pub(in super::super) fn pending(transaction: Transaction) -> Result<Reply, ApiError> {
    accepted(&TransactionOut::new(&Transaction { status: TransactionStatus::Pending, ..transaction }))
}

/// Replay a transaction
///
/// What it means is computed again. Its message is sent at most once: a replay sends it only if it was never sent.
#[utoipa::path(
    post, path = "/in/{source}/transactions/{transaction_id}/replay", operation_id = "inbound.transaction.replay",
    tag = "Inbound", security(("HTTPBearer" = [])),
    params(
        ("source" = String, Path, description = "The source's id or uid."),
        ("transaction_id" = String, Path, description = "The transaction's id."),
    ),
    responses((status = 202, body = TransactionOut, description = "Pending again")),
)]
pub async fn one(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path((source, id)): Path<(Reference<SourceId>, TransactionId)>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let found = state.store.transaction_by_id(&source, id, state.clock.now()).await?;
    let transaction = found.ok_or_else(ApiError::not_found)?;
    again(&state, std::slice::from_ref(&transaction)).await?;
    pending(transaction)
}

/// Replay the transactions of a time
///
/// Oldest first, one page with each request. The answer says where the next one goes on: send the same again with its
/// `iterator`, until it is `done`. To send a request twice does no harm.
#[utoipa::path(
    post, path = "/in/{source}/transactions/replay", operation_id = "inbound.transaction.replay-range",
    tag = "Inbound", security(("HTTPBearer" = [])), request_body = TransactionReplayIn,
    params(("source" = String, Path, description = "The source's id or uid.")),
    responses((status = 202, body = TransactionReplayOut, description = "A page of them is pending again")),
)]
pub async fn range(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(source): Path<Reference<SourceId>>,
    Json { value: body, .. }: Json<TransactionReplayIn>,
) -> Result<Reply, ApiError> {
    let TransactionReplayIn { since, until, iterator, limit } = body;
    let source = reach::source(&state, &caller, &source).await?;
    let now = state.clock.now();
    let position = iterator.map(Position::After);
    // What is received from now on is computed anyway.
    let times = Times { since: Some(since), before: Some(until.map_or(now, |until| until.min(now))) };
    let page = state.store.transactions(&source, now, &times, position, Order::Ascending, limit).await?;
    let Page { data, done } = page;
    again(&state, &data).await?;
    let iterator = data.last().map(|last| last.id);
    accepted(&TransactionReplayOut { replayed: data.len(), iterator, done })
}
