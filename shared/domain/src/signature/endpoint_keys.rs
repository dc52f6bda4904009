//! The keys of one endpoint: the one that holds, and those that it replaced and that receivers may still know.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

use super::SigningKey;

/// How many replaced keys may sign at once.
pub const MAX_OLD_KEYS: usize = 10;

/// How long a replaced key goes on signing: up to 7 days, by default one. Zero ends every older key at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(Duration);

/// A grace that is longer than any may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 0 to {} seconds (7 days)", Grace::MAX.0.as_secs())]
pub struct GraceError;

impl Grace {
    /// Seven days.
    pub const MAX: Self = Self(Duration::from_hours(7 * 24));

    /// From seconds.
    pub fn from_secs(seconds: u64) -> Result<Self, GraceError> {
        if seconds > Self::MAX.0.as_secs() { Err(GraceError) } else { Ok(Self(Duration::from_secs(seconds))) }
    }

    /// How long it is.
    pub fn as_duration(self) -> Duration {
        self.0
    }
}

impl Default for Grace {
    fn default() -> Self {
        Self(Duration::from_hours(24))
    }
}

/// A key that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldKey {
    /// The key.
    pub key: SigningKey,
    /// When it stops signing.
    pub until: Timestamp,
}

/// What an endpoint's messages are signed with. `Debug` does not show what signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointKeys {
    current: SigningKey,
    /// The youngest first. No key stands here twice, nor beside itself as the current one.
    old: Vec<OldKey>,
}

/// Too many replaced keys still sign: one of them has to end first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret was rotated too often: {MAX_OLD_KEYS} old ones are still valid")]
pub struct TooManyOldKeys;

/// A text from the vault is no [`EndpointKeys`]. It is not shown.
#[derive(Debug, thiserror::Error)]
pub enum SealedTextError {
    /// Not the JSON that is sealed.
    // The library's own text may quote the value.
    #[error("the sealed text has not the form that this version seals")]
    Form,
    /// One of its keys is none.
    #[error("a sealed key cannot be read")]
    Key(#[from] super::SigningKeyError),
}

impl EndpointKeys {
    /// A new endpoint's.
    pub fn new(current: SigningKey) -> Self {
        Self { current, old: Vec::new() }
    }

    /// The key that holds.
    pub fn current(&self) -> &SigningKey {
        &self.current
    }

    /// The replaced keys, the youngest first; some of them may have ended.
    pub fn old(&self) -> &[OldKey] {
        &self.old
    }

    /// Puts `new` in the place of the current key, which signs for its grace beside it. What ended by `now` is dropped.
    ///
    /// No grace at all is what somebody asks for whose secret leaked, perhaps some rotations ago: no older key is kept.
    pub fn rotate(self, new: SigningKey, grace: Grace, now: Timestamp) -> Result<Self, TooManyOldKeys> {
        let Self { current, old } = self;
        if grace.0.is_zero() {
            return Ok(Self::new(new));
        }
        let replaced = OldKey { key: current, until: now + grace.0 };
        let still_valid = old.into_iter().filter(|one| one.until > now);
        let mut old: Vec<OldKey> = Vec::new();
        for one in std::iter::once(replaced).chain(still_valid) {
            if one.key != new && old.iter().all(|kept| kept.key != one.key) {
                old.push(one);
            }
        }
        if old.len() > MAX_OLD_KEYS { Err(TooManyOldKeys) } else { Ok(Self { current: new, old }) }
    }

    /// The `webhook-signature` header of an attempt at `at`: a signature for each key that is valid then, the current
    /// one's first, separated by spaces.
    pub fn signatures(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let old = self.old.iter().filter(|one| one.until > at).map(|one| &one.key);
        let signatures: Vec<String> =
            std::iter::once(&self.current).chain(old).map(|key| key.sign(id, at, body)).collect();
        signatures.join(" ")
    }

    /// The one text that the vault seals. It signs: it is for the vault only.
    pub fn seal_text(&self) -> String {
        let old =
            self.old.iter().map(|OldKey { key, until }| OldText { key: key.to_stored(), until: until.as_millis() });
        let text = Text { current: self.current.to_stored(), old: old.collect() };
        serde_json::to_string(&text).expect("texts and numbers are always JSON")
    }

    /// From [`Self::seal_text`].
    pub fn from_text(text: &str) -> Result<Self, SealedTextError> {
        let Text { current, old } = serde_json::from_str(text).map_err(|_| SealedTextError::Form)?;
        let old = old.into_iter().map(|OldText { key, until }| {
            Ok(OldKey { key: SigningKey::from_stored(&key)?, until: Timestamp::from_millis(until) })
        });
        Ok(Self { current: SigningKey::from_stored(&current)?, old: old.collect::<Result<_, SealedTextError>>()? })
    }
}

/// The form that is sealed. A later version may add to it, and must go on reading this.
#[derive(Serialize, Deserialize)]
struct Text {
    current: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    old: Vec<OldText>,
}

#[derive(Serialize, Deserialize)]
struct OldText {
    key: String,
    /// Milliseconds since the epoch.
    until: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Ed25519Key;
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn key(byte: u8) -> SigningKey {
        SigningKey::generate([byte; 24])
    }

    fn signed_by(keys: &EndpointKeys, at: Timestamp) -> Vec<String> {
        keys.signatures("msg_1", at, b"{}").split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_old_key_signs_too_until_its_grace_is_over() {
        let keys = EndpointKeys::new(key(1)).rotate(key(2), Grace::default(), NOW).unwrap();
        let both = |at| [key(2).sign("msg_1", at, b"{}"), key(1).sign("msg_1", at, b"{}")];
        for at in [NOW, NOW + 24 * HOUR - Duration::from_millis(1)] {
            assert_eq!(signed_by(&keys, at), both(at));
        }
        let over = NOW + 24 * HOUR;
        assert_eq!(signed_by(&keys, over), both(over)[..1]);
    }

    #[test]
    fn kinds_may_be_mixed() {
        let asymmetric = SigningKey::Asymmetric(Ed25519Key::from_seed([9; 32]));
        let keys = EndpointKeys::new(key(1)).rotate(asymmetric, Grace::default(), NOW).unwrap();
        let signed = signed_by(&keys, NOW);
        assert!(signed.len() == 2 && signed[0].starts_with("v1a,") && signed[1].starts_with("v1,"), "{signed:?}");
        assert_eq!(EndpointKeys::from_text(&keys.seal_text()).unwrap(), keys);
    }

    #[test]
    fn without_a_grace_no_older_key_is_kept() {
        let keys = EndpointKeys::new(key(1)).rotate(key(2), Grace::default(), NOW).unwrap();
        let keys = keys.rotate(key(3), Grace::from_secs(0).unwrap(), NOW).unwrap();
        assert_eq!(keys, EndpointKeys::new(key(3)));
    }

    #[test]
    fn an_eleventh_old_key_is_refused_until_one_has_ended() {
        let mut keys = EndpointKeys::new(key(0));
        for byte in 1..=10 {
            keys = keys.rotate(key(byte), Grace::from_secs(3600).unwrap(), NOW).unwrap();
        }
        assert_eq!(signed_by(&keys, NOW).len(), 11);
        assert_eq!(keys.clone().rotate(key(11), Grace::default(), NOW), Err(TooManyOldKeys));
        assert!(keys.clone().rotate(key(11), Grace::from_secs(0).unwrap(), NOW).is_ok());
        let later = keys.rotate(key(11), Grace::default(), NOW + HOUR).unwrap();
        assert_eq!(later.old().len(), 1);
    }

    #[test]
    fn a_key_signs_once_although_it_comes_back() {
        let keys = EndpointKeys::new(key(1)).rotate(key(1), Grace::default(), NOW).unwrap();
        assert_eq!(keys, EndpointKeys::new(key(1)));
        let back = keys.rotate(key(2), Grace::default(), NOW).unwrap().rotate(key(1), Grace::default(), NOW).unwrap();
        assert_eq!(signed_by(&back, NOW).len(), 2);
    }

    #[test]
    fn a_grace_is_seven_days_at_most_and_one_by_default() {
        assert_eq!(Grace::from_secs(604_800), Ok(Grace::MAX));
        assert_eq!(Grace::from_secs(604_801).unwrap_err().to_string(), "must be 0 to 604800 seconds (7 days)");
        assert_eq!(Grace::default().as_duration(), Duration::from_secs(86_400));
    }

    /// What the first version sealed must be read for ever.
    #[test]
    fn the_text_of_the_first_version_is_read() {
        let text = r#"{"current":"whsec_AgICAgICAgICAgICAgICAgICAgICAgIC","old":[{"key":"whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB","until":1700086400000}]}"#;
        let keys = EndpointKeys::new(key(1)).rotate(key(2), Grace::default(), NOW).unwrap();
        assert_eq!(EndpointKeys::from_text(text).unwrap(), keys);
        assert_eq!(keys.seal_text(), text);
    }

    #[test]
    fn a_fault_in_a_sealed_text_does_not_show_it() {
        let faults = [r#"{"current":"whsec_c2VjcmV0"}"#, r#"{"current":7,"old":"whsec_c2VjcmV0"}"#];
        for text in faults {
            let error = EndpointKeys::from_text(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("c2VjcmV0"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_text_is_read_nothing_panics(text in "\\PC{0,100}") {
            let _ = EndpointKeys::from_text(&text);
        }

        #[test]
        fn rotations_keep_every_key_for_its_own_grace(
            rotations in prop::collection::vec((any::<u8>(), 0_u64..=604_800, 0_u64..=100_000), 1..30),
            later in 0_u64..=700_000,
        ) {
            let mut now = NOW;
            let mut keys = EndpointKeys::new(key(0));
            for (byte, grace, pause) in rotations {
                now = now + Duration::from_secs(pause);
                let (grace, before) = (Grace::from_secs(grace).unwrap(), keys.clone());
                let Ok(rotated) = keys.rotate(key(byte), grace, now) else {
                    prop_assert!(before.old().iter().filter(|one| one.until > now).count() >= MAX_OLD_KEYS);
                    return Ok(());
                };
                keys = rotated;
                prop_assert_eq!(keys.current(), &key(byte));
                prop_assert!(keys.old().len() <= MAX_OLD_KEYS);
                prop_assert!(keys.old().iter().all(|one| one.until > now));
                if grace.as_duration() > Duration::ZERO && before.current() != &key(byte) {
                    prop_assert_eq!(&keys.old()[0].key, before.current());
                    prop_assert_eq!(keys.old()[0].until, now + grace.as_duration());
                }
                prop_assert_eq!(&EndpointKeys::from_text(&keys.seal_text()).unwrap(), &keys);
            }
            let at = now + Duration::from_secs(later);
            let valid = keys.old().iter().filter(|one| one.until > at).count();
            prop_assert_eq!(signed_by(&keys, at).len(), 1 + valid);
        }
    }
}
