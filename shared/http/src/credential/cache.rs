use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidings_domain::Timestamp;

/// Most answers of each sort that are kept.
const MAX_ENTRIES: usize = 1000;

/// What look-ups answered, for a short time.
///
/// What is there and what is not are kept apart, so that somebody who tries many API keys cannot push out those that
/// are in use.
pub(super) struct Cache<K, V> {
    keep_for: Duration,
    answers: Mutex<Answers<K, V>>,
}

struct Answers<K, V> {
    found: HashMap<K, (Timestamp, V)>,
    missing: HashMap<K, (Timestamp, ())>,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    pub(super) fn new(keep_for: Duration) -> Self {
        Self { keep_for, answers: Mutex::new(Answers { found: HashMap::new(), missing: HashMap::new() }) }
    }

    /// What was answered, if that is still good: the outer `None` means that nobody knows.
    #[expect(clippy::option_option, reason = "known to be missing is not the same as not known")]
    pub(super) fn get(&self, key: &K, now: Timestamp) -> Option<Option<V>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, value)) = answers.found.get(key) {
            return self.fresh(*at, now).then(|| Some(value.clone()));
        }
        let (at, ()) = answers.missing.get(key)?;
        self.fresh(*at, now).then_some(None)
    }

    pub(super) fn put(&self, key: K, at: Timestamp, answer: Option<V>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let Answers { found, missing } = &mut *answers;
        if let Some(value) = answer {
            missing.remove(&key);
            self.insert(found, key, (at, value));
        } else {
            found.remove(&key);
            self.insert(missing, key, (at, ()));
        }
    }

    /// The next look-up asks again.
    pub(super) fn forget(&self, key: &K) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.found.remove(key);
        answers.missing.remove(key);
    }

    fn insert<T>(&self, map: &mut HashMap<K, (Timestamp, T)>, key: K, entry: (Timestamp, T)) {
        if map.len() >= MAX_ENTRIES && !map.contains_key(&key) {
            let now = entry.0;
            map.retain(|_, (at, _)| self.fresh(*at, now));
            // Still full: start over. Looking for the oldest at every insertion would cost more than it saves.
            if map.len() >= MAX_ENTRIES {
                map.clear();
            }
        }
        map.insert(key, entry);
    }

    /// A clock that was set back makes nothing good for longer.
    fn fresh(&self, at: Timestamp, now: Timestamp) -> bool {
        at <= now && now.since(at) < self.keep_for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::<usize, ()>::new(Duration::from_secs(5));
        for number in 0..3 * MAX_ENTRIES {
            cache.put(number, Timestamp::from_millis(0), None);
        }
        assert!(cache.answers.lock().unwrap().missing.len() <= MAX_ENTRIES);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_answer_good_for_longer() {
        let cache = Cache::<usize, ()>::new(Duration::from_secs(5));
        cache.put(1, Timestamp::from_millis(10_000), None);
        assert_eq!(cache.get(&1, Timestamp::from_millis(14_999)), Some(None));
        assert_eq!(cache.get(&1, Timestamp::from_millis(15_000)), None);
        assert_eq!(cache.get(&1, Timestamp::from_millis(9_999)), None);
    }
}
