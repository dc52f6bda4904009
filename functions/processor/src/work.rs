//! Kinds of work, and their handlers.

use std::time::Duration;

use serde_dynamo::Item;
use tidings_domain::Timestamp;
use tidings_domain::agenda::Kind;
use tidings_store::StoreError;
use tidings_store::agenda::Claim;

use crate::{Context, job};

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
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Finished, well or for good.
    Finished,
    /// Failed; the next try is on the agenda.
    Postponed,
    /// Not tried: the fast lane leaves it to the slow one.
    Left,
    /// Somebody else took it over.
    Lost,
    /// The record does not exist: its request was never answered.
    Dropped,
    /// Nobody can work on it: it is out of the way of the others.
    SetAside,
}

/// The table of handlers.
pub(crate) async fn run(context: &Context, task: Task) -> Result<Done, StoreError> {
    match task.claim.entry.key.work.kind {
        Kind::Job => job::run(context, task).await,
    }
}

/// How long a try of this kind may take at most, when each request gets this patience.
pub(crate) fn longest_try(kind: Kind, patience: Duration) -> Duration {
    match kind {
        Kind::Job => job::longest_try(patience),
    }
}

/// The patience with which a try of this kind ends within a time.
pub(crate) fn patience_within(kind: Kind, time: Duration) -> Duration {
    match kind {
        Kind::Job => job::patience_within(time),
    }
}
