//! What a webhook says, for the kinds of sources whose events Tidings knows.

use tidings_domain::docebo;
use tidings_domain::source::{Source, SourceKind};
use tidings_domain::transaction::Transaction;
use tidings_store::StoreError;

use super::{Outcome, Problem};
use crate::Context;

/// Computes a transaction, each of its payloads by itself.
pub(super) async fn run(context: &Context, source: &Source, transaction: &Transaction) -> Result<Outcome, StoreError> {
    match source.scheme.kind() {
        SourceKind::Docebo => docebo(context, source, transaction).await,
        SourceKind::Generic
        | SourceKind::Github
        | SourceKind::None
        | SourceKind::Shopify
        | SourceKind::Slack
        | SourceKind::Standard
        | SourceKind::Stripe => Ok(Outcome::default()),
    }
}

async fn docebo(context: &Context, source: &Source, transaction: &Transaction) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    if !docebo::is_enrollment_event(&transaction.event) {
        return Ok(outcome);
    }
    let Some(payloads) = docebo::payloads(&transaction.body) else {
        // The source was of another kind when it came.
        let message = "the body must be an object with a `payload` or with `payloads`".to_owned();
        outcome.problems.push(Problem { payload: None, message });
        return Ok(outcome);
    };
    let mut changes = Vec::with_capacity(payloads.len());
    for (position, payload) in payloads.iter().enumerate() {
        match docebo::change(&transaction.event, payload, transaction.received_at) {
            Ok(change) => {
                changes.extend(change);
                outcome.fine.push(Some(position));
            }
            Err(faults) => {
                outcome.problems.push(Problem { payload: Some(position), message: faults.join("; ") });
            }
        }
    }
    if !changes.is_empty() {
        let store = &context.options.store;
        store.merge_enrollments(source, &changes, context.options.clock.now()).await?;
    }
    Ok(outcome)
}
