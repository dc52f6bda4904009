//! What an operation is going to change, seen from around it.
//!
//! A stream record has the new image and says whether the item was there before. A put's image is in its request, an
//! update's in the answer (the engine is asked for `ALL_NEW` where the caller asked for nothing). Whether a single
//! put or delete met an item is told by `ALL_OLD`, which the engine has read anyway; the other operations need a
//! lookup of each key first, on this same thread, so that nothing comes in between. The lookup is left out where the
//! operation's condition already says it, and for whatever no feed wants under either name.

use std::collections::HashMap;
use std::sync::Arc;

use dynoxide::Database;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::types::{AttributeValue, Item};

use crate::feeds::{Change, Feeds, Subscriber};
use crate::look::View;
use crate::operation::{Operation, Outcome};
use crate::record::{INSERT, MODIFY, REMOVE};
use crate::schema::Schemas;

pub(crate) type Key = HashMap<String, AttributeValue>;

/// Whether the item was there before.
pub(crate) enum Before {
    Known(bool),
    /// The answer has the old item, if there was one.
    Answer,
}

/// Where the item after the change is found.
pub(crate) enum After {
    /// In the change already, or there is none.
    Known,
    /// In the answer.
    Answer,
    /// In the table.
    Table { table: String, key: Key },
}

/// One change that is about to happen.
pub(crate) struct Seen {
    pub(crate) change: Change,
    pub(crate) before: Before,
    pub(crate) after: After,
}

/// The changes that an operation makes if it succeeds.
pub(crate) struct Capture {
    pub(crate) seen: Vec<Seen>,
    /// The answer's attributes were asked for here and not by the caller.
    pub(crate) strip: bool,
}

impl Capture {
    pub(crate) fn nothing() -> Self {
        Self { seen: Vec::new(), strip: false }
    }

    /// Looks at an operation, and makes it answer with what is needed to know.
    pub(crate) fn before(
        database: &Database,
        schemas: &mut Schemas,
        subscribers: &[Arc<Subscriber>],
        operation: &mut Operation,
    ) -> Self {
        View::new(database, schemas, subscribers).look(operation).unwrap_or_else(Self::nothing)
    }

    /// Completes the changes from the answer, and puts the answer into the form that the caller asked for.
    pub(crate) fn after(self, database: &Database, feeds: &Feeds, outcome: &mut Outcome) -> Vec<Change> {
        let Self { seen, strip } = self;
        let attributes = match outcome {
            Outcome::PutItem(answer) => &mut answer.attributes,
            Outcome::UpdateItem(answer) => &mut answer.attributes,
            Outcome::DeleteItem(answer) => &mut answer.attributes,
            _ => &mut None,
        };
        let mut answered = if strip {
            attributes.take()
        } else if seen.is_empty() {
            return Vec::new();
        } else {
            attributes.clone()
        };
        seen.into_iter()
            .filter_map(|one| one.complete(database, &mut answered))
            .map(|mut change| {
                feeds.stamp(&mut change);
                change
            })
            .collect()
    }
}

impl Seen {
    fn complete(self, database: &Database, answered: &mut Option<Item>) -> Option<Change> {
        let Self { mut change, before, after } = self;
        let existed = match before {
            Before::Known(existed) => existed,
            Before::Answer => answered.is_some(),
        };
        if change.record.event_name == REMOVE {
            // Deleting what is not there changes nothing.
            return existed.then_some(change);
        }
        change.rename(if existed { MODIFY } else { INSERT });
        match after {
            After::Known => {}
            After::Answer => change.set_image(answered.take()?),
            After::Table { table, key } => change.set_image(lookup(database, &table, key)?),
        }
        Some(change)
    }
}

pub(crate) fn lookup(database: &Database, table: &str, key: Key) -> Option<Item> {
    let request = GetItemRequest { table_name: table.to_owned(), key, ..GetItemRequest::default() };
    database.get_item(request).ok()?.item
}
