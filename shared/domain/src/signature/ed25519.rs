//! Asymmetric keys: who verifies holds nothing that signs.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::Timestamp;

/// What the private half starts with: it signs, and is never shown.
pub const PRIVATE_PREFIX: &str = "whsk_";
/// What the public half starts with: receivers verify with it.
pub const PUBLIC_PREFIX: &str = "whpk_";

const SEED_BYTES: usize = 32;

/// An Ed25519 key pair. `Debug` shows its public half only.
#[derive(Clone)]
pub struct Ed25519Key {
    seed: [u8; SEED_BYTES],
    /// Made once: to compute the public half costs as much as a signature.
    pair: Arc<Ed25519KeyPair>,
}

impl Ed25519Key {
    /// The key that belongs to a seed; for a new one, `seed` must be fresh random bytes.
    pub fn from_seed(seed: [u8; SEED_BYTES]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("every 32 bytes are a seed");
        Self { seed, pair: Arc::new(pair) }
    }

    /// The public half as receivers take it: `whpk_` and the base64 of 32 bytes.
    pub fn public(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", BASE64_STANDARD.encode(self.pair.public_key()))
    }

    /// One signature, as it stands in the `webhook-signature` header.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut message = format!("{id}.{}.", at.as_secs()).into_bytes();
        message.extend_from_slice(body);
        format!("v1a,{}", BASE64_STANDARD.encode(self.pair.sign(&message)))
    }

    /// From base64, without the prefix, of the seed alone or of the seed and its public half.
    pub(super) fn from_base64(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        let (seed, public) = bytes.split_first_chunk::<SEED_BYTES>()?;
        let key = Self::from_seed(*seed);
        // A public half that is another key's means that something was mixed up: receivers could not verify.
        (public.is_empty() || public == key.pair.public_key().as_ref()).then_some(key)
    }

    /// Both halves with the private prefix. This text signs: it is for the vault only.
    pub(super) fn to_stored(&self) -> String {
        let both = [&self.seed, self.pair.public_key().as_ref()].concat();
        format!("{PRIVATE_PREFIX}{}", BASE64_STANDARD.encode(both))
    }
}

impl PartialEq for Ed25519Key {
    fn eq(&self, other: &Self) -> bool {
        self.seed == other.seed
    }
}

impl Eq for Ed25519Key {}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public())
    }
}
