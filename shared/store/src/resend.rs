use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::OrganizationId;

use crate::agenda::{Starts, starting};
use crate::outcome::created;
use crate::transact::{Outcome, TRIES};
use crate::{Created, Store, StoreError};

impl Store {
    /// Puts a delivery that somebody asked for on the agenda, where the fast lane finds it at once, and keeps the answer
    /// that a repetition gets, both or neither.
    pub async fn create_resend(
        &self,
        entry: &Entry,
        organization: OrganizationId,
        kept: Option<&KeptAnswer>,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut entry = entry.clone();
        for _ in 0..TRIES {
            let mut actions = vec![self.create(starting(&entry, Starts::AtOnce))?];
            if let Some(kept) = kept {
                actions.push(self.keep_answer(organization, kept, now)?);
            }
            match self.transact(actions).await? {
                // The same delivery is due at the same millisecond. It is not this one's to replace.
                Outcome::Refused(refusals) if refusals.iter().all(|refusal| refusal.action == 0) => {
                    entry.key.due = entry.key.due + Duration::from_millis(1);
                }
                outcome => return created(outcome, None, kept),
            }
        }
        Err(StoreError::Contended)
    }
}
