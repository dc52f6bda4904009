//! A message of an application with very many endpoints: a delivery for each that wants it, in pages. How far that has
//! come is written into the message's entry now and then, so that who goes on after a crash does not start from the
//! beginning. Which endpoints are settled is not asked here: a delivery that was made already finds that out by itself.

use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::delivery::Origin;
use tidings_domain::ids::EndpointId;
use tidings_domain::message::Message;
use tidings_domain::page::{Order, PageLimit, Position};
use tidings_store::StoreError;
use tidings_store::agenda::{Claim, Finished, Starts};

use crate::Context;
use crate::attempt::delivery_of;
use crate::work::{Done, Task};

/// Endpoints read at once.
const PAGE: u64 = 250;

/// Pages between two notes of how far it has come.
const PAGES: usize = 4;

/// Time kept for the last note.
const MARGIN: Duration = Duration::from_secs(1);

/// One try.
pub(super) async fn run(context: &Context, task: Task, message: &Message, due: Timestamp) -> Result<Done, StoreError> {
    let store = &context.options.store;
    let limit = PageLimit::try_from(PAGE).unwrap_or_default();
    let starts = if task.only_if_healthy { Starts::AtOnce } else { Starts::WhenDue };
    let is_time = || context.options.clock.now() < task.deadline - MARGIN;
    let mut claim = task.claim.clone();
    let mut cursor = claim.entry.note.as_deref().and_then(|note| note.parse::<EndpointId>().ok());
    loop {
        for _ in 0..PAGES {
            let position = cursor.map(Position::After);
            let page =
                store.endpoints(message.organization, message.application, position, Order::Ascending, limit).await?;
            let wanting =
                page.data.iter().filter(|endpoint| endpoint.wants(message) && endpoint.is_older_than(message));
            let entries: Vec<_> =
                wanting.map(|endpoint| delivery_of(message, endpoint).entry(due, 0, Origin::Schedule)).collect();
            if !entries.is_empty() {
                store.put_entries(&entries, starts).await?;
            }
            if page.done {
                store.take_off(&claim.entry.key).await?;
                return Ok(Done::Finished);
            }
            cursor = page.data.last().map(|endpoint| endpoint.id).or(cursor);
            if !is_time() {
                break;
            }
        }
        let goes_on = is_time();
        // Somebody who goes on keeps the claim, at a key that differs from the last one. The schedule's next look finds
        // what is left; what the stream's lane leaves is the schedule's when the message would have been.
        let next_due = if goes_on || task.only_if_healthy {
            claim.until + Duration::from_millis(1)
        } else {
            context.options.clock.now()
        };
        let key = EntryKey { due: next_due, work: claim.entry.key.work.clone() };
        let next = Entry { key, tries: 0, destination: None, note: cursor.map(|id| id.to_string()) };
        if store.postpone(&claim, &next).await? == Finished::Lost {
            return Ok(Done::Lost);
        }
        if !goes_on {
            return Ok(Done::Postponed);
        }
        claim = Claim { until: next.key.due, entry: next };
    }
}
