//! Reading lists: one partition, a range of sort keys, and items by their keys.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use tidings_domain::Timestamp;
use tidings_domain::page::{Page, PageLimit, Position};

use crate::expression::{Item, s};
use crate::keys::Key;
use crate::{Store, StoreError, keys};

/// A range of sort keys in one partition, ends included.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) partition: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Which end of a range is read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    NewestFirst,
    OldestFirst,
}

impl Range {
    /// DynamoDB refuses a range whose ends are the wrong way round.
    pub(crate) fn is_empty(&self) -> bool {
        self.from > self.to
    }

    /// The same range from one of its keys on, that key not included, and which way to read it. Keys that go on after
    /// `key` belong to it. The list is one that runs from the newest to the oldest.
    pub(crate) fn at<I>(mut self, position: Option<&Position<I>>, key: impl Fn(&I) -> String) -> (Self, Direction) {
        match position {
            None => (self, Direction::NewestFirst),
            Some(Position::After(place)) => {
                self.to = self.to.min(just_below(&key(place)));
                (self, Direction::NewestFirst)
            }
            Some(Position::Before(place)) => {
                self.from = self.from.max(format!("{}{}", key(place), keys::END));
                (self, Direction::OldestFirst)
            }
        }
    }
}

/// A text below this one, with no key between the two.
pub(crate) fn just_below(key: &str) -> String {
    let mut text = key.to_owned();
    let last = text.pop().and_then(|last| char::from_u32(u32::from(last).saturating_sub(1)));
    text.extend(last);
    text + keys::END
}

/// Ids count time in steps of this.
pub(crate) const ID_STEP: Duration = Duration::from_millis(4);

/// A time that an id can have: they begin in 2014.
pub(crate) fn id_time(at: Timestamp) -> Timestamp {
    const FIRST: Timestamp = Timestamp::from_millis(1_400_000_000_000);
    const LAST: Timestamp = Timestamp::from_millis(5_600_000_000_000);
    at.clamp(FIRST, LAST)
}

/// A page from what was found by reading in a direction: one more than the limit says that there is more.
pub(crate) fn page<T>(mut found: Vec<T>, direction: Direction, limit: PageLimit) -> Page<T> {
    let done = found.len() <= limit.get();
    found.truncate(limit.get());
    if direction == Direction::OldestFirst {
        found.reverse();
    }
    Page { data: found, done }
}

impl Store {
    /// A query of a range of the table's own keys.
    pub(crate) fn query(&self, range: &Range, direction: Direction) -> QueryFluentBuilder {
        self.range(range, direction, keys::PK, keys::SK)
    }

    /// A query of a range of the index.
    pub(crate) fn query_index(&self, range: &Range, direction: Direction) -> QueryFluentBuilder {
        self.range(range, direction, keys::INDEX_PK, keys::INDEX_SK).index_name(keys::INDEX)
    }

    fn range(&self, range: &Range, direction: Direction, pk: &str, sk: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("#range_pk = :range_pk AND #range_sk BETWEEN :range_from AND :range_to")
            .expression_attribute_names("#range_pk", pk)
            .expression_attribute_names("#range_sk", sk)
            .expression_attribute_values(":range_pk", s(&*range.partition))
            .expression_attribute_values(":range_from", s(&*range.from))
            .expression_attribute_values(":range_to", s(&*range.to))
            .scan_index_forward(direction == Direction::OldestFirst)
    }

    /// Items by their keys, those that exist.
    pub(crate) async fn read(&self, wanted: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        self.read_with(wanted, KeysAndAttributes::builder()).await
    }

    /// The same, consistent.
    pub(crate) async fn read_latest(&self, wanted: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        self.read_with(wanted, KeysAndAttributes::builder().consistent_read(true)).await
    }

    /// These attributes of items by their keys, those that exist.
    pub(crate) async fn read_parts(&self, wanted: &[Key], names: &[&str]) -> Result<HashMap<Key, Item>, StoreError> {
        let all = [&[keys::PK, keys::SK], names].concat();
        let expression: Vec<String> = all.iter().map(|name| format!("#{name}")).collect();
        let mut request = KeysAndAttributes::builder().projection_expression(expression.join(", "));
        for name in all {
            request = request.expression_attribute_names(format!("#{name}"), name);
        }
        self.read_with(wanted, request).await
    }

    async fn read_with(&self, wanted: &[Key], how: KeysAndAttributesBuilder) -> Result<HashMap<Key, Item>, StoreError> {
        let mut found = HashMap::new();
        let mut wanted: Vec<Item> = wanted.iter().map(Key::attributes).collect();
        while !wanted.is_empty() {
            let later = wanted.split_off(wanted.len().min(100));
            let request = how.clone().set_keys(Some(wanted)).build()?;
            let answer = self.client.batch_get_item().request_items(&*self.table, request).send().await?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                found.extend(key_of(&item).map(|key| (key, item)));
            }
            let rest = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&*self.table));
            wanted = [rest.map(|rest| rest.keys).unwrap_or_default(), later].concat();
        }
        Ok(found)
    }
}

/// The table's key of an item.
pub(crate) fn key_of(item: &Item) -> Option<Key> {
    Some(Key { pk: text(item, keys::PK)?.to_owned(), sk: text(item, keys::SK)?.to_owned() })
}

/// A text of an item.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_key_stands_between_a_key_and_the_text_just_below_it(key in "[0-9A-Za-z]{5}", other in "[0-9A-Za-z]{5}") {
            let below = just_below(&key);
            prop_assert!(below < key);
            prop_assert_eq!(other < key, other <= below);
        }
    }
}
