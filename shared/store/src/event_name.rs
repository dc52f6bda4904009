//! Names of events, and the URLs that want them: an organization's names in one partition, with how many URLs each has, and
//! a partition for the URLs of each name.
//!
//! A URL that wants a name is an endpoint, and its pair here is written and deleted with it. An endpoint that somebody deletes
//! as an endpoint leaves its pair behind: whoever reads pairs copes with that, and making the pair again replaces it.

mod item;

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use tidings_domain::broadcast::MAX_RECEIVERS;
use tidings_domain::broker::EventName;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::{EndpointId, OrganizationId};
use tidings_domain::names::Uid;
use tidings_domain::webhook_url::WebhookUrl;

use self::item::{URLS, decode_name, decode_subscription, decode_urls, more, pair_item};
use crate::endpoint::decode_endpoint;
use crate::expression::{Change, Condition, n, s};
use crate::message::NewMessage;
use crate::query::{Direction, Range};
use crate::transact::{Outcome, TRIES};
use crate::{Repetition, Store, StoreError, keys};

/// What became of a request to bring the events of a name to a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Subscribed {
    /// It was written.
    New,
    /// There is an endpoint for the two; nothing was written.
    Known,
    /// As many URLs as there may be want the name; nothing was written.
    TooMany,
    /// Its idempotency key was used before; nothing was written.
    Repeated(Repetition),
}

/// A URL that wants the events of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The endpoint that brings them there. It may have been deleted.
    pub endpoint: EndpointId,
    /// The URL.
    pub url: WebhookUrl,
}

impl Store {
    /// Writes a new endpoint that brings the events of a name to its URL, as [`Store::create_endpoint`] does, and the pair of
    /// the two, all or nothing. Its uid is [`EventName::endpoint_uid`], which makes the pair one. A pair whose endpoint
    /// was deleted is replaced.
    pub async fn subscribe(
        &self,
        organization: OrganizationId,
        name: &EventName,
        endpoint: &Endpoint,
        told: Option<&NewMessage<'_>>,
        kept: Option<&KeptAnswer>,
    ) -> Result<Subscribed, StoreError> {
        let pair = keys::subscription(organization, name, &pair_uid(name, endpoint));
        let mut stale = None;
        for _ in 0..TRIES {
            let (mut actions, uid) = self.making(endpoint, told)?;
            let (pair_at, name_at, kept_at) = (actions.len(), actions.len() + 1, actions.len() + 2);
            actions.push(self.pairing(&pair, endpoint, stale)?);
            actions.push(match stale {
                None => self.one_more(organization, name)?,
                Some(_) => self.must_stand(&keys::event_name(organization, name))?,
            });
            if let Some(kept) = kept {
                actions.push(self.keep_answer(organization, kept, endpoint.created_at)?);
            }
            let outcome = self.transact(actions).await;
            self.forget_application(organization, endpoint.application);
            let Outcome::Refused(mut refusals) = outcome? else { return Ok(Subscribed::New) };
            let refused = |action| refusals.iter().any(|refusal| refusal.action == action);
            let (no_application, known) = (refused(0), uid.is_some_and(refused));
            let (is_stale, too_many) = (refused(pair_at), refused(name_at));
            // What a repetition would make is there already, so its key is looked at first.
            if let (Some(kept), Some(repeated)) = (kept, refusals.iter_mut().find(|refusal| refusal.action == kept_at))
            {
                return Ok(Subscribed::Repeated(Repetition::of(repeated.item.take().unwrap_or_default(), kept)?));
            }
            if no_application {
                return Err(StoreError::Contended);
            }
            if known {
                return Ok(Subscribed::Known);
            }
            if !is_stale && too_many && stale.is_none() {
                return Ok(Subscribed::TooMany);
            }
            let other = refusals.into_iter().find(|refusal| refusal.action == pair_at).and_then(|refusal| refusal.item);
            stale = other.map(decode_subscription).transpose()?.map(|subscription| subscription.endpoint);
        }
        Err(StoreError::Contended)
    }

    /// Deletes an endpoint that brings the events of a name to a URL, as [`Store::delete_endpoint`] does, and the pair of the
    /// two. With its last pair a name goes. `false` if the endpoint was gone.
    pub async fn unsubscribe(
        &self,
        organization: OrganizationId,
        name: &EventName,
        endpoint: &Endpoint,
        told: Option<&NewMessage<'_>>,
    ) -> Result<bool, StoreError> {
        let Endpoint { id, application, .. } = *endpoint;
        let pair = keys::subscription(organization, name, &pair_uid(name, endpoint));
        let mut uid = endpoint.uid.clone();
        for _ in 0..TRIES {
            let mut actions = self.removing(organization, application, id, uid.as_ref(), told)?;
            if let Some(stored) = self.item(&pair).await?
                && decode_subscription(stored)?.endpoint == id
            {
                actions.extend(self.parting(organization, name, &pair, id).await?);
            }
            let outcome = self.transact(actions).await;
            self.forget_application(organization, application);
            let Outcome::Refused(refusals) = outcome? else { return Ok(true) };
            // Whatever else was refused was changed since it was read.
            if let Some(refusal) = refusals.into_iter().find(|refusal| refusal.action == 0) {
                let Some(stored) = refusal.item else { return Ok(false) };
                uid = decode_endpoint(stored)?.uid;
            }
        }
        Err(StoreError::Contended)
    }

    /// Deletes a pair whose endpoint was deleted. `false` if it is gone, or has another endpoint by now.
    pub async fn drop_subscription(
        &self,
        organization: OrganizationId,
        name: &EventName,
        stale: &Subscription,
    ) -> Result<bool, StoreError> {
        let pair = keys::subscription(organization, name, &name.endpoint_uid(&stale.url));
        for _ in 0..TRIES {
            let actions = self.parting(organization, name, &pair, stale.endpoint).await?.to_vec();
            let Outcome::Refused(refusals) = self.transact(actions).await? else { return Ok(true) };
            if refusals.iter().any(|refusal| refusal.action == 0) {
                return Ok(false);
            }
        }
        Err(StoreError::Contended)
    }

    /// An organization's names that some URL wants, in the order of their bytes: at most `limit`, after the first `offset`.
    /// One consistent query, for what it passes over, too.
    pub async fn event_names(
        &self,
        organization: OrganizationId,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<EventName>, StoreError> {
        let wanted = offset.saturating_add(limit);
        let mut found = Vec::new();
        let mut next = None;
        while found.len() < wanted {
            let answer = self
                .client
                .query()
                .table_name(&*self.table)
                .key_condition_expression("#pk = :pk")
                .expression_attribute_names("#pk", keys::PK)
                .expression_attribute_values(":pk", s(keys::event_name_partition(organization)))
                .consistent_read(true)
                .limit(i32::try_from(wanted - found.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(next)
                .send()
                .await?;
            for stored in answer.items.unwrap_or_default() {
                found.push(decode_name(&stored)?);
            }
            next = answer.last_evaluated_key;
            if next.is_none() {
                break;
            }
        }
        Ok(found.split_off(offset.min(found.len())))
    }

    /// The URLs that want the events of a name, the first that did so first; none if nobody knows the name. One consistent
    /// query.
    pub async fn subscriptions(
        &self,
        organization: OrganizationId,
        name: &EventName,
    ) -> Result<Vec<Subscription>, StoreError> {
        let range = Range {
            partition: keys::subscription_partition(organization, name),
            from: "!".to_owned(),
            to: keys::END.to_owned(),
        };
        let query = self.query(&range, Direction::OldestFirst).consistent_read(true);
        let mut pages = query.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(stored) = pages.try_next().await? {
            found.push(decode_subscription(stored)?);
        }
        found.sort_by_key(|subscription| subscription.endpoint);
        Ok(found)
    }

    /// Writes a pair where there is none, or in the place of the one that has this endpoint.
    fn pairing(
        &self,
        pair: &keys::Key,
        endpoint: &Endpoint,
        stale: Option<EndpointId>,
    ) -> Result<TransactWriteItem, StoreError> {
        let stored = pair_item(pair, endpoint);
        if let Some(stale) = stale {
            return self.replace(stored, Condition::exists().and("endpoint", Some(s(stale.to_string()))));
        }
        let put = Put::builder()
            .table_name(&*self.table)
            .set_item(Some(stored))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", keys::PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn one_more(&self, organization: OrganizationId, name: &EventName) -> Result<TransactWriteItem, StoreError> {
        let most = i64::try_from(MAX_RECEIVERS).unwrap_or(i64::MAX);
        let key = keys::event_name(organization, name).attributes();
        let update = more(most).table_name(&*self.table).set_key(Some(key)).build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// What deletes a pair that has this endpoint, and counts one URL less, down to none, which is no name. One read.
    async fn parting(
        &self,
        organization: OrganizationId,
        name: &EventName,
        pair: &keys::Key,
        endpoint: EndpointId,
    ) -> Result<[TransactWriteItem; 2], StoreError> {
        let own = Condition::exists().and("endpoint", Some(s(endpoint.to_string())));
        let key = keys::event_name(organization, name);
        let urls = self.item(&key).await?.map(|stored| decode_urls(&stored)).transpose()?.unwrap_or_default();
        let less = if urls > 1 {
            // Not the number that was read: others may come and go meanwhile, as long as this is not the last.
            self.change(&key, Change::new().add(URLS, -1).only_above(URLS, 1))?
        } else {
            self.take_when(&key, Condition::exists().and(URLS, Some(n(urls))))?
        };
        Ok([self.take_when(pair, own)?, less])
    }
}

/// What the pair of a name and an endpoint is known by. The endpoint may have been moved to another URL since.
fn pair_uid(name: &EventName, endpoint: &Endpoint) -> Uid {
    endpoint.uid.clone().unwrap_or_else(|| name.endpoint_uid(&endpoint.url))
}
