//! Times as Docebo writes them.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::Timestamp;

/// What a time must be, in a sentence of a fault.
pub(super) const FORM: &str = "a time from 1970 on, like `2024-03-13 14:58:26` (UTC) or `2024-03-13T14:58:26Z`";

/// Docebo's own form, without a zone.
const PLAIN: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// How times are kept.
const STORED: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// What a database writes for a time that there is not.
const NEVER: &str = "0000-00-00 00:00:00";

/// A text is no time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoTime;

/// A time of Docebo's form, or of RFC 3339. `None` is what stands for no time at all.
pub(super) fn parse(text: &str) -> Result<Option<Timestamp>, NoTime> {
    if text == NEVER {
        return Ok(None);
    }
    let plain = PrimitiveDateTime::parse(text, PLAIN).map(PrimitiveDateTime::assume_utc);
    let at = plain.or_else(|_| OffsetDateTime::parse(text, &Rfc3339)).map_err(|_| NoTime)?;
    // The last hours of the year 9999, with their offset, are beyond all times that can be written.
    let at = at.checked_to_offset(UtcOffset::UTC).ok_or(NoTime)?;
    let millis = i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| NoTime)?;
    if millis >= 0 && at.year() <= 9999 { Ok(Some(Timestamp::from_millis(millis))) } else { Err(NoTime) }
}

/// A time as a field says it: RFC 3339, in UTC, with seconds.
pub(super) fn stored(at: Timestamp) -> String {
    let text = OffsetDateTime::from_unix_timestamp(at.as_secs()).ok().and_then(|at| at.format(STORED).ok());
    text.unwrap_or_else(|| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms_and_kept_in_one() {
        for (text, kept) in [
            ("2024-03-13 14:58:26", "2024-03-13T14:58:26Z"),
            ("2024-03-13T14:58:26Z", "2024-03-13T14:58:26Z"),
            ("2024-03-13t14:58:26z", "2024-03-13T14:58:26Z"),
            ("2024-03-13T14:58:26.999+01:30", "2024-03-13T13:28:26Z"),
            ("1970-01-01 00:00:00", "1970-01-01T00:00:00Z"),
            ("9999-12-31 23:59:59", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(parse(text).unwrap().map(stored).as_deref(), Some(kept), "{text}");
        }
        assert_eq!(parse("0000-00-00 00:00:00"), Ok(None));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2024-03-13",
            "14:58:26",
            "2024-02-30 00:00:00",
            "2024-03-13 24:00:00",
            "2024-03-13 14:58:26 ",
            "2024-03-13 14:58:26+01:00 Berlin",
            "2024-03-13T14:58:26",
            "1969-12-31 23:59:59",
            "-2024-03-13 14:58:26",
            "+12024-03-13 14:58:26",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00+10:00",
            "1710341906",
            "yesterday",
        ] {
            assert_eq!(parse(text), Err(NoTime), "{text}");
        }
    }
}
