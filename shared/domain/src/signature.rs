//! Signing by the Standard Webhooks scheme, over `<id>.<timestamp>.<body>`: `v1,` and the base64 of HMAC-SHA256, or
//! `v1a,` and the base64 of an Ed25519 signature.

mod ed25519;
mod endpoint_keys;
mod signing_key;

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Timestamp;
use crate::ids::OrganizationId;

pub use ed25519::{Ed25519Key, PRIVATE_PREFIX, PUBLIC_PREFIX};
pub use endpoint_keys::{EndpointKeys, Grace, GraceError, MAX_OLD_KEYS, OldKey, SealedTextError, TooManyOldKeys};
pub use signing_key::{SigningKey, SigningKeyError};

/// What a symmetric secret starts with when it is shown.
pub const PREFIX: &str = "whsec_";

/// A symmetric signing secret: 24 to 75 bytes, shown as `whsec_` and base64. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

/// A text is no signing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `whsec_` followed by the base64 of 24 to 75 bytes")]
pub struct SigningSecretError;

impl SigningSecret {
    /// How many random bytes a new secret is made of: as many as the receivers' libraries expect.
    pub const RANDOM_BYTES: usize = 24;

    /// A new secret; `random` must be fresh random bytes.
    pub fn generate(random: [u8; Self::RANDOM_BYTES]) -> Self {
        Self(random.to_vec())
    }

    /// The secret with which an organization's job callbacks are signed. It is derived from the service's own
    /// secret, so that it needs no read and no storage, and two organizations never share one.
    pub fn for_job_callbacks(service_secret: &[u8], organization: OrganizationId) -> Self {
        Self(hmac(service_secret, &[b"tidings/job-callbacks/v1/", organization.to_string().as_bytes()]))
    }

    /// To show it to its owner, who verifies with it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    /// One signature, as it stands in the `webhook-signature` header.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let seconds = at.as_secs().to_string();
        let mac = hmac(&self.0, &[id.as_bytes(), b".", seconds.as_bytes(), b".", body]);
        format!("v1,{}", BASE64_STANDARD.encode(mac))
    }

    /// From base64 without a prefix.
    fn from_base64(text: &str) -> Option<Self> {
        BASE64_STANDARD.decode(text).ok().filter(|bytes| (24..=75).contains(&bytes.len())).map(Self)
    }
}

impl TryFrom<&str> for SigningSecret {
    type Error = SigningSecretError;

    fn try_from(text: &str) -> Result<Self, SigningSecretError> {
        text.strip_prefix(PREFIX).and_then(Self::from_base64).ok_or(SigningSecretError)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_[redacted]")
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn signs_as_the_specification_shows() {
        let secret = SigningSecret::try_from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Timestamp::from_millis(1_614_265_330_000),
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "whsec_[redacted]");
        assert_eq!(secret.reveal(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn two_organizations_never_share_a_secret() {
        let organization = |byte| OrganizationId::new(Timestamp::from_millis(1_700_000_000_000), [byte; 15]);
        let secret = |byte| SigningSecret::for_job_callbacks(b"service", organization(byte));
        assert_ne!(secret(1), secret(2));
        assert_eq!(SigningSecret::try_from(secret(1).reveal().as_str()).unwrap(), secret(1));
    }
}
