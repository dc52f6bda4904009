//! What this execution environment knows of destinations: which ones are slow or dead, and how many requests are on their
//! way to each. It is kept in memory, because it must cost no reads, and may be wrong: the slow lane tries everything.
//!
//! A job's destination is an origin. A delivery's is its endpoint: of two endpoints on one host, one may hang while the
//! other answers.
//!
//! # Who waits for whom
//! The stream hands over a batch when the one before it in the same lane has ended; all messages of an application come by
//! one lane, and other applications' share it. So the time that a batch spends on an endpoint that does not answer is time
//! that all of them wait. Hence the fast lane makes requests only to endpoints that are [quick](Destinations::is_quick), or
//! of which nothing is known, and waits a second at most (`attempt::FAST_PATIENCE`). Whoever let that second pass is left to
//! the slow lane for two minutes, and for ten if it happens again; whoever was slow several times in a row, for ten. The slow
//! lane starts on what is left to it at once, has patience, and when it sees a quick answer the endpoint is quick again.
//!
//! So a dead endpoint holds a lane up for one second in ten minutes and execution environment, and a slow one hardly ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_domain::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a destination counts as unhealthy.
const UNHEALTHY_FOR: Duration = Duration::from_mins(2);

/// How long the fast lane leaves a destination alone that was slow, or that kept it waiting again.
const SLOW_FOR: Duration = Duration::from_mins(10);

/// An answer that took longer is slow.
const SLOW: Duration = Duration::from_millis(500);

/// Slow answers in a row that make a destination slow. The first is often the price of a new connection.
const SLOW_ANSWERS: u32 = 3;

/// Failures in a row that make a destination unhealthy. One time-out is enough: it costs the others time.
const FAILURES: u32 = 3;

/// Tries at once to one destination.
const HEALTHY_AT_ONCE: usize = 16;

/// The same, while it is unhealthy.
const UNHEALTHY_AT_ONCE: usize = 2;

/// Destinations that are remembered; beyond it all are forgotten, which is safe.
const REMEMBERED: usize = 10_000;

/// Destinations by name. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Destinations(Arc<Mutex<HashMap<String, Destination>>>);

#[derive(Debug)]
struct Destination {
    failures: u32,
    slow_answers: u32,
    /// How often in a row it kept a batch waiting.
    waits: u32,
    slow_until: Option<Timestamp>,
    unhealthy_until: Option<Timestamp>,
    places: Arc<Semaphore>,
}

/// One of the tries that may be on their way to a destination; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Destinations {
    /// Whether a request there is expected to be answered soon.
    pub(crate) fn is_healthy(&self, name: &str, now: Timestamp) -> bool {
        self.lock().get(name).is_none_or(|known| known.is_healthy(now))
    }

    /// Whether a batch may wait for it.
    pub(crate) fn is_quick(&self, name: &str, now: Timestamp) -> bool {
        self.lock().get(name).is_none_or(|known| known.is_healthy(now) && !known.is_slow(now))
    }

    /// It answered as hoped.
    pub(crate) fn succeeded(&self, name: &str, after: Duration, now: Timestamp) {
        if after > SLOW {
            self.with(name, |known| {
                known.failures = 0;
                known.unhealthy_until = None;
                known.slow_answers += 1;
                if known.slow_answers >= SLOW_ANSWERS {
                    known.slow_until = Some(now + SLOW_FOR);
                }
            });
        } else if let Some(known) = self.lock().get_mut(name) {
            // Of what is not known nothing needs to be remembered.
            known.failures = 0;
            known.slow_answers = 0;
            known.waits = 0;
            known.slow_until = None;
            known.unhealthy_until = None;
        }
    }

    /// It answered otherwise, or refused.
    pub(crate) fn failed(&self, name: &str, now: Timestamp) {
        self.with(name, |known| {
            known.failures += 1;
            if known.failures >= FAILURES {
                known.unhealthy_until = Some(now + UNHEALTHY_FOR);
            }
        });
    }

    /// It did not answer in time.
    pub(crate) fn timed_out(&self, name: &str, now: Timestamp) {
        self.with(name, |known| known.unhealthy_until = Some(now + UNHEALTHY_FOR));
    }

    /// It did not answer in the little time that a batch can wait.
    pub(crate) fn kept_waiting(&self, name: &str, now: Timestamp) {
        self.with(name, |known| {
            // Of several that were cut off at once the first counts.
            if !known.is_slow(now) {
                known.waits += 1;
                known.slow_until = Some(now + if known.waits > 1 { SLOW_FOR } else { UNHEALTHY_FOR });
            }
        });
    }

    /// A place among the tries to this destination, unless as many as it may have are on their way.
    pub(crate) fn enter(&self, name: &str, now: Timestamp) -> Option<Place> {
        self.with(name, |known| {
            let limit = if known.is_healthy(now) { HEALTHY_AT_ONCE } else { UNHEALTHY_AT_ONCE };
            if known.in_flight() >= limit {
                return None;
            }
            let permit = Arc::clone(&known.places).try_acquire_owned().ok()?;
            Some(Place { _permit: Some(permit) })
        })
    }

    /// The same as soon as there is one.
    pub(crate) async fn wait(&self, name: &str) -> Place {
        let places = self.with(name, |known| Arc::clone(&known.places));
        // It is never closed.
        Place { _permit: places.acquire_owned().await.ok() }
    }

    fn with<T>(&self, name: &str, change: impl FnOnce(&mut Destination) -> T) -> T {
        let mut known = self.lock();
        if let Some(destination) = known.get_mut(name) {
            return change(destination);
        }
        if known.len() >= REMEMBERED {
            known.retain(|_, destination| destination.in_flight() > 0);
        }
        change(known.entry(name.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Destination>> {
        // Nothing that holds the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Destination {
    fn default() -> Self {
        Self {
            failures: 0,
            slow_answers: 0,
            waits: 0,
            slow_until: None,
            unhealthy_until: None,
            places: Arc::new(Semaphore::new(HEALTHY_AT_ONCE)),
        }
    }
}

impl Destination {
    fn is_healthy(&self, now: Timestamp) -> bool {
        self.unhealthy_until.is_none_or(|until| until <= now)
    }

    fn is_slow(&self, now: Timestamp) -> bool {
        self.slow_until.is_some_and(|until| until > now)
    }

    fn in_flight(&self) -> usize {
        HEALTHY_AT_ONCE.saturating_sub(self.places.available_permits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);
    const ORIGIN: &str = "https://example.com";
    const QUICK: Duration = Duration::from_millis(20);

    #[test]
    fn a_time_out_makes_a_destination_unhealthy_for_some_minutes() {
        let destinations = Destinations::default();
        destinations.timed_out(ORIGIN, NOW);
        assert!(!destinations.is_healthy(ORIGIN, NOW));
        assert!(destinations.is_healthy(ORIGIN, NOW + UNHEALTHY_FOR));
        assert!(destinations.is_healthy("https://other.example.com", NOW));
    }

    #[test]
    fn failures_in_a_row_make_it_unhealthy_and_a_success_ends_the_row() {
        let destinations = Destinations::default();
        for _ in 1..FAILURES {
            destinations.failed(ORIGIN, NOW);
        }
        destinations.succeeded(ORIGIN, QUICK, NOW);
        destinations.failed(ORIGIN, NOW);
        assert!(destinations.is_healthy(ORIGIN, NOW));
        for _ in 1..FAILURES {
            destinations.failed(ORIGIN, NOW);
        }
        assert!(!destinations.is_healthy(ORIGIN, NOW));
    }

    #[test]
    fn whoever_keeps_a_batch_waiting_is_left_alone_and_longer_when_it_happens_again() {
        let destinations = Destinations::default();
        assert!(destinations.is_quick(ORIGIN, NOW));
        destinations.kept_waiting(ORIGIN, NOW);
        destinations.kept_waiting(ORIGIN, NOW);
        assert!(!destinations.is_quick(ORIGIN, NOW) && destinations.is_healthy(ORIGIN, NOW));
        let later = NOW + UNHEALTHY_FOR;
        assert!(destinations.is_quick(ORIGIN, later));
        destinations.kept_waiting(ORIGIN, later);
        assert!(!destinations.is_quick(ORIGIN, later + SLOW_FOR - QUICK));
        assert!(destinations.is_quick(ORIGIN, later + SLOW_FOR));
        destinations.kept_waiting(ORIGIN, later + SLOW_FOR);
        destinations.succeeded(ORIGIN, QUICK, later + SLOW_FOR);
        assert!(destinations.is_quick(ORIGIN, later + SLOW_FOR));
    }

    #[test]
    fn slow_answers_in_a_row_make_it_slow_and_a_quick_one_ends_the_row() {
        let destinations = Destinations::default();
        for _ in 1..SLOW_ANSWERS {
            destinations.succeeded(ORIGIN, 2 * SLOW, NOW);
        }
        destinations.succeeded(ORIGIN, QUICK, NOW);
        destinations.succeeded(ORIGIN, 2 * SLOW, NOW);
        assert!(destinations.is_quick(ORIGIN, NOW));
        for _ in 1..SLOW_ANSWERS {
            destinations.succeeded(ORIGIN, 2 * SLOW, NOW);
        }
        assert!(!destinations.is_quick(ORIGIN, NOW) && destinations.is_healthy(ORIGIN, NOW));
    }

    #[tokio::test]
    async fn places_are_bounded_and_come_back() {
        let destinations = Destinations::default();
        let mut places: Vec<_> = std::iter::from_fn(|| destinations.enter(ORIGIN, NOW)).collect();
        assert_eq!(places.len(), HEALTHY_AT_ONCE);
        let waiting = destinations.wait(ORIGIN);
        let ((), place) = tokio::join!(async { drop(places.pop()) }, waiting);
        assert!(destinations.enter(ORIGIN, NOW).is_none());
        drop((places, place));
        destinations.timed_out(ORIGIN, NOW);
        assert_eq!(std::iter::from_fn(|| destinations.enter(ORIGIN, NOW)).collect::<Vec<_>>().len(), UNHEALTHY_AT_ONCE);
    }

    #[test]
    fn memory_is_bounded() {
        let destinations = Destinations::default();
        for number in 0..3 * REMEMBERED {
            destinations.failed(&format!("https://{number}.example.com"), NOW);
        }
        assert!(destinations.lock().len() <= REMEMBERED);
    }
}
