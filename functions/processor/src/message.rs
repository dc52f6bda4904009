//! Messages: each is sent to every endpoint that wants it.
//!
//! The fast lane attempts the endpoints that are quick at once, side by side, while its batch waits. Whatever it does not
//! attempt becomes a delivery of its own ([`crate::delivery`]): an endpoint that is slow or unhealthy, or for which there is
//! no time, is the slow lane's from that moment on; one whose rate limit is reached is due when there is room; and where
//! there are very many, the stream starts on each by itself. When every endpoint is settled the message's entry is taken off.
//!
//! The slow lane gets what the fast lane did not finish. It attempts nothing itself: it makes a delivery for each endpoint
//! that has no attempt yet. A delivery that exists already may so be made twice; the second finds its try made.
//!
//! An application with more endpoints than the store keeps in memory is gone through [in pages](pages).

mod pages;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join, join_all};
use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::delivery::{Origin, Trigger};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::EndpointId;
use tidings_domain::message::{Message, parse_record};
use tidings_store::Receivers;
use tidings_store::agenda::Starts;
use tidings_store::{DecodeError, StoreError};
use tidings_telemetry::chain;
use tracing::error;

use crate::Context;
use crate::attempt::{self, FAST_PATIENCE, Order, delivery_of, full_patience};
use crate::throttle::held_up;
use crate::work::{Done, Task};

/// With more endpoints than this none is attempted at once: the batch would wait for all of them.
const INLINE_ENDPOINTS: usize = 100;

/// With less time than this an attempt is not worth starting.
const LEAST: Duration = Duration::from_millis(300);

#[derive(Clone, Copy)]
struct FanOut<'a> {
    context: &'a Context,
    task: &'a Task,
    message: &'a Message,
    payload: &'a Bytes,
    receivers: &'a Receivers,
    /// When what the stream starts on is the schedule's: when the message would be.
    due: Timestamp,
}

/// One try.
pub(crate) async fn run(context: &Context, mut task: Task) -> Result<Done, StoreError> {
    let store = &context.options.store;
    let now = context.options.clock.now();
    let is_new = task.image.is_some();
    let Some(message) = load(context, &mut task, now).await? else {
        store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    let receivers = store.cached_receivers(message.organization, message.application, now).await?;
    let (Some(receivers), Some(payload)) = (receivers, message.payload_at(now)) else {
        // Its application was deleted, or its payload: nobody gets it any more.
        store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Finished);
    };
    // The fast lane's claim ends when the schedule may take the message; the slow lane's was moved. What was written ahead of
    // its time, as the generator does, never was the fast lane's: nothing is to be waited for.
    let due =
        if task.only_if_healthy { task.claim.until } else { (message.created_at + context.options.grace).min(now) };
    if !receivers.complete {
        return pages::run(context, task, &message, due).await;
    }
    let settled = if is_new { BTreeSet::new() } else { settled(context, &message).await? };
    let wanted: Vec<_> = receivers
        .endpoints
        .iter()
        .filter(|endpoint| {
            endpoint.wants(&message) && endpoint.is_older_than(&message) && !settled.contains(&endpoint.id)
        })
        .collect();
    let fan_out = FanOut { context, task: &task, message: &message, payload, receivers: &receivers, due };
    fan_out.run(&wanted).await?;
    store.take_off(&task.claim.entry.key).await?;
    Ok(Done::Finished)
}

/// The message: from the stream where nobody has begun with it, else from the table. `None` if it does not exist.
async fn load(context: &Context, task: &mut Task, now: Timestamp) -> Result<Option<Message>, StoreError> {
    if let Some(image) = task.image.take() {
        return Ok(Some(tidings_store::message::from_image(image)?));
    }
    let record = &task.claim.entry.key.work.record;
    let (organization, application, id) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no message".to_owned() })?;
    context.options.store.message(organization, application, id, now).await
}

/// Endpoints whose attempts say what happens next.
async fn settled(context: &Context, message: &Message) -> Result<BTreeSet<EndpointId>, StoreError> {
    let Message { organization, application, id, .. } = message;
    let newest = context.options.store.newest_attempts_of_message(*organization, *application, *id).await?;
    Ok(newest.into_keys().collect())
}

/// What becomes of an endpoint that is not settled.
enum Left {
    /// The stream starts on it at once.
    ToTheStream(Entry),
    /// The schedule takes it when it is due.
    ToTheSchedule(Entry),
}

impl FanOut<'_> {
    async fn run(&self, wanted: &[&Arc<Endpoint>]) -> Result<(), StoreError> {
        let mut over = Vec::new();
        let mut inline = Vec::new();
        for endpoint in wanted {
            if !self.task.only_if_healthy {
                over.push(Left::ToTheSchedule(self.entry(endpoint, self.due)));
            } else if let Some(left) = self.left_if_slow(endpoint) {
                over.push(left);
            } else if wanted.len() > INLINE_ENDPOINTS {
                over.push(Left::ToTheStream(self.entry(endpoint, self.due)));
            } else {
                inline.push(endpoint);
            }
        }
        // What is not waited for does not wait either.
        let attempts = join_all(inline.into_iter().map(|endpoint| self.settle(endpoint)));
        let (handed_over, attempted) = join(self.hand_over(over), attempts).await;
        handed_over?;
        let over = attempted.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        self.hand_over(over).await
    }

    /// The slow lane's from now on, if a batch must not wait for it.
    fn left_if_slow(&self, endpoint: &Endpoint) -> Option<Left> {
        let now = self.context.options.clock.now();
        let is_quick = self.context.destinations.is_quick(&endpoint.id.to_string(), now);
        (!is_quick).then(|| Left::ToTheSchedule(self.entry(endpoint, now)))
    }

    fn entry(&self, endpoint: &Endpoint, due: Timestamp) -> Entry {
        delivery_of(self.message, endpoint).entry(due, 0, Origin::Schedule)
    }

    /// Attempts one endpoint. What is left of it is handed over.
    async fn settle(&self, endpoint: &Endpoint) -> Result<Option<Left>, StoreError> {
        match self.attempt(endpoint).await {
            Err(error) if !error.retryable() => {
                // The others get theirs; this one is set aside by itself.
                error!(endpoint.id = %endpoint.id, error = chain(&error), "an endpoint cannot be sent to");
                Ok(Some(Left::ToTheSchedule(self.entry(endpoint, self.due))))
            }
            left => left,
        }
    }

    async fn attempt(&self, endpoint: &Endpoint) -> Result<Option<Left>, StoreError> {
        let Self { context, task, message, payload, receivers, due: _ } = *self;
        let _place = context.destinations.wait(&endpoint.id.to_string()).await;
        let _permit = context.sends.acquire().await;
        // While this one waited for its turn, those before it may have waited for an answer.
        if let Some(left) = self.left_if_slow(endpoint) {
            return Ok(Some(left));
        }
        let now = context.options.clock.now();
        let time = task.deadline.since(now);
        if time < LEAST {
            return Ok(Some(Left::ToTheSchedule(self.entry(endpoint, now))));
        }
        if let Some(at) = held_up(context, Some(&receivers.application), endpoint, now).await? {
            return Ok(Some(Left::ToTheSchedule(self.entry(endpoint, at))));
        }
        let order = Order {
            message,
            payload,
            endpoint,
            app_uid: receivers.application.uid.as_ref(),
            number: 1,
            trigger: Trigger::Scheduled,
            previous: None,
            claim: None,
            patience: full_patience(context, endpoint).min(task.patience).min(FAST_PATIENCE).min(time),
            keeps_a_batch_waiting: true,
        };
        attempt::make(context, &order).await?;
        Ok(None)
    }

    async fn hand_over(&self, left: Vec<Left>) -> Result<(), StoreError> {
        let mut to_stream = Vec::new();
        let mut to_schedule = Vec::new();
        for left in left {
            match left {
                Left::ToTheStream(entry) => to_stream.push(entry),
                Left::ToTheSchedule(entry) => to_schedule.push(entry),
            }
        }
        let store = &self.context.options.store;
        for (entries, starts) in [(to_stream, Starts::AtOnce), (to_schedule, Starts::WhenDue)] {
            if !entries.is_empty() {
                store.put_entries(&entries, starts).await?;
            }
        }
        Ok(())
    }
}
