//! What an endpoint's messages are signed with, of whichever kind.

use crate::Timestamp;

use super::ed25519::{Ed25519Key, PRIVATE_PREFIX};
use super::{PREFIX, SigningSecret};

/// A key that signs. `Debug` does not show what signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// Sender and receiver hold the same secret.
    Symmetric(SigningSecret),
    /// The receiver holds the public half.
    Asymmetric(Ed25519Key),
}

/// A text is no signing key. The text is not shown: it may be one that is only misspelt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// No key of the common kind.
    #[error("must be the base64 of 24 to 75 bytes, with or without `whsec_` before it")]
    Symmetric,
    /// It says that it is an Ed25519 key, and is not.
    #[error("must be `whsk_` and the base64 of an Ed25519 seed (32 bytes), or of a seed and its public key (64 bytes)")]
    Asymmetric,
}

impl SigningKey {
    /// A new symmetric key; `random` must be fresh random bytes.
    pub fn generate(random: [u8; SigningSecret::RANDOM_BYTES]) -> Self {
        Self::Symmetric(SigningSecret::generate(random))
    }

    /// What a receiver verifies with: the secret itself (`whsec_`), or the public half (`whpk_`).
    pub fn reveal(&self) -> String {
        match self {
            Self::Symmetric(secret) => secret.reveal(),
            Self::Asymmetric(key) => key.public(),
        }
    }

    /// One signature, as it stands in the `webhook-signature` header. `at` is the attempt's time.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        match self {
            Self::Symmetric(secret) => secret.sign(id, at, body),
            Self::Asymmetric(key) => key.sign(id, at, body),
        }
    }

    /// All of it. This text signs: it is for the vault only.
    pub fn to_stored(&self) -> String {
        match self {
            Self::Symmetric(secret) => secret.reveal(),
            Self::Asymmetric(key) => key.to_stored(),
        }
    }

    /// From [`Self::to_stored`].
    pub fn from_stored(text: &str) -> Result<Self, SigningKeyError> {
        Self::try_from(text)
    }
}

impl TryFrom<&str> for SigningKey {
    type Error = SigningKeyError;

    /// `whsec_...`, the same without its prefix, or `whsk_...`.
    fn try_from(text: &str) -> Result<Self, SigningKeyError> {
        match text.strip_prefix(PRIVATE_PREFIX) {
            Some(rest) => Ed25519Key::from_base64(rest).map(Self::Asymmetric).ok_or(SigningKeyError::Asymmetric),
            None => SigningSecret::from_base64(text.strip_prefix(PREFIX).unwrap_or(text))
                .map(Self::Symmetric)
                .ok_or(SigningKeyError::Symmetric),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    const PRIVATE: &str =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const AT: Timestamp = Timestamp::from_millis(1_614_265_330_999);

    /// The `v1a` signature that the Standard Webhooks specification shows, with the key that it was made by.
    #[test]
    fn an_asymmetric_key_signs_as_the_specification_shows() {
        let key = SigningKey::try_from(PRIVATE).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", AT, br#"{"test": 2432232314}"#);
        assert_eq!(
            signature,
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
        );
        assert_eq!((key.reveal().as_str(), key.to_stored().as_str()), (PUBLIC, PRIVATE));
    }

    /// RFC 8032, section 7.1, test 1.
    #[test]
    fn the_public_half_belongs_to_the_seed_as_the_rfc_shows() {
        let key = SigningKey::try_from("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
        assert_eq!(key.reveal(), "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    }

    #[test]
    fn a_public_half_of_another_key_is_refused() {
        let mut both = BASE64_STANDARD.decode(&PRIVATE[5..]).unwrap();
        both[63] ^= 1;
        let text = format!("whsk_{}", BASE64_STANDARD.encode(both));
        assert_eq!(SigningKey::try_from(text.as_str()), Err(SigningKeyError::Asymmetric));
    }

    #[test]
    fn a_secret_may_come_without_its_prefix() {
        let bare = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let key = SigningKey::try_from(bare).unwrap();
        assert_eq!(key, SigningKey::try_from(format!("whsec_{bare}").as_str()).unwrap());
        assert_eq!(key.reveal(), format!("whsec_{bare}"));
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_form_that_it_should_have() {
        let bytes = |count| BASE64_STANDARD.encode(vec![7; count]);
        let symmetric =
            ["", "whsec_", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", &bytes(23), &bytes(76), "é"];
        for text in symmetric {
            assert_eq!(SigningKey::try_from(text), Err(SigningKeyError::Symmetric), "{text}");
        }
        for count in [0, 31, 33, 63, 65] {
            let text = format!("whsk_{}", bytes(count));
            assert_eq!(SigningKey::try_from(text.as_str()), Err(SigningKeyError::Asymmetric), "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing_that_signs() {
        let symmetric = SigningKey::generate([7; 24]);
        let asymmetric = SigningKey::try_from(PRIVATE).unwrap();
        let shown = format!("{symmetric:?} {asymmetric:?}");
        assert!(!shown.contains(&symmetric.reveal()[6..]) && !shown.contains(&PRIVATE[5..48]), "{shown}");
        assert!(shown.contains(PUBLIC), "{shown}");
    }

    proptest! {
        #[test]
        fn whatever_text_is_parsed_nothing_panics(text in "(whsec_|whsk_|whpk_)?\\PC{0,120}") {
            let _ = SigningKey::try_from(text.as_str());
        }

        #[test]
        fn every_text_of_the_contract_that_is_base64_is_a_key(bytes in prop::collection::vec(any::<u8>(), 24..=75)) {
            let text = BASE64_STANDARD.encode(&bytes);
            prop_assert!((32..=100).contains(&text.len()));
            prop_assert_eq!(SigningKey::try_from(text.as_str()).unwrap().reveal(), format!("whsec_{text}"));
        }

        #[test]
        fn a_stored_key_is_the_same_key(seed in any::<[u8; 32]>(), random in any::<[u8; 24]>()) {
            for key in [SigningKey::Asymmetric(Ed25519Key::from_seed(seed)), SigningKey::generate(random)] {
                prop_assert_eq!(SigningKey::from_stored(&key.to_stored()).unwrap(), key);
            }
        }

        #[test]
        fn the_public_half_verifies_what_the_private_one_signs(
            seed in any::<[u8; 32]>(), body in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            let key = Ed25519Key::from_seed(seed);
            let public = BASE64_STANDARD.decode(&key.public()[5..]).unwrap();
            let signature = BASE64_STANDARD.decode(&key.sign("msg_1", AT, &body)[4..]).unwrap();
            let message = [b"msg_1.1614265330.", body.as_slice()].concat();
            prop_assert!(UnparsedPublicKey::new(&ED25519, public).verify(&message, &signature).is_ok());
        }
    }
}
