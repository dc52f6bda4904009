//! What the table's stream brings.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::event::dynamodb::EventRecord;
use serde_json::Value;
use tidings_engine::{Engine, FeedOptions, Filter};
use tokio::task::JoinHandle;

use crate::{events, lock, wait_until};

/// Collects the changes of a table for the test to pass on: those that the deployed stream mapping's filter lets through.
#[derive(Debug)]
pub struct Changes {
    records: Arc<Mutex<Vec<EventRecord>>>,
    running: JoinHandle<()>,
}

impl Changes {
    /// The changes from now on.
    pub fn of(engine: &Engine) -> Self {
        Self::that(
            engine,
            Arc::new(|record: &EventRecord| {
                matches!(record.event_name.as_str(), "INSERT" | "MODIFY")
                    && record.change.new_image.get(tidings_store::OWED).is_some()
            }),
        )
    }

    /// The changes from now on that another mapping's filter lets through.
    pub fn that(engine: &Engine, filter: Filter) -> Self {
        // One lane: a test wants the order in which things happened.
        let options = FeedOptions { filter, parallelization: 1, queue: usize::MAX, ..FeedOptions::default() };
        let feed = engine.feed(options);
        let records = Arc::<Mutex<Vec<EventRecord>>>::default();
        let kept = Arc::clone(&records);
        let running = tokio::spawn(feed.run(move |event| {
            lock(&kept).extend(event.records);
            std::future::ready(Vec::new())
        }));
        Self { records, running }
    }

    /// Waits until so many came since the last time, and takes them.
    pub async fn take(&self, count: usize) -> Vec<EventRecord> {
        let what = format!("{count} changes");
        wait_until(&what, Duration::from_secs(10), async || lock(&self.records).len() >= count).await;
        self.take_all()
    }

    /// Takes what came since the last time.
    pub fn take_all(&self) -> Vec<EventRecord> {
        std::mem::take(&mut *lock(&self.records))
    }

    /// The event with so many changes, as Lambda gets it.
    pub async fn event(&self, count: usize) -> Value {
        events::stream(&self.take(count).await)
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.running.abort();
    }
}
