//! What request bodies have in common.

use std::num::NonZeroU16;

use tidings_domain::patch::Patch;
use tidings_http::{Object, Whole};

/// Puts a value, if there is one, in the place of another.
pub(crate) fn set<T>(value: Option<T>, property: &mut T) {
    if let Some(value) = value {
        *property = value;
    }
}

/// What a change says of how many attempts a second there may be at most. 0 is no limit, as it always was for the
/// contract's other servers, which store the number only.
pub(crate) fn throttle_rate_patch(object: &mut Object) -> Patch<NonZeroU16> {
    match object.patch::<Whole<0, { u16::MAX as u64 }>>("throttleRate") {
        Patch::Absent => Patch::Absent,
        Patch::Null => Patch::Null,
        Patch::Value(Whole(rate)) => {
            u16::try_from(rate).ok().and_then(NonZeroU16::new).map_or(Patch::Null, Patch::Value)
        }
    }
}
