//! When to try again.

use std::str::FromStr;
use std::time::Duration;

/// Delays between tries: after the nth failed try, the nth delay; after the last, none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule(Vec<Duration>);

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
        fn no_text_makes_a_schedule_without_end(text in "[0-9x, ]{0,30}") {
            if let Ok(schedule) = text.parse::<RetrySchedule>() {
                prop_assert!(schedule.max_tries() <= MAX_DELAYS + 1);
            }
        }
    }
}
