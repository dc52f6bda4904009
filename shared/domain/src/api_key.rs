//! API keys: shown once, stored as a hash.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Timestamp;
use crate::caller::Caller;
use crate::idempotency::hex;
use crate::ids::ApiKeyId;

/// What every API key starts with.
pub const PREFIX: &str = "tdk_";

/// Random bytes that a key is made of. With 256 bits there is nothing to guess, so a plain hash stores it
/// safely.
pub const RANDOM_BYTES: usize = 32;

/// The key itself, as its holder sends it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    /// A new key; `random` must be fresh random bytes.
    pub fn new(random: [u8; RANDOM_BYTES]) -> Self {
        Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random)))
    }

    /// A key that somebody presented; `None` if it has not the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let form = rest.len() == 43 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        form.then(|| Self(text.to_owned()))
    }

    /// To show it once, to the one who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored, and what it is found by.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash(hex(&Sha256::digest(self.0.as_bytes())))
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tdk_[redacted]")
    }
}

/// SHA-256 of a key, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKeyHash(String);

impl ApiKeyHash {
    /// From the table.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// For the table.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the table knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public name.
    pub id: ApiKeyId,
    /// What its holder wrote to tell it from others.
    pub description: String,
    /// What it may do.
    pub caller: Caller,
    /// Of the secret.
    pub hash: ApiKeyHash,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_round_trips_and_is_not_shown_by_debug() {
        let key = ApiKeySecret::new([9; RANDOM_BYTES]);
        assert_eq!(ApiKeySecret::parse(key.reveal()).as_ref(), Some(&key));
        assert_eq!(format!("{key:?}"), "tdk_[redacted]");
        assert!(!key.hash().as_str().contains(key.reveal()));
    }

    #[test]
    fn a_text_of_another_form_is_no_key() {
        for bad in ["", "tdk_", "tdk_short", "key_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(ApiKeySecret::parse(bad), None, "{bad}");
        }
    }
}
