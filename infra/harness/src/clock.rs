//! A clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_runtime::Clock;

/// Tells another time than the system does. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct TestClock {
    clock: Clock,
    /// Added to the system's time, or the time itself while the clock stands.
    millis: Arc<AtomicI64>,
}

impl TestClock {
    /// Goes on like the system's, and can be put forward.
    pub fn running() -> Self {
        let millis = Arc::new(AtomicI64::new(0));
        let (system, ahead) = (Clock::system(), Arc::clone(&millis));
        let now = move || Timestamp::from_millis(system.now().as_millis() + ahead.load(Ordering::SeqCst));
        Self { clock: Clock::from_fn(now), millis }
    }

    /// Stands until it is moved.
    pub fn standing(at: Timestamp) -> Self {
        let millis = Arc::new(AtomicI64::new(at.as_millis()));
        let time = Arc::clone(&millis);
        Self { clock: Clock::from_fn(move || Timestamp::from_millis(time.load(Ordering::SeqCst))), millis }
    }

    /// The clock for the code under test.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The time that it shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts it forward.
    pub fn advance(&self, by: Duration) {
        self.millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}
