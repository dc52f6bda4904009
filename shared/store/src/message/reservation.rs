//! Reserving what a message is known by before it is written: its `Idempotency-Key` and its `eventId`.
//!
//! A reservation names the message that it is for. Who finds one looks for that message: if it stands, the request is a
//! repetition (or its `eventId` is taken). If it does not, whoever reserved is still at work, or did not live to write it;
//! after [`TAKEN_OVER_AFTER`] it is taken for dead. A repetition then writes the message under the id that was reserved, so
//! that two of them write the same one.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::agenda::EntryKey;
use tidings_domain::idempotency::{self, Fingerprint};
use tidings_domain::ids::{ApplicationId, MessageId, OrganizationId};
use tidings_domain::message::{EVENT_ID_RETENTION, Message, Route};
use tidings_domain::names::EventId;

use super::{MessageAccepted, MessageKey, NewMessage, owed_entry};
use crate::agenda::Starts;
use crate::expression::{Item, item, n, s};
use crate::transact::Outcome;
use crate::{DecodeError, Store, StoreError, keys};

/// How long a request may take from its reservation to its message.
const TAKEN_OVER_AFTER: Duration = Duration::from_secs(10);

/// How long an `eventId` is remembered: its promised time, and time for the table to delete it.
const EVENT_ID_KEPT: Duration = EVENT_ID_RETENTION.saturating_mul(2);

#[derive(Debug, Serialize, Deserialize)]
struct ReservationItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    message: MessageId,
    /// Of the request, where a key was reserved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fingerprint: Option<String>,
    reserved_at: i64,
    expires_at: i64,
}

/// What was to be reserved.
#[derive(Debug)]
enum Reserved {
    /// All of it is.
    Ours,
    /// The key is in use.
    KeyTaken(Item),
    /// The `eventId` is in use.
    EventIdTaken(Item),
}

/// What a reservation says.
#[derive(Debug)]
struct Holder {
    message: MessageId,
    reserved_at: Timestamp,
}

/// What is needed of a message to repeat its answer and what it owes.
#[derive(Debug, Deserialize)]
struct Written {
    created_at: i64,
    #[serde(default)]
    owed: Option<i64>,
    #[serde(default)]
    payload_until: Option<i64>,
}

impl Store {
    pub(super) async fn create_reserved(
        &self,
        new: &NewMessage<'_>,
        key: Option<&MessageKey>,
    ) -> Result<MessageAccepted, StoreError> {
        match self.reserve(new.message, key, new.message.id).await? {
            Reserved::Ours => {
                self.put_message(new).await?;
                Ok(MessageAccepted::Written)
            }
            Reserved::KeyTaken(stored) => match key.and_then(|key| holder_of_same(stored, key)) {
                Some(holder) => self.repeat(new, &holder).await,
                None => Ok(MessageAccepted::OtherRequest),
            },
            Reserved::EventIdTaken(stored) => {
                let holder = Holder::of(stored)?;
                if let Some(refused) = self.refused_by(new.message, &holder).await? {
                    return Ok(refused);
                }
                // Nothing was reserved, the key neither: both are, over the head of the one that died.
                let Reserved::Ours = self.reserve(new.message, key, holder.message).await? else {
                    return Ok(MessageAccepted::Running);
                };
                self.put_message(new).await?;
                Ok(MessageAccepted::Written)
            }
        }
    }

    /// The same request again.
    async fn repeat(&self, new: &NewMessage<'_>, holder: &Holder) -> Result<MessageAccepted, StoreError> {
        let repeated = |created_at| MessageAccepted::Repeated { id: holder.message, created_at };
        let message = Message { id: holder.message, ..new.message.clone() };
        if let Some(written) = self.written(&message).await? {
            self.owe_again(&message, new.route, &written).await?;
            return Ok(repeated(Timestamp::from_millis(written.created_at)));
        }
        if !holder.is_dead(new.message.created_at) {
            return Ok(MessageAccepted::Running);
        }
        // As the first request would have written it.
        let message = Message {
            created_at: holder.reserved_at,
            payload_until: holder.reserved_at + message.payload_until.since(message.created_at),
            ..message
        };
        if let Reserved::EventIdTaken(stored) = self.reserve(&message, None, message.id).await? {
            let other = Holder::of(stored)?;
            if let Some(refused) = self.refused_by(new.message, &other).await? {
                return Ok(refused);
            }
            let Reserved::Ours = self.reserve(&message, None, other.message).await? else {
                return Ok(MessageAccepted::Running);
            };
        }
        self.put_message(&NewMessage { message: &message, ..*new }).await?;
        Ok(repeated(message.created_at))
    }

    /// The answer to a message whose `eventId` another one holds; `None` if that one was never written, and never will be.
    async fn refused_by(&self, message: &Message, holder: &Holder) -> Result<Option<MessageAccepted>, StoreError> {
        let other = Message { id: holder.message, ..message.clone() };
        Ok(if self.written(&other).await?.is_some() {
            Some(MessageAccepted::EventIdTaken)
        } else if holder.is_dead(message.created_at) {
            None
        } else {
            Some(MessageAccepted::Running)
        })
    }

    /// Reserves a message's key and `eventId`, both or neither. An `eventId` that `over` holds may be taken from it.
    async fn reserve(
        &self,
        message: &Message,
        key: Option<&MessageKey>,
        over: MessageId,
    ) -> Result<Reserved, StoreError> {
        let now = message.created_at;
        let reservation = |keys::Key { pk, sk }, entity: &str, kept| ReservationItem {
            pk,
            sk,
            entity: entity.to_owned(),
            v: 1,
            message: message.id,
            fingerprint: None,
            reserved_at: now.as_millis(),
            expires_at: (now + kept).as_secs(),
        };
        let of_key = key.map(|MessageKey { key, fingerprint }| {
            let place = keys::idempotency(message.organization, key);
            let item = reservation(place, "message_key", idempotency::RETENTION);
            ReservationItem { fingerprint: Some(fingerprint.as_str().to_owned()), ..item }
        });
        let of_event_id = message.event_id.as_ref().map(|event_id| {
            let place = keys::event_id(message.organization, message.application, event_id);
            reservation(place, "event_id", EVENT_ID_KEPT)
        });
        let (of_key, of_event_id) =
            (of_key.map(|stored| (stored, message.id)), of_event_id.map(|stored| (stored, over)));
        let mut refused = match (of_key, of_event_id) {
            (None, None) => return Ok(Reserved::Ours),
            (Some((stored, over)), None) => vec![(0, self.reserve_one(&stored, over, now).await?)],
            (None, Some((stored, over))) => vec![(1, self.reserve_one(&stored, over, now).await?)],
            (Some((key, ours)), Some((event_id, over))) => {
                let puts = [self.reserving(&key, ours, now)?, self.reserving(&event_id, over, now)?];
                let actions = puts.map(|put| TransactWriteItem::builder().put(put).build()).to_vec();
                match self.transact(actions).await? {
                    Outcome::Written => Vec::new(),
                    Outcome::Refused(refusals) => {
                        refusals.into_iter().map(|refusal| (refusal.action, refusal.item)).collect()
                    }
                }
            }
        };
        refused.retain(|(_, item)| item.is_some());
        Ok(match refused.into_iter().next() {
            None => Reserved::Ours,
            Some((0, item)) => Reserved::KeyTaken(item.unwrap_or_default()),
            Some((_, item)) => Reserved::EventIdTaken(item.unwrap_or_default()),
        })
    }

    /// The item that is in the way, if there is one.
    async fn reserve_one(
        &self,
        stored: &ReservationItem,
        over: MessageId,
        now: Timestamp,
    ) -> Result<Option<Item>, StoreError> {
        let put = self.reserving(stored, over, now)?;
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values)
            .set_return_values_on_condition_check_failure(put.return_values_on_condition_check_failure)
            .send()
            .await;
        let Err(error) = sent else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Some(refused.item.clone().unwrap_or_default()))
            }
            _ => Err(error.into()),
        }
    }

    fn reserving(&self, stored: &ReservationItem, over: MessageId, now: Timestamp) -> Result<Put, StoreError> {
        let put = Put::builder()
            .table_name(&*self.table)
            .set_item(Some(item(stored)))
            // The table deletes expired items only within days. What is ours already is so because an answer was lost.
            .condition_expression("attribute_not_exists(#pk) OR #ttl < :now OR #message IN (:message, :over)")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_names("#message", "message")
            .expression_attribute_values(":now", n(now.as_secs()))
            .expression_attribute_values(":message", s(stored.message.to_string()))
            .expression_attribute_values(":over", s(over.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(put)
    }

    /// What a repetition has to know of a message that stands. One consistent read.
    async fn written(&self, message: &Message) -> Result<Option<Written>, StoreError> {
        let key = keys::message(message.organization, message.application, message.id);
        let answer = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .projection_expression("#created_at, #owed, #payload_until")
            .expression_attribute_names("#created_at", "created_at")
            .expression_attribute_names("#owed", crate::OWED)
            .expression_attribute_names("#payload_until", "payload_until")
            .consistent_read(true)
            .send()
            .await?;
        let read = |stored| serde_dynamo::from_item(stored).map_err(|error| DecodeError::new(key.sk.clone(), error));
        Ok(answer.item.map(read).transpose()?)
    }

    /// Puts the entries of a message again: its first request may have died between the message and them. If they stand,
    /// nothing changes; if their work is done, it is found to be.
    async fn owe_again(&self, message: &Message, route: Route, written: &Written) -> Result<(), StoreError> {
        let entry = |due, work| owed_entry(EntryKey { due: Timestamp::from_millis(due), work });
        let fan_out = written.owed.map(|due| entry(due, message.work(route)));
        let expunge = written.payload_until.filter(|_| written.owed.is_some());
        let expunge = expunge.map(|until| entry(until, message.expunge_work()));
        let entries: Vec<_> = fan_out.into_iter().chain(expunge).collect();
        self.put_entries(&entries, Starts::WhenDue).await
    }
}

impl Store {
    /// The message that was sent under an `eventId`, as long as that is remembered. One consistent read.
    pub async fn message_with_event_id(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        event_id: &EventId,
        now: Timestamp,
    ) -> Result<Option<MessageId>, StoreError> {
        let key = keys::event_id(organization, application, event_id).attributes();
        let answer =
            self.client.get_item().table_name(&*self.table).set_key(Some(key)).consistent_read(true).send().await?;
        let Some(stored) = answer.item else { return Ok(None) };
        let holder: ReservationItem =
            serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a reservation", error))?;
        Ok((holder.expires_at > now.as_secs()).then_some(holder.message))
    }
}

impl Holder {
    fn of(stored: Item) -> Result<Self, StoreError> {
        let ReservationItem { message, reserved_at, .. } =
            serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a reservation", error))?;
        Ok(Self { message, reserved_at: Timestamp::from_millis(reserved_at) })
    }

    fn is_dead(&self, now: Timestamp) -> bool {
        now.since(self.reserved_at) > TAKEN_OVER_AFTER
    }
}

/// Who holds a key for the same request. Another request's reservation, or an answer kept under the key, is none: whose
/// answer is kept went to another path.
fn holder_of_same(stored: Item, key: &MessageKey) -> Option<Holder> {
    let fingerprint = stored.get("fingerprint")?.as_s().ok()?.clone();
    if Fingerprint::from_stored(fingerprint) != key.fingerprint {
        return None;
    }
    Holder::of(stored).ok()
}
