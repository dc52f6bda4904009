use std::collections::HashMap;
use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

/// A text is no key to check tokens with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither an RSA nor an Ed25519 public key.
    #[error("not the PEM form of an RSA or Ed25519 public key")]
    NotAPublicKey,
    /// A private key is not needed here, and should not be where this text came from.
    #[error("a private key where a public one is expected")]
    Private,
    /// No JWKS document.
    #[error("not a JWKS document")]
    NotAKeySet(#[source] serde_json::Error),
    /// None of its keys can check a token.
    #[error("the JWKS document has no RSA or Ed25519 signature key with a `kid`")]
    EmptyKeySet,
}

/// A key that checks tokens of one algorithm: RS256 for an RSA key, `EdDSA` for an Ed25519 key. A token's header
/// never chooses the algorithm that a key is used with.
#[derive(Clone)]
pub struct PublicKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl PublicKey {
    /// From PEM: `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        // A certificate is refused: it may have expired, which nobody here would notice.
        if !pem.contains("PUBLIC KEY-----") {
            return Err(KeyError::NotAPublicKey);
        }
        let rsa = || Some(Self { algorithm: Algorithm::RS256, key: DecodingKey::from_rsa_pem(pem.as_bytes()).ok()? });
        let ed = || Some(Self { algorithm: Algorithm::EdDSA, key: DecodingKey::from_ed_pem(pem.as_bytes()).ok()? });
        ed().or_else(rsa).ok_or(KeyError::NotAPublicKey)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.algorithm).finish()
    }
}

/// A JWKS document: the keys of an identity provider, each named by its `kid`. It is given as text; who fetches
/// it, and when anew, is not decided here.
#[derive(Debug, Clone)]
pub struct JwksDocument {
    pub(super) keys: HashMap<String, PublicKey>,
}

impl JwksDocument {
    /// Keys of other kinds and for other uses are passed over, as RFC 7517 asks.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let set: JwkSet = serde_json::from_str(text).map_err(KeyError::NotAKeySet)?;
        let keys: HashMap<_, _> = set.keys.into_iter().filter_map(named_key).collect();
        if keys.is_empty() { Err(KeyError::EmptyKeySet) } else { Ok(Self { keys }) }
    }
}

fn named_key(jwk: jsonwebtoken::jwk::Jwk) -> Option<(String, PublicKey)> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        // An `oct` key is a secret: a published one is no secret any more.
        _ => return None,
    };
    let for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let for_algorithm = jwk.common.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| for_signatures && for_algorithm)?;
    Some((jwk.common.key_id?, PublicKey { algorithm, key }))
}
