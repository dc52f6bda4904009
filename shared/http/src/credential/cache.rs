use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::api_key::ApiKeyHash;
use tidings_domain::caller::Caller;

/// Most answers of each sort that are kept.
const MAX_ENTRIES: usize = 1000;

/// What look-ups of API keys answered, for a short time.
///
/// Keys that are there and keys that are not are kept apart, so that somebody who tries many keys cannot push
/// out those that are in use.
pub(super) struct Cache {
    keep_for: Duration,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Answers {
    found: HashMap<ApiKeyHash, (Timestamp, Caller)>,
    missing: HashMap<ApiKeyHash, (Timestamp, ())>,
}

impl Cache {
    pub(super) fn new(keep_for: Duration) -> Self {
        Self { keep_for, answers: Mutex::default() }
    }

    /// What was answered, if that is still good: the outer `None` means that nobody knows.
    #[expect(clippy::option_option, reason = "known to be missing is not the same as not known")]
    pub(super) fn get(&self, hash: &ApiKeyHash, now: Timestamp) -> Option<Option<Caller>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, caller)) = answers.found.get(hash) {
            return self.fresh(*at, now).then(|| Some(caller.clone()));
        }
        let (at, ()) = answers.missing.get(hash)?;
        self.fresh(*at, now).then_some(None)
    }

    pub(super) fn put(&self, hash: ApiKeyHash, at: Timestamp, answer: Option<Caller>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let Answers { found, missing } = &mut *answers;
        if let Some(caller) = answer {
            missing.remove(&hash);
            self.insert(found, hash, (at, caller));
        } else {
            found.remove(&hash);
            self.insert(missing, hash, (at, ()));
        }
    }

    fn insert<T>(&self, map: &mut HashMap<ApiKeyHash, (Timestamp, T)>, hash: ApiKeyHash, entry: (Timestamp, T)) {
        if map.len() >= MAX_ENTRIES && !map.contains_key(&hash) {
            let now = entry.0;
            map.retain(|_, (at, _)| self.fresh(*at, now));
            // Still full: start over. Looking for the oldest at every insertion would cost more than it saves.
            if map.len() >= MAX_ENTRIES {
                map.clear();
            }
        }
        map.insert(hash, entry);
    }

    /// A clock that was set back makes nothing good for longer.
    fn fresh(&self, at: Timestamp, now: Timestamp) -> bool {
        at <= now && now.since(at) < self.keep_for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> ApiKeyHash {
        ApiKeyHash::from_stored(number.to_string())
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::new(Duration::from_secs(5));
        for number in 0..3 * MAX_ENTRIES {
            cache.put(hash(number), Timestamp::from_millis(0), None);
        }
        assert!(cache.answers.lock().unwrap().missing.len() <= MAX_ENTRIES);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_answer_good_for_longer() {
        let cache = Cache::new(Duration::from_secs(5));
        cache.put(hash(1), Timestamp::from_millis(10_000), None);
        assert_eq!(cache.get(&hash(1), Timestamp::from_millis(14_999)), Some(None));
        assert_eq!(cache.get(&hash(1), Timestamp::from_millis(15_000)), None);
        assert_eq!(cache.get(&hash(1), Timestamp::from_millis(9_999)), None);
    }
}
