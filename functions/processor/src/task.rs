//! Background tasks: recover and replay-missing. Messages of a time are gone through in pages, oldest first; those that
//! stand at the endpoint as the task wants it become deliveries. Each page is written down with how far the task has come,
//! so that it goes on there after a crash, and its progress can be read. A page that is gone through again counts as
//! delivered only what was not taken meanwhile: after a crash `scheduled` may be short by a page, and nothing else is.

use std::time::Duration;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::attempt::Attempt;
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, parse_record};
use tidings_domain::delivery::{DeliveryStatus, Origin};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::message::Message;
use tidings_domain::names::Reference;
use tidings_store::agenda::{Claim, Finished, Starts};
use tidings_store::{DecodeError, StoreError};
use tracing::{info, warn};

use crate::Context;
use crate::attempt::delivery_of;
use crate::work::{Done, Task};

/// Messages looked at between two notes of the progress.
const PAGE: u16 = 100;

/// Reads at once.
const AT_ONCE: usize = 16;

/// Time kept for writing a page down.
const MARGIN: Duration = Duration::from_secs(1);

/// One try: as many pages as there is time for.
pub(crate) async fn run(context: &Context, work: Task) -> Result<Done, StoreError> {
    let store = &context.options.store;
    let record = &work.claim.entry.key.work.record;
    let (organization, id) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no task".to_owned() })?;
    let running = |task: &BackgroundTask| task.status == BackgroundTaskStatus::Running;
    let Some(mut task) = store.background_task(organization, id).await?.filter(running) else {
        store.take_off(&work.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    let mut claim = work.claim.clone();
    loop {
        let reference = Reference::Id(task.endpoint);
        let endpoint = store.endpoint(organization, task.application, &reference).await?;
        let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.disabled) else {
            warn!(task.id = %id, "a task was given up: its endpoint is disabled or gone");
            return end(context, task, BackgroundTaskStatus::Failed, &claim).await;
        };
        let more = one_page(context, &mut task, &endpoint).await?;
        if !more {
            info!(task.id = %id, task.examined, task.scheduled, "a task is done");
            return end(context, task, BackgroundTaskStatus::Finished, &claim).await;
        }
        let now = context.options.clock.now();
        let goes_on = now < work.deadline - MARGIN;
        // Who goes on keeps the claim, at a key that differs from the last one.
        let due = if goes_on || work.only_if_healthy { claim.until + Duration::from_millis(1) } else { now };
        let key = EntryKey { due, work: claim.entry.key.work.clone() };
        let next = Entry { key, tries: 0, destination: None, note: None };
        task.updated_at = now;
        if store.save_background_task(&task, &claim, Some(&next)).await? == Finished::Lost {
            return Ok(Done::Lost);
        }
        if !goes_on {
            return Ok(Done::Postponed);
        }
        claim = Claim { until: next.key.due, entry: next };
    }
}

/// Makes the next page's deliveries, and counts them. Whether there is another page.
async fn one_page(context: &Context, task: &mut BackgroundTask, endpoint: &Endpoint) -> Result<bool, StoreError> {
    let store = &context.options.store;
    let BackgroundTask { organization, application, since, until, cursor, .. } = *task;
    let (messages, more) = store.messages_between(organization, application, cursor, since, until, PAGE).await?;
    let now = context.options.clock.now();
    // A page that is gone through again after a crash makes its deliveries at the same keys.
    let due = task.updated_at + context.options.grace;
    let looks: Vec<_> = messages.iter().map(|message| delivery(context, task, message, endpoint, due, now)).collect();
    let owed: Vec<Option<Entry>> = futures::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    let entries: Vec<Entry> = owed.into_iter().flatten().collect();
    if !entries.is_empty() {
        store.put_entries(&entries, Starts::AtOnce).await?;
    }
    task.examined += count(messages.len());
    task.scheduled += count(entries.len());
    task.cursor = messages.last().map(|message| message.id).or(task.cursor);
    Ok(more)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What a message owes the endpoint for this task; `None` if nothing.
async fn delivery(
    context: &Context,
    task: &BackgroundTask,
    message: &Message,
    endpoint: &Endpoint,
    due: Timestamp,
    now: Timestamp,
) -> Result<Option<Entry>, StoreError> {
    if message.payload_until <= now || !endpoint.wants(message) {
        return Ok(None);
    }
    let delivery = delivery_of(message, endpoint);
    let newest = context.options.store.newest_attempt(&delivery).await?;
    if !task.task.takes(DeliveryStatus::of(newest.as_ref())) {
        return Ok(None);
    }
    let origin = newest.as_ref().map_or(Origin::Schedule, |Attempt { id, .. }| Origin::Again(*id));
    Ok(Some(delivery.entry(due, 0, origin)))
}

async fn end(
    context: &Context,
    mut task: BackgroundTask,
    status: BackgroundTaskStatus,
    claim: &Claim,
) -> Result<Done, StoreError> {
    task.status = status;
    task.updated_at = context.options.clock.now();
    match context.options.store.save_background_task(&task, claim, None).await? {
        Finished::Written => Ok(Done::Finished),
        Finished::Lost => Ok(Done::Lost),
    }
}
