//! Preparing a platform's organization: its application at the delivery provider, and its preconfigured endpoints there.
//!
//! Each step may be done twice, so a try that broke off is simply repeated: it finds what the last one made. An update makes
//! the new endpoints first, writes their ids down, and deletes the old ones then; what is left to delete stands in the note
//! of an entry, so that it is done after a crash. If making the new ones fails, they are deleted, and the old ones stay.

use std::time::Duration;

use tidings_domain::agenda::Entry;
use tidings_domain::initialization::{Goal, Initialization, InitializationState, parse_record};
use tidings_outbound::preconfigured::preconfigured_endpoints;
use tidings_outbound::provider::ProviderError;
use tidings_store::agenda::{Claim, Finished};
use tidings_store::{DecodeError, StoreError};
use tidings_telemetry::chain;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::Context;
use crate::forward::{entry, note_failure, postpone, stand_aside};
use crate::work::{Done, Task};

/// What an entry remembers from one try to the next.
enum Note {
    /// Nothing: somebody has asked for it.
    New,
    /// It follows a change of this time, and these endpoints may be there that are nobody's.
    After(i64, Vec<String>),
    /// Endpoints are to be deleted, and nothing else is owed.
    Delete(Vec<String>),
}

/// Time kept for undoing what was made.
const UNDOING: Duration = Duration::from_secs(1);

/// Which step failed, and why.
struct Problem {
    step: Step,
    error: ProviderError,
}

#[derive(Clone, Copy)]
enum Step {
    Application,
    Endpoints,
}

/// How far it came: what stands at the provider whether or not this try comes to its end.
struct Progress {
    application: Option<String>,
    /// Endpoints that this try or an earlier one made.
    made: Vec<String>,
}

/// One try.
pub(crate) async fn run(context: &Context, task: Task) -> Result<Done, StoreError> {
    let store = &context.options.store;
    let record = &task.claim.entry.key.work.record;
    let (tenant, organization) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no initialization".to_owned() })?;
    if let Some(done) = stand_aside(context, &task).await? {
        return Ok(done);
    }
    let Some(before) = store.initialization(tenant, &organization).await? else {
        store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    let note = Note::read(task.claim.entry.note.as_deref());
    // Somebody asked again meanwhile, which has an entry of its own.
    let is_old = matches!(note, Note::After(at, _) if at != before.updated_at.as_millis());
    let made = match note {
        Note::New => Vec::new(),
        Note::After(_, made) => made,
        Note::Delete(ids) => return delete(context, &task, &task.claim, &before, ids).await,
    };
    if before.state == InitializationState::Initialized {
        return delete(context, &task, &task.claim, &before, made).await;
    }
    if is_old {
        return later(context, &task.claim, &before, &Note::Delete(made)).await;
    }
    let mut progress = Progress { application: None, made };
    let time = task.deadline.since(context.options.clock.now()).saturating_sub(UNDOING);
    let result = match timeout(time, prepare(context, &before, &mut progress)).await {
        Ok(result) => result,
        Err(_) if task.only_if_healthy => return Ok(Done::Left),
        Err(_) => {
            let step = if progress.application.is_some() { Step::Endpoints } else { Step::Application };
            Err(Problem { step, error: ProviderError::OutOfTime })
        }
    };
    match result {
        Ok(endpoints) => finish(context, &task, &before, progress, endpoints).await,
        Err(problem) => fail(context, &task, &before, progress, &problem).await,
    }
}

/// Does what is missing. The ids of the endpoints.
async fn prepare(context: &Context, before: &Initialization, progress: &mut Progress) -> Result<Vec<String>, Problem> {
    let provider = &context.options.provider;
    let Initialization { tenant, organization, application, endpoints, goal, .. } = before;
    if let (Goal::Initialize, Some(application), false) = (goal, application, endpoints.is_empty()) {
        progress.application = Some(application.clone());
        return Ok(endpoints.clone());
    }
    let application = provider.ensure_application(*tenant, organization).await;
    let application = application.map_err(|error| Problem { step: Step::Application, error })?;
    progress.application = Some(application);
    let mut ids = Vec::new();
    for new in preconfigured_endpoints(&context.options.preconfigured, organization, endpoints) {
        let made = provider.create_endpoint(*tenant, organization, &new).await;
        let id = made.map_err(|error| Problem { step: Step::Endpoints, error })?.id;
        if !progress.made.contains(&id) {
            progress.made.push(id.clone());
        }
        ids.push(id);
    }
    Ok(ids)
}

async fn finish(
    context: &Context,
    task: &Task,
    before: &Initialization,
    progress: Progress,
    endpoints: Vec<String>,
) -> Result<Done, StoreError> {
    let old = before.endpoints.iter().chain(&progress.made).filter(|id| !endpoints.contains(id));
    let old: Vec<String> = old.cloned().collect();
    let settled = Initialization {
        state: InitializationState::Initialized,
        application: progress.application,
        endpoints,
        last_error: None,
        ..changed(context, before)
    };
    let next = (!old.is_empty()).then(|| {
        // Who goes on keeps the claim, at a key that differs from the last one.
        let next = entry(&task.claim, task.claim.until + Duration::from_millis(1));
        Entry { tries: 0, note: Note::Delete(old.clone()).text(), ..next }
    });
    match context.options.store.settle_initialization(&task.claim, before, &settled, next.as_ref()).await? {
        Finished::Lost => return Ok(lost(before)),
        Finished::Written => info!(organization = %before.organization, "an organization is initialized"),
    }
    match next {
        None => Ok(Done::Finished),
        Some(next) => {
            let claim = Claim { until: next.key.due, entry: next };
            delete(context, task, &claim, &settled, old).await
        }
    }
}

async fn fail(
    context: &Context,
    task: &Task,
    before: &Initialization,
    progress: Progress,
    problem: &Problem,
) -> Result<Done, StoreError> {
    let options = &context.options;
    let Problem { step, error } = problem;
    note_failure(context, error, options.clock.now());
    let text = match step {
        Step::Application => format!("Failed to create Svix application: {error}"),
        Step::Endpoints => format!("Failed to create endpoints: {error}"),
    };
    let left = undo(context, task, before, &progress).await?;
    let failed = Initialization {
        state: InitializationState::Failed,
        application: progress.application.or_else(|| before.application.clone()),
        last_error: Some(text),
        ..changed(context, before)
    };
    let (tries, now) = (task.claim.entry.tries, failed.updated_at);
    let next = match options.retry_schedule.delay_after(tries) {
        Some(delay) => {
            let note = Note::After(now.as_millis(), left).text();
            Some(Entry { note, ..entry(&task.claim, now + delay) })
        }
        None if left.is_empty() => None,
        None => Some(Entry { tries: 0, note: Note::Delete(left).text(), ..entry(&task.claim, now) }),
    };
    match options.store.settle_initialization(&task.claim, before, &failed, next.as_ref()).await? {
        Finished::Lost => return Ok(lost(before)),
        Finished::Written => {}
    }
    let (organization, cause) = (&before.organization, chain(error));
    if options.retry_schedule.delay_after(tries).is_some() {
        warn!(%organization, tries, error = cause, "an initialization failed, and is tried again");
        return Ok(Done::Postponed);
    }
    error!(%organization, tries, error = cause, "an initialization failed, and is given up");
    Ok(if next.is_some() { Done::Postponed } else { Done::Finished })
}

/// After a failed update there are the old endpoints, and no new ones beside them. Those that could not be deleted.
/// What is missing of a first initialization is made by the next try, which needs what there is.
async fn undo(
    context: &Context,
    task: &Task,
    before: &Initialization,
    progress: &Progress,
) -> Result<Vec<String>, StoreError> {
    let Initialization { tenant, organization, .. } = before;
    if before.endpoints.is_empty() || progress.made.is_empty() {
        return Ok(Vec::new());
    }
    // Somebody else who works on a newer request has found them, and counts on them.
    if context.options.store.initialization(*tenant, organization).await?.as_ref() != Some(before) {
        return Ok(Vec::new());
    }
    let time = task.deadline.since(context.options.clock.now());
    let deleted = timeout(time, context.options.provider.delete_endpoints(*tenant, organization, &progress.made)).await;
    Ok(deleted.unwrap_or_else(|_| progress.made.clone()))
}

/// Deletes endpoints that others have taken the place of, as long as it takes.
async fn delete(
    context: &Context,
    task: &Task,
    claim: &Claim,
    current: &Initialization,
    mut ids: Vec<String>,
) -> Result<Done, StoreError> {
    let options = &context.options;
    ids.retain(|id| !current.endpoints.contains(id));
    let Initialization { tenant, organization, .. } = current;
    let time = task.deadline.since(options.clock.now());
    let left = timeout(time, options.provider.delete_endpoints(*tenant, organization, &ids)).await.unwrap_or(ids);
    later(context, claim, current, &Note::Delete(left)).await
}

/// Endpoints that are still to be deleted are so later, for as long as a job is tried; without any the work is finished.
async fn later(context: &Context, claim: &Claim, current: &Initialization, note: &Note) -> Result<Done, StoreError> {
    let options = &context.options;
    let tries = claim.entry.tries.max(1);
    let delay = options.job_retry_schedule.delay_after(tries);
    let (Some(note), Some(delay)) = (note.text(), delay) else {
        if let Some(note) = note.text() {
            error!(organization = %current.organization, note, "endpoints that were replaced could not be deleted");
        }
        options.store.take_off(&claim.entry.key).await?;
        return Ok(Done::Finished);
    };
    let next = entry(claim, options.clock.now() + delay);
    postpone(context, claim, Entry { tries, note: Some(note), ..next }).await
}

/// The record after a try.
fn changed(context: &Context, before: &Initialization) -> Initialization {
    let now = context.options.clock.now();
    Initialization {
        retry_count: before.retry_count + u32::from(before.last_error.is_some()),
        // What tells one change from another.
        updated_at: now.max(before.updated_at + Duration::from_millis(1)),
        ..before.clone()
    }
}

fn lost(before: &Initialization) -> Done {
    warn!(organization = %before.organization, "somebody else took an initialization over");
    Done::Lost
}

impl Note {
    fn read(text: Option<&str>) -> Self {
        let ids = |ids: &str| ids.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        let Some((kind, rest)) = text.and_then(|text| text.split_once(':')) else { return Self::New };
        match (kind, rest.split_once(':')) {
            ("after", Some((at, made))) => Self::After(at.parse().unwrap_or_default(), ids(made)),
            _ => Self::Delete(ids(rest)),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::New => None,
            Self::After(at, made) => Some(format!("after:{at}:{}", made.join(","))),
            Self::Delete(ids) => (!ids.is_empty()).then(|| format!("delete:{}", ids.join(","))),
        }
    }
}
