//! `Idempotency-Key`: the same request twice is one request.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// How long a key is remembered.
pub const RETENTION: Duration = Duration::from_hours(12);

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 255;

/// What a caller named its request: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// A text is no idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_KEY_BYTES} visible ASCII characters")]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The caller's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text of hexadecimal digits that stands for it in the table's keys.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(&self.0))
    }
}

impl TryFrom<&str> for IdempotencyKey {
    type Error = IdempotencyKeyError;

    fn try_from(text: &str) -> Result<Self, IdempotencyKeyError> {
        let fits = (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if fits { Ok(Self(text.to_owned())) } else { Err(IdempotencyKeyError) }
    }
}

/// Tells one request from another under the same key: a hash of method, path and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a request as it came in.
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            // The length first, so that no two requests hash the same bytes.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self(hex(&hash.finalize()))
    }

    /// From the table.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// For the table.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

/// A request under a key, and the answer that a repetition of it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// What the caller named it.
    pub key: IdempotencyKey,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// What is answered.
    pub answer: Answer,
}

/// An HTTP answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The `Location` header, where there is one.
    pub location: Option<String>,
    /// The body, JSON.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        assert!(IdempotencyKey::try_from("order 17").is_ok());
        for bad in ["", "caf\u{e9}", "a\nb", &"a".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(IdempotencyKey::try_from(bad), Err(IdempotencyKeyError), "{bad:?}");
        }
    }

    #[test]
    fn moving_a_byte_between_path_and_body_changes_the_fingerprint() {
        assert_ne!(Fingerprint::of("POST", "/ab", b"c"), Fingerprint::of("POST", "/a", b"bc"));
        assert_eq!(Fingerprint::of("POST", "/a", b"b"), Fingerprint::of("POST", "/a", b"b"));
    }
}
