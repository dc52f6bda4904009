//! Repair of an endpoint's past: sending again what it refused, or never got.

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::idempotency::IdempotencyKey;
use tidings_domain::ids::{ApplicationId, BackgroundTaskId, EndpointId};
use tidings_domain::names::Reference;
use tidings_http::{AnyScope, ApiError, Caller, Fault, Idempotency, Json, Object, Path, Reply, accepted};
use tidings_runtime::random;
use utoipa::ToSchema;

use crate::{reach, repetition};

/// How far back it goes.
const MAX_BACK: Duration = Duration::from_hours(24 * 14);

/// Which of an endpoint's messages failed and are to be sent again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema only: its rules depend on the time, so the handler reads the body")]
pub(crate) struct RecoverIn {
    /// Messages accepted from then on; at most 14 days ago.
    #[schema(value_type = String, format = "date-time")]
    since: Timestamp,
    /// Messages accepted before; until now, if not given.
    #[schema(value_type = Option<String>, format = "date-time")]
    until: Option<Timestamp>,
}

/// Which of an endpoint's messages were never sent to it and are to be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema only: its rules depend on the time, so the handler reads the body")]
pub(crate) struct ReplayIn {
    /// Messages accepted from then on; at most 14 days ago.
    #[schema(value_type = String, format = "date-time")]
    since: Timestamp,
    /// Messages accepted before; until now, if not given.
    #[schema(value_type = Option<String>, format = "date-time")]
    until: Option<Timestamp>,
}

/// The background task that does it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoverOut {
    /// Its id: its progress can be read under it.
    #[schema(value_type = String, example = "qtask_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: BackgroundTaskId,
    /// `running`.
    #[schema(value_type = String, example = "running")]
    status: BackgroundTaskStatus,
    /// `endpoint.recover`.
    #[schema(value_type = String, example = "endpoint.recover")]
    task: BackgroundTaskType,
    /// When it was asked for.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

/// The background task that does it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a schema only: it is answered as the other task is")]
pub(crate) struct ReplayOut {
    /// Its id: its progress can be read under it.
    #[schema(value_type = String, example = "qtask_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: BackgroundTaskId,
    /// `running`.
    #[schema(value_type = String, example = "running")]
    status: BackgroundTaskStatus,
    /// `endpoint.replay`.
    #[schema(value_type = String, example = "endpoint.replay")]
    task: BackgroundTaskType,
    /// When it was asked for.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

/// Messages accepted from one time on and before another.
#[derive(Debug, Clone, Copy)]
struct Range {
    since: Timestamp,
    until: Timestamp,
}

impl Range {
    /// Reads a body; every fault at once.
    fn read(mut body: Object, now: Timestamp) -> Result<Self, Vec<Fault>> {
        let since = body.required::<Timestamp>("since");
        let until = body.nullable::<Timestamp>("until");
        if since.is_some_and(|since| since < now - MAX_BACK) {
            body.refuse("since", "must be at most 14 days ago");
        }
        if since.is_some_and(|since| since >= now) {
            body.refuse("since", "must be in the past");
        }
        if since.zip(until).is_some_and(|(since, until)| until <= since) {
            body.refuse("until", "must be after `since`");
        }
        // What is accepted from now on is sent anyway.
        let until = until.map_or(now, |until| until.min(now));
        body.finish(|| Some(Self { since: since?, until }))
    }
}

/// Send again what an endpoint refused
///
/// Every message since then whose last attempt failed and is followed by no other. The work goes on in the background,
/// without a limit on how many they are; its progress can be read.
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/recover", operation_id = "v1.endpoint.recover",
    tag = "Endpoints", security(("HTTPBearer" = [])), request_body = RecoverIn,
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        Idempotency,
    ),
    responses(
        (status = 202, body = RecoverOut, description = "It runs"),
        (status = 409, description = "The endpoint is disabled"),
    ),
)]
pub async fn recover(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Idempotency(key): Idempotency,
    Json { value, raw }: Json<Object>,
) -> Result<Reply, ApiError> {
    let path = format!("/api/v1/app/{application}/endpoint/{endpoint}/recover");
    let named = Named { application, endpoint };
    start(&state, &caller, named, BackgroundTaskType::Recover, value, Request { key, path, raw: &raw }).await
}

/// Send what an endpoint was never sent
///
/// Every message since then that it would have got had it been there, or enabled. The work goes on in the background,
/// without a limit on how many they are; its progress can be read.
#[utoipa::path(
    post, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/replay-missing",
    operation_id = "v1.endpoint.replay-missing", tag = "Endpoints", security(("HTTPBearer" = [])),
    request_body = ReplayIn,
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid."),
        Idempotency,
    ),
    responses(
        (status = 202, body = ReplayOut, description = "It runs"),
        (status = 409, description = "The endpoint is disabled"),
    ),
)]
pub async fn replay_missing(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Idempotency(key): Idempotency,
    Json { value, raw }: Json<Object>,
) -> Result<Reply, ApiError> {
    let path = format!("/api/v1/app/{application}/endpoint/{endpoint}/replay-missing");
    let named = Named { application, endpoint };
    start(&state, &caller, named, BackgroundTaskType::ReplayMissing, value, Request { key, path, raw: &raw }).await
}

/// Which endpoint.
struct Named {
    application: Reference<ApplicationId>,
    endpoint: Reference<EndpointId>,
}

/// What tells this request from others.
struct Request<'a> {
    key: Option<IdempotencyKey>,
    path: String,
    raw: &'a [u8],
}

async fn start(
    state: &crate::State,
    caller: &Caller<AnyScope>,
    named: Named,
    task: BackgroundTaskType,
    body: Object,
    request: Request<'_>,
) -> Result<Reply, ApiError> {
    let now = state.clock.now();
    let Range { since, until } = Range::read(body, now).map_err(ApiError::invalid_body)?;
    let application = reach::application(state, caller, &named.application).await?;
    let endpoint = reach::enabled_endpoint(state, &application, &named.endpoint).await?;
    let task = BackgroundTask {
        id: BackgroundTaskId::new(now, random::bytes()),
        organization: caller.organization,
        application: application.id,
        endpoint: endpoint.id,
        task,
        status: BackgroundTaskStatus::Running,
        since,
        until,
        cursor: None,
        examined: 0,
        scheduled: 0,
        created_at: now,
        updated_at: now,
    };
    let BackgroundTask { id, status, task: kind, updated_at, .. } = task;
    let reply = accepted(&RecoverOut { id, status, task: kind, updated_at })?;
    let kept = repetition::kept(request.key, &request.path, request.raw, &reply);
    let created = state.store.create_background_task(&task, now + state.grace, kept.as_ref()).await?;
    repetition::answer(created, reply)
}
