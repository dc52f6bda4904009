//! A request's headers.

use http::HeaderMap;

/// What a header says that may be there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Once<'h> {
    /// It is not there.
    Absent,
    /// Its only value.
    Value(&'h str),
    /// It is there more than once, so that nobody can say which of them counts; or it is no text.
    Unclear,
}

impl<'h> Once<'h> {
    /// The value, where there is exactly one.
    pub(super) fn value(self) -> Option<&'h str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Unclear => None,
        }
    }
}

/// A header by its name.
pub(super) fn once<'h>(headers: &'h HeaderMap, name: &str) -> Once<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Once::Absent,
        (Some(value), None) => value.to_str().map_or(Once::Unclear, Once::Value),
        (Some(_), Some(_)) => Once::Unclear,
    }
}
