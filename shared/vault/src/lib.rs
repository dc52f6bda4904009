//! Seals what the table must not show: endpoints' signing keys and header values, and what sources' requests are
//! verified with.
//!
//! Whoever reads the table, a backup or an export of it gets sealed bytes only. Each organization has a key of its own,
//! derived (HKDF-SHA256) from a secret that is configured, so there is nothing to store and nothing to fetch. A value
//! is sealed (AES-256-GCM) together with the *context* that it belongs to, a text such as `app_.../ep_...#keys`: copied
//! to another item, or to another organization's, it does not open.
//!
//! ```text
//! version (1 byte) | id of the secret (4) | nonce (12) | what was sealed, encrypted | tag (16)
//! ```
//!
//! Several secrets may be configured: the first seals, each opens what it sealed. So the secret can be changed while what
//! the old one sealed still opens. A nonce is random: 2^32 values can be sealed with one organization's key
//! before two of them have the same nonce with a chance of one in 2^32, and an endpoint's are sealed when somebody
//! changes them.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use tidings_domain::endpoint::Sealed;
use tidings_domain::ids::OrganizationId;
use tidings_domain::source::{Source, SourceKeys};
use tidings_runtime::random;
use tidings_runtime::settings::{EncryptionKeys, Secret};

/// Stands first in everything that is sealed; another form will have another one.
const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// Seals and opens. Clones are cheap.
#[derive(Clone)]
pub struct Vault {
    sealing: Root,
    /// What opens, the one that seals first.
    all: Vec<Root>,
}

/// A configured secret, ready to derive keys from.
#[derive(Clone)]
struct Root {
    id: [u8; KEY_ID_BYTES],
    prk: Prk,
}

/// What was opened. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened(Vec<u8>);

/// Why something does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was not sealed by a vault, or by one of a later version.
    #[error("the sealed value has a form that this version does not know")]
    Form,
    /// The secret that sealed it is not among those configured.
    #[error("the encryption key that sealed the value is not configured")]
    UnknownKey,
    /// It was changed, or it belongs to something else.
    #[error("the sealed value was changed, or is not in its place")]
    Refused,
}

impl Vault {
    /// Derives from these secrets.
    pub fn new(keys: &EncryptionKeys) -> Self {
        Self { sealing: Root::new(keys.first()), all: keys.iter().map(Root::new).collect() }
    }

    /// Seals `plain` for an organization. It opens with the same `context` only.
    pub fn seal(&self, organization: OrganizationId, context: &str, plain: &[u8]) -> Sealed {
        let nonce: [u8; NONCE_LEN] = random::bytes();
        let head = self.sealing.head();
        let mut body = plain.to_vec();
        self.sealing
            .key_of(organization)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound_to(head, context), &mut body)
            .expect("nothing that fits into memory is too long to seal");
        Sealed([head.as_slice(), &nonce, &body].concat())
    }

    /// Opens what was sealed for this organization with this `context`.
    pub fn open(&self, organization: OrganizationId, context: &str, sealed: &Sealed) -> Result<Opened, OpenError> {
        let (head, rest) = sealed.0.split_first_chunk::<HEAD_BYTES>().ok_or(OpenError::Form)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Form)?;
        if head.first() != Some(&VERSION) || body.len() < AES_256_GCM.tag_len() {
            return Err(OpenError::Form);
        }
        let root = self.all.iter().find(|root| root.head() == *head).ok_or(OpenError::UnknownKey)?;
        let mut body = body.to_vec();
        let opened = root
            .key_of(organization)
            .open_in_place(Nonce::assume_unique_for_key(*nonce), bound_to(*head, context), &mut body)
            .map_err(|_| OpenError::Refused)?
            .len();
        body.truncate(opened);
        Ok(Opened(body))
    }

    /// Seals what a source's requests are verified with.
    pub fn seal_source_keys(&self, source: &Source, keys: &SourceKeys) -> Sealed {
        self.seal(source.organization, &source.keys_context(), keys.seal_text().as_bytes())
    }

    /// Opens it again. None of a source that verifies nothing.
    pub fn open_source_keys(&self, source: &Source) -> Result<Option<SourceKeys>, OpenError> {
        let Some(sealed) = &source.keys else { return Ok(None) };
        let opened = self.open(source.organization, &source.keys_context(), sealed)?;
        opened.as_text().and_then(SourceKeys::from_text).map(Some).ok_or(OpenError::Form)
    }
}

impl Root {
    fn new(secret: &Secret) -> Self {
        let prk = Salt::new(HKDF_SHA256, b"tidings/vault/v1").extract(secret.as_bytes());
        let mut id = [0; KEY_ID_BYTES];
        prk.expand(&[b"id"], IdLength)
            .and_then(|derived| derived.fill(&mut id))
            .expect("an id is short enough to be derived");
        Self { id, prk }
    }

    fn head(&self) -> [u8; HEAD_BYTES] {
        let [a, b, c, d] = self.id;
        [VERSION, a, b, c, d]
    }

    /// Derived anew each time: that takes 2 microseconds, less than a cache that several threads share is worth.
    fn key_of(&self, organization: OrganizationId) -> LessSafeKey {
        let name = organization.to_string();
        let info = [b"organization/", name.as_bytes()];
        let derived = self.prk.expand(&info, &AES_256_GCM).expect("a key is short enough to be derived");
        LessSafeKey::new(UnboundKey::from(derived))
    }
}

/// What is authenticated beside the value. The head has one length, so no two pairs are the same bytes.
fn bound_to(head: [u8; HEAD_BYTES], context: &str) -> Aad<Vec<u8>> {
    Aad::from([head.as_slice(), context.as_bytes()].concat())
}

struct IdLength;

impl KeyType for IdLength {
    fn len(&self) -> usize {
        KEY_ID_BYTES
    }
}

impl Opened {
    /// The bytes that were sealed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that was sealed; `None` if it was none.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.all.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
