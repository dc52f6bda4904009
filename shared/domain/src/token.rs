//! JSON web tokens that are taken back before their end.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Timestamp;
use crate::idempotency::hex;

/// SHA-256 of a token, in hexadecimal: a token that was taken back is known by it, and the table holds none that works.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    /// Of a token as its holder sends it.
    pub fn of(token: &str) -> Self {
        Self(hex(&Sha256::digest(token.as_bytes())))
    }

    /// For the table.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is known of the tokens of an application, and of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revocation {
    /// This one was taken back.
    pub revoked: bool,
    /// All that were made before were.
    pub valid_after: Option<Timestamp>,
}

impl Revocation {
    /// Whether a token that was made at this moment is good. One that does not say when it was made cannot be told
    /// from those that were taken back.
    pub fn permits(self, issued_at: Option<Timestamp>) -> bool {
        let Self { revoked, valid_after } = self;
        !revoked && valid_after.is_none_or(|first| issued_at.is_some_and(|at| at >= first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_if_it_was_not_taken_back_alone_or_with_all_others() {
        let at = Timestamp::from_millis;
        let all_before = |millis| Revocation { revoked: false, valid_after: Some(at(millis)) };
        assert!(Revocation::default().permits(None));
        assert!(!Revocation { revoked: true, valid_after: None }.permits(Some(at(5))));
        assert!(all_before(5).permits(Some(at(5))));
        assert!(!all_before(5).permits(Some(at(4))));
        assert!(!all_before(5).permits(None));
    }

    #[test]
    fn a_hash_does_not_show_the_token() {
        let hash = TokenHash::of("a.b.c");
        assert_eq!(hash, TokenHash::of("a.b.c"));
        assert_ne!(hash, TokenHash::of("a.b.d"));
        assert_eq!(hash.as_str().len(), 64);
    }
}
