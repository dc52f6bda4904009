//! Lists in pages.

use std::str::FromStr;

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

/// Where a page starts: beside an entry that the caller knows. `I` is what the list goes on from, an id mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position<I> {
    /// What follows the entry, in the list's order.
    After(I),
    /// What stands before it: the nearest ones, and they too in the list's order. `done` then says that nothing stands
    /// before them.
    Before(I),
}

/// On the wire a position before an entry starts with `-`. A name that itself starts with `-` is therefore no place
/// to go on from but by going back to it: the price of the contract's form.
impl<I: FromStr> FromStr for Position<I> {
    type Err = I::Err;

    fn from_str(text: &str) -> Result<Self, I::Err> {
        match text.strip_prefix('-') {
            Some(before) => before.parse().map(Self::Before),
            None => text.parse().map(Self::After),
        }
    }
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// From the least, which for ids is the oldest.
    #[default]
    Ascending,
    /// From the greatest.
    Descending,
}

/// A text is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `ascending` or `descending`")]
pub struct OrderError;

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(text: &str) -> Result<Self, OrderError> {
        match text {
            "ascending" => Ok(Self::Ascending),
            "descending" => Ok(Self::Descending),
            _ => Err(OrderError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_that_starts_with_a_dash_goes_back() {
        assert_eq!("7".parse(), Ok(Position::After(7)));
        assert_eq!("-7".parse(), Ok(Position::Before(7)));
        assert!("".parse::<Position<u8>>().is_err() && "-".parse::<Position<u8>>().is_err());
        assert_eq!("--7".parse(), Ok(Position::Before(-7)));
    }

    #[test]
    fn an_order_has_one_spelling() {
        assert_eq!("ascending".parse(), Ok(Order::Ascending));
        assert_eq!("descending".parse(), Ok(Order::Descending));
        assert_eq!("Ascending".parse::<Order>(), Err(OrderError));
    }
}
