//! What a source keeps gets the end that its retention says; what a deleted source kept is removed. As much at a time as
//! there is time for, and again from where it stopped.
//!
//! Somebody may change the retention again meanwhile. That is work of its own, due some seconds later, and must not be
//! undone by what goes on here; so the source is read again every few seconds.

use std::time::Duration;

use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::source::parse_retention;
use tidings_store::agenda::Finished;
use tidings_store::{DecodeError, StoreError};

use crate::Context;
use crate::work::{Done, Task};

/// How long to believe what the source says: less than what passes between a change of it and the work that follows.
const READ_AGAIN: Duration = Duration::from_secs(4);

/// Time kept for writing down that there is more.
const MARGIN: Duration = Duration::from_secs(1);

/// One try.
pub(crate) async fn run(context: &Context, task: Task) -> Result<Done, StoreError> {
    let (store, clock) = (&context.options.store, &context.options.clock);
    let record = &task.claim.entry.key.work.record;
    let (organization, source) = parse_retention(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no source".to_owned() })?;
    let mut position = task.claim.entry.note.clone();
    let end = task.deadline - MARGIN;
    loop {
        let now = clock.now();
        let current = store.source_with_id(organization, source).await?;
        let until = end.min(now + READ_AGAIN);
        let is_over = || clock.now() >= until;
        position = store.apply_retention(organization, source, current.as_ref(), position, now, is_over).await?;
        if position.is_none() {
            store.take_off(&task.claim.entry.key).await?;
            return Ok(Done::Finished);
        }
        if clock.now() >= end {
            break;
        }
    }
    // The stream's lane leaves the rest to the schedule, which owns the entry from its time on.
    let due = if task.only_if_healthy { task.claim.until + Duration::from_millis(1) } else { clock.now() };
    let key = EntryKey { due, work: task.claim.entry.key.work.clone() };
    let next = Entry { key, tries: 0, destination: None, note: position };
    match store.postpone(&task.claim, &next).await? {
        Finished::Written => Ok(Done::Postponed),
        Finished::Lost => Ok(Done::Lost),
    }
}
