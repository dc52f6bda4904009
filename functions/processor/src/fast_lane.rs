//! The fast lane: records as the table's stream brings them.
//!
//! A record belongs to this lane until its agenda entry is due. What could not end before that is not started, and what
//! goes wrong is left: the slow lane finds it. So only records that nobody could ever read are reported as failed.
//!
//! Lambda sends a batch again after a crash or a failed record, with what was finished in it. The first batch of an
//! environment, old records and what follows a failure are therefore checked against the agenda, in one read: work whose
//! entry is gone was done, and what was begun of the other is read from the table. All other batches cost no read.
//!
//! The next batch of the same lane of the stream waits until this one has ended, so what is slow must not be waited for:
//! [`crate::destinations`] says how that is kept short.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_lambda_events::streams::DynamoDbEventResponse;
use futures::StreamExt as _;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_store::agenda::{self, Claim, owed};
use tidings_store::stream::{Change, failures};
use tidings_telemetry::{chain, ignore};
use tracing::{Instrument as _, error, info_span, warn};

use crate::Context;
use crate::work::{self, Task};

/// Records worked on at once.
const AT_ONCE: usize = 64;

/// Time kept for writing the result.
const MARGIN: Duration = Duration::from_millis(500);

/// With less patience than this before the entry is due, a try is not worth starting: a destination would be called slow
/// for no fault of its own.
const LEAST: Duration = Duration::from_secs(1);

/// Older records than this may have been sent before.
const FRESH: Duration = Duration::from_secs(2);

/// How long to check after a record failed.
const CHECK_AFTER_FAILURE: Duration = Duration::from_mins(10);

/// Entries that one read can check.
const CHECKED_AT_ONCE: usize = 100;

struct Owed {
    key: EntryKey,
    record: Box<EventRecord>,
    /// Whether somebody may have begun with it.
    may_be_begun: bool,
}

/// Works on a batch. Answers which records Lambda is to send again.
pub(crate) async fn run(context: &Context, changes: Vec<Change>, deadline: Timestamp) -> DynamoDbEventResponse {
    let (mut batch, mut failed) = sort(changes);
    let now = context.options.clock.now();
    if must_check(context, &batch, now) {
        keep_standing(context, &mut batch).await;
    }
    let unreadable: Vec<String> = futures::stream::iter(batch)
        .map(|owed| one(context, owed, deadline))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    failed.extend(unreadable);
    plan_checks(context, now, &failed);
    failures(failed)
}

/// The first batch was checked; from then on only what follows a failure is.
fn plan_checks(context: &Context, now: Timestamp, failed: &[String]) {
    if failed.is_empty() {
        let first = context.verify_until.compare_exchange(i64::MAX, 0, Ordering::Relaxed, Ordering::Relaxed);
        ignore(first.map_err(|_| "not the first batch"), "a later batch changes nothing");
    } else {
        context.verify_until.store((now + CHECK_AFTER_FAILURE).as_millis(), Ordering::Relaxed);
    }
}

/// What owes work, and the sequence numbers of what cannot be read.
fn sort(changes: Vec<Change>) -> (Vec<Owed>, Vec<String>) {
    let mut batch = Vec::with_capacity(changes.len());
    let mut failed = Vec::new();
    for change in changes {
        let (sequence_number, problem) = match change {
            Change::Record(record) if record.event_name == "REMOVE" => continue,
            Change::Record(record) => match owed(&record.change.new_image) {
                Ok(Some(key)) => {
                    batch.push(Owed { key, record, may_be_begun: false });
                    continue;
                }
                Ok(None) => continue,
                Err(error) => (sequence_number(&record), error.to_string()),
            },
            Change::Unreadable { sequence_number, problem } => (sequence_number, problem),
        };
        error!(sequence_number, problem, "a record of the stream cannot be read");
        failed.push(sequence_number);
    }
    (batch, failed)
}

fn must_check(context: &Context, batch: &[Owed], now: Timestamp) -> bool {
    let written =
        |owed: &Owed| Timestamp::from_millis(owed.record.change.approximate_creation_date_time.timestamp_millis());
    now.as_millis() < context.verify_until.load(Ordering::Relaxed)
        || batch.iter().any(|owed| now.since(written(owed)) > FRESH)
}

async fn keep_standing(context: &Context, batch: &mut Vec<Owed>) {
    let mut standing = HashSet::new();
    for part in batch.chunks(CHECKED_AT_ONCE) {
        let keys: Vec<_> = part.iter().map(|owed| owed.key.clone()).collect();
        match context.options.store.standing(&keys).await {
            Ok(found) => standing.extend(found),
            Err(error) => warn!(error = chain(&error), "left a batch to the slow lane: the agenda cannot be read"),
        }
    }
    batch.retain(|owed| standing.contains(&owed.key) || work::is_told_by_record(owed.key.work.kind));
    for owed in batch {
        owed.may_be_begun = true;
    }
}

/// One record; its sequence number if nobody can ever read it.
async fn one(context: &Context, owed: Owed, deadline: Timestamp) -> Option<String> {
    let Owed { key, record, may_be_begun } = owed;
    let now = context.options.clock.now();
    let end = deadline.min(key.due) - MARGIN;
    let wanted = context.options.fast_request_timeout;
    let patience = wanted.min(work::patience_within(key.work.kind, end.since(now)));
    if patience < wanted.min(LEAST) {
        return None;
    }
    let span = info_span!("task", lane = "fast", kind = %key.work.kind, record = %key.work.record);
    let number = sequence_number(&record);
    let longest = work::longest_try(key.work.kind, patience);
    let deadline = end.min(now + longest);
    let image = record.change.new_image;
    let entry = match agenda::from_image(key, &image) {
        // This try counts.
        Ok(entry) => Entry { tries: entry.tries + 1, ..entry },
        Err(error) => {
            error!(error = chain(&error), "an entry of the stream cannot be read");
            return Some(number);
        }
    };
    let task = Task {
        claim: Claim { until: entry.key.due, entry },
        image: (!may_be_begun).then_some(image),
        only_if_healthy: true,
        patience,
        deadline,
        latest: deadline,
    };
    let done = work::run(context, task).instrument(span.clone()).await;
    let _entered = span.enter();
    match done {
        Ok(_) => None,
        Err(error) if error.retryable() => {
            warn!(error = chain(&error), "left to the slow lane");
            None
        }
        Err(error) => {
            error!(error = chain(&error), "a record of the stream cannot be worked on");
            Some(number)
        }
    }
}

fn sequence_number(record: &EventRecord) -> String {
    record.change.sequence_number.clone().unwrap_or_default()
}
