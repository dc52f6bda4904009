//! An endpoint's own retry schedule.

use serde_json::Value;
use tidings_domain::retry::RetrySchedule;
use tidings_http::{Fault, FaultKind, FromJson, Whole};

/// Most delays.
const MAX_DELAYS: usize = 20;

/// A delay in seconds, of two days at most.
type Delay = Whole<1, { 2 * 24 * 3600 }>;

/// A list of delays in seconds. Unlike the names in a request, delays may be there twice.
pub(super) struct RetryScheduleIn(pub(super) RetrySchedule);

impl FromJson for RetryScheduleIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let delays = Vec::<Delay>::from_json(value)?;
        if delays.len() > MAX_DELAYS {
            return Err(vec![Fault::new(FaultKind::Value, format!("must have at most {MAX_DELAYS} items"))]);
        }
        let text = delays.iter().map(|Whole(seconds)| seconds.to_string()).collect::<Vec<_>>().join(",");
        text.parse().map(Self).map_err(|error| vec![Fault::new(FaultKind::Value, format!("{error}"))])
    }
}
