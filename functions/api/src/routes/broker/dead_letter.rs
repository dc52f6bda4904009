//! Deliveries that failed too often, or for good.

use std::collections::BTreeMap;

use axum::extract::State;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::attempt::Attempt;
use tidings_domain::broadcast::Broadcast;
use tidings_domain::ids::{EndpointId, MessageId};
use tidings_domain::page::{PageLimit, Position};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_http::{ApiError, Caller, Organization, Query, Reply, ok, refused};
use utoipa::ToSchema;

use super::body::{INVALID_PARAMETERS, ParametersErrorOut, Slice, SliceQuery};
use super::{AT_ONCE, DeliveryState, answered, application, state_of, url_of};

/// Most jobs that one request looks through.
const MAX_JOBS: usize = 5000;

/// Why nothing was ever tried.
const REMOVED: &str = "the URL was removed or disabled before anything was tried";

/// A delivery that failed too often, or for good.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterOut {
    /// Which job it is of.
    #[schema(value_type = String, example = "msg_1srOrx2ZWZBpBUvZwXKQmoEYga2")]
    job_id: MessageId,
    /// What it is about.
    #[schema(example = "upload_image")]
    event_name: String,
    /// Where it should have gone; `null` if that was removed before anything was tried.
    #[schema(value_type = Option<String>, format = "uri")]
    webhook_url: Option<WebhookUrl>,
    /// `failed`; or `delayed` or `active`, if it is tried once more.
    state: DeliveryState,
    /// How often it was tried; anew since its job was replayed.
    attempts: u32,
    /// The last answer's status code; `null` if there was none.
    last_status: Option<u16>,
    /// What went wrong last.
    error: String,
    /// When that was.
    #[schema(value_type = Option<String>, format = "date-time")]
    last_attempt: Option<Timestamp>,
}

struct DeadLetter<'a> {
    job: &'a Broadcast,
    endpoint: EndpointId,
    newest: Option<Attempt>,
    state: DeliveryState,
}

impl DeadLetter<'_> {
    async fn shown(self, state: &crate::State) -> Result<DeadLetterOut, ApiError> {
        let Self { job, endpoint, newest, state: stands } = self;
        Ok(DeadLetterOut {
            job_id: job.message,
            event_name: job.subject.clone(),
            webhook_url: url_of(state, job, endpoint, newest.as_ref()).await?,
            state: stands,
            attempts: newest.as_ref().map_or(0, |attempt| attempt.number),
            last_status: newest.as_ref().and_then(answered),
            error: newest.as_ref().and_then(Attempt::error).unwrap_or_else(|| REMOVED.to_owned()),
            last_attempt: newest.map(|attempt| attempt.made_at),
        })
    }
}

/// A job's deliveries that are dead letters and were not taken since, in the order of its receivers.
fn dead_letters(job: &Broadcast, mut newest: BTreeMap<EndpointId, Attempt>, now: Timestamp) -> Vec<DeadLetter<'_>> {
    let found = job.receivers.iter().filter_map(|endpoint| {
        let newest = newest.remove(endpoint);
        let (state, is_dead) = state_of(job, newest.as_ref(), now);
        let is_dead = is_dead && state != DeliveryState::Completed;
        is_dead.then_some(DeadLetter { job, endpoint: *endpoint, newest, state })
    });
    found.collect()
}

/// List dead letters
///
/// Those of the newest job first. The newest 5,000 jobs are looked through.
#[utoipa::path(
    get, path = "/api/v0/dead-letters", operation_id = "broker.dead-letter.list", tag = "Broker",
    security(("HTTPBearer" = [])), params(Slice),
    responses(
        (status = 200, body = Vec<DeadLetterOut>),
        (status = 400, body = ParametersErrorOut, description = "`page_size` or `offset` is no number, or out of range"),
    ),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Query(SliceQuery(slice)): Query<SliceQuery>,
) -> Result<Reply, ApiError> {
    let Some(Slice { page_size, offset }) = slice else { return refused(INVALID_PARAMETERS) };
    let Some(application) = application(&state, caller.organization).await? else { return ok::<[DeadLetterOut]>(&[]) };
    let limit = PageLimit::try_from(250).unwrap_or_default();
    let (mut skipped, mut examined, mut position) = (0, 0, None);
    let mut shown = Vec::new();
    while shown.len() < page_size && examined < MAX_JOBS {
        let page = state.store.broadcasts(application.organization, application.id, position, limit).await?;
        examined += page.data.len();
        position = page.data.last().map(|job| Position::After(job.message));
        let candidates = page.data.iter().filter(|job| may_have_some(job));
        let looks: Vec<_> = candidates.map(|job| look(&state, job)).collect();
        let mut looks = futures::stream::iter(looks).buffered(AT_ONCE);
        while let Some(found) = looks.try_next().await? {
            let rest = found.len().min(offset - skipped);
            skipped += rest;
            for letter in found.into_iter().skip(rest).take(page_size - shown.len()) {
                shown.push(letter.shown(&state).await?);
            }
            if shown.len() == page_size {
                break;
            }
        }
        if page.done {
            break;
        }
    }
    ok(&shown)
}

/// Whether it can have dead letters: one that ended without any has none.
fn may_have_some(job: &Broadcast) -> bool {
    job.ended.is_none_or(|ended| ended.tally.dead_letters.failed > 0)
}

async fn look<'a>(state: &crate::State, job: &'a Broadcast) -> Result<Vec<DeadLetter<'a>>, ApiError> {
    let Broadcast { organization, application, message, .. } = *job;
    let newest = state.store.newest_attempts_of_message(organization, application, message).await?;
    Ok(dead_letters(job, newest, state.clock.now()))
}
