//! Signing by the Standard Webhooks scheme: `v1,` and the base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Timestamp;
use crate::ids::OrganizationId;

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
}

impl TryFrom<&str> for SigningSecret {
    type Error = SigningSecretError;

    fn try_from(text: &str) -> Result<Self, SigningSecretError> {
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(|rest| BASE64_STANDARD.decode(rest).ok())
            .filter(|bytes| (24..=75).contains(&bytes.len()))
            .ok_or(SigningSecretError)?;
        Ok(Self(bytes))
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
