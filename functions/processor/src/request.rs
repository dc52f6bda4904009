//! Signed requests to receivers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tidings_domain::Timestamp;
use tidings_domain::attempt::MAX_RESPONSE_BYTES;
use tidings_egress::{Egress, Request, Response, SendError};
use url::Url;

/// A payload on its way to a receiver.
pub(crate) struct Signed<'a> {
    /// Stays the same across tries: what a receiver tells repeats apart by.
    pub(crate) id: &'a str,
    /// The receiver.
    pub(crate) url: &'a Url,
    /// What the receiver wants to be sent along.
    pub(crate) headers: HeaderMap,
    /// What is sent, byte for byte.
    pub(crate) body: Bytes,
    /// The signatures of id, time and body, separated by spaces.
    pub(crate) signatures: &'a str,
    /// The time that was signed.
    pub(crate) at: Timestamp,
}

/// Sends it once. Any answer is `Ok`.
pub(crate) async fn post(egress: &Egress, signed: Signed<'_>, timeout: Duration) -> Result<Response, SendError> {
    let Signed { id, url, mut headers, body, signatures, at } = signed;
    sign(&mut headers, id, at, signatures);
    let request = Request {
        method: http::Method::POST,
        url: url.clone(),
        headers,
        body,
        timeout,
        body_limit: MAX_RESPONSE_BYTES,
    };
    egress.send(request).await
}

/// Both header families, always: receivers verify with either.
fn sign(headers: &mut HeaderMap, id: &str, at: Timestamp, signatures: &str) {
    let text = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are visible ASCII");
    let (id, timestamp, signatures) = (text(id), text(&at.as_secs().to_string()), text(signatures));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("webhook-id", id.clone());
    headers.insert("webhook-timestamp", timestamp.clone());
    headers.insert("webhook-signature", signatures.clone());
    headers.insert("svix-id", id);
    headers.insert("svix-timestamp", timestamp);
    headers.insert("svix-signature", signatures);
}
