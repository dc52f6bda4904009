//! New jobs.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::idempotency::{Fingerprint, KeptAnswer};
use tidings_domain::ids::JobId;
use tidings_domain::job::{Job, JobStatus, MAX_PROVIDERS, ProviderId};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_egress::Egress;
use tidings_http::{
    ApiError, Caller, Fault, FaultKind, FromJson, Idempotency, Json, Object, Organization, Reply, created,
};
use tidings_runtime::random;
use tidings_store::job::Accepted;
use utoipa::ToSchema;

/// What to collect, and whom to call back.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct JobIn {
    /// Whom to ask, without repeats; the answer keeps this order.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 50, example = json!(["gas", "internet"]))]
    providers: Vec<ProviderId>,
    /// Where the data is sent when all of it is there.
    #[schema(value_type = String, format = "uri", example = "https://example.com/complete")]
    callback_url: WebhookUrl,
}

/// A job that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedJobOut {
    /// Its id.
    #[schema(value_type = String, example = "job_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    pub job_id: JobId,
    /// `pending`.
    #[schema(value_type = String, example = "pending")]
    pub status: JobStatus,
}

impl JobIn {
    /// Reads a body; every fault at once.
    fn read(body: Value, known: &[ProviderId], egress: &Egress) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(body)?;
        let named = object.required::<Vec<Named>>("providers");
        let callback_url = object.required::<WebhookUrl>("callbackUrl");
        let providers = named.map(|named| check_providers(&mut object, named, known));
        if let Some(Err(refused)) = callback_url.as_ref().map(|url| egress.check(url.as_url())) {
            object.refuse("callbackUrl", refused);
        }
        object.finish(|| Some(Self { providers: providers?, callback_url: callback_url? }))
    }
}

/// An entry of `providers`, or what is wrong with it: a bad one must not hide what is wrong with the others.
struct Named(Result<ProviderId, Vec<Fault>>);

impl FromJson for Named {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        Ok(Self(ProviderId::from_json(value)))
    }
}

/// The good ones; what is wrong with the others, and with all together, is recorded.
fn check_providers(object: &mut Object, named: Vec<Named>, known: &[ProviderId]) -> Vec<ProviderId> {
    if named.is_empty() {
        object.refuse("providers", "must name at least one provider");
    }
    if named.len() > MAX_PROVIDERS {
        object.refuse("providers", format_args!("must name at most {MAX_PROVIDERS} providers"));
    }
    let wrong = |problem| vec![Fault::new(FaultKind::Value, problem)];
    let mut good = Vec::new();
    for (position, Named(provider)) in named.into_iter().enumerate() {
        let faults = match provider {
            Ok(provider) if !known.contains(&provider) => wrong("is not a known provider"),
            Ok(provider) if good.contains(&provider) => wrong("is named twice"),
            Ok(provider) => {
                good.push(provider);
                continue;
            }
            Err(faults) => faults,
        };
        for fault in faults {
            object.fault(fault.within(position.to_string()).within("providers"));
        }
    }
    good
}

/// Accept a job
///
/// Collects the data of every provider named, however often they fail, then calls `callbackUrl` with all of it.
#[utoipa::path(
    post, path = "/webhook", operation_id = "job.create", tag = "Jobs",
    params(Idempotency), request_body = JobIn, security(("HTTPBearer" = [])),
    responses((
        status = 201, body = AcceptedJobOut, description = "Accepted, and safe",
        headers(("location" = String, description = "Where the job can be read"))
    )),
)]
pub async fn create(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Idempotency(key): Idempotency,
    Json { value, raw }: Json<Value>,
) -> Result<Reply, ApiError> {
    let JobIn { providers, callback_url } =
        JobIn::read(value, &state.providers, &state.egress).map_err(ApiError::invalid_body)?;
    let now = state.clock.now();
    let job = Job {
        id: JobId::new(now, random::bytes()),
        organization: caller.organization,
        providers,
        callback_url,
        status: JobStatus::Pending,
        created_at: now,
        updated_at: now,
        tries: 0,
        last_error: None,
        next_due: Some(now + state.grace),
    };
    let reply = created(format!("/webhook/{}", job.id), &AcceptedJobOut { job_id: job.id, status: job.status })?;
    let kept = key.map(|key| KeptAnswer {
        key,
        fingerprint: Fingerprint::of("POST", "/webhook", &raw),
        answer: reply.answer().clone(),
    });
    match state.store.create_job(&job, kept.as_ref()).await? {
        Accepted::Written => Ok(reply),
        Accepted::Repeated(repetition) => Reply::repeated(repetition),
    }
}
