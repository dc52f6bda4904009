//! Lists of attempts, newest first.

use std::time::Duration;

use futures::future::try_join_all;
use tidings_domain::Timestamp;
use tidings_domain::attempt::Attempt;
use tidings_domain::delivery::Delivery;
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId};
use tidings_domain::message::RETENTION;
use tidings_domain::names::Tag;
use tidings_domain::page::{Page, PageLimit, Position};

use super::filter::{AttemptFilter, EndpointMessageFilter};
use super::item::{Listed, decode};
use super::{range_at, range_of};
use crate::expression::Item;
use crate::query::{Direction, ID_STEP, Range, id_time, page};
use crate::{Store, StoreError, keys};

/// Keys that one query of the index asks for when only some of them will do.
const SELECTIVE: i32 = 250;

/// Newest attempts that are looked up at once.
const AT_ONCE: usize = 16;

/// An endpoint's attempts of these times in the index. Ids count time in steps of a few milliseconds, so what stands at the
/// end has to be looked at.
pub(super) fn index_range(
    organization: OrganizationId,
    application: ApplicationId,
    endpoint: EndpointId,
    since: Timestamp,
    before: Option<Timestamp>,
) -> Range {
    let end = || format!("{}{}", AttemptId::PREFIX, keys::END);
    Range {
        partition: keys::attempt_index_partition(organization, application, endpoint),
        from: AttemptId::least_at(id_time(since)).to_string(),
        to: before.map_or_else(end, |before| AttemptId::least_at(id_time(before + ID_STEP)).to_string()),
    }
}

impl Store {
    /// An endpoint's attempts, newest first.
    #[expect(clippy::too_many_arguments, reason = "a list has a place, a filter and a page")]
    pub async fn attempts_by_endpoint(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        endpoint: EndpointId,
        filter: &AttemptFilter,
        position: Option<Position<AttemptId>>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<Attempt>, StoreError> {
        let since = living(filter.since, now);
        let range = index_range(organization, application, endpoint, since, filter.before);
        let (range, direction) = range.at(position.as_ref(), AttemptId::to_string);
        let mut walk = Walk::new(range, direction, filter.is_selective(), limit);
        let mut found = Vec::new();
        while found.len() <= limit.get()
            && let Some(mut listed) = walk.next(self).await?
        {
            listed.retain(|attempt| filter.takes_key(attempt));
            let takes = |attempt: &Attempt| filter.takes(attempt) && attempt.made_at >= since;
            self.read_attempts(&listed, limit, takes, &mut found).await?;
        }
        Ok(page(found, direction, limit))
    }

    /// A message's attempts, newest first.
    #[expect(clippy::too_many_arguments, reason = "a list has a place, a filter and a page")]
    pub async fn attempts_by_message(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        message: MessageId,
        filter: &AttemptFilter,
        position: Option<Position<AttemptId>>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<Attempt>, StoreError> {
        let delivery = |endpoint| Delivery { organization, application, endpoint, message };
        let range = match filter.endpoint {
            Some(endpoint) => range_at(&delivery(endpoint)),
            None => range_of(organization, application, message),
        };
        // They stand by endpoint: all keys are read and put in the order of their time.
        let query = self.query(&range, Direction::NewestFirst).consistent_read(true);
        let query = query
            .projection_expression("#range_pk, #range_sk, #index_sk")
            .expression_attribute_names("#index_sk", keys::INDEX_SK);
        let mut pages = query.into_paginator().items().send();
        let mut listed = Vec::new();
        while let Some(item) = pages.try_next().await? {
            listed.extend(Listed::of(&item).filter(|attempt| filter.takes_key(attempt)));
        }
        let direction = match position {
            None => Direction::NewestFirst,
            Some(Position::After(id)) => {
                listed.retain(|attempt| attempt.id < id);
                Direction::NewestFirst
            }
            Some(Position::Before(id)) => {
                listed.retain(|attempt| attempt.id > id);
                Direction::OldestFirst
            }
        };
        listed.sort_unstable_by_key(|attempt| attempt.id);
        if direction == Direction::NewestFirst {
            listed.reverse();
        }
        let since = living(filter.since, now);
        let takes = |attempt: &Attempt| filter.takes(attempt) && attempt.made_at >= since;
        let mut found = Vec::new();
        self.read_attempts(&listed, limit, takes, &mut found).await?;
        Ok(page(found, direction, limit))
    }

    /// The messages that were attempted at an endpoint, each as its newest attempt there, newest first. A message moves
    /// to the front with each attempt, so every one that the index lists is looked up once more: a later one may
    /// have taken its place.
    #[expect(clippy::too_many_arguments, reason = "a list has a place, a filter and a page")]
    pub async fn attempted_messages(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        endpoint: EndpointId,
        filter: &EndpointMessageFilter,
        position: Option<Position<AttemptId>>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<Attempt>, StoreError> {
        let since = living(filter.since, now);
        let range = index_range(organization, application, endpoint, since, filter.before);
        let (range, direction) = range.at(position.as_ref(), AttemptId::to_string);
        let mut walk = Walk::new(range, direction, filter.is_selective(), limit);
        let mut found = Vec::new();
        while found.len() <= limit.get()
            && let Some(mut listed) = walk.next(self).await?
        {
            listed.retain(|attempt| filter.takes_key(attempt));
            for part in listed.chunks(AT_ONCE) {
                if found.len() > limit.get() {
                    break;
                }
                let newest = try_join_all(part.iter().map(|attempt| self.newest_attempt(&attempt.delivery))).await?;
                let newest = part.iter().zip(newest);
                let newest = newest.filter_map(|(listed, newest)| newest.filter(|newest| newest.id == listed.id));
                let mut taken: Vec<Attempt> =
                    newest.filter(|attempt| filter.takes(attempt) && attempt.made_at >= since).collect();
                if let Some(tag) = &filter.tag {
                    self.retain_tagged(&mut taken, tag).await?;
                }
                found.extend(taken);
            }
        }
        Ok(page(found, direction, limit))
    }

    /// Reads what the keys list, in their order, until there is one more than a page takes.
    async fn read_attempts(
        &self,
        listed: &[Listed],
        limit: PageLimit,
        takes: impl Fn(&Attempt) -> bool,
        found: &mut Vec<Attempt>,
    ) -> Result<(), StoreError> {
        for part in listed.chunks(limit.get().min(99) + 1) {
            if found.len() > limit.get() {
                break;
            }
            let keys: Vec<keys::Key> = part.iter().map(|attempt| attempt.key.clone()).collect();
            let mut items = self.read(&keys).await?;
            for item in keys.iter().filter_map(|key| items.remove(key)) {
                found.extend(Some(decode(item)?).filter(&takes));
            }
        }
        Ok(())
    }

    /// Attempts do not know their message's tags.
    async fn retain_tagged(&self, attempts: &mut Vec<Attempt>, tag: &Tag) -> Result<(), StoreError> {
        let key = |attempt: &Attempt| {
            let delivery = attempt.delivery;
            keys::message(delivery.organization, delivery.application, delivery.message)
        };
        let keys: Vec<keys::Key> = attempts.iter().map(key).collect();
        let items = self.read_parts(&keys, &["tags"]).await?;
        attempts.retain(|attempt| items.get(&key(attempt)).is_some_and(|item| has_tag(item, tag)));
        Ok(())
    }
}

fn has_tag(item: &Item, tag: &Tag) -> bool {
    let tags = item.get("tags").and_then(|tags| tags.as_l().ok());
    tags.into_iter().flatten().any(|stored| stored.as_s().is_ok_and(|stored| stored == tag.as_str()))
}

/// What has not expired by now.
fn living(since: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let oldest = now - RETENTION + Duration::from_millis(1);
    since.map_or(oldest, |since| since.max(oldest))
}

/// A walk over an endpoint's attempts in the index.
#[derive(Debug)]
struct Walk {
    range: Range,
    direction: Direction,
    at_once: i32,
    next: Option<Item>,
    is_over: bool,
}

impl Walk {
    fn new(range: Range, direction: Direction, is_selective: bool, limit: PageLimit) -> Self {
        // One more than asked for tells whether there is more.
        let page = i32::try_from(limit.get() + 1).unwrap_or(SELECTIVE);
        let is_over = range.is_empty();
        Self { range, direction, at_once: if is_selective { SELECTIVE } else { page }, next: None, is_over }
    }

    /// The next attempts; `None` when there are no more.
    async fn next(&mut self, store: &Store) -> Result<Option<Vec<Listed>>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let query = store.query_index(&self.range, self.direction).limit(self.at_once);
        let answer = query.set_exclusive_start_key(self.next.take()).send().await?;
        self.is_over = answer.last_evaluated_key.is_none();
        self.next = answer.last_evaluated_key;
        Ok(Some(answer.items.unwrap_or_default().iter().filter_map(Listed::of).collect()))
    }
}
