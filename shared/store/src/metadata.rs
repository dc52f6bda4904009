//! Metadata as it is stored: JSON in one text. A map of texts would be larger, and cannot have every name.

use tidings_domain::metadata::Metadata;

use crate::DecodeError;

/// Nothing, if it is empty.
pub(crate) fn stored_metadata(metadata: &Metadata) -> Option<String> {
    let json = || serde_json::to_string(metadata).expect("a map of texts is JSON");
    (!metadata.is_empty()).then(json)
}

/// The other way.
pub(crate) fn read_metadata(key: &str, stored: Option<String>) -> Result<Metadata, DecodeError> {
    let read = |json: String| serde_json::from_str(&json).map_err(|error| DecodeError::new(key, error));
    Ok(stored.map(read).transpose()?.unwrap_or_default())
}
