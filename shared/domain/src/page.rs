//! Lists in pages.

/// How many to answer at once: 1 to 250, 50 when not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u8);

/// A number is no page size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 1 to 250")]
pub struct PageLimitError;

impl PageLimit {
    /// The number.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u64> for PageLimit {
    type Error = PageLimitError;

    fn try_from(limit: u64) -> Result<Self, PageLimitError> {
        u8::try_from(limit).ok().filter(|limit| (1..=250).contains(limit)).map(Self).ok_or(PageLimitError)
    }
}

/// One page, and where the next one starts: after the last of `data`, if `done` is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's order.
    pub data: Vec<T>,
    /// Whether there is no further page.
    pub done: bool,
}
