//! The Standard Webhooks scheme, and Svix's older names for its headers.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{COPIED, MAX_SIGNATURES, MISSING, Unverified, same, sha256, signed_at};
use crate::Timestamp;
use crate::signature::{PREFIX, PUBLIC_PREFIX};

/// What a request of this scheme is signed with.
enum Key {
    /// `v1`: an HMAC.
    Symmetric(Vec<u8>),
    /// `v1a`: the public half of an Ed25519 key.
    Public([u8; 32]),
}

/// `whsec_` and base64, the same without its prefix, or `whpk_` and the base64 of an Ed25519 public key.
fn key(secret: &str) -> Option<Key> {
    if let Some(public) = secret.strip_prefix(PUBLIC_PREFIX) {
        return COPIED.decode(public).ok()?.try_into().ok().map(Key::Public);
    }
    let bytes = COPIED.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).ok()?;
    if bytes.is_empty() { None } else { Some(Key::Symmetric(bytes)) }
}

/// Whether a secret can be one of this scheme.
pub(in crate::source) fn is_key(secret: &str) -> bool {
    key(secret).is_some()
}

/// What the headers' names start with. One of a request's names decides for all three, so that no header counts that
/// is not signed.
fn family<'h>(header: impl Fn(&str) -> Option<&'h str>) -> [&'static str; 3] {
    if header("webhook-id").is_some() {
        ["webhook-id", "webhook-timestamp", "webhook-signature"]
    } else {
        ["svix-id", "svix-timestamp", "svix-signature"]
    }
}

/// The id that is signed with a request of this scheme: no other tells redeliveries apart.
pub fn id<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<&'h str> {
    let [id, ..] = family(&header);
    header(id)
}

/// The headers of a request.
pub(super) struct Sent<'h> {
    /// What is signed before the body.
    start: String,
    /// `v1,...` and `v1a,...`.
    signatures: Vec<(&'h str, &'h str)>,
}

impl<'h> Sent<'h> {
    pub(super) fn read(header: impl Fn(&str) -> Option<&'h str>, now: Timestamp) -> Result<Self, Unverified> {
        let [id, at, signatures] = family(&header).map(|name| header(name).filter(|value| !value.is_empty()));
        let (Some(id), Some(at), Some(signatures)) = (id, at, signatures) else { return Err(MISSING) };
        let at = signed_at(at, now)?;
        let signatures = signatures.split(' ').filter_map(|one| one.split_once(',')).take(MAX_SIGNATURES).collect();
        Ok(Self { start: format!("{id}.{at}."), signatures })
    }

    pub(super) fn is_made_by(&self, secret: &str, body: &[u8]) -> bool {
        let of = |version: &'static str| self.signatures.iter().filter(move |one| one.0 == version).map(|one| one.1);
        match key(secret) {
            None => false,
            Some(Key::Symmetric(key)) => {
                let made = BASE64_STANDARD.encode(sha256(&key, &[self.start.as_bytes(), body]));
                of("v1").any(|sent| same(sent, &made))
            }
            Some(Key::Public(key)) => {
                let key = UnparsedPublicKey::new(&ED25519, key);
                let message = [self.start.as_bytes(), body].concat();
                let is_good = |sent: &str| {
                    BASE64_STANDARD.decode(sent).is_ok_and(|signature| key.verify(&message, &signature).is_ok())
                };
                of("v1a").any(is_good)
            }
        }
    }
}
