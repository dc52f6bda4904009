//! Texts that a caller keeps beside a thing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most entries.
pub const MAX_ENTRIES: usize = 50;

/// Most bytes of names and values together: a thing and its metadata are one item of the table.
pub const MAX_BYTES: usize = 16 * 1024;

/// Names and values, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

/// Too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must have at most {MAX_ENTRIES} entries of {MAX_BYTES} bytes in all")]
pub struct MetadataError;

impl Metadata {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = MetadataError;

    fn try_from(entries: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        let bytes: usize = entries.iter().map(|(name, value)| name.len() + value.len()).sum();
        if entries.len() <= MAX_ENTRIES && bytes <= MAX_BYTES { Ok(Self(entries)) } else { Err(MetadataError) }
    }
}

impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_bounded() {
        let entries = |count: usize, bytes: usize| -> BTreeMap<String, String> {
            (0..count).map(|number| (format!("{number:04}"), "x".repeat(bytes - 4))).collect()
        };
        assert!(Metadata::try_from(entries(MAX_ENTRIES, 100)).is_ok());
        assert_eq!(Metadata::try_from(entries(MAX_ENTRIES + 1, 100)), Err(MetadataError));
        assert_eq!(Metadata::try_from(entries(1, MAX_BYTES + 1)), Err(MetadataError));
    }
}
