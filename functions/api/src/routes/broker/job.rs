//! Jobs: triggered events on their way to the URLs that want them.

mod replay;

use std::collections::BTreeMap;

use axum::extract::State;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::broadcast::{Broadcast, Counts, Tally};
use tidings_domain::broker::MAIN_ATTEMPTS;
use tidings_domain::ids::{AttemptId, EndpointId, MessageId};
use tidings_domain::page::{PageLimit, Position};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{ApiError, Caller, Organization, Path, Reply, accepted, ok};
use tidings_store::attempt::AttemptFilter;
use utoipa::ToSchema;

use super::{AT_ONCE, DeliveryState, answered, application, state_of, url_of};
use crate::change::TRIES;

/// Deliveries by where they stand.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct QueueOut {
    /// Nothing was tried yet.
    waiting: u64,
    /// Being tried, or about to be.
    active: u64,
    /// Tried again later.
    delayed: u64,
    /// Nobody tries any more; of the main queue's, those became dead letters.
    failed: u64,
    /// Taken.
    completed: u64,
}

impl From<Counts> for QueueOut {
    fn from(counts: Counts) -> Self {
        let Counts { waiting, active, delayed, failed, completed } = counts;
        Self { waiting, active, delayed, failed, completed }
    }
}

/// All deliveries. What failed in the main queue stands in the other one, too.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueuesOut {
    /// The first five attempts of each.
    main_queue: QueueOut,
    /// Dead letters: what failed five times is tried twice more.
    dlq: QueueOut,
}

impl From<Tally> for QueuesOut {
    fn from(Tally { main, dead_letters }: Tally) -> Self {
        Self { main_queue: main.into(), dlq: dead_letters.into() }
    }
}

/// A request that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BrokerAttemptOut)]
pub struct AttemptOut {
    /// Its id.
    #[schema(value_type = String, example = "atmpt_1srOrx2ZWZBpBUvZwXKQmoEYga2")]
    id: AttemptId,
    /// Whether it was taken.
    #[schema(value_type = String, example = "success")]
    status: AttemptStatus,
    /// The answer's status code; `null` if there was none.
    response_status: Option<u16>,
    /// What went wrong; `null` if nothing did.
    error: Option<String>,
    /// How long it took.
    duration_ms: u64,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    timestamp: Timestamp,
    /// When the next one is due.
    #[schema(value_type = Option<String>, format = "date-time")]
    next_attempt: Option<Timestamp>,
}

impl From<Attempt> for AttemptOut {
    fn from(attempt: Attempt) -> Self {
        Self {
            id: attempt.id,
            status: attempt.status,
            response_status: answered(&attempt),
            error: attempt.error(),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            timestamp: attempt.made_at,
            next_attempt: attempt.next_attempt,
        }
    }
}

/// A job at one URL.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BrokerDeliveryOut)]
pub struct DeliveryOut {
    /// Where it goes; `null` if that was removed before anything was tried.
    #[schema(value_type = Option<String>, format = "uri")]
    webhook_url: Option<WebhookUrl>,
    /// Where it stands.
    state: DeliveryState,
    /// Whether the first five attempts failed, or an answer was final.
    dead_letter: bool,
    /// Oldest first.
    attempts: Vec<AttemptOut>,
}

/// A triggered event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BrokerJobOut)]
pub struct JobOut {
    /// Its id.
    #[schema(value_type = String, example = "msg_1srOrx2ZWZBpBUvZwXKQmoEYga2")]
    job_id: MessageId,
    /// The event's name.
    #[schema(example = "upload_image")]
    event_name: String,
    /// When it was triggered.
    #[schema(value_type = String, format = "date-time")]
    timestamp: Timestamp,
    /// One for each URL that wanted the event then.
    deliveries: Vec<DeliveryOut>,
}

/// How many of a job's deliveries are tried again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BrokerReplayOut)]
pub struct ReplayOut {
    /// The job.
    #[schema(value_type = String, example = "msg_1srOrx2ZWZBpBUvZwXKQmoEYga2")]
    job_id: MessageId,
    /// How many they are.
    #[schema(example = 1)]
    replayed: usize,
}

/// Count deliveries
///
/// All that the organization's events ever had, by where they stand now.
#[utoipa::path(
    get, path = "/api/v0/trigger-event", operation_id = "broker.job.count", tag = "Broker",
    security(("HTTPBearer" = [])), responses((status = 200, body = QueuesOut)),
)]
pub async fn count(State(state): State<crate::State>, caller: Caller<Organization>) -> Result<Reply, ApiError> {
    let Some(application) = application(&state, caller.organization).await? else { return ok(&QueuesOut::default()) };
    let (mut total, open) = totals_and_open(&state, &application).await?;
    let looks: Vec<_> = open.iter().map(|job| look(&state, job)).collect();
    let tallies: Vec<Tally> = futures::stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
    for tally in tallies {
        total += tally;
    }
    ok(&QueuesOut::from(total))
}

/// What has ended, counted, and the jobs that had not by then. One that ends between two reads would be in both, or in none:
/// so they are read until nothing has ended meanwhile.
async fn totals_and_open(state: &crate::State, application: &Application) -> Result<(Tally, Vec<Broadcast>), ApiError> {
    let Application { organization, id, .. } = *application;
    let mut total = state.store.broadcast_totals(organization, id).await?;
    let mut tries = 0;
    loop {
        let open = state.store.open_broadcasts(organization, id).await?;
        let after = state.store.broadcast_totals(organization, id).await?;
        tries += 1;
        if after == total || tries == TRIES {
            return Ok((after, open));
        }
        total = after;
    }
}

async fn look(state: &crate::State, job: &Broadcast) -> Result<Tally, ApiError> {
    let Broadcast { organization, application, message, .. } = *job;
    let newest = state.store.newest_attempts_of_message(organization, application, message).await?;
    Ok(job.tally(&newest, &[], MAIN_ATTEMPTS, state.clock.now()))
}

/// A job of the caller's organization.
async fn job(state: &crate::State, caller: &Caller<Organization>, id: MessageId) -> Result<Broadcast, ApiError> {
    let application = application(state, caller.organization).await?.ok_or_else(ApiError::not_found)?;
    let found = state.store.broadcast(caller.organization, application.id, id).await?;
    found.ok_or_else(ApiError::not_found)
}

/// Read a job
///
/// Each URL's attempts.
#[utoipa::path(
    get, path = "/api/v0/trigger-event/{name}", operation_id = "broker.job.get", tag = "Broker",
    security(("HTTPBearer" = [])), params(("name" = String, Path, description = "The job's id.")),
    responses((status = 200, body = JobOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(id): Path<MessageId>,
) -> Result<Reply, ApiError> {
    let job = job(&state, &caller, id).await?;
    let mut attempts = attempts(&state, &job).await?;
    let receivers = job.receivers.iter().map(|receiver| (*receiver, attempts.remove(receiver).unwrap_or_default()));
    let shown: Vec<_> = receivers.map(|(receiver, attempts)| delivery(&state, &job, receiver, attempts)).collect();
    let deliveries = futures::stream::iter(shown).buffered(AT_ONCE).try_collect().await?;
    let Broadcast { message: job_id, subject: event_name, created_at: timestamp, .. } = job;
    ok(&JobOut { job_id, event_name, timestamp, deliveries })
}

/// A job's attempts at each receiver, oldest first.
async fn attempts(state: &crate::State, job: &Broadcast) -> Result<BTreeMap<EndpointId, Vec<Attempt>>, ApiError> {
    let Broadcast { organization, application, message, .. } = *job;
    let (filter, limit, now) = (AttemptFilter::default(), PageLimit::try_from(250), state.clock.now());
    let limit = limit.unwrap_or_default();
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut position = None;
    loop {
        let page =
            state.store.attempts_by_message(organization, application, message, &filter, position, limit, now).await?;
        position = page.data.last().map(|attempt| Position::After(attempt.id));
        for attempt in page.data {
            found.entry(attempt.delivery.endpoint).or_default().push(attempt);
        }
        if page.done {
            break;
        }
    }
    for attempts in found.values_mut() {
        attempts.sort_by_key(|attempt| attempt.id);
    }
    Ok(found)
}

async fn delivery(
    state: &crate::State,
    job: &Broadcast,
    receiver: EndpointId,
    attempts: Vec<Attempt>,
) -> Result<DeliveryOut, ApiError> {
    let newest = attempts.last();
    let (stands, dead_letter) = state_of(job, newest, state.clock.now());
    Ok(DeliveryOut {
        webhook_url: url_of(state, job, receiver, newest).await?,
        state: stands,
        dead_letter,
        attempts: attempts.into_iter().map(AttemptOut::from).collect(),
    })
}

/// Replay a job
///
/// Every delivery that failed is tried again, from the first attempt on. One whose URL was removed or disabled is not.
#[utoipa::path(
    post, path = "/api/v0/trigger-event/{name}/replay", operation_id = "broker.job.replay", tag = "Broker",
    security(("HTTPBearer" = [])), params(("name" = String, Path, description = "The job's id.")),
    responses(
        (status = 202, body = ReplayOut, description = "They are on the agenda"),
        (status = 409, description = "What it delivers is not kept any more, or somebody changes the same now"),
    ),
)]
pub async fn replay(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(id): Path<MessageId>,
) -> Result<Reply, ApiError> {
    let replayed = replay::run(&state, &caller, id).await?;
    accepted(&ReplayOut { job_id: id, replayed })
}
