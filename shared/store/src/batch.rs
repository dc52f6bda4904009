//! Group commit: single puts and deletes of this process go out together, up to 25 in a call.
//!
//! # Theory of operation
//! Whoever writes puts its writes into a queue and waits for one of [`PLACES`], though not for long. Who has one sends
//! what stands at the head of the queue, until its own writes are out. Under load a call therefore takes along what came
//! while the ones before it were under way; without load a write goes out at once. Nothing runs but on behalf of somebody
//! who waits: a Lambda function that has answered leaves no task behind.
//!
//! A sender that is dropped in the middle (its request was given up) drops the channels of those whose writes it had
//! taken: they put them into the queue again. Writes are whole items without a condition, so that doing one twice is
//! doing it once.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use futures::future::join_all;
use tokio::sync::{Semaphore, oneshot};

use crate::expression::Item;
use crate::keys::Key;
use crate::transact::WAITS_MS;
use crate::{Store, StoreError, keys};

/// Calls at once, so that one slow call does not hold up everybody. Measured on the embedded engine with 64 and 256 callers
/// at once, in memory and on disk, where calls share a sync: with 4 there is less to share, with 16 and more the calls
/// get too small. Where a call takes longer than here, eight take along more each.
const PLACES: usize = 8;

/// How long a write waits for a place. When calls are that slow, what waits goes out beside them: a place saves calls, and
/// is not worth a caller's patience.
const PATIENCE: Duration = Duration::from_millis(100);

/// Most writes of a call: DynamoDB's limit.
const MAX_WRITES: usize = 25;

/// Most bytes of a call, as they are on the wire. DynamoDB's limit is 16 MB; this much gets through in far less than a
/// call's time-out.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A put or a delete without a condition.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    key: Key,
    request: WriteRequest,
    bytes: usize,
}

/// Writes of one caller that go out together.
#[derive(Debug)]
struct Group {
    number: u64,
    writes: Arc<Vec<Write>>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Debug, Default)]
struct Queue {
    groups: VecDeque<Group>,
    next_number: u64,
}

/// What the clones of a store share.
#[derive(Debug)]
pub(crate) struct Batch {
    queue: Mutex<Queue>,
    places: Semaphore,
}

impl Default for Batch {
    fn default() -> Self {
        Self { queue: Mutex::default(), places: Semaphore::new(PLACES) }
    }
}

impl Write {
    /// Writes an item, whatever stands there.
    pub(crate) fn put(item: Item) -> Result<Self, StoreError> {
        let key = key_of(&item).ok_or_else(|| crate::DecodeError::new("of an item without keys", "cannot be put"))?;
        let bytes = item.iter().map(|(name, value)| name.len() + wire_bytes(value)).sum();
        let put = PutRequest::builder().set_item(Some(item)).build()?;
        Ok(Self { key, request: WriteRequest::builder().put_request(put).build(), bytes })
    }

    /// Deletes an item, if it is there.
    pub(crate) fn delete(key: Key) -> Result<Self, StoreError> {
        let delete = DeleteRequest::builder().set_key(Some(key.attributes())).build()?;
        let bytes = key.pk.len() + key.sk.len();
        Ok(Self { key, request: WriteRequest::builder().delete_request(delete).build(), bytes })
    }
}

impl Store {
    /// Writes all of them. On an error some may have been written.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let groups = split(writes).into_iter().map(|writes| self.write_group(Arc::new(writes)));
        join_all(groups).await.into_iter().collect()
    }

    async fn write_group(&self, writes: Arc<Vec<Write>>) -> Result<(), StoreError> {
        loop {
            let (done, mut told) = oneshot::channel();
            let number = self.batch.join(Arc::clone(&writes), done);
            let place = tokio::select! {
                biased;
                answer = &mut told => match answer {
                    Ok(result) => return result,
                    Err(_) => continue,
                },
                place = self.batch.places.acquire() => Some(place.expect("the places are never closed")),
                () = tokio::time::sleep(PATIENCE) => None,
            };
            while self.batch.is_waiting(number) {
                let groups = self.batch.take();
                Box::pin(self.send_groups(groups)).await;
            }
            drop(place);
            if let Ok(result) = told.await {
                return result;
            }
        }
    }

    /// Sends these groups in one call and tells each what became of it.
    async fn send_groups(&self, groups: Vec<Group>) {
        let mut waits = WAITS_MS.iter();
        let requests = |groups: &[Group]| -> Vec<WriteRequest> {
            groups.iter().flat_map(|group| group.writes.iter().map(|write| write.request.clone())).collect()
        };
        let mut wanted = requests(&groups);
        let mut waiting = groups;
        loop {
            let sent = self.client.batch_write_item().request_items(&*self.table, wanted).send().await;
            let left = match sent.map_err(StoreError::from) {
                Ok(answer) => answer.unprocessed_items.and_then(|mut tables| tables.remove(&*self.table)),
                // One of them is not right, and nothing says which.
                Err(StoreError::Refused(_)) if waiting.len() > 1 => {
                    return Box::pin(self.send_each(waiting)).await;
                }
                Err(error) => return tell(waiting, &Arc::new(error)),
            };
            let left = left.unwrap_or_default();
            let left_keys: HashSet<Key> = left.iter().filter_map(key_of_request).collect();
            let is_left = |group: &Group| group.writes.iter().any(|write| left_keys.contains(&write.key));
            let (still, written): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_left);
            for group in written {
                // Who is not there any more needs no answer.
                let _ = group.done.send(Ok(()));
            }
            if still.is_empty() {
                return;
            }
            let Some(wait) = waits.next().copied() else {
                let error = StoreError::Throttled("items of a batch stayed undone".into());
                return tell(still, &Arc::new(error));
            };
            tokio::time::sleep(Duration::from_millis(fastrand::u64(wait / 2..=wait))).await;
            (waiting, wanted) = (still, left);
        }
    }

    async fn send_each(&self, groups: Vec<Group>) {
        join_all(groups.into_iter().map(|group| self.send_groups(vec![group]))).await;
    }
}

impl Batch {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a group at the end of the queue.
    fn join(&self, writes: Arc<Vec<Write>>, done: oneshot::Sender<Result<(), StoreError>>) -> u64 {
        let mut queue = self.lock();
        let number = queue.next_number;
        queue.next_number += 1;
        queue.groups.push_back(Group { number, writes, done });
        number
    }

    /// Whether nobody has taken a group yet.
    fn is_waiting(&self, number: u64) -> bool {
        self.lock().groups.front().is_some_and(|first| first.number <= number)
    }

    /// The groups at the head of the queue that fit in one call. Those whose caller has gone are left out: nobody was
    /// told that they were written, and nobody will be.
    fn take(&self) -> Vec<Group> {
        let mut queue = self.lock();
        let (mut taken, mut taken_keys) = (Vec::new(), HashSet::new());
        let (mut writes, mut bytes) = (0, 0);
        while let Some(group) = queue.groups.pop_front() {
            if group.done.is_closed() {
                continue;
            }
            writes += group.writes.len();
            bytes += group.writes.iter().map(|write| write.bytes).sum::<usize>();
            let is_too_much = writes > MAX_WRITES || bytes > MAX_BYTES;
            // A call may not name a key twice.
            let repeats = group.writes.iter().any(|write| taken_keys.contains(&write.key));
            if !taken.is_empty() && (is_too_much || repeats) {
                queue.groups.push_front(group);
                break;
            }
            taken_keys.extend(group.writes.iter().map(|write| write.key.clone()));
            taken.push(group);
        }
        taken
    }
}

/// One caller's writes in groups that fit in a call each. Of several to one key the last counts.
fn split(mut writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut seen = HashSet::new();
    writes.reverse();
    writes.retain(|write| seen.insert(write.key.clone()));
    writes.reverse();
    let mut groups: Vec<Vec<Write>> = Vec::new();
    let mut bytes = 0;
    for write in writes {
        bytes += write.bytes;
        let is_full = groups.last().is_none_or(|group| group.len() == MAX_WRITES) || bytes > MAX_BYTES;
        if is_full {
            bytes = write.bytes;
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.push(write);
        }
    }
    groups
}

fn tell(groups: Vec<Group>, error: &Arc<StoreError>) {
    for group in groups {
        // Who is not there any more needs no answer.
        let _ = group.done.send(Err(shared(error)));
    }
}

/// The same error for each of those whom it hit.
fn shared(error: &Arc<StoreError>) -> StoreError {
    let source = || Box::new(Shared(Arc::clone(error)));
    match &**error {
        StoreError::Throttled(_) => StoreError::Throttled(source()),
        StoreError::Contended => StoreError::Contended,
        StoreError::Unavailable(_) => StoreError::Unavailable(source()),
        StoreError::Refused(_) => StoreError::Refused(source()),
        StoreError::Decode(error) => {
            StoreError::Decode(crate::DecodeError::new(error.key.clone(), error.problem.clone()))
        }
    }
}

/// The source of an error that several got.
#[derive(Debug)]
struct Shared(Arc<StoreError>);

impl Shared {
    fn source_of(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source_of().map_or(Ok(()), |source| fmt::Display::fmt(source, f))
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source_of()?.source()
    }
}

fn key_of(item: &Item) -> Option<Key> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Key { pk: text(keys::PK)?, sk: text(keys::SK)? })
}

fn key_of_request(request: &WriteRequest) -> Option<Key> {
    let put = request.put_request().map(PutRequest::item);
    key_of(put.or_else(|| request.delete_request().map(DeleteRequest::key))?)
}

/// Bytes of a value in JSON. Texts are the most of it: escapes make them up to six times as long.
fn wire_bytes(value: &AttributeValue) -> usize {
    let escaped = |text: &str| -> usize {
        let byte = |byte: u8| match byte {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        };
        text.bytes().map(byte).sum()
    };
    8 + match value {
        AttributeValue::S(text) => escaped(text),
        AttributeValue::N(number) => number.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len() * 4 / 3 + 4,
        AttributeValue::L(list) => list.iter().map(wire_bytes).sum(),
        AttributeValue::M(map) => map.iter().map(|(name, value)| name.len() + 8 + wire_bytes(value)).sum(),
        AttributeValue::Ss(texts) => texts.iter().map(|text| escaped(text) + 3).sum(),
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expression::s;

    fn write(key: u8, bytes: usize) -> Write {
        let item = [(keys::PK, s("p")), (keys::SK, s(key.to_string())), ("text", s("x".repeat(bytes)))];
        Write::put(item.map(|(name, value)| (name.to_owned(), value)).into()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn groups_fit_in_a_call_and_lose_nothing(wanted in prop::collection::vec((any::<u8>(), 0..400_000_usize), 0..60)) {
            let groups = split(wanted.iter().map(|(key, bytes)| write(*key, *bytes)).collect());
            for group in &groups {
                prop_assert!(!group.is_empty() && group.len() <= MAX_WRITES);
                prop_assert!(group.iter().map(|write| write.bytes).sum::<usize>() <= MAX_BYTES);
            }
            let last: std::collections::BTreeMap<_, _> = wanted.into_iter().collect();
            let mut written: Vec<_> = groups.into_iter().flatten().map(|write| (write.key, write.bytes)).collect();
            let mut expected: Vec<_> =
                last.into_iter().map(|(key, bytes)| write(key, bytes)).map(|write| (write.key, write.bytes)).collect();
            written.sort_by(|left, right| left.0.sk.cmp(&right.0.sk));
            expected.sort_by(|left, right| left.0.sk.cmp(&right.0.sk));
            prop_assert_eq!(written, expected);
        }

        #[test]
        fn texts_are_counted_as_long_as_json_makes_them(text in ".{0,80}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert!(wire_bytes(&s(text)) >= json.len());
        }
    }
}
