//! Clients as they are registered. The words for what is wrong are those that such requests were always refused with.

use serde_json::Value;
use tidings_domain::client::MAX_TOKEN_BYTES;
use tidings_domain::webhook_url::{MAX_URL_BYTES, WebhookUrl, WebhookUrlError};
use tidings_egress::Refused;
use tidings_outbound::endpoint::Endpoints;
use utoipa::ToSchema;

/// A new client. Other properties are passed over.
#[derive(ToSchema)]
pub struct ClientIn {
    /// Where requests go: `http` or `https`, and no private address.
    #[schema(value_type = String, format = "uri", min_length = 1, example = "https://example.com/webhook/")]
    pub(super) url: WebhookUrl,
    /// Comes with everything that it gets.
    #[schema(min_length = 1, max_length = 4096, example = "1312-3128-qwqw")]
    pub(super) token: String,
}

impl ClientIn {
    /// Reads a body; every fault at once.
    pub(super) fn read(body: &Value, endpoints: &Endpoints) -> Result<Self, Vec<String>> {
        let Value::Object(members) = body else { return Err(vec![r#""value" must be of type object"#.to_owned()]) };
        let url = text("url", members.get("url")).and_then(|text| url(text, endpoints));
        let token = text("token", members.get("token")).and_then(token);
        match (url, token) {
            (Ok(url), Ok(token)) => Ok(Self { url, token }),
            (url, token) => Err([url.err(), token.err()].into_iter().flatten().collect()),
        }
    }
}

/// A property that is a text, and not an empty one.
fn text<'a>(name: &str, value: Option<&'a Value>) -> Result<&'a str, String> {
    match value {
        None => Err(format!(r#""{name}" is required"#)),
        Some(Value::String(text)) if text.is_empty() => Err(format!(r#""{name}" is not allowed to be empty"#)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!(r#""{name}" must be a string"#)),
    }
}

fn url(text: &str, endpoints: &Endpoints) -> Result<WebhookUrl, String> {
    let url = WebhookUrl::try_from(text.to_owned()).map_err(|error| match error {
        WebhookUrlError::Malformed | WebhookUrlError::Scheme => {
            r#""url" must be a valid uri with a scheme matching the https? pattern"#.to_owned()
        }
        WebhookUrlError::TooLong => too_long("url", MAX_URL_BYTES),
    })?;
    endpoints.check(&url).map_err(not_allowed)?;
    Ok(url)
}

fn token(text: &str) -> Result<String, String> {
    if text.len() > MAX_TOKEN_BYTES { Err(too_long("token", MAX_TOKEN_BYTES)) } else { Ok(text.to_owned()) }
}

fn too_long(name: &str, bytes: usize) -> String {
    format!(r#""{name}" length must be less than or equal to {bytes} bytes long"#)
}

/// A URL that requests may not go to.
pub(super) fn not_allowed(why: Refused) -> String {
    format!(r#""url" is not allowed: {why}"#)
}
