//! Headers that an endpoint's owner adds to the requests sent to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// Most headers of one endpoint.
pub const MAX_HEADERS: usize = 50;
/// Most bytes of a header's name.
pub const MAX_NAME_BYTES: usize = 100;
/// Most bytes of a header's value.
pub const MAX_VALUE_BYTES: usize = 4096;
/// Most bytes of names and values together: an application's endpoints are read at once.
pub const MAX_BYTES: usize = 16 * 1024;

/// What an endpoint may not bring: headers that frame the message or belong to one connection (a second one could
/// smuggle a request), and those that say what Tidings sends. Those of the signature are told by [`RESERVED_PREFIXES`].
const RESERVED: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The signature's headers, those of today and those that may come.
const RESERVED_PREFIXES: [&str; 2] = ["svix-", "webhook-"];

/// Sensitive by their whole name.
const SENSITIVE: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Sensitive by a part of their name.
const SENSITIVE_PARTS: [&str; 6] = ["api-key", "apikey", "password", "secret", "signature", "token"];

/// Headers in the order in which they were given, with their names as they were spelt. No two names differ in case
/// only. `Debug` shows names and no value.
///
/// HTTP does not tell names apart by case, and the client sends them in lower case; how they were spelt is for who reads
/// them back.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EndpointHeaders(Vec<(String, String)>);

/// Headers as they may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redacted {
    /// Those that are not sensitive.
    pub headers: BTreeMap<String, String>,
    /// The names of those that are.
    pub sensitive: BTreeSet<String>,
}

/// What is wrong with a header. No text shows a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointHeadersError {
    /// Too many headers, or too much in them.
    #[error("at most {MAX_HEADERS} headers of {MAX_BYTES} bytes in all are kept for an endpoint")]
    TooMany,
    /// The name cannot stand in a request.
    #[error("the header name `{0}` must be 1 to {MAX_NAME_BYTES} letters, digits, or characters of !#$%&'*+-.^_`|~")]
    Name(String),
    /// The value cannot stand in a request.
    #[error(
        "the value of the header `{0}` must be at most {MAX_VALUE_BYTES} visible ASCII characters, spaces and tabs, and \
         neither begin nor end with a space or tab"
    )]
    Value(String),
    /// The header is not the endpoint's to set.
    #[error("the header `{0}` cannot be replaced")]
    Reserved(String),
    /// The name stands there twice.
    #[error("the header `{0}` is given more than once; case does not tell names apart")]
    Duplicate(String),
}

/// A text from the vault is no [`EndpointHeaders`]. It is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sealed text has not the form that this version seals")]
pub struct SealedHeadersError;

impl EndpointHeaders {
    /// Checks every header, and keeps their order.
    pub fn new(headers: impl IntoIterator<Item = (String, String)>) -> Result<Self, EndpointHeadersError> {
        let mut checked = Self::default();
        for (name, value) in headers {
            check(&name, &value)?;
            if checked.position(&name).is_some() {
                return Err(EndpointHeadersError::Duplicate(name));
            }
            checked.0.push((name, value));
        }
        checked.within_limit()
    }

    /// With some of them set (`Some`) or taken off (`None`). A header that is there keeps its place and takes the new
    /// spelling of its name; a new one goes to the end; to take off what is not there changes nothing.
    pub fn patch(
        mut self,
        changes: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<Self, EndpointHeadersError> {
        let mut seen = BTreeSet::new();
        for (name, value) in changes {
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(EndpointHeadersError::Duplicate(shown(&name)));
            }
            let Some(value) = value else {
                self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
                continue;
            };
            check(&name, &value)?;
            match self.position(&name).and_then(|index| self.0.get_mut(index)) {
                Some(header) => *header = (name, value),
                None => self.0.push((name, value)),
            }
        }
        self.within_limit()
    }

    /// As they may be read back: the values of sensitive ones are left out.
    pub fn redacted(&self) -> Redacted {
        let mut redacted = Redacted::default();
        for (name, value) in &self.0 {
            if is_sensitive(name) {
                redacted.sensitive.insert(name.clone());
            } else {
                redacted.headers.insert(name.clone(), value.clone());
            }
        }
        redacted
    }

    /// Names and values, to send them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one text that the vault seals: a JSON object. It holds credentials.
    pub fn seal_text(&self) -> String {
        let object: Map<String, Value> =
            self.iter().map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect();
        Value::Object(object).to_string()
    }

    /// From [`Self::seal_text`].
    ///
    /// What is sealed was checked by the version that sealed it. Only what a request could not carry is looked for
    /// again: an endpoint must not fail because a later version reserves a name or lowers a limit.
    pub fn from_text(text: &str) -> Result<Self, SealedHeadersError> {
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| SealedHeadersError)?;
        let headers = object.into_iter().map(|(name, value)| match value {
            Value::String(value) if is_name(&name) && is_value(&value) => Ok((name, value)),
            _ => Err(SealedHeadersError),
        });
        Ok(Self(headers.collect::<Result<_, _>>()?))
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn within_limit(self) -> Result<Self, EndpointHeadersError> {
        let bytes: usize = self.iter().map(|(name, value)| name.len() + value.len()).sum();
        if self.0.len() > MAX_HEADERS || bytes > MAX_BYTES { Err(EndpointHeadersError::TooMany) } else { Ok(self) }
    }
}

impl fmt::Debug for EndpointHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

fn check(name: &str, value: &str) -> Result<(), EndpointHeadersError> {
    if name.len() > MAX_NAME_BYTES || !is_name(name) {
        return Err(EndpointHeadersError::Name(shown(name)));
    }
    if is_reserved(name) {
        return Err(EndpointHeadersError::Reserved(name.to_owned()));
    }
    if value.len() > MAX_VALUE_BYTES || !is_value(value) {
        return Err(EndpointHeadersError::Value(name.to_owned()));
    }
    Ok(())
}

/// A token of HTTP.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// What arrives as it was given: the space around a value is not part of it (RFC 9110, 5.5).
fn is_value(value: &str) -> bool {
    value.trim_matches([' ', '\t']) == value && value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SENSITIVE.contains(&name.as_str()) || SENSITIVE_PARTS.iter().any(|part| name.contains(part))
}

/// A name that may be anything, short and printable enough for an error.
fn shown(name: &str) -> String {
    let start: String = name.chars().take(MAX_NAME_BYTES).collect();
    start.escape_debug().to_string()
}

#[cfg(test)]
mod tests;
