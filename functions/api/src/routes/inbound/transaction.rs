//! Inbound webhooks that were accepted.

pub mod replay;

use axum::extract::State;
use tidings_domain::ids::{SourceId, TransactionId};
use tidings_domain::names::Reference;
use tidings_domain::page::Order;
use tidings_http::{
    ApiError, Caller, FromQuery, ListQuery, ListResponse, Organization, Path, Query, QueryString, Reply,
    TransactionOut, WholeTransactionOut, ok,
};
use tidings_store::transaction::Times;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::filters::{date_time, parameter};
use crate::reach;

/// Which transactions to list.
#[derive(Debug, Clone, Copy)]
pub struct TransactionQuery {
    list: ListQuery<TransactionId>,
    times: Times,
}

impl FromQuery for TransactionQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let times = Times { since: query.time("since"), before: query.time("before") };
        Some(Self { list: ListQuery::from_query(query)?, times })
    }
}

impl IntoParams for TransactionQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = ListQuery::<TransactionId>::into_params(place);
        parameters.push(parameter("since", "Only what was received from then on.", date_time()));
        parameters.push(parameter("before", "Only what was received before.", date_time()));
        parameters
    }
}

/// List transactions
///
/// The webhooks that a source sent and that were accepted, newest first.
#[utoipa::path(
    get, path = "/in/{source}/transactions", operation_id = "inbound.transaction.list", tag = "Inbound",
    security(("HTTPBearer" = [])),
    params(("source" = String, Path, description = "The source's id or uid."), TransactionQuery),
    responses((status = 200, body = ListResponse<TransactionOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(source): Path<Reference<SourceId>>,
    Query(query): Query<TransactionQuery>,
) -> Result<Reply, ApiError> {
    let TransactionQuery { list: ListQuery { limit, iterator }, times } = query;
    let source = reach::source(&state, &caller, &source).await?;
    let now = state.clock.now();
    let page = state.store.transactions(&source, now, &times, iterator, Order::Descending, limit).await?;
    let show = |transaction| TransactionOut::new(&transaction);
    ok(&ListResponse::new(page, |transaction| transaction.id.to_string(), show))
}

/// Read a transaction
///
/// With the headers that were kept, and the body as it was sent.
#[utoipa::path(
    get, path = "/in/{source}/transactions/{transaction_id}", operation_id = "inbound.transaction.get",
    tag = "Inbound", security(("HTTPBearer" = [])),
    params(
        ("source" = String, Path, description = "The source's id or uid."),
        ("transaction_id" = String, Path, description = "The transaction's id."),
    ),
    responses((status = 200, body = WholeTransactionOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path((source, id)): Path<(Reference<SourceId>, TransactionId)>,
) -> Result<Reply, ApiError> {
    let source = reach::source(&state, &caller, &source).await?;
    let found = state.store.transaction_by_id(&source, id, state.clock.now()).await?;
    ok(&WholeTransactionOut::new(&found.ok_or_else(ApiError::not_found)?)?)
}
