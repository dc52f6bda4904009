//! The change feed: what a table's stream and its event source mapping do on AWS, inside the process.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use futures::FutureExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use crate::feeds::{Counters, Feeds};

/// Which records a feed takes; asked on the engine's threads, so it must be quick. It may be asked more than once for
/// a change, before it happened and under both names `INSERT` and `MODIFY`.
pub type Filter = Arc<dyn Fn(&EventRecord) -> bool + Send + Sync>;

/// How often a failing record is tried.
const TRIES: u32 = 3;
/// The pause before a try that follows a failure.
const PAUSE: Duration = Duration::from_millis(50);

/// How a feed hands records over.
#[derive(Clone)]
pub struct FeedOptions {
    /// Records in one event at most.
    pub batch_size: usize,
    /// Lanes: events that are handled at once. A partition key stays in its lane.
    pub parallelization: usize,
    /// Records that wait at most, over all lanes. Further ones are dropped and counted.
    pub queue: usize,
    /// Which records are taken.
    pub filter: Filter,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self { batch_size: 100, parallelization: 4, queue: 10_000, filter: Arc::new(|_| true) }
    }
}

impl fmt::Debug for FeedOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch_size, parallelization, queue, filter: _ } = self;
        f.debug_struct("FeedOptions")
            .field("batch_size", batch_size)
            .field("parallelization", parallelization)
            .field("queue", queue)
            .finish_non_exhaustive()
    }
}

/// A feed's figures, readable while it runs.
#[derive(Clone, Debug)]
pub struct FeedStats {
    counters: Arc<Counters>,
}

impl FeedStats {
    /// Records that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.counters.dropped.load(Ordering::Relaxed)
    }

    /// Records that no handler has been given yet.
    pub fn waiting(&self) -> usize {
        self.counters.waiting.load(Ordering::Relaxed)
    }
}

/// The changes that an engine acknowledged since [`crate::Engine::feed`] was called, in order per partition key.
///
/// At least once while the process lives, and lost with it: whoever relies on a change needs a second way to find it.
pub struct Feed {
    lanes: Vec<UnboundedReceiver<EventRecord>>,
    batch_size: usize,
    counters: Arc<Counters>,
    feeds: Weak<Feeds>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("lanes", &self.lanes.len())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(feeds) = self.feeds.upgrade() {
            feeds.unsubscribe(&self.counters);
        }
    }
}

impl Feed {
    pub(crate) fn new(feeds: &Arc<Feeds>, options: FeedOptions) -> Self {
        let counters = Arc::default();
        let batch_size = options.batch_size.max(1);
        Self { lanes: feeds.subscribe(options, &counters), batch_size, counters, feeds: Arc::downgrade(feeds) }
    }

    /// Records that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.stats().dropped()
    }

    /// The feed's figures; take them before [`Feed::run`].
    pub fn stats(&self) -> FeedStats {
        FeedStats { counters: Arc::clone(&self.counters) }
    }

    /// Hands events to `handler`, several at once, until the engine is closed and everything that waited was handled.
    /// Dropping the future stops it.
    ///
    /// The handler answers with the event ids or sequence numbers of the records that it failed on. As with Lambda's
    /// `ReportBatchItemFailures`, the lane goes on from the first of them; an id that is not in the event counts as
    /// the event's first record. After three tries a record is dropped with a warning. A handler that panics is
    /// called again with half as many records, until the one that it panics at is alone.
    pub async fn run<F, Fut>(mut self, handler: F)
    where
        F: Fn(Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<String>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let mut lanes = JoinSet::new();
        for receiver in self.lanes.drain(..) {
            let handler = Arc::clone(&handler);
            let counters = Arc::clone(&self.counters);
            lanes.spawn(lane(receiver, self.batch_size, counters, handler));
        }
        while let Some(ended) = lanes.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a lane of the feed ended");
            }
        }
    }
}

async fn lane<F, Fut>(
    mut receiver: UnboundedReceiver<EventRecord>,
    batch_size: usize,
    counters: Arc<Counters>,
    handler: Arc<F>,
) where
    F: Fn(Event) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Vec<String>> + Send + 'static,
{
    loop {
        let mut records = Vec::new();
        let taken = receiver.recv_many(&mut records, batch_size).await;
        if taken == 0 {
            return;
        }
        counters.waiting.fetch_sub(taken, Ordering::Relaxed);
        deliver(records, handler.as_ref()).await;
    }
}

/// What became of one call of the handler.
enum Called {
    Done,
    FailedAt(usize),
    Panicked,
}

/// Calls the handler until every record was taken or given up.
async fn deliver<F, Fut>(mut records: Vec<EventRecord>, handler: &F)
where
    F: Fn(Event) -> Fut,
    Fut: Future<Output = Vec<String>>,
{
    let mut size = records.len();
    // Of the first record.
    let mut tries = 0;
    while !records.is_empty() {
        let count = size.min(records.len()).max(1);
        let chunk: Vec<_> = records.iter().take(count).cloned().collect();
        let failed = match call(chunk, handler).await {
            Called::Done => {
                records.drain(..count);
                tries = 0;
                continue;
            }
            Called::FailedAt(index) => index.min(count - 1),
            Called::Panicked if count > 1 => {
                size = count / 2;
                continue;
            }
            Called::Panicked => 0,
        };
        if failed > 0 {
            records.drain(..failed);
            tries = 0;
        }
        tries += 1;
        if tries < TRIES {
            tokio::time::sleep(PAUSE * tries).await;
        } else {
            let dropped = records.remove(0);
            tracing::warn!(
                event_id = dropped.event_id,
                tries,
                "a record of the feed failed too often: the schedule finds its work"
            );
            tries = 0;
        }
    }
}

async fn call<F, Fut>(records: Vec<EventRecord>, handler: &F) -> Called
where
    F: Fn(Event) -> Fut,
    Fut: Future<Output = Vec<String>>,
{
    let places: Vec<_> =
        records.iter().map(|record| (record.event_id.clone(), record.change.sequence_number.clone())).collect();
    let mut event = Event::default();
    event.records = records;
    let answered = AssertUnwindSafe(async { handler(event).await }).catch_unwind().await;
    let Ok(failed) = answered else {
        tracing::error!("the handler of a feed panicked");
        return Called::Panicked;
    };
    failed
        .iter()
        .map(|id| places.iter().position(|(event, sequence)| event == id || sequence.as_ref() == Some(id)).unwrap_or(0))
        .min()
        .map_or(Called::Done, Called::FailedAt)
}
