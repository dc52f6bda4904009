//! Numbers measured several times.

use std::fmt;
use std::time::Duration;

/// Values of one quantity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    sorted: Vec<f64>,
}

impl Sample {
    /// Of these values. Those that are no numbers are left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// Of durations, in milliseconds.
    pub fn of_millis(durations: impl IntoIterator<Item = Duration>) -> Self {
        Self::of(durations.into_iter().map(|duration| duration.as_secs_f64() * 1e3))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The value that `percent` of all do not exceed; 0 if there is none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.sorted.len() * percent).div_ceil(100);
        self.sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The median, and the range, with so many digits after the point.
    pub fn spread(&self, digits: usize) -> Spread<'_> {
        Spread { sample: self, digits }
    }
}

/// A sample as text: `median (least..most)`.
#[derive(Debug)]
pub struct Spread<'a> {
    sample: &'a Sample,
    digits: usize,
}

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sample, digits } = self;
        match (sample.sorted.first(), sample.sorted.last()) {
            (Some(least), Some(most)) => {
                write!(f, "{:.digits$} ({least:.digits$}..{most:.digits$})", sample.median())
            }
            _ => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_that_so_many_do_not_exceed() {
        let percentile = |sample: &Sample, percent| format!("{:.0}", sample.percentile(percent));
        let sample = Sample::of((1..=100).rev().map(f64::from));
        assert_eq!([1, 50, 99, 100].map(|percent| percentile(&sample, percent)), ["1", "50", "99", "100"]);
        assert_eq!(percentile(&Sample::of([3.0]), 99), "3");
        assert_eq!(percentile(&Sample::default(), 50), "0");
    }

    #[test]
    fn a_spread_shows_the_median_and_the_range() {
        assert_eq!(Sample::of([2.0, 1.0, 9.0]).spread(1).to_string(), "2.0 (1.0..9.0)");
    }
}
