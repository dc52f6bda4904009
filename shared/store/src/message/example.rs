use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::message::Message;

use super::message_item;
use crate::agenda::{Starts, starting};
use crate::outcome::created;
use crate::{Created, Store, StoreError};

impl Store {
    /// Writes a message for one endpoint alone: it owes no fan-out, only the delivery of `entry`, which the fast lane
    /// finds at once. With it goes the answer that a repetition gets; all of it or nothing.
    pub async fn create_message_for(
        &self,
        message: &Message,
        entry: &Entry,
        kept: Option<&KeptAnswer>,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut actions = vec![self.create(message_item(message)?)?, self.create(starting(entry, Starts::AtOnce))?];
        if let Some(kept) = kept {
            actions.push(self.keep_answer(message.organization, kept, now)?);
        }
        created(self.transact(actions).await?, None, kept)
    }
}
