//! When to try again.

use std::str::FromStr;
use std::time::Duration;

/// Delays between tries: after the nth failed try, the nth delay; after the last, none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule(Vec<Duration>);

/// Most that a receiver's `Retry-After` can ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Most tries that a schedule may ask for.
pub const MAX_DELAYS: usize = 10_000;

/// A text is no list of delays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a list of whole seconds separated by commas, each optionally repeated (`60x1440`), 10000 at most in all"
)]
pub struct RetryScheduleError;

impl RetrySchedule {
    /// The same delay, so many times.
    pub fn repeat(delay: Duration, times: usize) -> Self {
        Self(vec![delay; times])
    }

    /// How long to wait after the try with this number (the first is 1) failed; `None` after the last.
    pub fn delay_after(&self, tries: u32) -> Option<Duration> {
        let index = usize::try_from(tries.checked_sub(1)?).ok()?;
        self.0.get(index).copied()
    }

    /// The same, up to 20 % earlier or later, and never before the receiver's `Retry-After`. `random` is a fresh number;
    /// without it, everything that failed together would come back together.
    pub fn jittered_delay_after(&self, tries: u32, retry_after: Option<Duration>, random: u32) -> Option<Duration> {
        let delay = self.delay_after(tries)?;
        let factor = 0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX);
        Some(delay.mul_f64(factor).max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)))
    }

    /// The delays in seconds, separated by commas; what [`FromStr`] reads.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|delay| delay.as_secs().to_string()).collect::<Vec<_>>().join(",")
    }

    /// The delays.
    pub fn delays(&self) -> &[Duration] {
        &self.0
    }

    /// Tries in all, the first included.
    pub fn max_tries(&self) -> usize {
        self.0.len() + 1
    }
}

impl FromStr for RetrySchedule {
    type Err = RetryScheduleError;

    /// `5,300` or, for repeated delays, `60x1440`.
    fn from_str(text: &str) -> Result<Self, RetryScheduleError> {
        let mut delays = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (seconds, times) = part.split_once('x').unwrap_or((part, "1"));
            let seconds: u32 = seconds.parse().map_err(|_| RetryScheduleError)?;
            let times: usize = times.parse().map_err(|_| RetryScheduleError)?;
            if delays.len().saturating_add(times) > MAX_DELAYS {
                return Err(RetryScheduleError);
            }
            delays.resize(delays.len() + times, Duration::from_secs(seconds.into()));
        }
        Ok(Self(delays))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_schedule_is_a_list_of_seconds_with_repeats() {
        let schedule: RetrySchedule = "5, 60x2,300".parse().unwrap();
        let delays: Vec<_> = (1..=5).map(|tries| schedule.delay_after(tries).map(|delay| delay.as_secs())).collect();
        assert_eq!(delays, [Some(5), Some(60), Some(60), Some(300), None]);
        assert_eq!(schedule.max_tries(), 5);
        assert_eq!("60x1440".parse(), Ok(RetrySchedule::repeat(Duration::from_secs(60), 1440)));
    }

    #[test]
    fn an_empty_schedule_is_one_try() {
        let schedule: RetrySchedule = "".parse().unwrap();
        assert_eq!((schedule.delay_after(1), schedule.max_tries()), (None, 1));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth_and_never_before_retry_after(
            seconds in 1_u64..100_000, random: u32, after in prop::option::of(0_u64..200_000),
        ) {
            let schedule = RetrySchedule::repeat(Duration::from_secs(seconds), 1);
            let after = after.map(Duration::from_secs);
            let delay = schedule.jittered_delay_after(1, after, random).unwrap();
            let least = Duration::from_secs(seconds).mul_f64(0.7999).max(after.unwrap_or_default().min(MAX_RETRY_AFTER));
            let most = Duration::from_secs(seconds).mul_f64(1.2001).max(MAX_RETRY_AFTER.min(after.unwrap_or_default()));
            prop_assert!(least <= delay && delay <= most, "{delay:?}");
            prop_assert_eq!(schedule.to_text().parse::<RetrySchedule>(), Ok(schedule));
        }

        #[test]
        fn no_text_makes_a_schedule_without_end(text in "[0-9x, ]{0,30}") {
            if let Ok(schedule) = text.parse::<RetrySchedule>() {
                prop_assert!(schedule.max_tries() <= MAX_DELAYS + 1);
            }
        }
    }
}
