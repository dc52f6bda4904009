//! Waiting for a condition, for a bounded time.

use std::time::{Duration, Instant};

/// Time between two looks.
const STEP: Duration = Duration::from_millis(5);

/// Waits until `condition` holds, ten seconds at most.
///
/// # Panics
/// When it does not come to hold: with `what`, which says what was waited for.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    wait_until(what, Duration::from_secs(10), async || condition()).await;
}

/// The same for a condition that has to be asked for, and for another time.
///
/// # Panics
/// When it does not come to hold in time.
pub async fn wait_until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < limit, "not within {} s: {what}", limit.as_secs_f64());
        tokio::time::sleep(STEP).await;
    }
}
