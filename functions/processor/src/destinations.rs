//! What this execution environment knows of destinations: which ones are slow or dead, and how many requests are on their
//! way to each. It is kept in memory, because it must cost no reads, and may be wrong: the slow lane tries everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_domain::Timestamp;

/// How long a destination counts as unhealthy.
const UNHEALTHY_FOR: Duration = Duration::from_mins(2);

/// Failures in a row that make a destination unhealthy. One time-out is enough: it costs the others time.
const FAILURES: u32 = 3;

/// Tries at once to one destination in the slow lane.
const HEALTHY_AT_ONCE: usize = 16;

/// The same, while it is unhealthy.
const UNHEALTHY_AT_ONCE: usize = 2;

/// Destinations that are remembered; beyond it all are forgotten, which is safe.
const REMEMBERED: usize = 10_000;

/// Destinations by origin. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Destinations(Arc<Mutex<HashMap<String, Destination>>>);

#[derive(Debug, Default)]
struct Destination {
    failures: u32,
    unhealthy_until: Option<Timestamp>,
    in_flight: usize,
}

/// One of the tries that may be on their way to a destination; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    destinations: Destinations,
    origin: String,
}

impl Destinations {
    /// Whether a request there is expected to be answered soon.
    pub(crate) fn is_healthy(&self, origin: &str, now: Timestamp) -> bool {
        self.lock().get(origin).is_none_or(|known| known.is_healthy(now))
    }

    /// It answered as hoped.
    pub(crate) fn succeeded(&self, origin: &str) {
        // Most are healthy, and then nothing is remembered of them.
        if let Some(known) = self.lock().get_mut(origin) {
            known.failures = 0;
            known.unhealthy_until = None;
        }
    }

    /// It answered otherwise, or refused.
    pub(crate) fn failed(&self, origin: &str, now: Timestamp) {
        self.with(origin, |known| {
            known.failures += 1;
            if known.failures >= FAILURES {
                known.unhealthy_until = Some(now + UNHEALTHY_FOR);
            }
        });
    }

    /// It did not answer in time.
    pub(crate) fn timed_out(&self, origin: &str, now: Timestamp) {
        self.with(origin, |known| known.unhealthy_until = Some(now + UNHEALTHY_FOR));
    }

    /// A place among the tries to this destination, unless as many as it may have are on their way.
    pub(crate) fn enter(&self, origin: &str, now: Timestamp) -> Option<Place> {
        self.with(origin, |known| {
            let limit = if known.is_healthy(now) { HEALTHY_AT_ONCE } else { UNHEALTHY_AT_ONCE };
            (known.in_flight < limit).then(|| {
                known.in_flight += 1;
                Place { destinations: self.clone(), origin: origin.to_owned() }
            })
        })
    }

    fn with<T>(&self, origin: &str, change: impl FnOnce(&mut Destination) -> T) -> T {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.retain(|_, destination| destination.in_flight > 0);
        }
        change(known.entry(origin.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Destination>> {
        // Nothing that holds the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination {
    fn is_healthy(&self, now: Timestamp) -> bool {
        self.unhealthy_until.is_none_or(|until| until <= now)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.destinations.with(&self.origin, |known| known.in_flight = known.in_flight.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);
    const ORIGIN: &str = "https://example.com";

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
        destinations.succeeded(ORIGIN);
        destinations.failed(ORIGIN, NOW);
        assert!(destinations.is_healthy(ORIGIN, NOW));
        for _ in 1..FAILURES {
            destinations.failed(ORIGIN, NOW);
        }
        assert!(!destinations.is_healthy(ORIGIN, NOW));
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let destinations = Destinations::default();
        let places: Vec<_> = std::iter::from_fn(|| destinations.enter(ORIGIN, NOW)).collect();
        assert_eq!(places.len(), HEALTHY_AT_ONCE);
        drop(places);
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
