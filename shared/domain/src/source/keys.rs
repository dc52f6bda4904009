//! What a source's requests are verified with: the key that holds, and those that it replaced and that the sender may
//! still use.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{SourceKind, verification};
use crate::Timestamp;
use crate::signature::{Grace, MAX_OLD_KEYS, TooManyOldKeys};

/// Longest user, password or secret, in bytes.
const MAX_BYTES: usize = 512;

/// What a request is verified with. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKey {
    /// HTTP Basic.
    Login {
        /// The user; no colon.
        username: String,
        /// The password.
        password: String,
    },
    /// The secret of an HMAC, as the sender shows it.
    Secret(String),
}

/// A text cannot be (part of) a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceKeyError {
    /// Empty or too long.
    #[error("must be 1 to {MAX_BYTES} bytes long")]
    Length,
    /// A user with a colon: HTTP Basic could not tell where the password begins.
    #[error("must not hold a colon")]
    Colon,
    /// A control character: no header can hold it, and no sender shows it.
    #[error("must not hold line breaks or other control characters")]
    Control,
    /// A secret that was copied with what stands around it.
    #[error("must not begin or end with white space")]
    Space,
    /// No secret of the Standard Webhooks scheme.
    #[error("must be base64, with or without `whsec_` before it, or `whpk_` and the base64 of an Ed25519 public key")]
    Standard,
    /// No secret of Stripe's. What people mistake for it is the key of its API, which has no business here.
    #[error("must be the endpoint's signing secret, which begins with `whsec_`")]
    Stripe,
}

fn check(text: &str) -> Result<(), SourceKeyError> {
    if !(1..=MAX_BYTES).contains(&text.len()) {
        Err(SourceKeyError::Length)
    } else if text.chars().any(char::is_control) {
        Err(SourceKeyError::Control)
    } else {
        Ok(())
    }
}

impl SourceKey {
    /// A user who may be asked for.
    pub fn check_username(username: &str) -> Result<(), SourceKeyError> {
        if username.contains(':') { Err(SourceKeyError::Colon) } else { check(username) }
    }

    /// The user's password.
    pub fn check_password(password: &str) -> Result<(), SourceKeyError> {
        check(password)
    }

    /// A secret that a sender of this kind can sign with.
    pub fn check_secret(kind: SourceKind, secret: &str) -> Result<(), SourceKeyError> {
        check(secret)?;
        if secret.trim() != secret {
            return Err(SourceKeyError::Space);
        }
        match kind {
            SourceKind::Standard if !verification::is_standard_key(secret) => Err(SourceKeyError::Standard),
            SourceKind::Stripe if !secret.starts_with("whsec_") => Err(SourceKeyError::Stripe),
            SourceKind::Docebo
            | SourceKind::Generic
            | SourceKind::Github
            | SourceKind::None
            | SourceKind::Shopify
            | SourceKind::Slack
            | SourceKind::Standard
            | SourceKind::Stripe => Ok(()),
        }
    }
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A key that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OldSourceKey {
    /// The key.
    pub key: SourceKey,
    /// When it is not accepted any more, in milliseconds since the epoch.
    until: i64,
}

/// A source's keys. `Debug` does not show them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceKeys {
    current: SourceKey,
    /// The youngest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    old: Vec<OldSourceKey>,
}

impl SourceKeys {
    /// A new source's.
    pub fn new(current: SourceKey) -> Self {
        Self { current, old: Vec::new() }
    }

    /// The key that holds.
    pub fn current(&self) -> &SourceKey {
        &self.current
    }

    /// What a request may be verified with at this time, the current key first.
    pub fn accepted(&self, now: Timestamp) -> impl Iterator<Item = &SourceKey> {
        let old = self.old.iter().filter(move |old| old.until > now.as_millis()).map(|old| &old.key);
        std::iter::once(&self.current).chain(old)
    }

    /// Puts `new` in the place of the current key, which is accepted for its grace beside it. No grace at all is what
    /// somebody asks for whose secret leaked, perhaps some rotations ago: no older key is kept.
    pub fn rotate(self, new: SourceKey, grace: Grace, now: Timestamp) -> Result<Self, TooManyOldKeys> {
        let Self { current, old } = self;
        if grace.as_duration().is_zero() {
            return Ok(Self::new(new));
        }
        let replaced = OldSourceKey { key: current, until: (now + grace.as_duration()).as_millis() };
        let still_valid = old.into_iter().filter(|one| one.until > now.as_millis());
        let mut old: Vec<OldSourceKey> = Vec::new();
        for one in std::iter::once(replaced).chain(still_valid) {
            if one.key != new && old.iter().all(|kept| kept.key != one.key) {
                old.push(one);
            }
        }
        if old.len() > MAX_OLD_KEYS { Err(TooManyOldKeys) } else { Ok(Self { current: new, old }) }
    }

    /// The one text that the vault seals.
    pub fn seal_text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    /// From [`Self::seal_text`]. `None` for what no version sealed; the text is not shown.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn secret(text: &str) -> SourceKey {
        SourceKey::Secret(text.to_owned())
    }

    #[test]
    fn the_old_key_is_accepted_until_its_grace_is_over() {
        let keys = SourceKeys::new(secret("a")).rotate(secret("b"), Grace::default(), NOW).unwrap();
        let keys = SourceKeys::from_text(&keys.seal_text()).unwrap();
        assert_eq!(keys.accepted(NOW).cloned().collect::<Vec<_>>(), [secret("b"), secret("a")]);
        let over = NOW + Duration::from_hours(24);
        assert_eq!(keys.accepted(over).cloned().collect::<Vec<_>>(), [secret("b")]);
        let none = keys.rotate(secret("c"), Grace::from_secs(0).unwrap(), NOW).unwrap();
        assert_eq!(none, SourceKeys::new(secret("c")));
    }

    #[test]
    fn an_eleventh_old_key_is_refused() {
        let mut keys = SourceKeys::new(secret("0"));
        for number in 1..=10 {
            keys = keys.rotate(secret(&number.to_string()), Grace::default(), NOW).unwrap();
        }
        assert_eq!(keys.rotate(secret("11"), Grace::default(), NOW), Err(TooManyOldKeys));
    }

    #[test]
    fn a_key_is_not_shown_by_debug_and_has_bounds() {
        let login = SourceKey::Login { username: "u".to_owned(), password: "hunter2".to_owned() };
        assert!(!format!("{:?}", SourceKeys::new(login)).contains("hunter2"));
        assert_eq!(SourceKey::check_username("a:b"), Err(SourceKeyError::Colon));
        for (password, result) in
            [("", Err(SourceKeyError::Length)), ("a\nb", Err(SourceKeyError::Control)), (" ", Ok(()))]
        {
            assert_eq!(SourceKey::check_password(password), result, "{password:?}");
        }
    }

    #[test]
    fn a_secret_that_no_sender_of_the_kind_signs_with_is_refused() {
        let check = SourceKey::check_secret;
        for kind in SourceKind::ALL {
            assert_eq!(check(kind, ""), Err(SourceKeyError::Length), "{kind}");
            assert_eq!(check(kind, &"x".repeat(513)), Err(SourceKeyError::Length), "{kind}");
            assert_eq!(check(kind, "whsec_c2VjcmV0\n"), Err(SourceKeyError::Control), "{kind}");
            assert_eq!(check(kind, " whsec_c2VjcmV0"), Err(SourceKeyError::Space), "{kind}");
            assert_eq!(check(kind, "whsec_c2VjcmV0"), Ok(()), "{kind}");
        }
        for bad in [
            "whsec_",
            "whsec_c2VjcmV0!",
            "no base64",
            "whpk_c2VjcmV0",
            "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
        ] {
            assert_eq!(check(SourceKind::Standard, bad), Err(SourceKeyError::Standard), "{bad}");
        }
        for good in ["c2VjcmV0", "c2VjcmV0cw", "c2VjcmV0cw==", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="] {
            assert_eq!(check(SourceKind::Standard, good), Ok(()), "{good}");
        }
        assert_eq!(check(SourceKind::Stripe, "sk_live_x"), Err(SourceKeyError::Stripe));
        assert!(!SourceKeyError::Stripe.to_string().contains("sk_live"));
        assert_eq!(check(SourceKind::Github, "It's a Secret to Everybody"), Ok(()));
    }
}
