//! Kinds of work, and their handlers.

use std::time::Duration;

use serde_dynamo::Item;
use tidings_domain::Timestamp;
use tidings_domain::agenda::Kind;
use tidings_store::StoreError;
use tidings_store::agenda::Claim;

use crate::{
    Context, broadcast, delivery, expunge, forward, initialization, job, message, purge, retention, task, transaction,
};

/// Time for the table's answers around one request.
pub(crate) const OVERHEAD: Duration = Duration::from_secs(2);

/// The same, at least: what a try that must be short leaves for them.
const LEAST_OVERHEAD: Duration = Duration::from_millis(500);

/// Work to be done now.
#[derive(Debug)]
pub(crate) struct Task {
    /// The right to it. Its entry's `tries` counts this one.
    pub(crate) claim: Claim,
    /// The record as it was written, where the stream brought it and nobody has worked on it since.
    pub(crate) image: Option<Item>,
    /// Whether to leave it alone when a destination of it is believed to be slow or dead.
    pub(crate) only_if_healthy: bool,
    /// How patient to be with one request.
    pub(crate) patience: Duration,
    /// When the result must be written.
    pub(crate) deadline: Timestamp,
    /// Until when a try that needs longer may prolong its claim and its deadline.
    pub(crate) latest: Timestamp,
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Finished, well or for good.
    Finished,
    /// Failed, or not done yet; the next try is on the agenda.
    Postponed,
    /// Not tried: the fast lane leaves it to the slow one.
    Left,
    /// Somebody else took it over.
    Lost,
    /// The record does not exist: its request was never answered, or somebody deleted it.
    Dropped,
    /// Nobody can work on it: it is out of the way of the others.
    SetAside,
}

/// The table of handlers.
pub(crate) async fn run(context: &Context, work: Task) -> Result<Done, StoreError> {
    match work.claim.entry.key.work.kind {
        Kind::Broadcast => broadcast::run(context, work).await,
        Kind::Delivery => delivery::run(context, work).await,
        Kind::Expunge => expunge::run(context, work).await,
        Kind::Forward => forward::run(context, work).await,
        Kind::Initialization => initialization::run(context, work).await,
        Kind::Job => job::run(context, work).await,
        Kind::Message => message::run(context, work).await,
        Kind::Purge => purge::run(context, work).await,
        Kind::Retention => retention::run(context, work).await,
        Kind::Task => task::run(context, work).await,
        Kind::Transaction => transaction::run(context, work).await,
    }
}

/// Whether the record itself says that its work is done, so that nothing follows from an entry that is not there: a
/// transaction is written beside its entry, which may still be on its way.
pub(crate) fn is_told_by_record(kind: Kind) -> bool {
    match kind {
        Kind::Transaction => true,
        Kind::Broadcast
        | Kind::Delivery
        | Kind::Expunge
        | Kind::Forward
        | Kind::Initialization
        | Kind::Job
        | Kind::Message
        | Kind::Purge
        | Kind::Retention
        | Kind::Task => false,
    }
}

/// How long a try of this kind may take at most, when each request gets this patience.
pub(crate) fn longest_try(kind: Kind, patience: Duration) -> Duration {
    match kind {
        Kind::Job => job::longest_try(patience),
        // One request; or pages, as many as fit.
        Kind::Broadcast
        | Kind::Delivery
        | Kind::Expunge
        | Kind::Forward
        | Kind::Initialization
        | Kind::Message
        | Kind::Purge
        | Kind::Retention
        | Kind::Task
        | Kind::Transaction => patience + OVERHEAD,
    }
}

/// The patience with which a try of this kind ends within a time.
pub(crate) fn patience_within(kind: Kind, time: Duration) -> Duration {
    match kind {
        Kind::Job => job::patience_within(time),
        Kind::Broadcast
        | Kind::Delivery
        | Kind::Expunge
        | Kind::Forward
        | Kind::Initialization
        | Kind::Message
        | Kind::Purge
        | Kind::Retention
        | Kind::Task
        | Kind::Transaction => time.saturating_sub(LEAST_OVERHEAD),
    }
}
