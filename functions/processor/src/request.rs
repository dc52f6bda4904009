//! Signed requests to receivers.

use tidings_domain::Timestamp;
use tidings_domain::signature::SigningSecret;
use tidings_egress::{Egress, Request, Response, SendError};
use url::Url;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// Most bytes of a receiver's answer that are read.
const ANSWER_BYTES: usize = 16 * 1024;

/// A payload on its way to a receiver.
pub(crate) struct Signed<'a> {
    /// Stays the same across tries: what a receiver tells repeats apart by.
    pub(crate) id: &'a str,
    /// The receiver.
    pub(crate) url: &'a Url,
    /// What is sent, byte for byte.
    pub(crate) body: Vec<u8>,
    /// What it is signed with.
    pub(crate) secret: &'a SigningSecret,
}

/// Sends it once. Any answer is `Ok`.
pub(crate) async fn post(
    egress: &Egress,
    signed: Signed<'_>,
    now: Timestamp,
    timeout: std::time::Duration,
) -> Result<Response, SendError> {
    let Signed { id, url, body, secret } = signed;
    let request = Request {
        method: http::Method::POST,
        url: url.clone(),
        headers: headers(id, now, &secret.sign(id, now, &body)),
        body: body.into(),
        timeout,
        body_limit: ANSWER_BYTES,
    };
    egress.send(request).await
}

/// Both header families, always: receivers verify with either.
fn headers(id: &str, now: Timestamp, signature: &str) -> HeaderMap {
    let text = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are visible ASCII");
    let (id, timestamp, signature) = (text(id), text(&now.as_secs().to_string()), text(signature));
    let mut headers = HeaderMap::with_capacity(7);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("webhook-id", id.clone());
    headers.insert("webhook-timestamp", timestamp.clone());
    headers.insert("webhook-signature", signature.clone());
    headers.insert("svix-id", id);
    headers.insert("svix-timestamp", timestamp);
    headers.insert("svix-signature", signature);
    headers
}
