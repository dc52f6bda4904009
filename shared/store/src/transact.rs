use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use crate::expression::Item;
use crate::{Store, StoreError};

/// What became of a transaction.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Everything was written.
    Written,
    /// Nothing was: these actions' conditions did not hold (position, and the item that stood there).
    Refused(Vec<Refusal>),
}

/// An action whose condition did not hold.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Its position in the transaction.
    pub(crate) action: usize,
    /// The item as it is, where the action asked for it.
    pub(crate) item: Option<Item>,
}

/// Waits between tries of a transaction that met another one, or of anything that met a throttle, in milliseconds.
pub(crate) const WAITS_MS: [u64; 4] = [5, 20, 60, 150];

/// How often a write is begun anew that met a change of what it is about.
pub(crate) const TRIES: u8 = 4;

impl Store {
    /// All or nothing. Meeting another transaction on the same items, or a throttle, is tried again a few times.
    pub(crate) async fn transact(&self, actions: Vec<TransactWriteItem>) -> Result<Outcome, StoreError> {
        let mut waits = WAITS_MS.iter();
        loop {
            let sent = self.client.transact_write_items().set_transact_items(Some(actions.clone())).send().await;
            let Err(error) = sent else { return Ok(Outcome::Written) };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    canceled.cancellation_reasons().to_vec()
                }
                _ => return Err(error.into()),
            };
            let has = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
            if has("ConditionalCheckFailed") {
                return Ok(Outcome::Refused(refusals(reasons)));
            }
            // The SDK's own retries do not look into a cancelled transaction.
            let is_throttled = has("ThrottlingError") || has("ProvisionedThroughputExceeded");
            if !is_throttled && !has("TransactionConflict") {
                return Err(StoreError::Refused(error.into()));
            }
            let Some(wait) = waits.next().copied() else {
                return Err(if is_throttled { StoreError::Throttled(error.into()) } else { StoreError::Contended });
            };
            tokio::time::sleep(Duration::from_millis(fastrand::u64(wait / 2..=wait))).await;
        }
    }
}

fn refusals(reasons: Vec<CancellationReason>) -> Vec<Refusal> {
    let refused = reasons.into_iter().enumerate().filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"));
    refused.map(|(action, reason)| Refusal { action, item: reason.item }).collect()
}
