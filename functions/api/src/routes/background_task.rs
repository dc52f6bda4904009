//! Background tasks: work on many messages, and how far it is.

use axum::extract::State;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::ids::{ApplicationId, BackgroundTaskId, EndpointId};
use tidings_http::{
    ApiError, Caller, FromQuery, ListResponse, OrderedListQuery, Organization, Path, Query, QueryString, Reply, ok,
};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::filters::parameter;

/// A background task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackgroundTaskOut {
    /// Its id.
    #[schema(value_type = String, example = "qtask_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: BackgroundTaskId,
    /// What it does.
    #[schema(value_type = BackgroundTaskTypeOut)]
    task: BackgroundTaskType,
    /// Where it stands.
    #[schema(value_type = BackgroundTaskStatusOut)]
    status: BackgroundTaskStatus,
    /// How far it is.
    data: BackgroundTaskDataOut,
    /// When it last got on.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

/// What a background task works on, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackgroundTaskDataOut {
    /// Whose messages they are.
    #[schema(value_type = String)]
    app_id: ApplicationId,
    /// Whom they are sent to.
    #[schema(value_type = String)]
    endpoint_id: EndpointId,
    /// Messages accepted from then on.
    #[schema(value_type = String, format = "date-time")]
    since: Timestamp,
    /// Messages accepted before.
    #[schema(value_type = String, format = "date-time")]
    until: Timestamp,
    /// Messages looked at so far.
    examined: u64,
    /// Messages that are sent again.
    scheduled: u64,
}

/// What a background task does.
#[derive(ToSchema)]
#[schema(as = BackgroundTaskType)]
#[expect(dead_code, reason = "a schema only: the domain's own type is what is answered")]
enum BackgroundTaskTypeOut {
    /// Delivers what an endpoint refused.
    #[schema(rename = "endpoint.recover")]
    Recover,
    /// Delivers what an endpoint was never sent.
    #[schema(rename = "endpoint.replay")]
    ReplayMissing,
}

/// Where a background task stands.
#[derive(ToSchema)]
#[schema(as = BackgroundTaskStatus, rename_all = "lowercase")]
#[expect(dead_code, reason = "a schema only: the domain's own type is what is answered")]
enum BackgroundTaskStatusOut {
    /// Not done yet.
    Running,
    /// Done.
    Finished,
    /// Given up: its endpoint is gone.
    Failed,
}

impl From<BackgroundTask> for BackgroundTaskOut {
    fn from(task: BackgroundTask) -> Self {
        let BackgroundTask {
            id,
            organization: _,
            application,
            endpoint,
            task,
            status,
            since,
            until,
            cursor: _,
            examined,
            scheduled,
            created_at: _,
            updated_at,
        } = task;
        let data =
            BackgroundTaskDataOut { app_id: application, endpoint_id: endpoint, since, until, examined, scheduled };
        Self { id, task, status, data, updated_at }
    }
}

/// Which background tasks to list.
#[derive(Debug)]
pub struct BackgroundTaskQuery {
    list: OrderedListQuery<BackgroundTaskId>,
    status: Option<BackgroundTaskStatus>,
    task: Option<BackgroundTaskType>,
}

impl FromQuery for BackgroundTaskQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let status = |text: &str| match text {
            "running" => Ok(BackgroundTaskStatus::Running),
            "finished" => Ok(BackgroundTaskStatus::Finished),
            "failed" => Ok(BackgroundTaskStatus::Failed),
            _ => Err("must be `running`, `finished` or `failed`"),
        };
        let task = |text: &str| match text {
            "endpoint.recover" => Ok(BackgroundTaskType::Recover),
            "endpoint.replay" => Ok(BackgroundTaskType::ReplayMissing),
            _ => Err("must be `endpoint.recover` or `endpoint.replay`"),
        };
        Some(Self {
            list: OrderedListQuery::from_query(query)?,
            status: query.one("status", status),
            task: query.one("task", task),
        })
    }
}

impl IntoParams for BackgroundTaskQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = OrderedListQuery::<BackgroundTaskId>::into_params(place);
        let statuses = one_of(["running", "finished", "failed"]);
        parameters.push(parameter("status", "Only tasks that stand there.", statuses));
        let tasks = one_of(["endpoint.recover", "endpoint.replay"]);
        parameters.push(parameter("task", "Only tasks that do this.", tasks));
        parameters
    }
}

fn one_of<const N: usize>(texts: [&'static str; N]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(texts)).build()
}

/// List background tasks
///
/// Oldest first unless asked the other way round.
#[utoipa::path(
    get, path = "/api/v1/background-task", operation_id = "v1.background-task.list", tag = "Background tasks",
    security(("HTTPBearer" = [])), params(BackgroundTaskQuery),
    responses((status = 200, body = ListResponse<BackgroundTaskOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(query): Query<BackgroundTaskQuery>,
) -> Result<Reply, ApiError> {
    let BackgroundTaskQuery { list: OrderedListQuery { list, order }, status, task } = query;
    let page =
        state.store.background_tasks(caller.organization, status, task, list.iterator, order, list.limit).await?;
    ok(&ListResponse::new(page, |task| task.id.to_string(), BackgroundTaskOut::from))
}

/// Read a background task
///
/// With how far it is.
#[utoipa::path(
    get, path = "/api/v1/background-task/{task_id}", operation_id = "v1.background-task.get",
    tag = "Background tasks", security(("HTTPBearer" = [])),
    params(("task_id" = String, Path, description = "The task's id.")),
    responses((status = 200, body = BackgroundTaskOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(id): Path<BackgroundTaskId>,
) -> Result<Reply, ApiError> {
    let task = state.store.background_task(caller.organization, id).await?;
    ok(&BackgroundTaskOut::from(task.ok_or_else(ApiError::not_found)?))
}
