//! One attempt: sent, judged, and written down with what follows from it. Both kinds of work that deliver come here.
//!
//! # Impatience
//! The fast lane is less patient than an endpoint may ask for: [`FAST_PATIENCE`], for the reason that
//! [`crate::destinations`] gives. A request that it cut off was sent, and may have been taken:
//! so it is on record, as a failed attempt with its number. It is never the last one, whatever the schedule says, since the
//! endpoint has not had its time: the next is due [`SOON`], and is made by the slow lane with full patience.

mod health;
mod send;

use std::time::Duration;

use bytes::Bytes;
use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::{Delivery, Origin, Trigger};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::AttemptId;
use tidings_domain::message::{Message, Route};
use tidings_domain::names::Uid;
use tidings_domain::retry::RetrySchedule;
use tidings_runtime::random;
use tidings_store::StoreError;
use tidings_store::agenda::{Claim, Finished, Starts};
use tidings_store::message::NewMessage;
use tidings_telemetry::chain;
use tracing::warn;

use self::health::{disable, has_failed_too_long, keep_state};
use self::send::{Answer, Verdict, send};
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

/// How long the slow lane waits for an endpoint.
pub(crate) fn full_patience(context: &Context, endpoint: &Endpoint) -> Duration {
    endpoint.timeout.unwrap_or(context.options.request_timeout)
}

/// The delays between the attempts at an endpoint.
pub(crate) fn schedule<'a>(context: &'a Context, endpoint: &'a Endpoint) -> &'a RetrySchedule {
    endpoint.retry_schedule.as_ref().unwrap_or(&context.options.retry_schedule)
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
        // Where the table does not say, the next failure decides: what was sent must get on record.
        Verdict::Failed | Verdict::Final => {
            has_failed_too_long(context, order.endpoint, now).await.unwrap_or_else(|error| {
                warn!(error = chain(&error), "cannot tell whether an endpoint has failed too long");
                false
            })
        }
    };
    // When this delivery's next try is due.
    let due = match answer.verdict {
        _ if disables => None,
        Verdict::Taken | Verdict::Gone | Verdict::Final => None,
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
    let origin = claim.map_or(Origin::Schedule, |claim| Origin::of(&claim.entry));
    let next = due.map(|due| attempt.delivery.entry(due, order.number.max(1), origin));
    let told = if disables { None } else { told(context, order, attempt, now).await };
    let told =
        told.as_ref().map(|message| NewMessage { message, due: now + context.options.grace, route: Route::Endpoints });
    let finished = if next.is_none() && told.is_none() && (claim.is_none() || attempt.status == AttemptStatus::Success)
    {
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

/// The message that tells of an attempt, if there is somebody to be told. That it cannot be found out who must not keep
/// the attempt itself off the record.
async fn told(context: &Context, order: &Order<'_>, attempt: &Attempt, now: Timestamp) -> Option<Message> {
    let Order { message, app_uid, previous, .. } = order;
    let event = operational::about_attempt(attempt, *previous, *app_uid, message.event_id.as_ref())?;
    let told = operational::message(context, message.organization, message.application, &event, now).await;
    told.unwrap_or_else(|error| {
        warn!(error = chain(&error), "cannot tell of an attempt");
        None
    })
}
