//! How the requests of each kind of source are verified and read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// Docebo: HTTP Basic. The one kind whose events are computed.
    Docebo,
    /// Any sender that signs with an HMAC of the body.
    Generic,
    /// GitHub: `x-hub-signature-256`.
    Github,
    /// Nothing is verified.
    None,
    /// Shopify: `x-shopify-hmac-sha256`.
    Shopify,
    /// Slack: `x-slack-signature`.
    Slack,
    /// The Standard Webhooks scheme.
    Standard,
    /// Stripe: `stripe-signature`.
    Stripe,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Docebo,
        Self::Generic,
        Self::Github,
        Self::None,
        Self::Shopify,
        Self::Slack,
        Self::Standard,
        Self::Stripe,
    ];

    /// What callers call it; the types of forwarded messages start with it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Docebo => "docebo",
            Self::Generic => "generic",
            Self::Github => "github",
            Self::None => "none",
            Self::Shopify => "shopify",
            Self::Slack => "slack",
            Self::Standard => "standard",
            Self::Stripe => "stripe",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The name of a header, in lower case: 1 to 100 letters, digits, `-` or `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HeaderName(String);

/// A text is no name of a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of a header: 1 to 100 letters, digits, `-` or `_`")]
pub struct HeaderNameError;

impl HeaderName {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HeaderName {
    type Error = HeaderNameError;

    fn try_from(text: String) -> Result<Self, HeaderNameError> {
        let fits = (1..=100).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        // It says who is asking; no sender's name for anything.
        let is_credential = ["authorization", "cookie"].iter().any(|name| text.eq_ignore_ascii_case(name));
        if fits && !is_credential { Ok(Self(text.to_ascii_lowercase())) } else { Err(HeaderNameError) }
    }
}

impl FromStr for HeaderName {
    type Err = HeaderNameError;

    fn from_str(text: &str) -> Result<Self, HeaderNameError> {
        text.to_owned().try_into()
    }
}

impl From<HeaderName> for String {
    fn from(name: HeaderName) -> Self {
        name.0
    }
}

/// Where a sender without a scheme of its own says what it sends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names {
    /// The header with the sender's id of the webhook. Without one, redeliveries cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<HeaderName>,
    /// The header with the event's name. Without one it is the body's `event`, or its `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_header: Option<HeaderName>,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-1, for old senders.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Base64 with its usual alphabet and padding.
    Base64,
    /// Hexadecimal, in either case.
    #[default]
    Hex,
}

/// How a generic sender signs: an HMAC of the body in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureFormat {
    /// The header.
    pub header: HeaderName,
    /// The hash.
    pub algorithm: Algorithm,
    /// How it is written.
    pub encoding: Encoding,
    /// What stands before it, like `sha256=`.
    pub prefix: String,
}

/// Longest prefix of a signature.
pub const MAX_PREFIX_BYTES: usize = 100;

/// A text cannot stand before a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be at most {MAX_PREFIX_BYTES} visible ASCII characters; spaces only after the first one")]
pub struct PrefixError;

impl SignatureFormat {
    /// What may stand before a signature. The space before a header's value is not part of it: no request would have it.
    pub fn check_prefix(prefix: &str) -> Result<(), PrefixError> {
        let visible = prefix.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if visible && prefix.len() <= MAX_PREFIX_BYTES && !prefix.starts_with(' ') { Ok(()) } else { Err(PrefixError) }
    }
}

/// How a source's requests are verified and read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Scheme {
    /// [`SourceKind::Docebo`].
    Docebo,
    /// [`SourceKind::Generic`].
    Generic {
        /// How it signs.
        signature: SignatureFormat,
        /// Where it says what it sends.
        #[serde(flatten)]
        names: Names,
    },
    /// [`SourceKind::Github`].
    Github,
    /// [`SourceKind::None`].
    None {
        /// Where it says what it sends.
        #[serde(flatten)]
        names: Names,
    },
    /// [`SourceKind::Shopify`].
    Shopify,
    /// [`SourceKind::Slack`].
    Slack,
    /// [`SourceKind::Standard`].
    Standard,
    /// [`SourceKind::Stripe`].
    Stripe,
}

impl Scheme {
    /// Its kind.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Docebo => SourceKind::Docebo,
            Self::Generic { .. } => SourceKind::Generic,
            Self::Github => SourceKind::Github,
            Self::None { .. } => SourceKind::None,
            Self::Shopify => SourceKind::Shopify,
            Self::Slack => SourceKind::Slack,
            Self::Standard => SourceKind::Standard,
            Self::Stripe => SourceKind::Stripe,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_called_what_it_is_stored_as() {
        for kind in SourceKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.code());
        }
    }

    #[test]
    fn a_header_that_says_who_is_asking_is_no_name_of_anything() {
        assert_eq!("X-Event_1".parse::<HeaderName>().unwrap().as_str(), "x-event_1");
        for bad in ["", "a b", "a:b", "caf\u{e9}", &"a".repeat(101), "Authorization", "cookie"] {
            assert_eq!(bad.parse::<HeaderName>(), Err(HeaderNameError), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_is_one_that_a_header_can_begin_with() {
        for good in ["", "sha256=", "hmac ", &"x".repeat(100)] {
            assert_eq!(SignatureFormat::check_prefix(good), Ok(()), "{good:?}");
        }
        for bad in [" sha256=", "a\tb", "\u{e9}", &"x".repeat(101)] {
            assert_eq!(SignatureFormat::check_prefix(bad), Err(PrefixError), "{bad:?}");
        }
    }
}
