//! Lists whose entries stand side by side in one partition, of the table or of its index, in either order.

use tidings_domain::page::{Order, Page, PageLimit, Position};

use crate::expression::Item;
use crate::keys::Key;
use crate::query::{Direction, Range, just_below};
use crate::{Store, StoreError, keys, query};

/// Entries that one query of a filtered list looks at.
pub(crate) const FILTERED: usize = 250;

/// Entries that fill a page, and one that tells that another page follows.
pub(crate) fn filling(limit: PageLimit) -> usize {
    limit.get() + 1
}

/// Where a list stands, and in which part of its partition.
#[derive(Debug, Clone)]
pub(crate) struct List {
    /// Whether the partition is the index's.
    pub(crate) is_index: bool,
    /// The partition.
    pub(crate) partition: String,
    /// What the sort keys of the list start with, and nothing else in the partition does.
    pub(crate) prefix: &'static str,
}

/// A walk over a list, from a position on, in an order. Entries that come and go meanwhile change nothing for the
/// others: it goes on from keys, not from counts.
#[derive(Debug)]
pub(crate) struct Walk {
    is_index: bool,
    range: Range,
    direction: Direction,
    /// What was found is turned round before it is shown: it was walked to from its far end.
    is_back: bool,
    next: Option<Item>,
    is_over: bool,
}

impl Walk {
    pub(crate) fn new<I: ToString>(list: List, position: Option<Position<I>>, order: Order) -> Self {
        let List { is_index, partition, prefix } = list;
        let is_back = matches!(position, Some(Position::Before(_)));
        let is_forward = (order == Order::Ascending) != is_back;
        let entry = position.map(|position| match position {
            Position::After(id) | Position::Before(id) => format!("{prefix}{}", id.to_string()),
        });
        // A key cannot be empty; no id and no name starts with a character this low.
        let (least, greatest) = (if prefix.is_empty() { "!" } else { prefix }, format!("{prefix}{}", keys::END));
        let (from, to) = match &entry {
            // The least text above the entry's key.
            Some(entry) if is_forward => (format!("{entry}\0"), greatest),
            Some(entry) => (least.to_owned(), just_below(entry)),
            None => (least.to_owned(), greatest),
        };
        let range = Range { partition, from, to };
        let direction = if is_forward { Direction::OldestFirst } else { Direction::NewestFirst };
        let is_over = range.is_empty();
        Self { is_index, range, direction, is_back, next: None, is_over }
    }

    /// Leaves out what stands below this sort key.
    pub(crate) fn not_below(&mut self, key: String) {
        if self.range.from < key {
            self.range.from = key;
        }
        self.is_over = self.range.is_empty();
    }

    /// Leaves out what stands above this sort key.
    pub(crate) fn not_above(&mut self, key: String) {
        if self.range.to > key {
            self.range.to = key;
        }
        self.is_over = self.range.is_empty();
    }

    /// Whether everything was seen.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether everything was seen, or a page and that another one follows.
    pub(crate) fn is_enough(&self, found: usize, limit: PageLimit) -> bool {
        self.is_over || found > limit.get()
    }

    /// The next entries, as the partition has them, at most so many.
    pub(crate) async fn next(&mut self, store: &Store, most: usize) -> Result<Vec<Item>, StoreError> {
        let query = if self.is_index {
            store.query_index(&self.range, self.direction)
        } else {
            store.query(&self.range, self.direction).consistent_read(true)
        };
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let answer = query.set_exclusive_start_key(self.next.take()).limit(most).send().await?;
        self.is_over = answer.last_evaluated_key.is_none();
        self.next = answer.last_evaluated_key;
        Ok(answer.items.unwrap_or_default())
    }

    /// The page that was walked to.
    pub(crate) fn page<T>(&self, found: Vec<T>, limit: PageLimit) -> Page<T> {
        let mut page = query::page(found, Direction::NewestFirst, limit);
        if self.is_back {
            page.data.reverse();
        }
        page
    }
}

impl Store {
    /// The item of this key, if it is there. Consistent.
    pub(crate) async fn item(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let key = Some(key.attributes());
        Ok(self.client.get_item().table_name(&*self.table).set_key(key).consistent_read(true).send().await?.item)
    }
}
