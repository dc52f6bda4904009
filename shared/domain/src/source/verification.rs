//! Whether a request comes from whom its source is for: each kind's own scheme, over the body as it came.
//!
//! What is compared takes the same time wherever it differs. A request that is refused is refused without a reason: who
//! guesses learns nothing. Every key that holds at the time is tried.

mod standard;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;

use super::{Algorithm, Encoding, Scheme, SignatureFormat, SourceKey, SourceKeys};
use crate::Timestamp;

pub use self::standard::id as standard_id;
pub(super) use self::standard::is_key as is_standard_key;

/// How far a signed time may be from ours, in either direction: a request that somebody recorded is good for no longer.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// Of how many signatures in one request a good one is looked for. Senders that rotate their keys send two.
const MAX_SIGNATURES: usize = 16;

/// Base64 that people copied: some lose its padding.
const COPIED: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A request is not verified. Only `Debug` says why, for logs and tests; it shows nothing of the request or the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request could not be verified")]
pub struct Unverified(Reason);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The source has no keys, although its kind verifies.
    NoKeys,
    /// A header that the scheme needs is missing, or there more than once.
    Missing,
    /// A header has not the scheme's form.
    Malformed,
    /// It was signed too long ago, or in the future.
    Time,
    /// No key made it.
    Mismatch,
}

const MISSING: Unverified = Unverified(Reason::Missing);
const MALFORMED: Unverified = Unverified(Reason::Malformed);

/// Verifies a request. `header` gives a header by its name in lower case: `None` if it is missing, or there more than
/// once; `body` is what was sent, byte for byte.
pub fn verify<'h>(
    scheme: &Scheme,
    keys: Option<&SourceKeys>,
    header: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Unverified> {
    let by_secret = |is_made_by: &dyn Fn(&str) -> bool| {
        by_key(keys, now, |key| match key {
            SourceKey::Secret(secret) => is_made_by(secret),
            SourceKey::Login { .. } => false,
        })
    };
    let needed = |name: &str| header(name).ok_or(MISSING);
    match scheme {
        Scheme::None { .. } => Ok(()),
        Scheme::Docebo => login(needed("authorization")?, keys, now),
        Scheme::Generic { signature: SignatureFormat { header, algorithm, encoding, prefix }, .. } => {
            let sent = needed(header.as_str())?.strip_prefix(prefix.as_str()).ok_or(MALFORMED)?;
            by_secret(&|secret| {
                let made = mac(*algorithm, secret.as_bytes(), &[body]);
                match encoding {
                    Encoding::Base64 => same(sent, &BASE64_STANDARD.encode(made)),
                    Encoding::Hex => same(&sent.to_ascii_lowercase(), &hex(&made)),
                }
            })
        }
        Scheme::Github => {
            let sent = needed("x-hub-signature-256")?.strip_prefix("sha256=").ok_or(MALFORMED)?;
            by_secret(&|secret| same(sent, &hex(&sha256(secret.as_bytes(), &[body]))))
        }
        Scheme::Shopify => {
            let sent = needed("x-shopify-hmac-sha256")?;
            by_secret(&|secret| same(sent, &BASE64_STANDARD.encode(sha256(secret.as_bytes(), &[body]))))
        }
        Scheme::Slack => {
            let sent = needed("x-slack-signature")?.strip_prefix("v0=").ok_or(MALFORMED)?;
            let at = signed_at(needed("x-slack-request-timestamp")?, now)?;
            let start = format!("v0:{at}:");
            by_secret(&|secret| same(sent, &hex(&sha256(secret.as_bytes(), &[start.as_bytes(), body]))))
        }
        Scheme::Standard => {
            let sent = standard::Sent::read(&header, now)?;
            by_secret(&|secret| sent.is_made_by(secret, body))
        }
        Scheme::Stripe => {
            let (start, sent) = stripe(needed("stripe-signature")?, now)?;
            by_secret(&|secret| {
                let made = hex(&sha256(secret.as_bytes(), &[start.as_bytes(), body]));
                sent.iter().any(|sent| same(sent, &made))
            })
        }
    }
}

/// Whether somebody who is asked for it knows a source's secret. How alike a wrong one is does not show in the time.
pub fn knows_secret(keys: Option<&SourceKeys>, text: &str, now: Timestamp) -> bool {
    let is_it = |key: &SourceKey| matches!(key, SourceKey::Secret(secret) if same_of_any_length(secret, text));
    by_key(keys, now, is_it).is_ok()
}

fn by_key(
    keys: Option<&SourceKeys>,
    now: Timestamp,
    is_made_by: impl Fn(&SourceKey) -> bool,
) -> Result<(), Unverified> {
    let keys = keys.ok_or(Unverified(Reason::NoKeys))?;
    if keys.accepted(now).any(is_made_by) { Ok(()) } else { Err(Unverified(Reason::Mismatch)) }
}

/// HTTP Basic (RFC 7617).
fn login(authorization: &str, keys: Option<&SourceKeys>, now: Timestamp) -> Result<(), Unverified> {
    let (scheme, sent) = authorization.split_once(' ').ok_or(MALFORMED)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(MALFORMED);
    }
    let sent = COPIED.decode(sent.trim()).ok().and_then(|sent| String::from_utf8(sent).ok()).ok_or(MALFORMED)?;
    let (user, pass) = sent.split_once(':').ok_or(MALFORMED)?;
    by_key(keys, now, |key| match key {
        // Both are looked at, whatever the first one says: the time does not tell that a user exists.
        SourceKey::Login { username, password } => {
            same_of_any_length(username, user) & same_of_any_length(password, pass)
        }
        SourceKey::Secret(_) => false,
    })
}

/// What is signed before the body, and the signatures: `t=1492774577,v1=5257a869e7ec...,v0=...`.
fn stripe(header: &str, now: Timestamp) -> Result<(String, Vec<&str>), Unverified> {
    let items = || header.split(',').filter_map(|item| item.split_once('='));
    let mut times = items().filter(|(name, _)| *name == "t");
    let (Some((_, at)), None) = (times.next(), times.next()) else { return Err(MALFORMED) };
    let at = signed_at(at, now)?;
    let sent: Vec<_> = items().filter(|(name, _)| *name == "v1").map(|(_, sent)| sent).take(MAX_SIGNATURES).collect();
    if sent.is_empty() { Err(MALFORMED) } else { Ok((format!("{at}."), sent)) }
}

/// A time in seconds since the epoch that a sender signed, if it is close to ours.
fn signed_at(text: &str, now: Timestamp) -> Result<u64, Unverified> {
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let at: u64 = text.parse().ok().filter(|_| digits).ok_or(MALFORMED)?;
    let is_close = u64::try_from(now.as_secs()).is_ok_and(|now| now.abs_diff(at) <= TOLERANCE.as_secs());
    if is_close { Ok(at) } else { Err(Unverified(Reason::Time)) }
}

fn sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac(Algorithm::Sha256, key, parts)
}

fn mac(algorithm: Algorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let algorithm = match algorithm {
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha256 => hmac::HMAC_SHA256,
        Algorithm::Sha512 => hmac::HMAC_SHA512,
    };
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}

/// Whether two texts are the same, in a time that depends on their lengths only. For signatures, whose length everybody
/// knows.
fn same(sent: &str, made: &str) -> bool {
    verify_slices_are_equal(sent.as_bytes(), made.as_bytes()).is_ok()
}

/// The same for secrets, of which the length is secret, too.
fn same_of_any_length(ours: &str, sent: &str) -> bool {
    let hash = |text: &str| digest(&SHA256, text.as_bytes());
    verify_slices_are_equal(hash(ours).as_ref(), hash(sent).as_ref()).is_ok()
}
