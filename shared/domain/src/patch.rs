//! Changes of a part.

/// What a change says of one property: a property that is not mentioned is not one that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Not mentioned: it stays as it is.
    #[default]
    Absent,
    /// It is taken away.
    Null,
    /// It gets this value.
    Value(T),
}

impl<T> Patch<T> {
    /// Whether the property stays as it is.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The same change of what follows from the property.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(change(value)),
        }
    }

    /// Makes the change.
    pub fn apply(self, property: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *property = None,
            Self::Value(value) => *property = Some(value),
        }
    }

    /// What the property is after the change.
    pub fn or(self, property: Option<T>) -> Option<T> {
        match self {
            Self::Absent => property,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_mentioned_stays() {
        let after = |patch: Patch<u8>| {
            let mut property = Some(1);
            patch.apply(&mut property);
            assert_eq!(patch.or(Some(1)), property);
            property
        };
        assert_eq!([Patch::Absent, Patch::Null, Patch::Value(2)].map(after), [Some(1), None, Some(2)]);
        assert_eq!(Patch::Value(2).map(|value| value + 1), Patch::Value(3));
        assert!(Patch::<u8>::default().is_absent() && !Patch::<u8>::Null.is_absent());
    }
}
