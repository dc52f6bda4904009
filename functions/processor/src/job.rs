//! Jobs: ask each provider for its data, call back when all of it is there.

use std::time::Duration;

use futures::future::join_all;
use http::{HeaderMap, Method, StatusCode};
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::job::{Job, JobStatus, ProviderId, ProviderRecord, parse_record};
use tidings_domain::signature::SigningSecret;
use tidings_egress::{Request, SendError};
use tidings_store::agenda::Finished;
use tidings_store::job::StoredJob;
use tidings_store::{DecodeError, StoreError};
use tidings_telemetry::chain;
use tokio::time::sleep;
use tracing::{info, warn};
use url::Url;

use crate::Context;
use crate::request::{Signed, post};
use crate::work::{Done, Task};

/// Most bytes of a provider's answer. Data and keys must fit into an item of 400 KB.
const DATA_BYTES: usize = 256 * 1024;

/// Waits before a provider that failed at once is asked again within the same try. Providers fail often, and most
/// failures are over at once; asking again here saves a whole round of the retry schedule.
const ASK_AGAIN_MS: [u64; 2] = [100, 300];

/// Time for the waits above and the table's answers.
const OVERHEAD: Duration = Duration::from_secs(2);

/// The same, at least: what a try that must be short leaves for them.
const LEAST_OVERHEAD: Duration = Duration::from_millis(500);

/// A try asks its providers side by side, then calls back.
pub(crate) fn longest_try(patience: Duration) -> Duration {
    patience * 2 + OVERHEAD
}

/// The patience with which a try ends within a time.
pub(crate) fn patience_within(time: Duration) -> Duration {
    time.saturating_sub(LEAST_OVERHEAD) / 2
}

/// Whether the time up to `end` is worth a request. A much shorter time-out than usual would be blamed on the other side.
fn is_time_for_a_request(task: &Task, now: Timestamp, end: Timestamp) -> bool {
    end.since(now) >= task.patience / 2
}

/// One try.
pub(crate) async fn run(context: &Context, mut task: Task) -> Result<Done, StoreError> {
    let options = &context.options;
    let now = options.clock.now();
    let Some(StoredJob { job, mut records }) = load(context, &mut task, now).await? else {
        options.store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    if task.only_if_healthy && !reachable(context, &job, now) {
        return Ok(Done::Left);
    }
    let started_too_often =
        usize::try_from(task.claim.entry.tries).is_ok_and(|tries| tries > options.job_retry_schedule.max_tries());
    let result = if started_too_often {
        Err(job.last_error.clone().unwrap_or_else(|| "the last try did not end".to_owned()))
    } else {
        collect_and_call_back(context, &task, &job, &mut records).await?
    };
    let now = options.clock.now();
    let finished = match result {
        Ok(()) => options.store.complete_job(&job, &task.claim, now).await.map(|written| (written, Done::Finished))?,
        Err(problem) => give_up_or_postpone(context, &task, &job, &problem, now).await?,
    };
    match finished {
        (Finished::Written, done) => Ok(done),
        (Finished::Lost, _) => {
            warn!(job.id = %job.id, "somebody else took the job over; the result of this try is not kept");
            Ok(Done::Lost)
        }
    }
}

/// The job: from the stream where it is as it was written, else from the table. `None` if it does not exist.
async fn load(context: &Context, task: &mut Task, now: Timestamp) -> Result<Option<StoredJob>, StoreError> {
    if let Some(image) = &task.image {
        let job = tidings_store::job::from_image(image.clone())?;
        if job.created_at == job.updated_at {
            let records = job.new_records();
            return Ok(Some(StoredJob { job, records }));
        }
    }
    let record = &task.claim.entry.key.work.record;
    let (organization, id) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no job".to_owned() })?;
    let stored = context.options.store.job(organization, id, now).await?;
    Ok(stored.filter(|stored| stored.job.status == JobStatus::Pending))
}

fn reachable(context: &Context, job: &Job, now: Timestamp) -> bool {
    let providers = origin(&context.options.service_endpoint);
    [providers, job.callback_url.origin()].iter().all(|origin| context.destinations.is_healthy(origin, now))
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// `Err` is the try's failure, in words for the job's owner.
async fn collect_and_call_back(
    context: &Context,
    task: &Task,
    job: &Job,
    records: &mut [ProviderRecord],
) -> Result<Result<(), String>, StoreError> {
    let missing = records.iter_mut().filter(|record| record.data.is_none());
    let asked = join_all(missing.map(|record| ask_and_keep(context, task, job, record))).await;
    let mut problems = Vec::new();
    for answer in asked {
        problems.extend(answer?.err());
    }
    if !problems.is_empty() {
        return Ok(Err(problems.join("; ")));
    }
    let body = job
        .callback_body(records)
        .ok_or_else(|| DecodeError { key: job.id.to_string(), problem: "a provider's record is missing".to_owned() })?;
    Ok(call_back(context, task, job, body).await)
}

async fn ask_and_keep(
    context: &Context,
    task: &Task,
    job: &Job,
    record: &mut ProviderRecord,
) -> Result<Result<(), String>, StoreError> {
    let provider = record.provider.clone();
    let data = match ask(context, task, &provider).await {
        Ok(data) => data,
        Err(problem) => return Ok(Err(format!("provider {provider}: {problem}"))),
    };
    let now = context.options.clock.now();
    context.options.store.keep_provider_data(job, &provider, &data, now).await?;
    record.date = now;
    record.data = Some(data);
    Ok(Ok(()))
}

/// Asks a provider, again when it fails at once.
async fn ask(context: &Context, task: &Task, provider: &ProviderId) -> Result<Box<RawValue>, String> {
    let url = context
        .options
        .service_endpoint
        .join(provider.as_str())
        .map_err(|_| "its name cannot be part of a URL".to_owned())?;
    // The callback needs as much time again.
    let end = task.deadline - task.patience;
    let mut waits = ASK_AGAIN_MS.iter();
    loop {
        let problem = match ask_once(context, task, &url, end).await {
            Answer::Data(data) => return Ok(data),
            Answer::Problem(problem) => return Err(problem),
            Answer::FailedAtOnce(problem) => problem,
        };
        let Some(wait) = waits.next() else { return Err(problem) };
        sleep(Duration::from_millis(fastrand::u64(*wait..=2 * wait))).await;
        if !is_time_for_a_request(task, context.options.clock.now(), end) {
            return Err(problem);
        }
    }
}

enum Answer {
    Data(Box<RawValue>),
    /// Asking again at once would not help.
    Problem(String),
    FailedAtOnce(String),
}

async fn ask_once(context: &Context, task: &Task, url: &Url, end: Timestamp) -> Answer {
    let options = &context.options;
    let now = options.clock.now();
    let request = Request {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: Vec::new().into(),
        timeout: task.patience.min(end.since(now)),
        body_limit: DATA_BYTES,
    };
    match options.egress.send(request).await {
        Ok(answer) if answer.status == StatusCode::OK => {
            context.destinations.succeeded(&origin(url), answer.elapsed, now);
            if answer.truncated {
                return Answer::Problem(format!("its answer is over {DATA_BYTES} bytes"));
            }
            parse_data(&answer.body)
                .map_or_else(|| Answer::Problem("its answer is no JSON list".to_owned()), Answer::Data)
        }
        Ok(answer) if answer.status.is_server_error() => {
            Answer::FailedAtOnce(format!("answered with status {}", answer.status.as_u16()))
        }
        Ok(answer) => Answer::Problem(format!("answered with status {}", answer.status.as_u16())),
        Err(error) if error.is_timeout() => {
            context.destinations.timed_out(&origin(url), options.clock.now());
            Answer::Problem(error.to_string())
        }
        Err(error @ SendError::Refused(_)) => Answer::Problem(error.to_string()),
        Err(error) => Answer::FailedAtOnce(error.to_string()),
    }
}

fn parse_data(body: &[u8]) -> Option<Box<RawValue>> {
    let data: Box<RawValue> = serde_json::from_slice(body).ok()?;
    data.get().starts_with('[').then_some(data)
}

async fn call_back(context: &Context, task: &Task, job: &Job, body: Vec<u8>) -> Result<(), String> {
    let options = &context.options;
    let now = options.clock.now();
    if !is_time_for_a_request(task, now, task.deadline) {
        return Err("callback: the providers left no time for it".to_owned());
    }
    let secret = SigningSecret::for_job_callbacks(options.secret.as_bytes(), job.organization);
    let id = job.id.to_string();
    let signed = Signed {
        id: &id,
        url: job.callback_url.as_url(),
        headers: HeaderMap::new(),
        signatures: &secret.sign(&id, now, &body),
        body: body.into(),
        at: now,
    };
    let answer = post(&options.egress, signed, task.patience.min(task.deadline.since(now))).await;
    let origin = job.callback_url.origin();
    match answer {
        Ok(answer) if answer.status.is_success() => {
            context.destinations.succeeded(&origin, answer.elapsed, now);
            Ok(())
        }
        Ok(answer) => {
            context.destinations.failed(&origin, options.clock.now());
            Err(format!("callback: answered with status {}", answer.status.as_u16()))
        }
        Err(error) => {
            if error.is_timeout() {
                context.destinations.timed_out(&origin, options.clock.now());
            } else {
                context.destinations.failed(&origin, options.clock.now());
            }
            info!(job.id = %job.id, error = chain(&error), "no answer to a callback");
            Err(format!("callback: {error}"))
        }
    }
}

async fn give_up_or_postpone(
    context: &Context,
    task: &Task,
    job: &Job,
    problem: &str,
    now: Timestamp,
) -> Result<(Finished, Done), StoreError> {
    let options = &context.options;
    let tries = task.claim.entry.tries;
    let Some(delay) = options.job_retry_schedule.delay_after(tries) else {
        warn!(job.id = %job.id, tries, problem, "a job failed for good");
        return Ok((options.store.fail_job(job, &task.claim, problem, now).await?, Done::Finished));
    };
    info!(job.id = %job.id, tries, problem, retry_in_s = delay.as_secs(), "a try of a job failed");
    let written = options.store.postpone_job(job, &task.claim, problem, now + delay, now).await?;
    Ok((written, Done::Postponed))
}
