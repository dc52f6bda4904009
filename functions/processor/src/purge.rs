//! Removing what a deleted application owned, as much at a time as there is time for.

use std::time::Duration;

use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::application::parse_purge;
use tidings_store::agenda::Finished;
use tidings_store::{DecodeError, StoreError};

use crate::Context;
use crate::work::{Done, Task};

/// Time kept for writing down that there is more.
const MARGIN: Duration = Duration::from_secs(1);

/// One try.
pub(crate) async fn run(context: &Context, task: Task) -> Result<Done, StoreError> {
    let store = &context.options.store;
    let record = &task.claim.entry.key.work.record;
    let (organization, application) = parse_purge(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no application".to_owned() })?;
    let is_over = || context.options.clock.now() >= task.deadline - MARGIN;
    if store.purge_application(organization, application, is_over).await? {
        store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Finished);
    }
    // The stream's lane leaves the rest to the schedule, which owns the entry from its time on.
    let due =
        if task.only_if_healthy { task.claim.until + Duration::from_millis(1) } else { context.options.clock.now() };
    let key = EntryKey { due, work: task.claim.entry.key.work.clone() };
    let next = Entry { key, tries: 0, destination: None, note: None };
    match store.postpone(&task.claim, &next).await? {
        Finished::Written => Ok(Done::Postponed),
        Finished::Lost => Ok(Done::Lost),
    }
}
