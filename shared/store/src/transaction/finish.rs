//! What became of a transaction, and computing it again.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tidings_domain::Timestamp;
use tidings_domain::ids::MessageId;
use tidings_domain::transaction::{Transaction, TransactionStatus};

use super::entry;
use crate::agenda::{Claim, Finished, Starts, owing};
use crate::expression::{Change, n, s};
use crate::message::NewMessage;
use crate::transact::Outcome;
use crate::{DecodeError, Store, StoreError, keys};

/// Transactions that are written side by side.
const AT_ONCE: usize = 16;

/// A change of this transaction, and of no later one of its name.
fn of_it(transaction: &Transaction) -> Change {
    Change::new().only_if(keys::INDEX_SK, s(transaction.id.to_string()))
}

/// What was computed.
fn computed(transaction: &Transaction, until: Timestamp) -> Change {
    of_it(transaction)
        .set("status", s(transaction.status.code()))
        .set_or_remove("computed_at", transaction.computed_at.map(|at| n(at.as_millis())))
        .set(keys::TTL, n(until.as_secs()))
        .remove(crate::OWED)
}

impl Store {
    /// Writes where a transaction stands now, until when it is kept, and, if it was not forwarded before, the message that
    /// it is forwarded as; then takes its entry off. [`Finished::Lost`] if it is gone, or another one has its name by now:
    /// the entry is off then, too.
    pub async fn finish_transaction(
        &self,
        claim: &Claim,
        transaction: &Transaction,
        until: Timestamp,
        forward: Option<&NewMessage<'_>>,
    ) -> Result<Finished, StoreError> {
        let is_forwarded = match forward {
            Some(message) => self.forward_transaction(transaction, until, message).await?,
            None => false,
        };
        let finished = if is_forwarded {
            Finished::Written
        } else {
            let key = keys::transaction(transaction.organization, transaction.source, &transaction.name);
            let is_there = self.change_alone(&key, computed(transaction, until)).await?;
            if is_there { Finished::Written } else { Finished::Lost }
        };
        self.take_off(&claim.entry.key).await?;
        Ok(finished)
    }

    /// Writes the message that a transaction is forwarded as, with its state, all or nothing: of two that do so at once, one
    /// writes. `false` if it was forwarded before, or is gone.
    async fn forward_transaction(
        &self,
        transaction: &Transaction,
        until: Timestamp,
        forward: &NewMessage<'_>,
    ) -> Result<bool, StoreError> {
        let id: MessageId = forward.message.id;
        let key = keys::transaction(transaction.organization, transaction.source, &transaction.name);
        let change = computed(transaction, until).only_without("message").set("message", s(id.to_string()));
        let mut actions = vec![self.change(&key, change)?];
        actions.extend(self.message_actions(forward, Starts::AtOnce)?);
        match self.transact(actions).await? {
            Outcome::Written => Ok(true),
            Outcome::Refused(refusals) if refusals.iter().any(|refusal| refusal.action == 0) => Ok(false),
            Outcome::Refused(_) => Err(DecodeError::new(id.to_string(), "the id is in use").into()),
        }
    }

    /// Has transactions computed again: they are pending, and owe their work from `due` on. Their images start the fast lane,
    /// as when they were new. Those that are gone are passed over.
    pub async fn replay_transactions(&self, transactions: &[Transaction], due: Timestamp) -> Result<(), StoreError> {
        let entries: Vec<_> = transactions.iter().map(|transaction| entry(transaction, due)).collect();
        // First: a pending transaction without an entry would stay so.
        self.put_entries(&entries, Starts::WhenDue).await?;
        let replays = transactions.iter().zip(&entries).map(|(transaction, entry)| async move {
            let mut change = of_it(transaction).set("status", s(TransactionStatus::Pending.code()));
            for (name, value) in owing(entry) {
                change = change.set(&name, value);
            }
            let key = keys::transaction(transaction.organization, transaction.source, &transaction.name);
            self.change_alone(&key, change).await
        });
        stream::iter(replays.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
    }
}
