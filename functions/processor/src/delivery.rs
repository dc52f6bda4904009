//! Deliveries: one more attempt to bring a message to an endpoint.
//!
//! A delivery's entry counts its tries; an attempt that was made by the schedule has its try's number. So an entry that
//! stands although its try was made (a fan-out that was repeated after a crash wrote it again) is known by the newest
//! attempt, and taken off. The other way round nothing is lost: an entry whose try never ended counts on, and the
//! attempts' numbers leave one out.

use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::{Delivery, Origin, Trigger};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::message::Message;
use tidings_domain::names::Reference;
use tidings_store::agenda::{Claim, Finished};
use tidings_store::{DecodeError, StoreError};
use tracing::{error, info};

use crate::Context;
use crate::attempt::{self, FAST_PATIENCE, Order};
use crate::throttle::held_up;
use crate::work::{Done, OVERHEAD, Task};

/// Tries beyond the schedule's that may be started when others never ended, before the delivery is given up.
const UNENDED: usize = 3;

struct Loaded {
    message: Option<Message>,
    endpoint: Option<Endpoint>,
    newest: Option<Attempt>,
    application: Option<std::sync::Arc<Application>>,
}

/// One try.
pub(crate) async fn run(context: &Context, task: Task) -> Result<Done, StoreError> {
    let record = &task.claim.entry.key.work.record;
    let delivery = Delivery::parse(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no delivery".to_owned() })?;
    let destination = delivery.endpoint.to_string();
    // In the slow lane the lane itself sees to it.
    let _turn = if task.only_if_healthy {
        Some((context.destinations.wait(&destination).await, context.sends.acquire().await))
    } else {
        None
    };
    let now = context.options.clock.now();
    if task.only_if_healthy && !context.destinations.is_quick(&destination, now) {
        return wait_until(context, &task.claim, &delivery, now).await;
    }
    let Loaded { message, endpoint, newest, application } = Box::pin(load(context, &delivery, now)).await?;
    let Some(message) = message else {
        context.options.store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    let origin = Origin::of(&task.claim.entry);
    if is_settled(&task.claim, &origin, newest.as_ref()) {
        context.options.store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Finished);
    }
    let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.disabled) else {
        return end(context, &task.claim, newest, "its endpoint is disabled or gone").await;
    };
    let Some(payload) = message.payload_at(now) else {
        return end(context, &task.claim, newest, "the message's payload is gone").await;
    };
    let tries = usize::try_from(task.claim.entry.tries).unwrap_or(usize::MAX);
    if tries > attempt::schedule(context, &endpoint).max_tries() + UNENDED {
        error!(delivery = %record, tries, "gave a delivery up: its tries do not end");
        return end(context, &task.claim, newest, "its tries do not end").await;
    }
    if let Some(at) = held_up(context, application.as_deref(), &endpoint, now).await? {
        return wait_until(context, &task.claim, &delivery, at).await;
    }
    let Some(task) = prolong(context, task, attempt::full_patience(context, &endpoint), now).await? else {
        return Ok(Done::Lost);
    };
    let order = Order {
        message: &message,
        payload,
        endpoint: &endpoint,
        app_uid: application.as_ref().and_then(|application| application.uid.as_ref()),
        number: origin.number(&task.claim.entry, newest.as_ref()),
        trigger: origin.trigger(),
        previous: newest.as_ref(),
        claim: Some(&task.claim),
        patience: task.patience,
        keeps_a_batch_waiting: task.only_if_healthy,
    };
    attempt::make(context, &order).await
}

async fn load(context: &Context, delivery: &Delivery, now: Timestamp) -> Result<Loaded, StoreError> {
    let store = &context.options.store;
    let Delivery { organization, application, endpoint, message } = *delivery;
    let (endpoint, application_id) = (Reference::Id(endpoint), Reference::Id(application));
    let (message, endpoint, newest, application) = futures::try_join!(
        store.message(organization, application, message, now),
        store.endpoint(organization, application, &endpoint),
        store.newest_attempt(delivery),
        store.cached_application(organization, &application_id, now),
    )?;
    Ok(Loaded { message, endpoint, newest, application })
}

/// Whether this try was made already.
fn is_settled(claim: &Claim, origin: &Origin, newest: Option<&Attempt>) -> bool {
    let Some(newest) = newest else { return false };
    match origin {
        Origin::Manual => false,
        Origin::Again(after) if newest.id <= *after => false,
        Origin::Schedule | Origin::Again(_) => {
            newest.status == AttemptStatus::Success
                || (newest.trigger == Trigger::Scheduled && newest.number >= claim.entry.tries)
        }
    }
}

/// Ends a delivery without another attempt. The newest one then says that none is due.
async fn end(context: &Context, claim: &Claim, newest: Option<Attempt>, why: &str) -> Result<Done, StoreError> {
    info!(delivery = %claim.entry.key.work.record, why, "ended a delivery");
    if let Some(newest) = newest.filter(|newest| newest.next_attempt.is_some()) {
        context.options.store.put_attempt(&Attempt { next_attempt: None, ..newest }).await?;
    }
    context.options.store.take_off(&claim.entry.key).await?;
    Ok(Done::Finished)
}

/// It is not its turn, or somebody else's. This was no try.
async fn wait_until(context: &Context, claim: &Claim, delivery: &Delivery, at: Timestamp) -> Result<Done, StoreError> {
    let Claim { entry, until: _ } = claim;
    let next = delivery.entry(at, entry.tries.saturating_sub(1), Origin::of(entry));
    match context.options.store.postpone(claim, &next).await? {
        Finished::Written => Ok(Done::Postponed),
        Finished::Lost => Ok(Done::Lost),
    }
}

/// Gives a try its endpoint's patience. One that asks for more than usual needs a longer claim; where there is no time for
/// it, it gets what there is, and is cut off. `None` if somebody else took it over.
async fn prolong(
    context: &Context,
    mut task: Task,
    wanted: std::time::Duration,
    now: Timestamp,
) -> Result<Option<Task>, StoreError> {
    if task.only_if_healthy {
        task.patience = task.patience.min(wanted).min(FAST_PATIENCE);
        return Ok(Some(task));
    }
    if wanted <= task.patience {
        task.patience = wanted;
        return Ok(Some(task));
    }
    let end = now + wanted + OVERHEAD;
    if end > task.latest {
        return Ok(Some(task));
    }
    let Claim { mut entry, until } = task.claim.clone();
    entry.key.due = until + end.since(task.deadline).max(std::time::Duration::from_millis(1));
    match context.options.store.postpone(&task.claim, &entry).await? {
        Finished::Lost => Ok(None),
        Finished::Written => {
            let claim = Claim { until: entry.key.due, entry };
            Ok(Some(Task { claim, patience: wanted, deadline: end, ..task }))
        }
    }
}
