//! Attempts: a partition for each message. The index lists an endpoint's.

mod count;
mod filter;
mod item;
mod list;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::attempt::Attempt;
use tidings_domain::delivery::Delivery;
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId};
use tidings_domain::message::RETENTION;

pub use self::count::{AttemptCounts, DeliveryCounts};
pub use self::filter::{AttemptFilter, EndpointMessageFilter};
pub use self::item::from_image;
use self::item::{RESPONSE, attempt_item, decode};

use crate::agenda::{Claim, Finished, Starts, apart, starting};
use crate::batch::Write;
use crate::expression::{Change, Item};
use crate::message::NewMessage;
use crate::query::{Direction, Range, text};
use crate::transact::Outcome;
use crate::{DecodeError, Store, StoreError, keys};

impl Store {
    /// Writes an attempt. It stays for 90 days from when it was made, a little longer than its message.
    pub async fn put_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.write(vec![Write::put(self.heard_item(attempt).await)?]).await
    }

    /// An attempt as it is stored: live, if somebody listens.
    async fn heard_item(&self, attempt: &Attempt) -> Item {
        let mut stored = attempt_item(attempt);
        if self.is_heard(attempt.delivery.organization, attempt.made_at + attempt.duration).await {
            stored.insert(crate::LIVE.to_owned(), AttributeValue::Bool(true));
        }
        stored
    }

    /// Writes an attempt with what follows from it, all or nothing: the entry of the next one, which takes the place of the
    /// claimed one, and the message that tells of it. If the claim was lost, the request was still made: the attempt
    /// is written alone.
    pub async fn put_failed_attempt(
        &self,
        attempt: &Attempt,
        from: Option<&Claim>,
        next: Option<(&Entry, Starts)>,
        told: Option<&NewMessage<'_>>,
    ) -> Result<Finished, StoreError> {
        if from.is_none() && next.is_none() && told.is_none() {
            self.put_attempt(attempt).await?;
            return Ok(Finished::Written);
        }
        let mut actions = Vec::new();
        if let Some(claim) = from {
            actions.push(self.take(&keys::agenda(&claim.entry.key))?);
        }
        actions.push(self.create(self.heard_item(attempt).await)?);
        if let Some((next, starts)) = next {
            let next = from.map_or_else(|| next.clone(), |claim| apart(claim, next));
            // Without a condition: an entry at the same place says the same.
            let put = Put::builder().table_name(&*self.table).set_item(Some(starting(&next, starts))).build()?;
            actions.push(TransactWriteItem::builder().put(put).build());
        }
        if let Some(told) = told {
            actions.extend(self.message_actions(told, Starts::AtOnce)?);
        }
        match self.transact(actions).await? {
            Outcome::Written => Ok(Finished::Written),
            Outcome::Refused(refusals) if from.is_some() && refusals.iter().any(|refusal| refusal.action == 0) => {
                self.put_attempt(attempt).await?;
                Ok(Finished::Lost)
            }
            Outcome::Refused(_) => Err(DecodeError::new(attempt.id.to_string(), "the id is in use").into()),
        }
    }

    /// The newest attempt of a delivery. One consistent read.
    pub async fn newest_attempt(&self, delivery: &Delivery) -> Result<Option<Attempt>, StoreError> {
        let range = range_at(delivery);
        let answer = self.query(&range, Direction::NewestFirst).limit(1).consistent_read(true).send().await?;
        let first = answer.items.unwrap_or_default().into_iter().next();
        Ok(first.map(decode).transpose()?)
    }

    /// An attempt of a message.
    pub async fn attempt(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
        now: Timestamp,
    ) -> Result<Option<Attempt>, StoreError> {
        let Some(key) = self.attempt_key(organization, application, message, id).await? else { return Ok(None) };
        let answer = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await?;
        let attempt = answer.item.map(decode).transpose()?;
        // The table deletes expired items only within days.
        Ok(attempt.filter(|attempt| now < attempt.made_at + RETENTION))
    }

    /// Removes for ever what was answered to an attempt. `false` if there is no such attempt.
    pub async fn expunge_attempt(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        match self.attempt_key(organization, application, message, id).await? {
            // Nor is it news once more to those who listen.
            Some(key) => self.change_alone(&key, Change::new().remove(RESPONSE).remove(crate::LIVE)).await,
            None => Ok(false),
        }
    }

    /// The newest attempt of a message at each endpoint that has one. Consistent reads.
    pub async fn newest_attempts_of_message(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        message: MessageId,
    ) -> Result<BTreeMap<EndpointId, Attempt>, StoreError> {
        let range = range_of(organization, application, message);
        let query = self.query(&range, Direction::OldestFirst).consistent_read(true);
        let mut pages = query.into_paginator().items().send();
        let mut newest = BTreeMap::new();
        while let Some(stored) = pages.try_next().await? {
            let attempt = decode(stored)?;
            // Those at one endpoint come oldest first.
            newest.insert(attempt.delivery.endpoint, attempt);
        }
        Ok(newest)
    }

    /// Where an attempt stands: its key has its endpoint, which the caller may not know.
    async fn attempt_key(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<keys::Key>, StoreError> {
        let range = range_of(organization, application, message);
        let query = self.query(&range, Direction::NewestFirst).consistent_read(true).projection_expression("#range_sk");
        let mut pages = query.into_paginator().items().send();
        let end = format!("#{id}");
        while let Some(stored) = pages.try_next().await? {
            if let Some(sk) = text(&stored, keys::SK).filter(|sk| sk.ends_with(&end)) {
                return Ok(Some(keys::Key { pk: range.partition, sk: sk.to_owned() }));
            }
        }
        Ok(None)
    }
}

/// A message's attempts.
fn range_of(organization: OrganizationId, application: ApplicationId, message: MessageId) -> Range {
    Range {
        partition: keys::attempt_partition(organization, application, message),
        from: keys::ATTEMPT.to_owned(),
        to: format!("{}{}", keys::ATTEMPT, keys::END),
    }
}

/// A message's attempts at one endpoint.
fn range_at(delivery: &Delivery) -> Range {
    let Delivery { organization, application, endpoint, message } = *delivery;
    let from = keys::attempts_at(endpoint);
    let to = format!("{from}{}", keys::END);
    Range { from, to, ..range_of(organization, application, message) }
}
