//! How long a source's records are kept: `90-D`, `3-M`, `1-Y`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month, OffsetDateTime};

use crate::Timestamp;

/// Longest period, in years. A table's time to live ends somewhere, and so does what anybody wants to know.
pub const MAX_YEARS: u16 = 10;

/// What a period is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Days,
    Months,
    Years,
}

/// A time that something is kept for, counted by the calendar (UTC): a month from January 31 ends on the last day of
/// February. 1 day to [`MAX_YEARS`] years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    count: u16,
    unit: Unit,
}

/// A text is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a number and a unit, like `90-D`, `3-M` or `1-Y`: 1 day to {MAX_YEARS} years")]
pub struct PeriodError;

impl Period {
    /// A number of days, at most ten years of them.
    pub const fn days(count: u16) -> Self {
        Self { count, unit: Unit::Days }
    }

    /// A number of years.
    pub const fn years(count: u16) -> Self {
        Self { count, unit: Unit::Years }
    }

    /// When what began at `from` is over.
    pub fn end(self, from: Timestamp) -> Timestamp {
        let count = i64::from(self.count);
        let Ok(start) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(from.as_millis()) * 1_000_000) else {
            return from;
        };
        let end = match self.unit {
            Unit::Days => start.checked_add(Duration::days(count)),
            Unit::Months => months_later(start, count),
            Unit::Years => months_later(start, count * 12),
        };
        end.and_then(|end| i64::try_from(end.unix_timestamp_nanos() / 1_000_000).ok())
            .map_or(from, Timestamp::from_millis)
    }
}

/// The same day of a later month, or the last one that it has.
fn months_later(start: OffsetDateTime, months: i64) -> Option<OffsetDateTime> {
    let counted = i64::from(start.year()) * 12 + i64::from(u8::from(start.month())) - 1 + months;
    let year = i32::try_from(counted.div_euclid(12)).ok()?;
    let month = Month::try_from(u8::try_from(counted.rem_euclid(12) + 1).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, start.day().min(month.length(year))).ok()?;
    Some(start.replace_date(date))
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let (count, unit) = text.split_once('-').ok_or(PeriodError)?;
        let (unit, most) = match unit {
            "D" => (Unit::Days, MAX_YEARS * 365),
            "M" => (Unit::Months, MAX_YEARS * 12),
            "Y" => (Unit::Years, MAX_YEARS),
            _ => return Err(PeriodError),
        };
        let digits = count.bytes().all(|byte| byte.is_ascii_digit()) && !count.starts_with('0');
        let count = count.parse().ok().filter(|count| digits && (1..=most).contains(count)).ok_or(PeriodError)?;
        Ok(Self { count, unit })
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;

    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Days => 'D',
            Unit::Months => 'M',
            Unit::Years => 'Y',
        };
        write!(f, "{}-{unit}", self.count)
    }
}

/// How long each kind of a source's records is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Transactions, from when they were received.
    pub transactions: Period,
    /// Rejected requests, from when they were received.
    pub transaction_errors: Period,
    /// What could not be computed, from when it last failed.
    pub compute_errors: Period,
    /// Enrollments, from when they last changed: when the event was computed, not when it was fired.
    pub enrollments: Period,
}

impl Default for Retention {
    /// 90 days, and a year for enrollments, which are what everybody goes on asking for.
    fn default() -> Self {
        let ninety = Period::days(90);
        Self { transactions: ninety, transaction_errors: ninety, compute_errors: ninety, enrollments: Period::years(1) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    #[test]
    fn periods_are_counted_by_the_calendar() {
        for (from, period, end) in [
            ("2024-03-13T14:58:26.007Z", "90-D", "2024-06-11T14:58:26.007Z"),
            ("2024-01-31T10:00:00Z", "1-M", "2024-02-29T10:00:00Z"),
            ("2023-11-30T10:00:00Z", "3-M", "2024-02-29T10:00:00Z"),
            ("2024-02-29T00:00:00Z", "1-Y", "2025-02-28T00:00:00Z"),
        ] {
            assert_eq!(period.parse::<Period>().unwrap().end(at(from)), at(end), "{from} {period}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in ["", "90", "90D", "0-D", "-1-D", "+1-D", "01-D", "1-W", "1-d", "11-Y", "121-M", "3651-D", "99999-D"]
        {
            assert_eq!(text.parse::<Period>(), Err(PeriodError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_period_round_trips_and_moves_time_on(count in 1_u16..=10, unit in "[DMY]", millis in 0_i64..4_000_000_000_000) {
            let period: Period = format!("{count}-{unit}").parse().unwrap();
            prop_assert_eq!(period.to_string().parse(), Ok(period));
            let from = Timestamp::from_millis(millis);
            let end = period.end(from);
            prop_assert!(end > from && end < from + std::time::Duration::from_hours(24 * 366 * 11));
        }
    }
}
