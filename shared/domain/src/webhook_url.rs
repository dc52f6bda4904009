//! URLs that Tidings sends requests to.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// Longest URL taken, in bytes.
pub const MAX_URL_BYTES: usize = 4096;

/// An absolute `http` or `https` URL with a host. Whether its address may be reached is for the egress guard
/// to say.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(Url);

/// Why a text is no [`WebhookUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// Not an absolute URL.
    #[error("must be an absolute URL")]
    Malformed,
    /// Another scheme than `http` and `https`.
    #[error("must start with http:// or https://")]
    Scheme,
    /// Over [`MAX_URL_BYTES`].
    #[error("must be at most {MAX_URL_BYTES} bytes long")]
    TooLong,
}

impl WebhookUrl {
    /// The parsed URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Scheme, host and port: what one destination is when it is slow or dead.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = WebhookUrlError;

    fn try_from(text: String) -> Result<Self, WebhookUrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(WebhookUrlError::TooLong);
        }
        let url = Url::parse(&text).map_err(|_| WebhookUrlError::Malformed)?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            _ => Err(WebhookUrlError::Scheme),
        }
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_http_urls_are_taken() {
        let parse = |text: &str| WebhookUrl::try_from(text.to_owned());
        assert_eq!(parse("https://example.com/hook").unwrap().origin(), "https://example.com");
        assert_eq!(parse("/hook"), Err(WebhookUrlError::Malformed));
        assert_eq!(parse("http://"), Err(WebhookUrlError::Malformed));
        assert_eq!(parse("ftp://example.com"), Err(WebhookUrlError::Scheme));
        assert_eq!(parse(&format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES))), Err(WebhookUrlError::TooLong));
    }
}
