//! One attempt: sent, judged, and written down with what follows from it. Both kinds of work that deliver come here.
//!
//! # Impatience
//! The fast lane is less patient than an endpoint may ask for: [`FAST_PATIENCE`], for the reason that
//! [`crate::destinations`] gives. A request that it cut off was sent, and may have been taken:
//! so it is on record, as a failed attempt with its number. It is never the last one, whatever the schedule says, since the
//! endpoint has not had its time: the next is due [`SOON`], and is made by the slow lane with full patience.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::attempt::{Attempt, AttemptStatus, kept_response};
use tidings_domain::delivery::{Delivery, Trigger};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::AttemptId;
use tidings_domain::message::Message;
use tidings_domain::names::{Reference, Uid};
use tidings_domain::retry::RetrySchedule;
use tidings_egress::Response;
use tidings_runtime::random;
use tidings_store::StoreError;
use tidings_store::agenda::{Claim, Finished, Starts};
use tidings_store::attempt::AttemptFilter;
use tidings_store::message::NewMessage;
use tidings_telemetry::chain;
use tracing::{info, warn};

use crate::request::{Signed, post};
use crate::work::Done;
use crate::{Context, operational};

/// How long a batch of the stream waits for one endpoint.
pub(crate) const FAST_PATIENCE: Duration = Duration::from_secs(1);

/// At most so long after an attempt that was cut off follows the next one.
const SOON: Duration = Duration::from_secs(5);

/// An attempt that is to be made.
pub(crate) struct Order<'a> {
    pub(crate) message: &'a Message,
    /// Of the message.
    pub(crate) payload: &'a Bytes,
    pub(crate) endpoint: &'a Endpoint,
    /// Of the application.
    pub(crate) app_uid: Option<&'a Uid>,
    pub(crate) number: u32,
    pub(crate) trigger: Trigger,
    /// What was tried before, if something was.
    pub(crate) previous: Option<&'a Attempt>,
    /// The delivery's entry; a fan-out has none yet.
    pub(crate) claim: Option<&'a Claim>,
    pub(crate) patience: Duration,
    /// Whether the rest of a batch waits for this one to end.
    pub(crate) keeps_a_batch_waiting: bool,
}

struct Answer {
    verdict: Verdict,
    status: u16,
    text: String,
    duration: Duration,
    retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Taken,
    Failed,
    /// The endpoint says that it will never take anything again.
    Gone,
    /// It was not given the time that is its due.
    CutOff,
}

/// How long the slow lane waits for an endpoint.
pub(crate) fn full_patience(context: &Context, endpoint: &Endpoint) -> Duration {
    endpoint.timeout.unwrap_or(context.options.request_timeout)
}

/// The delays between the attempts at an endpoint.
pub(crate) fn schedule<'a>(context: &'a Context, endpoint: &'a Endpoint) -> &'a RetrySchedule {
    endpoint.retry_schedule.as_ref().unwrap_or(&context.options.retry_schedule)
}

/// The entry of a delivery whose next try is due then.
pub(crate) fn entry(delivery: &Delivery, due: Timestamp, tries: u32, note: Option<String>) -> Entry {
    let destination = Some(delivery.endpoint.to_string());
    Entry { key: EntryKey { due, work: delivery.work() }, tries, destination, note }
}

impl Order<'_> {
    pub(crate) fn delivery(&self) -> Delivery {
        delivery_of(self.message, self.endpoint)
    }
}

/// A message's delivery to an endpoint.
pub(crate) fn delivery_of(message: &Message, endpoint: &Endpoint) -> Delivery {
    Delivery {
        organization: message.organization,
        application: message.application,
        endpoint: endpoint.id,
        message: message.id,
    }
}

/// Makes it, and writes down what came of it.
pub(crate) async fn make(context: &Context, order: &Order<'_>) -> Result<Done, StoreError> {
    let made_at = context.options.clock.now();
    let answer = send(context, order, made_at).await?;
    let now = context.options.clock.now();
    let disables = match answer.verdict {
        Verdict::Taken | Verdict::CutOff => false,
        Verdict::Gone => true,
        Verdict::Failed => has_failed_too_long(context, order.endpoint, now).await?,
    };
    // When this delivery's next try is due.
    let due = match answer.verdict {
        _ if disables => None,
        Verdict::Taken | Verdict::Gone => None,
        Verdict::CutOff => Some(now + delay(context, order, None).unwrap_or(SOON).min(SOON)),
        Verdict::Failed if order.trigger == Trigger::Manual => None,
        Verdict::Failed => delay(context, order, answer.retry_after).map(|delay| now + delay),
    };
    let attempt = record(order, answer, made_at, due.or_else(|| scheduled_anyway(order, disables, now)));
    write(context, order, &attempt, due, disables, now).await
}

fn delay(context: &Context, order: &Order<'_>, retry_after: Option<Duration>) -> Option<Duration> {
    schedule(context, order.endpoint).jittered_delay_after(order.number, retry_after, fastrand::u32(..))
}

/// What somebody asked for is not tried again by itself, and does not stop the schedule, which may have a try left.
fn scheduled_anyway(order: &Order<'_>, disables: bool, now: Timestamp) -> Option<Timestamp> {
    let previous = order.previous.filter(|_| order.trigger == Trigger::Manual && !disables)?;
    previous.next_attempt.filter(|next| *next > now)
}

fn record(order: &Order<'_>, answer: Answer, made_at: Timestamp, next_attempt: Option<Timestamp>) -> Attempt {
    let taken = answer.verdict == Verdict::Taken;
    Attempt {
        id: AttemptId::new(made_at, random::bytes()),
        delivery: order.delivery(),
        url: order.endpoint.url.clone(),
        event_type: order.message.event_type.clone(),
        channels: order.message.channels.clone(),
        status: if taken { AttemptStatus::Success } else { AttemptStatus::Fail },
        response_status: answer.status,
        response: Some(answer.text),
        duration: answer.duration,
        trigger: order.trigger,
        number: order.number,
        next_attempt: next_attempt.filter(|_| !taken),
        made_at,
    }
}

async fn send(context: &Context, order: &Order<'_>, at: Timestamp) -> Result<Answer, StoreError> {
    let options = &context.options;
    let endpoint = order.endpoint;
    let signer = context.signers.of(&options.vault, endpoint)?;
    let id = order.message.id.to_string();
    let signed = Signed {
        id: &id,
        url: endpoint.url.as_url(),
        headers: signer.headers.clone(),
        signatures: &signer.keys.signatures(&id, at, order.payload),
        body: order.payload.clone(),
        at,
    };
    let started = tokio::time::Instant::now();
    let answer = post(&options.egress, signed, order.patience).await;
    let now = options.clock.now();
    let destination = endpoint.id.to_string();
    Ok(match answer {
        Ok(answer) => {
            if answer.status.is_success() {
                context.destinations.succeeded(&destination, answer.elapsed, now);
            } else {
                context.destinations.failed(&destination, now);
            }
            judge(&answer, now)
        }
        Err(error) => {
            if !error.is_timeout() {
                context.destinations.failed(&destination, now);
            } else if order.keeps_a_batch_waiting {
                context.destinations.kept_waiting(&destination, now);
            } else {
                context.destinations.timed_out(&destination, now);
            }
            info!(endpoint.id = %endpoint.id, message.id = %order.message.id, error = chain(&error), "no answer");
            let cut_off = error.is_timeout() && order.patience < full_patience(context, endpoint);
            Answer {
                verdict: if cut_off { Verdict::CutOff } else { Verdict::Failed },
                status: 0,
                text: error.to_string(),
                duration: started.elapsed(),
                retry_after: None,
            }
        }
    })
}

fn judge(answer: &Response, now: Timestamp) -> Answer {
    let verdict = match answer.status {
        status if status.is_success() => Verdict::Taken,
        StatusCode::GONE => Verdict::Gone,
        _ => Verdict::Failed,
    };
    let asks_to_wait = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status);
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or_default());
    Answer {
        verdict,
        status: answer.status.as_u16(),
        text: kept_response(&answer.body),
        duration: answer.elapsed,
        retry_after: answer.retry_after(now).filter(|_| asks_to_wait),
    }
}

/// Whether this failure is one too many. What is known of the endpoint may be old: a success after its first failure
/// speaks for it.
async fn has_failed_too_long(context: &Context, endpoint: &Endpoint, now: Timestamp) -> Result<bool, StoreError> {
    let Some(since) = endpoint.failing_since.filter(|_| endpoint.must_be_disabled(now)) else { return Ok(false) };
    let store = &context.options.store;
    let filter =
        AttemptFilter { status: Some(AttemptStatus::Success), since: Some(since), ..AttemptFilter::default() };
    let Endpoint { organization, application, id, .. } = endpoint;
    let one = 1.try_into().unwrap_or_default();
    let successes = store.attempts_by_endpoint(*organization, *application, *id, &filter, None, one, now).await?;
    if successes.data.is_empty() {
        return Ok(true);
    }
    store.endpoint_recovered(endpoint).await?;
    store.endpoint_failed(&Endpoint { failing_since: None, ..endpoint.clone() }, now).await?;
    Ok(false)
}

/// The attempt first, so that a request that was sent is on record, whatever happens then.
async fn write(
    context: &Context,
    order: &Order<'_>,
    attempt: &Attempt,
    due: Option<Timestamp>,
    disables: bool,
    now: Timestamp,
) -> Result<Done, StoreError> {
    let Order { endpoint, claim, .. } = *order;
    let store = &context.options.store;
    let note = claim.and_then(|claim| claim.entry.note.clone());
    let next = due.map(|due| entry(&attempt.delivery, due, order.number.max(1), note));
    let told = if disables { None } else { told(context, order, attempt, now).await? };
    let told = told.as_ref().map(|message| NewMessage { message, due: now + context.options.grace });
    let finished = if next.is_none() && told.is_none() && (claim.is_none() || attempt.status == AttemptStatus::Success) {
        store.put_attempt(attempt).await?;
        if let Some(claim) = claim {
            store.take_off(&claim.entry.key).await?;
        }
        Finished::Written
    } else {
        let next = next.as_ref().map(|entry| (entry, Starts::WhenDue));
        store.put_failed_attempt(attempt, claim, next, told.as_ref()).await?
    };
    if disables {
        disable(context, order, attempt, now).await?;
    } else {
        keep_state(context, endpoint, attempt.status, now).await?;
    }
    if finished == Finished::Lost {
        warn!(endpoint.id = %endpoint.id, message.id = %order.message.id, "somebody else took the delivery over");
        return Ok(Done::Lost);
    }
    Ok(if due.is_some() { Done::Postponed } else { Done::Finished })
}

async fn told(
    context: &Context,
    order: &Order<'_>,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<Option<Message>, StoreError> {
    let Order { message, app_uid, previous, .. } = order;
    let event = operational::about_attempt(attempt, *previous, *app_uid, message.event_id.as_ref());
    match event {
        Some(event) => operational::message(context, message.organization, message.application, &event, now).await,
        None => Ok(None),
    }
}

async fn disable(
    context: &Context,
    order: &Order<'_>,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Endpoint { organization, application, id, .. } = *order.endpoint;
    let disabled = disable_as_seen(context, order.endpoint, order.app_uid, now).await?;
    if disabled || attempt.response_status != StatusCode::GONE.as_u16() {
        return Ok(());
    }
    // What was seen of it may be some seconds old, and it is gone whatever happened since.
    let stored = context.options.store.endpoint(organization, application, &Reference::Id(id)).await?;
    if let Some(stored) = stored.filter(|stored| !stored.disabled && stored.failing_since != order.endpoint.failing_since) {
        disable_as_seen(context, &stored, order.app_uid, now).await?;
    }
    Ok(())
}

async fn disable_as_seen(
    context: &Context,
    endpoint: &Endpoint,
    app_uid: Option<&Uid>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let event = operational::about_disabling(endpoint, app_uid, now);
    let told = operational::message(context, endpoint.organization, endpoint.application, &event, now).await?;
    let told = told.as_ref().map(|message| NewMessage { message, due: now + context.options.grace });
    let disabled = context.options.store.disable_endpoint(endpoint, now, told.as_ref()).await?;
    if disabled {
        warn!(endpoint.id = %endpoint.id, "disabled an endpoint");
    }
    Ok(disabled)
}

/// Since when it has been failing.
async fn keep_state(
    context: &Context,
    endpoint: &Endpoint,
    status: AttemptStatus,
    now: Timestamp,
) -> Result<(), StoreError> {
    match (status, endpoint.failing_since) {
        (AttemptStatus::Fail, None) => context.options.store.endpoint_failed(endpoint, now).await,
        (AttemptStatus::Success, Some(_)) => context.options.store.endpoint_recovered(endpoint).await,
        _ => Ok(()),
    }
}
