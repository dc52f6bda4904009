//! Event types: what messages are about.

mod body;
pub mod list;

use axum::extract::State;
use tidings_domain::event_type::EventType;
use tidings_domain::ids::OrganizationId;
use tidings_domain::names::EventTypeName;
use tidings_http::{
    AnyScope, ApiError, Caller, FromQuery, Idempotency, Json, Organization, Path, Query, QueryString, Reply, created,
    no_content, ok,
};
use tidings_store::{Created, Replaced};

use self::body::check_schemas;
pub use self::body::{EventTypeIn, EventTypeOut, EventTypePatch, EventTypeUpdate};
use self::list::is_visible;
use crate::change::{TRIES, contended, later_than};
use crate::repetition::kept;

/// Changes an event type, unless the change changes nothing. `None`: somebody else has changed it meanwhile.
async fn change(
    state: &crate::State,
    before: EventType,
    change: impl FnOnce(&mut EventType),
) -> Result<Option<EventType>, ApiError> {
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(Some(before));
    }
    check_schemas(&after)?;
    after.updated_at = later_than(before.updated_at, state.clock.now());
    match state.store.replace_event_type(&before, &after).await? {
        Replaced::Written => Ok(Some(after)),
        Replaced::UidTaken => Err(ApiError::internal("an event type that keeps its name has one that is taken")),
        Replaced::Changed => Ok(None),
    }
}

fn location(event_type: &EventType) -> String {
    format!("/api/v1/event-type/{}", event_type.name)
}

/// Create an event type
///
/// An archived one of the same name is replaced by it.
#[utoipa::path(
    post, path = "/api/v1/event-type", operation_id = "v1.event-type.create", tag = "Event types",
    security(("HTTPBearer" = [])), request_body = EventTypeIn, params(Idempotency),
    responses((status = 201, body = EventTypeOut, description = "Created")),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Idempotency(key): Idempotency,
    Json { value: EventTypeIn { name, settings }, raw }: Json<EventTypeIn>,
) -> Result<Reply, ApiError> {
    let event_type = settings.clone().make(caller.organization, name.clone(), state.clock.now());
    check_schemas(&event_type)?;
    for _ in 0..TRIES {
        let reply = created(location(&event_type), &EventTypeOut::from(event_type.clone()))?;
        let kept = kept(key.clone(), "/api/v1/event-type", &raw, &reply);
        match state.store.create_event_type(&event_type, kept.as_ref()).await? {
            Created::Written => return Ok(reply),
            Created::Repeated(repetition) => return Reply::repeated(repetition),
            Created::UidTaken => {}
        }
        match state.store.event_type(caller.organization, &name).await? {
            Some(before) if before.archived => {
                let after = change(&state, before, |event_type| settings.clone().replace(event_type)).await?;
                if let Some(after) = after {
                    return created(location(&after), &EventTypeOut::from(after));
                }
            }
            Some(_) => return Err(ApiError::conflict("Another event type has this name.")),
            // It has just been removed.
            None => {}
        }
    }
    Err(contended())
}

/// Read an event type
#[utoipa::path(
    get, path = "/api/v1/event-type/{event_type_name}", operation_id = "v1.event-type.get", tag = "Event types",
    security(("HTTPBearer" = [])), params(("event_type_name" = String, Path, description = "Its name.")),
    responses((status = 200, body = EventTypeOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path(name): Path<EventTypeName>,
) -> Result<Reply, ApiError> {
    let found = state.store.event_type(caller.organization, &name).await?;
    let seen = found.filter(|event_type| is_visible(&caller, event_type)).ok_or_else(ApiError::not_found)?;
    ok(&EventTypeOut::from(seen))
}

/// Put an event type
///
/// A name that no event type has makes a new one. What is left out gets its default.
#[utoipa::path(
    put, path = "/api/v1/event-type/{event_type_name}", operation_id = "v1.event-type.update", tag = "Event types",
    security(("HTTPBearer" = [])), params(("event_type_name" = String, Path, description = "Its name.")),
    request_body = EventTypeUpdate,
    responses(
        (status = 200, body = EventTypeOut, description = "Replaced"),
        (status = 201, body = EventTypeOut, description = "Created"),
        (status = 409, description = "It was changed by others all the time")
    ),
)]
pub async fn update(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(name): Path<EventTypeName>,
    Json { value: settings, .. }: Json<EventTypeUpdate>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let settings = settings.clone();
        if let Some(before) = state.store.event_type(caller.organization, &name).await? {
            if let Some(after) = change(&state, before, |event_type| settings.replace(event_type)).await? {
                return ok(&EventTypeOut::from(after));
            }
            continue;
        }
        let event_type = settings.make(caller.organization, name.clone(), state.clock.now());
        check_schemas(&event_type)?;
        match state.store.create_event_type(&event_type, None).await? {
            Created::Written => return created(location(&event_type), &EventTypeOut::from(event_type)),
            // Somebody else was first: then there is something to replace.
            Created::UidTaken => {}
            Created::Repeated(repetition) => return Reply::repeated(repetition),
        }
    }
    Err(contended())
}

/// Change an event type
#[utoipa::path(
    patch, path = "/api/v1/event-type/{event_type_name}", operation_id = "patch_event_type", tag = "Event types",
    security(("HTTPBearer" = [])), params(("event_type_name" = String, Path, description = "Its name.")),
    request_body = EventTypePatch,
    responses(
        (status = 200, body = EventTypeOut),
        (status = 409, description = "It was changed by others all the time")
    ),
)]
pub async fn patch(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(name): Path<EventTypeName>,
    Json { value: request, .. }: Json<EventTypePatch>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let before = state.store.event_type(caller.organization, &name).await?.ok_or_else(ApiError::not_found)?;
        if let Some(after) = change(&state, before, |event_type| request.clone().apply(event_type)).await? {
            return ok(&EventTypeOut::from(after));
        }
    }
    Err(contended())
}

/// What deleting means: the query's `expunge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is kept, and no longer offered.
    Archive,
    /// It is gone.
    Expunge,
}

impl FromQuery for Removal {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(if query.flag("expunge").unwrap_or_default() { Self::Expunge } else { Self::Archive })
    }
}

/// Archive or remove an event type
///
/// Endpoints that name it go on naming it, and messages of it are still accepted.
#[utoipa::path(
    delete, path = "/api/v1/event-type/{event_type_name}", operation_id = "v1.event-type.delete", tag = "Event types",
    security(("HTTPBearer" = [])),
    params(
        ("event_type_name" = String, Path, description = "Its name."),
        ("expunge" = Option<bool>, Query, description = "Remove it, instead of archiving it.")
    ),
    responses(
        (status = 204, description = "Archived, or removed"),
        (status = 409, description = "It was changed by others all the time")
    ),
)]
pub async fn delete(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(name): Path<EventTypeName>,
    Query(removal): Query<Removal>,
) -> Result<Reply, ApiError> {
    match removal {
        Removal::Expunge if state.store.delete_event_type(caller.organization, &name).await? => Ok(no_content()),
        Removal::Expunge => Err(ApiError::not_found()),
        Removal::Archive => archive(&state, caller.organization, &name).await,
    }
}

async fn archive(state: &crate::State, organization: OrganizationId, name: &EventTypeName) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let before = state.store.event_type(organization, name).await?.ok_or_else(ApiError::not_found)?;
        if change(state, before, |event_type| event_type.archived = true).await?.is_some() {
            return Ok(no_content());
        }
    }
    Err(contended())
}
