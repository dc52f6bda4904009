//! The agenda in the table: a partition for each shard, entries in the order of their time.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};

use crate::batch::Write;
use crate::expression::{Item, item, s};
use crate::transact::Outcome;
use crate::{DecodeError, Store, StoreError, keys};

/// The right to work on a record until a time: its entry stands where only its owner put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where the entry stands; finishing takes it off there, or not at all.
    pub entry: Entry,
    /// When somebody else may take it.
    pub until: Timestamp,
}

/// What became of work whose result was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Finished {
    /// Written, and the entry is off the agenda, or where the next try wants it.
    Written,
    /// Somebody else took the entry over, or finished the work: nothing was written.
    Lost,
}

/// Who may start on an entry first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// The fast lane, at once: the entry itself owes its work, and the table's stream brings it.
    AtOnce,
    /// The schedule, when the entry is due.
    WhenDue,
}

/// A page of one shard.
#[derive(Debug, Default)]
pub struct DuePage {
    /// Entries in the order of their time.
    pub entries: Vec<Entry>,
    /// Keys of entries that this version cannot read.
    pub unreadable: Vec<keys::Key>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<Position>,
}

/// A place in a shard: go on after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(String);

#[derive(Debug, Serialize, Deserialize)]
struct EntryItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    note: Option<String>,
}

/// An entry as it is stored.
pub(crate) fn entry_item(entry: &Entry) -> Item {
    let Entry { key, tries, destination, note } = entry.clone();
    let keys::Key { pk, sk } = keys::agenda(&key);
    item(&EntryItem { pk, sk, entity: "agenda".to_owned(), v: 1, tries, destination, note })
}

fn read_entry(stored: Item) -> Result<Entry, Option<keys::Key>> {
    let key_of = |stored: &Item| {
        let text = |name: &str| stored.get(name)?.as_s().ok().cloned();
        Some(keys::Key { pk: text(keys::PK)?, sk: text(keys::SK)? })
    };
    let key = key_of(&stored);
    let read = serde_dynamo::from_item::<_, EntryItem>(stored).ok();
    let entry = read.and_then(|EntryItem { pk: _, sk, entity: _, v: _, tries, destination, note }| {
        Some(Entry { key: keys::parse_agenda(&sk)?, tries, destination, note })
    });
    entry.ok_or(key)
}

impl Store {
    /// What one shard holds that is due at `now`, oldest first.
    pub async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        after: Option<&Position>,
        limit: u16,
    ) -> Result<DuePage, StoreError> {
        // A key's text is longer than its time, so the next millisecond is above everything due at `now`.
        let before = keys::sortable(Timestamp::from_millis(now.as_millis() + 1));
        let from = after.map_or("", |position| &position.0);
        let answer = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :before")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", s(keys::agenda_partition(shard)))
            .expression_attribute_values(":from", s(if from.is_empty() { "0" } else { from }))
            .expression_attribute_values(":before", s(before))
            .limit(i32::from(limit))
            .send()
            .await?;
        let more = answer.last_evaluated_key().is_some();
        let items = answer.items.unwrap_or_default();
        let last = items.last().and_then(|item| item.get(keys::SK)?.as_s().ok()).cloned();
        let mut page = DuePage::default();
        for item in items {
            match read_entry(item) {
                Ok(entry) => page.entries.push(entry),
                Err(key) => page.unreadable.extend(key),
            }
        }
        // BETWEEN includes its ends; the least text above the last key starts the next page.
        page.next = last.filter(|_| more).map(|sk| Position(format!("{sk}\0")));
        Ok(page)
    }

    /// When the next entry of a shard is due, if that is after `now` and not after `until`.
    pub async fn next_due(&self, shard: u8, now: Timestamp, until: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let after = |at: Timestamp| s(keys::sortable(Timestamp::from_millis(at.as_millis() + 1)));
        let answer = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :until")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", s(keys::agenda_partition(shard)))
            .expression_attribute_values(":from", after(now))
            .expression_attribute_values(":until", after(until))
            .projection_expression("#sk")
            .limit(1)
            .send()
            .await?;
        let first = answer.items().first().and_then(|item| item.get(keys::SK)?.as_s().ok());
        Ok(first.and_then(|sk| keys::parse_agenda(sk)).map(|key| key.due))
    }

    /// Takes an entry by moving it to `until`. `None` if it is not where it was: somebody else has it, or it is done.
    pub async fn claim(&self, entry: &Entry, until: Timestamp) -> Result<Option<Claim>, StoreError> {
        let key = EntryKey { due: until, work: entry.key.work.clone() };
        let moved = Entry { key, tries: entry.tries + 1, ..entry.clone() };
        let actions = vec![self.take(&keys::agenda(&entry.key))?, self.create(entry_item(&moved))?];
        match self.transact(actions).await {
            Ok(Outcome::Written) => Ok(Some(Claim { entry: moved, until })),
            // Contended: another run claims it at this moment, and one of the two gets it.
            Ok(Outcome::Refused(_)) | Err(StoreError::Contended) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts entries on the agenda. One that stands there already is the same afterwards.
    pub async fn put_entries(&self, entries: &[Entry], starts: Starts) -> Result<(), StoreError> {
        let writes = entries.iter().map(|entry| Write::put(starting(entry, starts)));
        self.write(writes.collect::<Result<_, _>>()?).await
    }

    /// Takes an entry off, wherever its work stands: what it says is written, or its record does not exist.
    pub async fn take_off(&self, entry: &EntryKey) -> Result<(), StoreError> {
        self.write(vec![Write::delete(keys::agenda(entry))?]).await
    }

    /// Puts claimed work off: its entry stands where `next` says, and with what `next` says.
    pub async fn postpone(&self, claim: &Claim, next: &Entry) -> Result<Finished, StoreError> {
        let actions = vec![self.take(&keys::agenda(&claim.entry.key))?, self.create(entry_item(&apart(claim, next)))?];
        Ok(match self.transact(actions).await? {
            Outcome::Written => Finished::Written,
            Outcome::Refused(_) => Finished::Lost,
        })
    }

    /// Moves an entry that this version cannot read out of the way of the others, until `until`, whatever it holds.
    pub async fn set_aside(&self, key: &keys::Key, until: Timestamp) -> Result<(), StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await?;
        let Some(mut item) = answer.item else { return Ok(()) };
        let rest = key.sk.split_once('#').map_or(key.sk.as_str(), |(_, rest)| rest);
        item.insert(keys::SK.to_owned(), s(format!("{}#{rest}", keys::sortable(until))));
        // Of two runs that try this at once, one finds the entry gone. Either way it has moved.
        self.transact(vec![self.take(key)?, self.create(item)?]).await?;
        Ok(())
    }

    /// Which of these entries (100 at most) stand where they stood.
    pub async fn standing(&self, entries: &[EntryKey]) -> Result<HashSet<EntryKey>, StoreError> {
        let mut standing = HashSet::new();
        let mut wanted: Vec<Item> = entries.iter().map(|key| keys::agenda(key).attributes()).collect();
        while !wanted.is_empty() {
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build()?;
            let answer = self.client.batch_get_item().request_items(&*self.table, request).send().await?;
            let found = answer.responses.unwrap_or_default().into_values().flatten();
            standing.extend(found.filter_map(|item| keys::parse_agenda(item.get(keys::SK)?.as_s().ok()?)));
            wanted = answer
                .unprocessed_keys
                .and_then(|mut tables| tables.remove(&*self.table))
                .map(|rest| rest.keys)
                .unwrap_or_default();
        }
        Ok(standing)
    }
}

/// The entry key that a record's image names: what is owed, and when the schedule may take it. `None` if the image
/// owes nothing.
pub fn owed(image: &serde_dynamo::Item) -> Result<Option<EntryKey>, DecodeError> {
    use serde_dynamo::AttributeValue as Value;

    let key = || match (image.get(keys::PK), image.get(keys::SK)) {
        (Some(Value::S(pk)), Some(Value::S(sk))) => format!("{pk} | {sk}"),
        _ => "of an image without keys".to_owned(),
    };
    let Some(due) = image.get(crate::OWED) else { return Ok(None) };
    let (Value::N(due), Some(Value::S(work))) = (due, image.get(crate::WORK)) else {
        return Err(DecodeError::new(key(), "`owed` is no number, or `work` no text"));
    };
    let due = due.parse().map_err(|error| DecodeError::new(key(), error))?;
    let work = keys::parse_work(work).ok_or_else(|| DecodeError::new(key(), format!("unknown work `{work}`")))?;
    Ok(Some(EntryKey { due: Timestamp::from_millis(due), work }))
}

/// The entry that an image of the table's stream shows, which stands at this key: the image's own, if it is an entry's;
/// a record's entry is new when the record's image comes.
pub fn from_image(key: EntryKey, image: &serde_dynamo::Item) -> Result<Entry, DecodeError> {
    use serde_dynamo::AttributeValue as Value;

    if image.get("entity") != Some(&Value::S("agenda".to_owned())) {
        return Ok(Entry { key, tries: 0, destination: None, note: None });
    }
    let stored =
        serde_dynamo::from_item(image.clone()).map_err(|error| DecodeError::new("of an entry's image", error))?;
    let EntryItem { pk: _, sk: _, entity: _, v: _, tries, destination, note } = stored;
    Ok(Entry { key, tries, destination, note })
}

/// The attributes that make an image owe its work to the fast lane.
pub(crate) fn owing(entry: &Entry) -> [(String, AttributeValue); 2] {
    [
        (crate::OWED.to_owned(), AttributeValue::N(entry.key.due.as_millis().to_string())),
        (crate::WORK.to_owned(), s(keys::work(&entry.key.work))),
    ]
}

/// An entry as it is stored, with who may start on it.
pub(crate) fn starting(entry: &Entry, starts: Starts) -> Item {
    let mut stored = entry_item(entry);
    if starts == Starts::AtOnce {
        stored.extend(owing(entry));
    }
    stored
}

/// The next entry, a millisecond later if it would stand where the claimed one does: one transaction cannot delete and
/// write the same item.
pub(crate) fn apart(claim: &Claim, next: &Entry) -> Entry {
    let mut next = next.clone();
    if next.key == claim.entry.key {
        next.key.due = next.key.due + std::time::Duration::from_millis(1);
    }
    next
}
