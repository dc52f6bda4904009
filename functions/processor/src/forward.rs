//! Messages that another server delivers: each is handed over once, and again until that server has taken it.
//!
//! It takes a message under a name, so handing over twice delivers once. While it is down, messages wait on the agenda: the
//! fast lane does not wait for it, and the slow lane has few tries on their way to it, as to any unhealthy destination.

use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::message::{Message, parse_record};
use tidings_domain::names::{Reference, Uid};
use tidings_outbound::provider::ProviderError;
use tidings_store::agenda::{Claim, Finished};
use tidings_store::{DecodeError, StoreError};
use tidings_telemetry::chain;
use tokio::time::{Instant, timeout};
use tracing::{error, info};

use crate::Context;
use crate::work::{Done, Task};

/// The delivery provider among the destinations.
pub(crate) const PROVIDER: &str = "delivery-provider";

/// One try.
pub(crate) async fn run(context: &Context, mut task: Task) -> Result<Done, StoreError> {
    let store = &context.options.store;
    // In the slow lane the lane itself sees to it.
    let _turn = if task.only_if_healthy {
        Some((context.destinations.wait(PROVIDER).await, context.sends.acquire().await))
    } else {
        None
    };
    if let Some(done) = stand_aside(context, &task).await? {
        return Ok(done);
    }
    let now = context.options.clock.now();
    let Some(message) = load(context, &mut task, now).await? else {
        store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    let organization = organization(context, &message, now).await?;
    let (Some(organization), Some(_)) = (organization, message.payload_at(now)) else {
        // Its application was deleted, or its payload: nobody gets it any more.
        store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Finished);
    };
    let (started, patience) = (Instant::now(), task.patience.min(task.deadline.since(now)));
    let sent = timeout(patience, context.options.provider.send(&organization, &message)).await;
    let now = context.options.clock.now();
    match sent {
        Ok(Ok(())) => {
            context.destinations.succeeded(PROVIDER, started.elapsed(), now);
            store.take_off(&task.claim.entry.key).await?;
            Ok(Done::Finished)
        }
        Err(_) if task.only_if_healthy => {
            context.destinations.kept_waiting(PROVIDER, now);
            // It was not given its time, so this was no try.
            wait(context, &task.claim, now).await
        }
        Err(_) => try_again_or_give_up(context, &task.claim, &message, ProviderError::OutOfTime, now).await,
        Ok(Err(ProviderError::Store(error))) => Err(error),
        Ok(Err(error)) => try_again_or_give_up(context, &task.claim, &message, error, now).await,
    }
}

/// Where the provider is down, work for it waits among its kind. `None` if it may be tried now.
pub(crate) async fn stand_aside(context: &Context, task: &Task) -> Result<Option<Done>, StoreError> {
    let now = context.options.clock.now();
    let is_known = task.claim.entry.destination.is_some();
    let waits = if task.only_if_healthy {
        !context.destinations.is_quick(PROVIDER, now)
    } else {
        // What the lane did not know to be for the provider: now it is told.
        !is_known && !context.destinations.is_healthy(PROVIDER, now)
    };
    if waits { wait(context, &task.claim, now).await.map(Some) } else { Ok(None) }
}

/// It is not its turn. This was no try.
pub(crate) async fn wait(context: &Context, claim: &Claim, at: Timestamp) -> Result<Done, StoreError> {
    let tries = claim.entry.tries.saturating_sub(1);
    postpone(context, claim, Entry { tries, ..entry(claim, at) }).await
}

/// The next try of the same work.
pub(crate) fn entry(claim: &Claim, due: Timestamp) -> Entry {
    let key = EntryKey { due, work: claim.entry.key.work.clone() };
    Entry { key, destination: Some(PROVIDER.to_owned()), ..claim.entry.clone() }
}

pub(crate) async fn postpone(context: &Context, claim: &Claim, next: Entry) -> Result<Done, StoreError> {
    Ok(match context.options.store.postpone(claim, &next).await? {
        Finished::Written => Done::Postponed,
        Finished::Lost => Done::Lost,
    })
}

/// Keeps in mind that the provider failed.
pub(crate) fn note_failure(context: &Context, error: &ProviderError, now: Timestamp) {
    match error {
        ProviderError::OutOfTime => context.destinations.timed_out(PROVIDER, now),
        ProviderError::Unavailable { .. } => context.destinations.failed(PROVIDER, now),
        // It answered, or was not asked.
        ProviderError::Store(_)
        | ProviderError::Url(_)
        | ProviderError::ApplicationTaken
        | ProviderError::NotFound
        | ProviderError::Refused { .. } => {}
    }
}

async fn load(context: &Context, task: &mut Task, now: Timestamp) -> Result<Option<Message>, StoreError> {
    if let Some(image) = task.image.take() {
        return Ok(Some(tidings_store::message::from_image(image)?));
    }
    let record = &task.claim.entry.key.work.record;
    let (organization, application, id) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no message".to_owned() })?;
    context.options.store.message(organization, application, id, now).await
}

/// The platform's name for the organization: its application's.
async fn organization(context: &Context, message: &Message, now: Timestamp) -> Result<Option<Uid>, StoreError> {
    let reference = Reference::Id(message.application);
    let application = context.options.store.cached_application(message.organization, &reference, now).await?;
    Ok(application.and_then(|application| application.uid.clone()))
}

async fn try_again_or_give_up(
    context: &Context,
    claim: &Claim,
    message: &Message,
    problem: ProviderError,
    now: Timestamp,
) -> Result<Done, StoreError> {
    note_failure(context, &problem, now);
    let tries = claim.entry.tries;
    // Its application was deleted there while it was being handed over: the next try makes another.
    let passes = problem.retryable() || matches!(problem, ProviderError::NotFound);
    let delay: Option<Duration> = context.options.job_retry_schedule.delay_after(tries).filter(|_| passes);
    let Some(delay) = delay else {
        error!(message.id = %message.id, tries, error = chain(&problem), "a message was not handed over, and is given up");
        context.options.store.take_off(&claim.entry.key).await?;
        return Ok(Done::Finished);
    };
    info!(message.id = %message.id, tries, error = chain(&problem), retry_in_s = delay.as_secs(), "a message waits");
    postpone(context, claim, entry(claim, now + delay)).await
}
