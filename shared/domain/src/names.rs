//! The registry of names that callers choose, in alphabetical order. None can hold the separator of the table's keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text is no name of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max} letters, digits, `-`, `_` or `.`")]
pub struct NameError {
    max: usize,
}

fn check(text: &str, max: usize) -> Result<(), NameError> {
    let fits = (1..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits { Ok(()) } else { Err(NameError { max }) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $max:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Most characters.
            pub const MAX: usize = $max;

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                check(&text, $max)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

names! {
    /// Narrows which endpoints get a message.
    Channel = 128;
    /// The caller's own name for a message, unique in its application for a day at least.
    EventId = 256;
    /// The name of an event type.
    EventTypeName = 256;
    /// What an event type can ask of who sees it.
    FeatureFlag = 256;
    /// What messages can be listed by.
    Tag = 128;
    /// The caller's own name for an application or an endpoint, unique in its parent.
    Uid = 256;
}

/// An id, or the caller's own name for the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference<I> {
    /// Its id.
    Id(I),
    /// A name that has not the form of an id.
    Uid(Uid),
}

impl<I: FromStr> FromStr for Reference<I> {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Uid))
    }
}

impl<'de, I: FromStr> Deserialize<'de> for Reference<I> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<I: fmt::Display> fmt::Display for Reference<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Uid(uid) => uid.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::EndpointId;

    #[test]
    fn a_name_has_its_length_and_its_characters() {
        assert_eq!("user.created-v1_x".parse::<EventTypeName>().unwrap().as_str(), "user.created-v1_x");
        for bad in ["", "a b", "a#b", "caf\u{e9}", &"a".repeat(129)] {
            assert!(bad.parse::<Channel>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_has_the_form_of_an_id_is_one() {
        let id = EndpointId::least_at(crate::Timestamp::from_millis(1_710_341_906_007));
        assert_eq!(id.to_string().parse(), Ok(Reference::Id(id)));
        assert_eq!("ep_mine".parse::<Reference<EndpointId>>(), Ok(Reference::Uid("ep_mine".parse().unwrap())));
    }

    proptest! {
        #[test]
        fn no_name_holds_a_separator(text in ".{0,20}") {
            if let Ok(name) = text.parse::<Uid>() {
                prop_assert!(!name.as_str().contains(['#', '/', '~']));
            }
        }
    }
}
