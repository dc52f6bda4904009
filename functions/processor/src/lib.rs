//! Does the work that the other functions accepted.
//!
//! # Theory of operation
//! Everything accepted stands on the agenda (`tidings_store::agenda`), with the time from which the schedule owns it. Two
//! lanes lead to the same handlers, which know nothing of lanes:
//!
//! - the [fast lane](fast_lane) takes records from the table's stream, within about a second of their being written. It
//!   owns a record until its entry is due, takes no lease and reads nothing, and is short of patience;
//! - the [slow lane](slow_lane) takes due entries from the agenda, on a schedule. It claims an entry by moving it ahead
//!   in time, so that overlapping runs never work on the same one.
//!
//! A handler gets a [`Task`](work::Task): what to do, until when, and the claim with which its result is written. A
//! result that owes more work and the entry's removal are one transaction, so work that was taken over by somebody else
//! cannot be finished twice. Adding a kind of work means a variant of `Kind` and its arm in `work::run`; the lanes do not
//! change.
//!
//! A message is [fanned out](message) by the fast lane itself where its endpoints are quick; whatever else it owes becomes
//! a [delivery](delivery) of its own for each endpoint. Both make the same [attempt](attempt).

mod attempt;
mod broadcast;
mod delivery;
mod destinations;
pub mod event;
mod expunge;
mod fast_lane;
mod forward;
mod initialization;
mod job;
mod message;
mod operational;
mod purge;
mod request;
mod retention;
mod signers;
mod slow_lane;
mod task;
mod throttle;
mod transaction;
mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::preconfigured::Preconfigured;
use tidings_domain::retry::RetrySchedule;
use tidings_egress::Egress;
use tidings_outbound::provider::Provider;
use tidings_runtime::Clock;
use tidings_runtime::settings::Secret;
use tidings_store::Store;
use tidings_telemetry::metric::Metrics;
use tidings_vault::Vault;
use tokio::sync::Semaphore;
use url::Url;

use crate::destinations::Destinations;
use crate::event::{Event, Response};
use crate::signers::Signers;

pub use crate::slow_lane::Summary;

/// What the processor works with. Clones share everything.
#[derive(Clone)]
pub struct Processor {
    context: Arc<Context>,
}

/// How the processor is built.
pub struct Options {
    /// The table.
    pub store: Store,
    /// The way out.
    pub egress: Egress,
    /// The time.
    pub clock: Clock,
    /// Where metrics go.
    pub metrics: Metrics,
    /// What callbacks are signed with is derived from this.
    pub secret: Secret,
    /// The providers API; a provider's id is appended.
    pub service_endpoint: Url,
    /// Opens endpoints' keys and headers.
    pub vault: Vault,
    /// Who delivers for a platform's organizations.
    pub provider: Provider,
    /// The endpoints that each of them gets.
    pub preconfigured: Preconfigured,
    /// Delays between the tries of a job.
    pub job_retry_schedule: RetrySchedule,
    /// Delays between the attempts of a message at an endpoint that has no schedule of its own.
    pub retry_schedule: RetrySchedule,
    /// How long the fast lane owns what is accepted: a message that this processor writes itself, and what it hands over.
    pub grace: Duration,
    /// Patience with one outbound request in the slow lane.
    pub request_timeout: Duration,
    /// Patience with one outbound request in the fast lane, at most: a batch must not wait for somebody's time-out.
    pub fast_request_timeout: Duration,
    /// How long a run of the schedule stays for work that falls due: the time until the next run.
    pub stay: Duration,
}

/// Patience of the fast lane where nobody says otherwise.
pub const FAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// The time between two runs of the deployed schedule.
pub const STAY: Duration = Duration::from_mins(1);

/// Requests of the fast lane that are on their way at once, over all batches of a process. A destination has a smaller
/// share of its own.
const SENDS_AT_ONCE: usize = 256;

struct Context {
    options: Options,
    destinations: Destinations,
    signers: Signers,
    /// The fast lane's requests.
    sends: Semaphore,
    /// Until when the fast lane asks the agenda whether a batch's work is still owed: see [`fast_lane`].
    verify_until: AtomicI64,
}

impl Processor {
    /// A processor that has done nothing yet.
    pub fn new(options: Options) -> Self {
        let context = Context {
            options,
            destinations: Destinations::default(),
            signers: Signers::default(),
            sends: Semaphore::new(SENDS_AT_ONCE),
            verify_until: AtomicI64::new(i64::MAX),
        };
        Self { context: Arc::new(context) }
    }

    /// Takes what a trigger sent, and works until it is done or `deadline` is near.
    pub async fn handle(&self, event: Event, deadline: Timestamp) -> Result<Response, tidings_store::StoreError> {
        match event {
            Event::Changes(records) => Ok(Response::Changes(fast_lane::run(&self.context, records, deadline).await)),
            Event::Tick(share) => {
                let summary = slow_lane::run(&self.context, share, deadline).await?;
                Ok(Response::Tick(summary))
            }
        }
    }
}
