//! Broadcasts: each is followed until the last of its deliveries has ended.
//!
//! The deliveries are the [message](crate::message)'s own, and go their way without this. What is done here is to look: at
//! the newest attempt at each receiver, when the next one should have been made. When all have ended, that is written down
//! and logged, once. Where nothing was tried although it is time, a delivery is put on the agenda: a fan-out knows endpoints
//! as they were some seconds ago, and may have missed one that was made just before. A receiver that is gone or disabled
//! by then has nothing to wait for.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::application::Application;
use tidings_domain::attempt::Attempt;
use tidings_domain::broadcast::{Broadcast, Ended, Tally, parse_record};
use tidings_domain::delivery::{Delivery, DeliveryStatus, Origin};
use tidings_domain::ids::EndpointId;
use tidings_domain::names::Reference;
use tidings_domain::{broker, client};
use tidings_store::agenda::{Claim, Finished, Starts};
use tidings_store::{DecodeError, StoreError};
use tracing::{info, warn};

use crate::Context;
use crate::work::{Done, Task};

/// The least time between two looks, and from an attempt's time to the look at what came of it.
const SHORTEST: Duration = Duration::from_secs(5);

/// The most time between two looks.
const LONGEST: Duration = Duration::from_hours(1);

/// How long after the fast lane's time there must have been an attempt.
const LATE: Duration = Duration::from_secs(30);

/// Reads at once.
const AT_ONCE: usize = 16;

/// What an entry notes when missing deliveries were made, before the time.
const HEALED: &str = "healed:";

struct Look<'a> {
    context: &'a Context,
    claim: &'a Claim,
    broadcast: &'a Broadcast,
    newest: BTreeMap<EndpointId, Attempt>,
    now: Timestamp,
}

/// One look.
pub(crate) async fn run(context: &Context, task: Task) -> Result<Done, StoreError> {
    let store = &context.options.store;
    let now = context.options.clock.now();
    let record = &task.claim.entry.key.work.record;
    let (organization, application, message) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no broadcast".to_owned() })?;
    let reference = Reference::Id(application);
    let (broadcast, application) = futures::try_join!(
        store.broadcast(organization, application, message),
        store.cached_application(organization, &reference, now),
    )?;
    // Its application was deleted, or somebody else has seen the end of it.
    let (Some(broadcast), Some(application)) = (broadcast.filter(|found| found.ended.is_none()), application) else {
        store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    let newest = store.newest_attempts_of_message(organization, application.id, message).await?;
    let look = Look { context, claim: &task.claim, broadcast: &broadcast, newest, now };
    look.take(&application).await
}

impl Look<'_> {
    async fn take(&self, application: &Application) -> Result<Done, StoreError> {
        let Missing { gone, lost } = self.missing().await?;
        let main_attempts = if is_clients(application) { client::MAIN_ATTEMPTS } else { broker::MAIN_ATTEMPTS };
        let tally = self.broadcast.tally(&self.newest, &gone, main_attempts, self.now);
        if tally.has_ended() {
            return self.end(application, tally).await;
        }
        let healed = self.heal(&lost).await?;
        self.postpone(&gone, healed).await
    }

    /// Receivers without an attempt that should have one.
    async fn missing(&self) -> Result<Missing, StoreError> {
        let Self { context, broadcast, newest, claim, now } = self;
        // The first look after a replay comes before its deliveries may have been tried.
        if *now < self.late() || claim.entry.tries <= 1 {
            return Ok(Missing::default());
        }
        let unattempted: Vec<_> = broadcast.receivers.iter().filter(|id| !newest.contains_key(id)).copied().collect();
        if unattempted.is_empty() {
            return Ok(Missing::default());
        }
        let store = &context.options.store;
        let Broadcast { organization, application, message, .. } = **broadcast;
        let message = store.message(organization, application, message, *now).await?;
        if message.is_none_or(|message| message.payload_at(*now).is_none()) {
            return Ok(Missing { gone: unattempted, lost: Vec::new() });
        }
        let looks: Vec<_> = unattempted.into_iter().map(|id| self.takes(id)).collect();
        let found: Vec<_> = futures::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let (lost, gone): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, takes)| *takes);
        let ids = |found: Vec<(EndpointId, bool)>| found.into_iter().map(|(id, _)| id).collect();
        Ok(Missing { gone: ids(gone), lost: ids(lost) })
    }

    /// An endpoint, and whether it is there and enabled.
    async fn takes(&self, id: EndpointId) -> Result<(EndpointId, bool), StoreError> {
        let Broadcast { organization, application, .. } = *self.broadcast;
        let found = self.context.options.store.endpoint(organization, application, &Reference::Id(id)).await?;
        Ok((id, found.is_some_and(|endpoint| !endpoint.disabled)))
    }

    /// When there must have been an attempt.
    fn late(&self) -> Timestamp {
        self.broadcast.created_at + self.context.options.grace + LATE
    }

    /// Makes the deliveries that are missing, unless that was done a short time ago. When it was done last.
    async fn heal(&self, lost: &[EndpointId]) -> Result<Option<Timestamp>, StoreError> {
        let note = self.claim.entry.note.as_deref();
        let healed = note.and_then(|note| note.strip_prefix(HEALED)?.parse().ok()).map(Timestamp::from_millis);
        if lost.is_empty() || healed.is_some_and(|healed| self.now < healed + LONGEST) {
            return Ok(healed);
        }
        let Broadcast { organization, application, message, .. } = *self.broadcast;
        warn!(message.id = %message, deliveries = lost.len(), "nobody has tried deliveries of a broadcast: made them anew");
        // What is made twice stands at the same place.
        let entry = |endpoint: &EndpointId| {
            Delivery { organization, application, endpoint: *endpoint, message }.entry(self.late(), 0, Origin::Schedule)
        };
        let entries: Vec<_> = lost.iter().map(entry).collect();
        self.context.options.store.put_entries(&entries, Starts::WhenDue).await?;
        Ok(Some(self.now))
    }

    async fn postpone(&self, gone: &[EndpointId], healed: Option<Timestamp>) -> Result<Done, StoreError> {
        let tries = self.claim.entry.tries;
        let (mut next, mut is_late) = (self.now + LONGEST, false);
        for receiver in self.broadcast.receivers.iter().filter(|id| !gone.contains(id)) {
            let newest = self.newest.get(receiver);
            if !matches!(DeliveryStatus::of(newest), DeliveryStatus::Sending | DeliveryStatus::Pending) {
                continue;
            }
            let due = newest.and_then(|attempt| attempt.next_attempt).filter(|due| *due > self.now);
            is_late |= due.is_none();
            next = next.min(due.map_or(self.now + backoff(tries), |due| due + SHORTEST));
        }
        let entry = Entry {
            key: EntryKey { due: next, work: self.claim.entry.key.work.clone() },
            // Looks at what was late, one after the other.
            tries: if is_late { tries } else { 0 },
            destination: None,
            note: healed.map(|at| format!("{HEALED}{}", at.as_millis())),
        };
        Ok(match self.context.options.store.postpone(self.claim, &entry).await? {
            Finished::Written => Done::Postponed,
            Finished::Lost => Done::Lost,
        })
    }

    async fn end(&self, application: &Application, tally: Tally) -> Result<Done, StoreError> {
        let store = &self.context.options.store;
        let ended = Broadcast { ended: Some(Ended { at: self.now, tally }), ..self.broadcast.clone() };
        let batch = if is_clients(application) {
            let endpoints = store.endpoints_of(application.organization, application.id).await?;
            Some(client::Batch::of(&ended, &self.newest, &endpoints))
        } else {
            None
        };
        if store.end_broadcast(self.claim, &ended).await? == Finished::Lost {
            return Ok(Done::Lost);
        }
        let Tally { main, dead_letters } = tally;
        let (completed, failed) = (main.completed + dead_letters.completed, dead_letters.failed);
        match batch {
            Some(_) if ended.receivers.is_empty() => info!(message.id = %ended.message, "{}", client::NOBODY),
            // The line is what was asked for, as it is.
            Some(batch) => {
                let line = serde_json::to_string(&batch).unwrap_or_else(|error| error.to_string());
                info!(message.id = %ended.message, "{line}");
            }
            None => info!(job.id = %ended.message, event.name = ended.subject, completed, failed, "a job has ended"),
        }
        Ok(Done::Finished)
    }
}

/// Receivers without an attempt that should have one.
#[derive(Default)]
struct Missing {
    /// Nothing will be tried there.
    gone: Vec<EndpointId>,
    /// They are there, and have been passed over.
    lost: Vec<EndpointId>,
}

fn is_clients(application: &Application) -> bool {
    application.uid.as_ref() == Some(&client::application_uid())
}

/// The wait after the so-many-th look at something late.
fn backoff(looks: u32) -> Duration {
    (SHORTEST * 2_u32.pow(looks.saturating_sub(1).min(10))).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_what_is_late_become_rarer() {
        let seconds: Vec<_> = [0, 1, 2, 3, 10, 11, u32::MAX].map(|looks| backoff(looks).as_secs()).to_vec();
        assert_eq!(seconds, [5, 5, 10, 20, 2560, 3600, 3600]);
    }
}
