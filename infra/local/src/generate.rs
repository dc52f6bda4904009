//! What drives the generator on one machine: an event at a time.

use std::time::Duration;

use generator::Generator;
use tidings_telemetry::chain;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::warn;

use crate::stop::Gate;

/// Makes an event again and again, until the gate closes.
pub(crate) async fn generate(generator: Generator, frequency: Duration, gate: Gate) {
    let mut times = interval_at(Instant::now() + frequency, frequency);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        let Ok(_permit) = gate.enter().await else { return };
        if let Err(error) = generator.event().await {
            warn!(error = chain(&error), "could not make an event; the next one is made in its time");
        }
    }
}
