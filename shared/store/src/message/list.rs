//! Lists of messages.

use tidings_domain::Timestamp;
use tidings_domain::ids::{ApplicationId, MessageId, OrganizationId};
use tidings_domain::message::{Message, RETENTION};
use tidings_domain::names::{Channel, EventTypeName, Tag};
use tidings_domain::page::{Page, PageLimit, Position};

use super::item::decode;
use crate::expression::Item;
use crate::query::{Direction, ID_STEP, Range, id_time, page};
use crate::{Store, StoreError, keys};

/// Which messages to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub before: Option<Timestamp>,
    /// Of one of these types; of any if there is none.
    pub event_types: Vec<EventTypeName>,
    /// In this channel.
    pub channel: Option<Channel>,
    /// With this tag.
    pub tag: Option<Tag>,
    /// Whether to read the payloads.
    pub with_payload: bool,
}

impl MessageFilter {
    fn takes(&self, message: &Message) -> bool {
        self.since.is_none_or(|since| message.created_at >= since)
            && self.before.is_none_or(|before| message.created_at < before)
            && (self.event_types.is_empty() || self.event_types.contains(&message.event_type))
            && self.channel.as_ref().is_none_or(|channel| message.channels.contains(channel))
            && self.tag.as_ref().is_none_or(|tag| message.tags.contains(tag))
    }

    fn is_selective(&self) -> bool {
        !self.event_types.is_empty() || self.channel.is_some() || self.tag.is_some()
    }
}

impl Store {
    /// An application's messages, newest first. Without payloads these are not read over the wire.
    pub async fn messages(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        filter: &MessageFilter,
        position: Option<Position<MessageId>>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<Message>, StoreError> {
        let range = range(organization, application, filter.since, filter.before, now);
        let (range, direction) = range.at(position.as_ref(), |id| format!("{}{id}", keys::MESSAGE));
        // One more than asked for tells whether there is more.
        let at_once = if filter.is_selective() { 250 } else { limit.get() + 1 };
        let mut walk = Walk::new(range, direction, filter.with_payload, at_once);
        let mut found = Vec::new();
        while found.len() <= limit.get()
            && let Some(messages) = walk.next(self).await?
        {
            found.extend(
                messages.into_iter().filter(|message| filter.takes(message) && now < message.created_at + RETENTION),
            );
        }
        Ok(page(found, direction, limit))
    }

    /// At most so many of an application's messages accepted from `since` on and before `until`, oldest first and without
    /// their payloads, those after `after`; and whether there are more.
    pub async fn messages_between(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        after: Option<MessageId>,
        since: Timestamp,
        until: Timestamp,
        limit: u16,
    ) -> Result<(Vec<Message>, bool), StoreError> {
        let mut range = range(organization, application, Some(since), Some(until), Timestamp::default());
        if let Some(after) = after {
            range.from = range.from.max(format!("{}{after}{}", keys::MESSAGE, keys::END));
        }
        let limit = usize::from(limit);
        let mut walk = Walk::new(range, Direction::OldestFirst, false, limit + 1);
        let mut found = Vec::new();
        while found.len() <= limit
            && let Some(messages) = walk.next(self).await?
        {
            found.extend(messages.into_iter().filter(|message| (since..until).contains(&message.created_at)));
        }
        let more = found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }
}

/// A walk over an application's messages.
#[derive(Debug)]
struct Walk {
    range: Range,
    direction: Direction,
    with_payload: bool,
    at_once: i32,
    next: Option<Item>,
    is_over: bool,
}

impl Walk {
    fn new(range: Range, direction: Direction, with_payload: bool, at_once: usize) -> Self {
        let is_over = range.is_empty();
        let at_once = i32::try_from(at_once).unwrap_or(i32::MAX);
        Self { range, direction, with_payload, at_once, next: None, is_over }
    }

    /// The next messages; `None` when there are no more.
    async fn next(&mut self, store: &Store) -> Result<Option<Vec<Message>>, StoreError> {
        const BUT_PAYLOAD: [&str; 8] =
            [keys::PK, keys::SK, "entity", "v", "event_type", "event_id", "channels", "tags"];
        const TIMES: [&str; 3] = ["payload_until", "created_at", keys::TTL];
        if self.is_over {
            return Ok(None);
        }
        let mut query = store.query(&self.range, self.direction).limit(self.at_once);
        if !self.with_payload {
            let names = BUT_PAYLOAD.into_iter().chain(TIMES);
            query = query
                .projection_expression(names.clone().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", "));
            for name in names {
                query = query.expression_attribute_names(format!("#{name}"), name);
            }
        }
        let answer = query.set_exclusive_start_key(self.next.take()).send().await?;
        self.is_over = answer.last_evaluated_key.is_none();
        self.next = answer.last_evaluated_key;
        Ok(Some(answer.items.unwrap_or_default().into_iter().map(decode).collect::<Result<_, _>>()?))
    }
}

/// Messages of these times that have not expired. Ids count time in steps of a few milliseconds, so what stands at the ends
/// has to be looked at.
fn range(
    organization: OrganizationId,
    application: ApplicationId,
    since: Option<Timestamp>,
    before: Option<Timestamp>,
    now: Timestamp,
) -> Range {
    let least = since.map_or(now - RETENTION, |since| since.max(now - RETENTION));
    let at = |id: MessageId| format!("{}{id}", keys::MESSAGE);
    Range {
        partition: keys::application_partition(organization, application),
        from: at(MessageId::least_at(id_time(least))),
        to: before.map_or(format!("{}{}", keys::MESSAGE, keys::END), |before| {
            at(MessageId::least_at(id_time(before + ID_STEP)))
        }),
    }
}
