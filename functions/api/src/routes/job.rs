//! Jobs, once they are accepted.

use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::idempotency::{Fingerprint, KeptAnswer};
use tidings_domain::ids::JobId;
use tidings_domain::job::{Job, JobStatus, ProviderId, ProviderRecord, RecordStatus};
use tidings_domain::signature::SigningSecret;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{
    ApiError, Caller, FromQuery, Idempotency, ListQuery, ListResponse, Organization, Path, Query, QueryString, Reply,
    accepted, ok,
};
use tidings_store::job::{Reopened, StoredJob};
use utoipa::ToSchema;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobOut {
    /// Its id.
    #[schema(value_type = String, example = "job_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    job_id: JobId,
    /// Where it stands.
    #[schema(value_type = JobStatusOut)]
    status: JobStatus,
    /// Whom it asks.
    #[schema(value_type = Vec<String>, example = json!(["gas", "internet"]))]
    providers: Vec<ProviderId>,
    /// Whom it calls back.
    #[schema(value_type = String, format = "uri")]
    callback_url: WebhookUrl,
    /// When it was accepted.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
    /// Tries that ended.
    attempts: u32,
    /// Why the last try that failed did so.
    last_error: Option<String>,
    /// When the schedule takes it next; `null` when nothing is owed.
    #[schema(value_type = Option<String>, format = "date-time")]
    next_due_at: Option<Timestamp>,
}

/// A job, and what its providers gave.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDetailOut {
    /// The job.
    #[serde(flatten)]
    job: JobOut,
    /// A record for each provider, in the order asked for.
    records: Vec<ProviderRecordOut>,
}

/// What one provider is to give, or gave.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRecordOut {
    /// Which one.
    #[schema(value_type = String, example = "gas")]
    provider_id: ProviderId,
    /// `COMPLETE` when the callback was answered with 2xx.
    #[schema(value_type = RecordStatusOut)]
    status: RecordStatus,
    /// When it was written, or when its data came.
    #[schema(value_type = String, format = "date-time")]
    date: Timestamp,
    /// The provider's answer; `null` while it is not there.
    #[schema(value_type = Option<Vec<Object>>)]
    data: Option<Box<RawValue>>,
}

/// Where a job stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "a schema only: the domain's own type is what is answered")]
enum JobStatusOut {
    Pending,
    Complete,
    Failed,
}

/// Where a provider's record stands.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "a schema only: the domain's own type is what is answered")]
enum RecordStatusOut {
    Pending,
    Complete,
}

/// A job that is pending again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetriedJobOut {
    /// Its id.
    #[schema(value_type = String)]
    job_id: JobId,
    /// `pending`.
    #[schema(value_type = JobStatusOut)]
    status: JobStatus,
}

/// What callbacks are signed with.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningSecretOut {
    /// For any library that verifies Standard Webhooks.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    key: String,
}

impl From<Job> for JobOut {
    fn from(job: Job) -> Self {
        let Job {
            id,
            organization: _,
            providers,
            callback_url,
            status,
            created_at,
            updated_at,
            tries,
            last_error,
            next_due,
        } = job;
        Self {
            job_id: id,
            status,
            providers,
            callback_url,
            created_at,
            updated_at,
            attempts: tries,
            last_error,
            next_due_at: next_due,
        }
    }
}

impl From<ProviderRecord> for ProviderRecordOut {
    fn from(record: ProviderRecord) -> Self {
        let ProviderRecord { provider, status, date, data } = record;
        Self { provider_id: provider, status, date, data }
    }
}

/// Which jobs to list.
#[derive(Debug, Clone, Copy)]
pub struct JobQuery {
    page: ListQuery<JobId>,
    status: Option<JobStatus>,
}

impl FromQuery for JobQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let status = query.one("status", |text| {
            let known = JobStatus::ALL.into_iter().find(|status| status.code() == text);
            known.ok_or("must be `pending`, `complete` or `failed`")
        });
        Some(Self { page: ListQuery::from_query(query)?, status })
    }
}

/// List jobs
///
/// Newest first.
#[utoipa::path(
    get, path = "/webhook", operation_id = "job.list", tag = "Jobs", security(("HTTPBearer" = [])),
    params(ListQuery<JobId>, ("status" = Option<JobStatusOut>, Query, description = "Only jobs that stand there.")),
    responses((status = 200, body = ListResponse<JobOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(query): Query<JobQuery>,
) -> Result<Reply, ApiError> {
    let JobQuery { page: ListQuery { limit, iterator }, status } = query;
    let page = state.store.jobs(caller.organization, status, iterator, limit, state.clock.now()).await?;
    ok(&ListResponse::new(page, |job| job.id.to_string(), JobOut::from))
}

/// Read a job
///
/// With what its providers gave so far.
#[utoipa::path(
    get, path = "/webhook/{jobId}", operation_id = "job.get", tag = "Jobs", security(("HTTPBearer" = [])),
    params(("jobId" = String, Path, description = "The job's id.")),
    responses((status = 200, body = JobDetailOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(id): Path<JobId>,
) -> Result<Reply, ApiError> {
    let stored = state.store.job(caller.organization, id, state.clock.now()).await?;
    let StoredJob { job, records } = stored.ok_or_else(ApiError::not_found)?;
    ok(&JobDetailOut { job: job.into(), records: records.into_iter().map(Into::into).collect() })
}

/// Try a failed job again
///
/// It gets all its tries anew, and keeps the data that is there.
#[utoipa::path(
    post, path = "/webhook/{jobId}/retry", operation_id = "job.retry", tag = "Jobs", security(("HTTPBearer" = [])),
    params(("jobId" = String, Path, description = "The job's id."), Idempotency),
    responses(
        (status = 202, body = RetriedJobOut, description = "Pending again"),
        (status = 409, description = "It has not failed"),
    ),
)]
pub async fn retry(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(id): Path<JobId>,
    Idempotency(key): Idempotency,
) -> Result<Reply, ApiError> {
    let now = state.clock.now();
    let stored = state.store.job(caller.organization, id, now).await?;
    let StoredJob { job, .. } = stored.ok_or_else(ApiError::not_found)?;
    let reply = accepted(&RetriedJobOut { job_id: id, status: JobStatus::Pending })?;
    let kept = key.map(|key| KeptAnswer {
        key,
        fingerprint: Fingerprint::of("POST", &format!("/webhook/{id}/retry"), b""),
        answer: reply.answer().clone(),
    });
    match state.store.reopen_job(&job, now + state.grace, now, kept.as_ref()).await? {
        Reopened::Pending => Ok(reply),
        Reopened::Repeated(repetition) => Reply::repeated(repetition),
        Reopened::Unknown => Err(ApiError::not_found()),
        Reopened::NotFailed(status) => {
            Err(ApiError::conflict(format!("Only a failed job can be tried again; this one is {}.", status.code())))
        }
    }
}

/// Read the secret that callbacks are signed with
///
/// A receiver verifies callbacks with it, by any Standard Webhooks library. It is the organization's own.
#[utoipa::path(
    get, path = "/webhook/signing-secret", operation_id = "job.signing-secret", tag = "Jobs",
    security(("HTTPBearer" = [])), responses((status = 200, body = SigningSecretOut)),
)]
pub async fn signing_secret(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
) -> Result<Reply, ApiError> {
    let secret = SigningSecret::for_job_callbacks(state.secret.as_bytes(), caller.organization);
    ok(&SigningSecretOut { key: secret.reveal() })
}
