//! Changes of what is there: read, change, write if nobody else has changed it meanwhile; otherwise once more.

use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_http::ApiError;

/// How often a change is tried that others keep getting in the way of.
pub(crate) const TRIES: usize = 4;

/// The answer when they always did.
pub(crate) fn contended() -> ApiError {
    ApiError::conflict_retry(Duration::from_secs(1))
}

/// The time of a change. It is later than that of the one before, also where the clock has stood still: the store takes
/// two equal times for one state.
pub(crate) fn later_than(before: Timestamp, now: Timestamp) -> Timestamp {
    now.max(before + Duration::from_millis(1))
}
