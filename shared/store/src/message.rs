//! Messages: one item each, beside their application's.

mod example;
mod item;
mod list;
mod reservation;

use aws_sdk_dynamodb::types::TransactWriteItem;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::idempotency::{Fingerprint, IdempotencyKey};
use tidings_domain::ids::{ApplicationId, MessageId, OrganizationId};
use tidings_domain::message::{Message, RETENTION, Route};

pub use self::item::from_image;
use self::item::{PAYLOAD, decode, message_item};
pub use self::list::MessageFilter;
use crate::agenda::{Starts, entry_item, owing};
use crate::batch::Write;
use crate::expression::{Change, Item};
use crate::{Store, StoreError, keys};

/// A message to write.
#[derive(Debug, Clone, Copy)]
pub struct NewMessage<'a> {
    /// The message.
    pub message: &'a Message,
    /// When the schedule may take it: when the fast lane's time is over.
    pub due: Timestamp,
    /// Who brings it to its receivers.
    pub route: Route,
}

/// The `Idempotency-Key` that a message came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageKey {
    /// The key.
    pub key: IdempotencyKey,
    /// What tells its request from another one.
    pub fingerprint: Fingerprint,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum MessageAccepted {
    /// It was written.
    Written,
    /// The same request came before under its key, and this is what it made. It stands now, even if the first request
    /// did not live to write it.
    Repeated {
        /// The message's id.
        id: MessageId,
        /// When it was accepted.
        created_at: Timestamp,
    },
    /// Its key was used for another request.
    OtherRequest,
    /// Another message has its `eventId`.
    EventIdTaken,
    /// The same request, or one with the same `eventId`, is at work at this moment: the caller may ask again in a second.
    Running,
}

impl NewMessage<'_> {
    fn entry(&self) -> Entry {
        owed_entry(EntryKey { due: self.due, work: self.message.work(self.route) })
    }

    /// Everything that is written of it: the message first.
    fn items(&self, starts: Starts) -> Result<Vec<Item>, StoreError> {
        let Self { message, due: _, route: _ } = self;
        let entry = self.entry();
        let mut stored = message_item(message)?;
        match starts {
            Starts::AtOnce => stored.extend(owing(&entry)),
            Starts::WhenDue => (),
        }
        let mut items = vec![stored, entry_item(&entry)];
        if message.expires_early() {
            let key = EntryKey { due: message.payload_until, work: message.expunge_work() };
            items.push(entry_item(&owed_entry(key)));
        }
        Ok(items)
    }
}

fn owed_entry(key: EntryKey) -> Entry {
    Entry { key, tries: 0, destination: None, note: None }
}

impl Store {
    /// Writes a message and what it owes. Without a key and an `eventId` in one call, and nothing is read; with one of
    /// them, after reserving it.
    pub async fn create_message(
        &self,
        new: &NewMessage<'_>,
        key: Option<&MessageKey>,
    ) -> Result<MessageAccepted, StoreError> {
        if key.is_none() && new.message.event_id.is_none() {
            self.put_message(new).await?;
            return Ok(MessageAccepted::Written);
        }
        self.create_reserved(new, key).await
    }

    async fn put_message(&self, new: &NewMessage<'_>) -> Result<(), StoreError> {
        self.write(new.items(Starts::AtOnce)?.into_iter().map(Write::put).collect::<Result<_, _>>()?).await
    }

    /// A message and what it owes, for a transaction that tells of something else.
    pub(crate) fn message_actions(
        &self,
        new: &NewMessage<'_>,
        starts: Starts,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        new.items(starts)?.into_iter().map(|item| self.create(item)).collect()
    }

    /// A message of this application. One consistent read.
    pub async fn message(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        id: MessageId,
        now: Timestamp,
    ) -> Result<Option<Message>, StoreError> {
        let key = keys::message(organization, application, id);
        let answer = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await?;
        let Some(stored) = answer.item else { return Ok(None) };
        let message = decode(stored)?;
        // The table deletes expired items only within days.
        Ok(Some(message).filter(|message| now < message.created_at + RETENTION))
    }

    /// Removes a message's payload for ever. `false` if there is no such message.
    pub async fn expunge_message(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        // Its image must not start the fast lane again.
        let change = Change::new().remove(PAYLOAD).remove(crate::OWED);
        self.change_alone(&keys::message(organization, application, id), change).await
    }
}
