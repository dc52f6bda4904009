//! Who wants to know of changes, and handing them over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::dynamodb::EventRecord;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::feed::{FeedOptions, Filter};
pub(crate) use crate::record::Change;

/// One feed's figures.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) waiting: AtomicUsize,
    pub(crate) dropped: AtomicU64,
}

/// One feed, from the engine's side.
pub(crate) struct Subscriber {
    lanes: Vec<UnboundedSender<EventRecord>>,
    queue: usize,
    filter: Filter,
    counters: Arc<Counters>,
}

impl Subscriber {
    /// Whether the feed takes this record. A filter that panics takes nothing.
    pub(crate) fn wants(&self, record: &EventRecord) -> bool {
        catch_unwind(AssertUnwindSafe(|| (self.filter)(record))).unwrap_or_else(|_| {
            tracing::error!("the filter of a feed panicked: the record is not passed on");
            false
        })
    }

    fn take(&self, record: EventRecord, partition: u64) {
        let lanes = self.lanes.len() as u64;
        let Some(lane) = partition
            .checked_rem(lanes)
            .and_then(|lane| usize::try_from(lane).ok())
            .and_then(|lane| self.lanes.get(lane))
        else {
            return;
        };
        if self.counters.waiting.load(Ordering::Relaxed) >= self.queue {
            let dropped = self.counters.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // Once per doubling: an overload must not fill the log too.
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "the feed's queue is full: the schedule finds what it does not get");
            }
            return;
        }
        self.counters.waiting.fetch_add(1, Ordering::Relaxed);
        if lane.send(record).is_err() {
            self.counters.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// All feeds of an engine.
pub(crate) struct Feeds {
    list: RwLock<Arc<[Arc<Subscriber>]>>,
    sequence: AtomicU64,
}

impl Feeds {
    pub(crate) fn new() -> Self {
        #[allow(clippy::disallowed_methods, reason = "the engine stands in for a server with a clock of its own")]
        let now = SystemTime::now();
        // From the clock, so that numbers go on rising after a restart.
        let micros = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_micros();
        Self { list: RwLock::new(Arc::from([])), sequence: AtomicU64::new(u64::try_from(micros).unwrap_or_default()) }
    }

    pub(crate) fn subscribers(&self) -> Arc<[Arc<Subscriber>]> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a feed; the other ends of its lanes are returned.
    pub(crate) fn subscribe(
        &self,
        options: FeedOptions,
        counters: &Arc<Counters>,
    ) -> Vec<UnboundedReceiver<EventRecord>> {
        let (lanes, receivers) = (0..options.parallelization.max(1)).map(|_| unbounded_channel()).unzip();
        let subscriber = Arc::new(Subscriber {
            lanes,
            queue: options.queue,
            filter: options.filter,
            counters: Arc::clone(counters),
        });
        self.change(|list| list.push(subscriber));
        receivers
    }

    pub(crate) fn unsubscribe(&self, counters: &Arc<Counters>) {
        self.change(|list| list.retain(|one| !Arc::ptr_eq(&one.counters, counters)));
    }

    /// Ends all feeds, after what waits in them.
    pub(crate) fn close(&self) {
        self.change(Vec::clear);
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<Arc<Subscriber>>)) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let mut edited = list.to_vec();
        edit(&mut edited);
        *list = edited.into();
    }

    /// Gives a change its number.
    pub(crate) fn stamp(&self, change: &mut Change) {
        change.stamp(self.sequence.fetch_add(1, Ordering::Relaxed));
    }

    /// Hands changes to the feeds that want them.
    pub(crate) fn publish(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let subscribers = self.subscribers();
        let Some((last, others)) = subscribers.split_last() else {
            return;
        };
        for Change { record, partition } in changes {
            for subscriber in others {
                if subscriber.wants(&record) {
                    subscriber.take(record.clone(), partition);
                }
            }
            if last.wants(&record) {
                last.take(record, partition);
            }
        }
    }
}
