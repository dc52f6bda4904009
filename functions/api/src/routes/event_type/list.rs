//! The list of event types, of which an application's token sees a part.

use axum::extract::State;
use tidings_domain::caller::{Caller as Who, Scope};
use tidings_domain::event_type::EventType;
use tidings_domain::names::EventTypeName;
use tidings_domain::page::{Page, PageLimit, Position};
use tidings_http::{
    AnyScope, ApiError, Caller, FromQuery, ListResponse, OrderedListQuery, Query, QueryString, Reply, ok,
};

use super::EventTypeOut;

/// How often the table is asked for one page of what a token sees. A page that is short of entries for that is not the
/// last one.
const MOST_QUERIES: usize = 8;

/// Which event types to list, and how much of them.
#[derive(Debug, Clone)]
pub struct EventTypeQuery {
    page: OrderedListQuery<EventTypeName>,
    include_archived: bool,
    with_content: bool,
}

impl FromQuery for EventTypeQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let include_archived = query.flag("include_archived").unwrap_or_default();
        let with_content = query.flag("with_content").unwrap_or_default();
        Some(Self { page: OrderedListQuery::from_query(query)?, include_archived, with_content })
    }
}

/// Whether somebody sees an event type.
pub(super) fn is_visible(caller: &Who, event_type: &EventType) -> bool {
    match caller.scope {
        Scope::Organization => true,
        Scope::Application(_) => event_type.is_visible_with(&caller.feature_flags),
    }
}

/// List event types
///
/// By name. An application's token sees those that its feature flags allow.
#[utoipa::path(
    get, path = "/api/v1/event-type", operation_id = "v1.event-type.list", tag = "Event types",
    security(("HTTPBearer" = [])),
    params(
        OrderedListQuery<EventTypeName>,
        ("include_archived" = Option<bool>, Query, description = "Archived ones, too."),
        ("with_content" = Option<bool>, Query, description = "With their schemas.")
    ),
    responses((status = 200, body = ListResponse<EventTypeOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Query(query): Query<EventTypeQuery>,
) -> Result<Reply, ApiError> {
    let Listed { seen, first, last, done } = page(&state, &caller, &query).await?;
    let show = |mut event_type: EventType| {
        event_type.schemas = event_type.schemas.filter(|_| query.with_content);
        EventTypeOut::from(event_type)
    };
    ok(&ListResponse {
        data: seen.into_iter().map(show).collect(),
        iterator: last.map(|name| name.to_string()),
        prev_iterator: first.map(|name| format!("-{name}")),
        done,
    })
}

/// A part of the list: what the caller sees of it, and between which names it lies.
struct Listed {
    seen: Vec<EventType>,
    first: Option<EventTypeName>,
    last: Option<EventTypeName>,
    done: bool,
}

async fn page(state: &crate::State, caller: &Who, query: &EventTypeQuery) -> Result<Listed, ApiError> {
    let EventTypeQuery { page: OrderedListQuery { list, order }, include_archived, .. } = query;
    let backwards = matches!(list.iterator, Some(Position::Before(_)));
    let mut position = list.iterator.clone();
    let mut listed = Listed { seen: Vec::new(), first: None, last: None, done: false };
    for _ in 0..MOST_QUERIES {
        let rest = list.limit.get() - listed.seen.len();
        let limit = u64::try_from(rest).ok().and_then(|rest| PageLimit::try_from(rest).ok());
        // The page is full.
        let Some(limit) = limit else { break };
        let from = position.take();
        let Page { data, done } =
            state.store.event_types(caller.organization, *include_archived, from, *order, limit).await?;
        let names = (data.first().map(|one| one.name.clone()), data.last().map(|one| one.name.clone()));
        let seen = data.into_iter().filter(|event_type| is_visible(caller, event_type));
        if backwards {
            listed.seen.splice(..0, seen);
            listed.last = listed.last.or_else(|| names.1.clone());
            listed.first = names.0.or(listed.first);
            position = listed.first.clone().map(Position::Before);
        } else {
            listed.seen.extend(seen);
            listed.first = listed.first.or(names.0);
            listed.last = names.1.or(listed.last);
            position = listed.last.clone().map(Position::After);
        }
        listed.done = done;
        if done {
            break;
        }
    }
    Ok(listed)
}
