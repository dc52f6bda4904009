//! What drives the processor on one machine: the engine's changes, and a schedule.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::Event as Changes;
use processor::Processor;
use processor::event::{Event, Response, Share};
use tidings_engine::{Feed, FeedOptions};
use tidings_runtime::Clock;
use tidings_telemetry::chain;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::stop::Gate;

/// Time that a run gets, as a function's time-out gives it on AWS.
const RUN_TIME: Duration = Duration::from_mins(2);

/// Time between two runs of the schedule. On AWS it is a minute and a run stays for what falls due; here looking costs
/// next to nothing.
const TICK: Duration = Duration::from_secs(1);

/// Runs of the schedule at once: one that waits for a slow destination does not hold up the next.
const RUNS_AT_ONCE: usize = 8;

/// Time between two deletions of expired items, which the embedded engine does not do by itself.
pub(crate) const SWEEP: Duration = Duration::from_hours(1);

/// The feed's options: the filter of the stream mapping in template.yaml.
pub(crate) fn feed_options() -> FeedOptions {
    FeedOptions { filter: Arc::new(processor::event::owes), ..FeedOptions::default() }
}

/// The fast lane: hands the engine's changes to the processor.
pub(crate) async fn follow_changes(feed: Feed, processor: Processor, clock: Clock, gate: Gate) {
    feed.run(move |changes: Changes| {
        let (processor, clock, gate) = (processor.clone(), clock.clone(), gate.clone());
        async move {
            // When the service stops, the slow lane of the next start does the work.
            let Ok(_permit) = gate.enter().await else { return Vec::new() };
            let records = changes.records.into_iter().map(Into::into).collect();
            match processor.handle(Event::Changes(records), clock.now() + RUN_TIME).await {
                Ok(Response::Changes(failed)) => {
                    failed.batch_item_failures.into_iter().filter_map(|failure| failure.item_identifier).collect()
                }
                Ok(Response::Tick(_)) => Vec::new(),
                Err(error) => {
                    warn!(error = chain(&error), "left a batch of changes to the schedule");
                    Vec::new()
                }
            }
        }
    })
    .await;
}

/// The slow lane: looks at the agenda again and again, until the gate closes.
pub(crate) async fn follow_schedule(processor: Processor, clock: Clock, gate: Gate) {
    let places = Arc::new(Semaphore::new(RUNS_AT_ONCE));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        if gate.enter().await.is_err() {
            return;
        }
        let (processor, clock, gate) = (processor.clone(), clock.clone(), gate.clone());
        tokio::spawn(async move {
            let _place = place;
            let Ok(_permit) = gate.enter().await else { return };
            if let Err(error) = processor.handle(Event::Tick(Share::ALL), clock.now() + RUN_TIME).await {
                warn!(error = chain(&error), "a run of the schedule failed; the next one goes on");
            }
        });
    }
}
