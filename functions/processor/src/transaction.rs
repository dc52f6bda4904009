//! Inbound webhooks: what each one means is computed, and it is forwarded where its source says so.
//!
//! Computing may be done twice, by two processors at once, and in any order: what events say of an enrollment is merged so
//! that all of it comes to the same. So nobody asks here whether a transaction was computed before, and who wants it
//! computed again puts it on the agenda again. Forwarding is what must not be done twice: the message is written together
//! with the transaction's mark that there is one, or not at all.
//!
//! What is wrong with a payload stays wrong, so nothing is gained by trying it again: it becomes a compute error, and the
//! transaction is finished. What is wrong with the table passes: the transaction stays on the agenda. One that breaks off
//! each time is given up after [`MAX_TRIES`].

mod compute;
mod forward;

use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::message::{Message, Route};
use tidings_domain::source::Source;
use tidings_domain::transaction::{ComputeError, MAX_TRIES, Transaction, TransactionStatus, parse_record};
use tidings_store::agenda::Finished;
use tidings_store::message::NewMessage;
use tidings_store::{DecodeError, StoreError};
use tidings_telemetry::ignore;
use tidings_telemetry::metric::Unit;
use tokio::time::timeout;
use tracing::warn;

use crate::Context;
use crate::work::{Done, Task};

/// What one payload of a transaction says wrong, or, without a position, what is wrong with all of it.
struct Problem {
    payload: Option<usize>,
    message: String,
}

/// What came of a transaction.
#[derive(Default)]
struct Outcome {
    problems: Vec<Problem>,
    /// The places that have no problem, or none any more.
    fine: Vec<Option<usize>>,
    /// What it is forwarded as.
    message: Option<Message>,
}

/// One try.
pub(crate) async fn run(context: &Context, mut task: Task) -> Result<Done, StoreError> {
    let time = task.deadline.since(context.options.clock.now());
    let Ok(result) = timeout(time, try_once(context, &mut task)).await else {
        warn!("there was no time to compute a transaction; it is due again when its claim ends");
        return Ok(Done::Left);
    };
    if matches!(&result, Err(error) if error.retryable()) && !task.only_if_healthy {
        give_try_back(context, &task).await;
    }
    result
}

async fn try_once(context: &Context, task: &mut Task) -> Result<Done, StoreError> {
    let options = &context.options;
    let is_image = task.image.is_some();
    let Some(transaction) = load(context, task).await? else {
        options.store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    if transaction.status != TransactionStatus::Pending {
        // What is left of work that is done: of a processor that died, or of a sender that came again.
        options.store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Finished);
    }
    let source = options.store.cached_source_by_id(transaction.source, options.clock.now()).await?;
    let Some(source) = source.filter(|source| source.organization == transaction.organization) else {
        // It was deleted, and what it keeps goes with it.
        options.store.take_off(&task.claim.entry.key).await?;
        return Ok(Done::Dropped);
    };
    let outcome = if task.claim.entry.tries > MAX_TRIES {
        let message = format!("none of {MAX_TRIES} tries to compute it came to its end");
        Outcome { problems: vec![Problem { payload: None, message }], ..Outcome::default() }
    } else {
        let mut outcome = compute::run(context, &source, &transaction).await?;
        forward::add(context, &source, &transaction, &mut outcome).await?;
        if is_image && transaction.computed_at.is_none() {
            // It was never tried before: there is no compute error to remove.
            outcome.fine.clear();
        }
        outcome
    };
    finish(context, task, &source, transaction, outcome).await
}

/// The transaction: as the stream brought it, or from the table. `None` if it does not exist.
async fn load(context: &Context, task: &mut Task) -> Result<Option<Transaction>, StoreError> {
    if let Some(image) = task.image.take() {
        return Ok(Some(tidings_store::transaction::from_image(image)?));
    }
    let record = &task.claim.entry.key.work.record;
    let (organization, source, name) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no transaction".to_owned() })?;
    context.options.store.transaction(organization, source, &name).await
}

/// Writes what came of it: first what could not be computed, then that it is done.
async fn finish(
    context: &Context,
    task: &Task,
    source: &Source,
    transaction: Transaction,
    outcome: Outcome,
) -> Result<Done, StoreError> {
    let options = &context.options;
    let now = options.clock.now();
    let Outcome { problems, fine, message } = outcome;
    let failed =
        problems.into_iter().map(|Problem { payload, message }| ComputeError::new(&transaction, payload, message, now));
    let failed: Vec<_> = failed.collect();
    let mended: Vec<_> = fine.into_iter().map(|payload| transaction.compute_error_id(payload)).collect();
    if !failed.is_empty() || !mended.is_empty() {
        let until = source.retention.compute_errors.end(now);
        options.store.note_compute_errors(&transaction, &failed, &mended, until).await?;
    }
    let status = if failed.is_empty() { TransactionStatus::Computed } else { TransactionStatus::Failed };
    let until = source.retention.transactions.end(transaction.received_at);
    let after = Transaction { status, computed_at: Some(now), ..transaction };
    let due = now + options.grace;
    let forward = message.as_ref().map(|message| NewMessage { message, due, route: Route::Endpoints });
    let finished = options.store.finish_transaction(&task.claim, &after, until, forward.as_ref()).await?;
    if !failed.is_empty() {
        report(context, &after, failed.len(), now);
    }
    Ok(match finished {
        Finished::Written => Done::Finished,
        Finished::Lost => Done::Lost,
    })
}

/// What is wrong with each payload can be read as a compute error, and is none of the log's business.
fn report(context: &Context, transaction: &Transaction, errors: usize, now: Timestamp) {
    let Transaction { id, source, event, .. } = transaction;
    warn!(transaction.id = %id, source.id = %source, event, errors, "some of a transaction could not be computed");
    let count = u32::try_from(errors).map_or(f64::MAX, f64::from);
    context.options.metrics.emit(now, &[("ComputeErrors", Unit::Count, count)]);
}

/// A try that ended with an error of the table is none: only those count that broke off. The entry stays where the claim
/// put it, and is due when that ends.
async fn give_try_back(context: &Context, task: &Task) {
    let entry = &task.claim.entry;
    let next = Entry { tries: entry.tries.saturating_sub(1), ..entry.clone() };
    let given_back = context.options.store.postpone(&task.claim, &next).await;
    ignore(given_back, "it counts as a try then, and there are many");
}
