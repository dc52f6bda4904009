//! A mock of a callback receiver: it answers with what it got, and stores nothing.

use axum::Router;
use serde::Serialize;
use serde_json::Value;
use tidings_http::{ApiError, Fault, FromJson, Json, Object, Reply, ok};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What a job's callback says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompletionIn {
    /// The job.
    job_id: String,
    /// What was collected.
    #[schema(value_type = Vec<Object>)]
    data: Vec<Value>,
}

/// What it got.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletionOut {
    /// The request's body.
    message: CompletionIn,
}

impl FromJson for CompletionIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let job_id = object.required("jobId");
        let data = object.required("data");
        object.finish(|| Some(Self { job_id: job_id?, data: data? }))
    }
}

/// Take a job's callback
///
/// A mock. It stores nothing.
#[utoipa::path(
    post, path = "/complete", operation_id = "complete.create", tag = "Mocks",
    request_body = CompletionIn, responses((status = 200, body = CompletionOut)),
)]
async fn create(Json { value, .. }: Json<CompletionIn>) -> Result<Reply, ApiError> {
    tracing::info!(job.id = value.job_id, records = value.data.len(), "a callback came in");
    ok(&CompletionOut { message: value })
}

/// The route with its OpenAPI description.
pub fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(create))
}

/// The function's route, to be finished by `tidings_http::finish`.
pub fn router() -> Router {
    Router::from(routes())
}
