//! Applications: whom an organization sends messages to.

mod body;

use axum::extract::State;
use tidings_domain::application::Application;
use tidings_domain::ids::ApplicationId;
use tidings_domain::names::Reference;
use tidings_http::{
    AnyScope, ApiError, ApplicationIn, Caller, FromQuery, Idempotency, Json, ListResponse, OrderedListQuery,
    Organization, Path, Query, QueryString, Reply, created, no_content, ok,
};
use tidings_store::{Created, Replaced};

pub use self::body::{ApplicationOut, ApplicationPatch};
use crate::change::{TRIES, contended, later_than};
use crate::reach;
use crate::repetition::kept;

/// Changes an application, unless the change changes nothing.
pub(crate) async fn change(
    state: &crate::State,
    before: Application,
    change: impl FnOnce(&mut Application),
) -> Result<Option<Application>, ApiError> {
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(Some(before));
    }
    after.updated_at = later_than(before.updated_at, state.clock.now());
    match state.store.replace_application(&before, &after).await? {
        Replaced::Written => Ok(Some(after)),
        Replaced::UidTaken => Err(uid_taken()),
        Replaced::Changed => Ok(None),
    }
}

fn uid_taken() -> ApiError {
    ApiError::conflict("Another application has this uid.")
}

fn location(application: &Application) -> String {
    format!("/api/v1/app/{}", application.id)
}

/// List applications
///
/// Oldest first, unless `order` says otherwise.
#[utoipa::path(
    get, path = "/api/v1/app", operation_id = "v1.application.list", tag = "Applications",
    security(("HTTPBearer" = [])), params(OrderedListQuery<ApplicationId>),
    responses((status = 200, body = ListResponse<ApplicationOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(OrderedListQuery { list, order }): Query<OrderedListQuery<ApplicationId>>,
) -> Result<Reply, ApiError> {
    let page = state.store.applications(caller.organization, list.iterator, order, list.limit).await?;
    ok(&ListResponse::new(page, |application| application.id.to_string(), ApplicationOut::from))
}

/// What is done when the uid of a new application is there already: the query's `get_if_exists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// 409.
    Refuse,
    /// 200 with the one that is there.
    Get,
}

impl FromQuery for IfExists {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        Some(if query.flag("get_if_exists").unwrap_or_default() { Self::Get } else { Self::Refuse })
    }
}

/// Create an application
///
/// With `get_if_exists=true` an application that has the same `uid` is answered as it is.
#[utoipa::path(
    post, path = "/api/v1/app", operation_id = "v1.application.create", tag = "Applications",
    security(("HTTPBearer" = [])), request_body = ApplicationIn,
    params(
        ("get_if_exists" = Option<bool>, Query, description = "Answer the one that has this uid already."),
        Idempotency
    ),
    responses(
        (status = 200, body = ApplicationOut, description = "It was there already"),
        (status = 201, body = ApplicationOut, description = "Created")
    ),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Idempotency(key): Idempotency,
    Query(if_exists): Query<IfExists>,
    Json { value: request, raw }: Json<ApplicationIn>,
) -> Result<Reply, ApiError> {
    let organization = caller.organization;
    for _ in 0..TRIES {
        // Looked for first: a caller who asks like this mostly finds it, and reading costs less than a write that fails.
        if let (IfExists::Get, Some(uid)) = (if_exists, request.uid())
            && let Some(there) = state.store.application(organization, &Reference::Uid(uid.clone())).await?
        {
            return ok(&ApplicationOut::from(there));
        }
        let application = request.clone().make(organization, state.clock.now());
        let reply = created(location(&application), &ApplicationOut::from(application.clone()))?;
        let kept = kept(key.clone(), "/api/v1/app", &raw, &reply);
        match (state.store.create_application(&application, kept.as_ref()).await?, if_exists) {
            (Created::Written, _) => return Ok(reply),
            (Created::Repeated(repetition), _) => return Reply::repeated(repetition),
            // Somebody else was first: then there is something to get.
            (Created::UidTaken, IfExists::Get) => {}
            (Created::UidTaken, IfExists::Refuse) => return Err(uid_taken()),
        }
    }
    Err(contended())
}

/// Read an application
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}", operation_id = "v1.application.get", tag = "Applications",
    security(("HTTPBearer" = [])), params(("app_id" = String, Path, description = "The application's id or uid.")),
    responses((status = 200, body = ApplicationOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path(reference): Path<Reference<ApplicationId>>,
) -> Result<Reply, ApiError> {
    ok(&ApplicationOut::from(reach::application(&state, &caller, &reference).await?))
}

/// Put an application
///
/// A uid that nobody has makes a new one. What is left out gets its default, but for `uid`, which stays.
#[utoipa::path(
    put, path = "/api/v1/app/{app_id}", operation_id = "v1.application.update", tag = "Applications",
    security(("HTTPBearer" = [])), params(("app_id" = String, Path, description = "The application's id or uid.")),
    request_body = ApplicationIn,
    responses(
        (status = 200, body = ApplicationOut, description = "Replaced"),
        (status = 201, body = ApplicationOut, description = "Created"),
        (status = 409, description = "Another application has this uid")
    ),
)]
pub async fn update(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<ApplicationId>>,
    Json { value: request, .. }: Json<ApplicationIn>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let request = request.clone();
        if let Some(before) = state.store.application(caller.organization, &reference).await? {
            if let Some(after) = change(&state, before, |application| request.replace(application)).await? {
                return ok(&ApplicationOut::from(after));
            }
            continue;
        }
        // An id names what is there or nothing; a uid is the new one's own.
        let Reference::Uid(uid) = &reference else { return Err(ApiError::not_found()) };
        let request = request.named(uid).map_err(|fault| ApiError::invalid_body(vec![fault]))?;
        let application = request.make(caller.organization, state.clock.now());
        match state.store.create_application(&application, None).await? {
            Created::Written => return created(location(&application), &ApplicationOut::from(application)),
            // Somebody else was first: then there is something to replace.
            Created::UidTaken => {}
            Created::Repeated(repetition) => return Reply::repeated(repetition),
        }
    }
    Err(contended())
}

/// Change an application
#[utoipa::path(
    patch, path = "/api/v1/app/{app_id}", operation_id = "patch_application", tag = "Applications",
    security(("HTTPBearer" = [])), params(("app_id" = String, Path, description = "The application's id or uid.")),
    request_body = ApplicationPatch,
    responses(
        (status = 200, body = ApplicationOut),
        (status = 409, description = "Another application has this uid")
    ),
)]
pub async fn patch_application(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<ApplicationId>>,
    Json { value: request, .. }: Json<ApplicationPatch>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let before = reach::application(&state, &caller, &reference).await?;
        if let Some(after) = change(&state, before, |application| request.clone().apply(application)).await? {
            return ok(&ApplicationOut::from(after));
        }
    }
    Err(contended())
}

/// Delete an application
///
/// It and its endpoints are gone at once; its messages and attempts are removed in the background.
#[utoipa::path(
    delete, path = "/api/v1/app/{app_id}", operation_id = "v1.application.delete", tag = "Applications",
    security(("HTTPBearer" = [])), params(("app_id" = String, Path, description = "The application's id or uid.")),
    responses((status = 204, description = "Deleted")),
)]
pub async fn delete(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<ApplicationId>>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &reference).await?;
    if state.store.delete_application(&application, state.clock.now() + state.grace).await? {
        Ok(no_content())
    } else {
        Err(ApiError::not_found())
    }
}
