//! How long a source's records are kept. Readers hide what is past its end by what the source says now; what the table
//! deletes, it deletes by `expires_at`, which follows in a walk over the records.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tidings_domain::Timestamp;
use tidings_domain::ids::{OrganizationId, SourceId};
use tidings_domain::retention::{MAX_YEARS, Period, Retention};
use tidings_domain::source::Source;

use crate::batch::Write;
use crate::expression::{Change, Item, n};
use crate::query::{Direction, Range, key_of, text};
use crate::{DecodeError, Store, StoreError, enrollment, keys};

/// Records between two looks at the clock.
const PAGE: i32 = 100;

/// Records that are written side by side.
const AT_ONCE: usize = 16;

/// A year is no longer.
const YEAR: Duration = Duration::from_hours(24 * 366);

/// How much earlier something may have begun that ends later: January 28 and 31 both end with February, each at its time of
/// day.
const MONTHS_END: Duration = Duration::from_hours(24 * 4);

/// A time before which nothing began that may still be seen and is kept for this long. A few days of what is over may
/// follow.
pub(crate) fn kept_since(period: Period, now: Timestamp) -> Timestamp {
    let is_over = |from: i64| period.end(Timestamp::from_millis(from)) <= now;
    let (mut over, mut kept) = ((now - YEAR * (u32::from(MAX_YEARS) + 1)).as_millis(), now.as_millis());
    while kept - over > 1 {
        let middle = over + (kept - over) / 2;
        if is_over(middle) { over = middle } else { kept = middle }
    }
    Timestamp::from_millis(kept) - MONTHS_END
}

/// The kinds of records, in the order in which they are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Transactions,
    TransactionErrors,
    ComputeErrors,
    Enrollments,
}

/// Where a walk stands: after a sort key of a part.
#[derive(Debug)]
struct Place {
    part: Part,
    after: String,
}

impl Part {
    const ALL: [Self; 4] = [Self::Transactions, Self::TransactionErrors, Self::ComputeErrors, Self::Enrollments];

    /// What a position calls it.
    const fn code(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::TransactionErrors => "transaction-errors",
            Self::ComputeErrors => "compute-errors",
            Self::Enrollments => "enrollments",
        }
    }

    fn next(self) -> Option<Self> {
        Self::ALL.into_iter().skip_while(|part| *part != self).nth(1)
    }

    /// The index lists transactions: each has a partition of its own.
    fn is_index(self) -> bool {
        self == Self::Transactions
    }

    fn partition(self, organization: OrganizationId, source: SourceId) -> String {
        match self {
            Self::Transactions => keys::transaction_index_partition(organization, source),
            Self::TransactionErrors => keys::transaction_error_partition(organization, source),
            Self::ComputeErrors => keys::compute_error_partition(organization, source),
            Self::Enrollments => keys::enrollment_partition(organization, source),
        }
    }

    /// When a record ends, by what the source says now.
    fn end(self, record: &Item, source: &Source, now: Timestamp) -> Result<Timestamp, StoreError> {
        let Retention { transactions, transaction_errors, compute_errors, enrollments: _ } = source.retention;
        let from = |name| number(record, name).map(Timestamp::from_millis);
        let end = match self {
            Self::Transactions => transactions.end(from("received_at")?),
            Self::TransactionErrors => transaction_errors.end(from("received_at")?),
            Self::ComputeErrors => compute_errors.end(from("updated_at")?),
            Self::Enrollments => enrollment::end_of(record, source)?,
        };
        // The table's own deletion passes over what ended more than five years ago.
        Ok(end.max(now))
    }

    /// The attribute that tells whether a record is still the one that was read.
    fn version_attribute(self) -> &'static str {
        match self {
            Self::Transactions => keys::INDEX_SK,
            Self::TransactionErrors => "received_at",
            Self::ComputeErrors => "updated_at",
            Self::Enrollments => "version",
        }
    }
}

impl Place {
    fn parse(position: &str) -> Result<Self, DecodeError> {
        let unknown = || DecodeError::new(position, "is no place in a source's records");
        let (code, after) = position.split_once('|').ok_or_else(unknown)?;
        let part = Part::ALL.into_iter().find(|part| part.code() == code).ok_or_else(unknown)?;
        Ok(Self { part, after: after.to_owned() })
    }

    fn position(&self) -> String {
        format!("{}|{}", self.part.code(), self.after)
    }
}

impl Store {
    /// Gives a source's records the end that it says now, or, once it is deleted, deletes them: in pages, from `position`
    /// on, until `is_over` says that the time is. Where to go on, if something is left. What the source says must have been
    /// read from the table, not from what a process keeps; records that come meanwhile have the right end already.
    pub async fn apply_retention(
        &self,
        organization: OrganizationId,
        source: SourceId,
        current: Option<&Source>,
        position: Option<String>,
        now: Timestamp,
        is_over: impl Fn() -> bool,
    ) -> Result<Option<String>, StoreError> {
        // Ids are not used twice, so this would be a mistake of ours, and the worst one.
        if current.is_none() && self.source_with_id(organization, source).await?.is_some() {
            tracing::error!(source.id = %source, "the records of a source that is there are not removed");
            return Ok(None);
        }
        let mut place = match position {
            Some(position) => Place::parse(&position)?,
            None => Place { part: Part::Transactions, after: String::new() },
        };
        while !is_over() {
            let Place { part, after } = &place;
            let (found, last) = self.records(organization, source, *part, after, current.is_some()).await?;
            if let Some(current) = current {
                self.set_ends(*part, current, &found, now).await?;
            } else {
                let writes = found.iter().filter_map(key_of).map(Write::delete).collect::<Result<_, _>>()?;
                self.write(writes).await?;
            }
            place = match (last, part.next()) {
                (Some(last), _) => Place { part: *part, after: last },
                (None, Some(next)) => Place { part: next, after: String::new() },
                (None, None) => return Ok(None),
            };
        }
        Ok(Some(place.position()))
    }

    /// A page of records after a sort key, and the last key of the page if there are more. Of transactions only as much as
    /// their end needs, and nothing but keys if they are to go.
    async fn records(
        &self,
        organization: OrganizationId,
        source: SourceId,
        part: Part,
        after: &str,
        is_read: bool,
    ) -> Result<(Vec<Item>, Option<String>), StoreError> {
        // A key cannot be empty; none starts with a character this low. The least text above the one before.
        let from = if after.is_empty() { "!".to_owned() } else { format!("{after}\0") };
        let range = Range { partition: part.partition(organization, source), from, to: keys::END.to_owned() };
        let query = if part.is_index() {
            self.query_index(&range, Direction::OldestFirst)
        } else {
            self.query(&range, Direction::OldestFirst).consistent_read(true)
        };
        let answer = query.limit(PAGE).send().await?;
        let is_last = answer.last_evaluated_key.is_none();
        let mut found = answer.items.unwrap_or_default();
        let last = found.last().and_then(|item| text(item, if part.is_index() { keys::INDEX_SK } else { keys::SK }));
        let last = last.filter(|_| !is_last).map(str::to_owned);
        if part.is_index() && is_read {
            let wanted: Vec<keys::Key> = found.iter().filter_map(key_of).collect();
            found =
                self.read_parts(&wanted, &["received_at", keys::TTL, keys::INDEX_SK]).await?.into_values().collect();
        }
        Ok((found, last))
    }

    /// Writes when these records end, where that is something else than what they say.
    async fn set_ends(&self, part: Part, source: &Source, records: &[Item], now: Timestamp) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        for record in records {
            let until = match part.end(record, source, now) {
                Ok(end) => n(end.as_secs()),
                // The others get theirs.
                Err(StoreError::Decode(error)) => {
                    tracing::error!(%error, "a source's record cannot be read; it keeps the end that it has");
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (Some(key), Some(version)) = (key_of(record), record.get(part.version_attribute())) else { continue };
            if record.get(keys::TTL) != Some(&until) {
                // What was written anew meanwhile has the right end. No image starts work that was begun.
                let change = Change::new()
                    .only_if(part.version_attribute(), version.clone())
                    .set(keys::TTL, until)
                    .remove(crate::OWED);
                changes.push(async move { self.change_alone(&key, change).await });
            }
        }
        stream::iter(changes).buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
    }
}

fn number(record: &Item, name: &str) -> Result<i64, StoreError> {
    let number = record.get(name).and_then(|value| match value {
        AttributeValue::N(number) => number.parse().ok(),
        _ => None,
    });
    let key = || text(record, keys::PK).unwrap_or("of a source's record").to_owned();
    number.ok_or_else(|| DecodeError::new(key(), format!("`{name}` is no number")).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_may_be_seen_began_no_earlier(
            count in 1_u16..=10, unit in "[DMY]", now in 1_400_000_000_000_i64..4_000_000_000_000,
            // As a rule about the time that is looked for.
            off in -700_000_000_i64..700_000_000,
        ) {
            let period: Period = format!("{count}-{unit}").parse().unwrap();
            let now = Timestamp::from_millis(now);
            let since = kept_since(period, now);
            let began = Timestamp::from_millis(since.as_millis() + off);
            prop_assert!(period.end(began) <= now || began >= since, "{} is kept", began);
            prop_assert!(period.end(since + MONTHS_END * 2) > now);
        }
    }

    #[test]
    fn a_place_is_read_back() {
        for part in Part::ALL {
            let place = Place { part, after: "a|b#c".to_owned() };
            let read = Place::parse(&place.position()).unwrap();
            assert_eq!((read.part, read.after), (part, place.after));
        }
        assert!(Place::parse("transactions").is_err() && Place::parse("others|a").is_err());
    }
}
