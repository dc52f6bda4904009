//! Checking AWS's signature, version 4, of a request: written from its description, so that it is not the signer's own code.

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Request;
use sha2::{Digest as _, Sha256};
use time::PrimitiveDateTime;
use time::macros::format_description;

/// The credentials that functions run with here.
const ACCESS_KEY: &str = "test";
const SECRET_KEY: &str = "test";
const SESSION_TOKEN: &str = "test";

/// How old a signature may be, as AWS has it.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Says what is wrong with a request's signature.
pub(crate) fn check(request: &Request<()>, body: &[u8], service: &str, now_secs: i64) -> Result<(), String> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown = header("authorization").strip_prefix("AWS4-HMAC-SHA256 ").ok_or("not signed")?;
    let field = |name: &str| {
        let mut fields = shown.split(',').filter_map(|field| field.trim().split_once('='));
        fields.find(|(known, _)| *known == name).map(|(_, value)| value).ok_or(format!("no {name}"))
    };
    let (credential, signed, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let parts: Vec<&str> = credential.split('/').collect();
    let [ACCESS_KEY, date, region, of, "aws4_request"] = *parts else { return Err(format!("scope: {credential}")) };
    let at = header("x-amz-date");
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let signed_at = PrimitiveDateTime::parse(at, form).map_err(|error| error.to_string())?.assume_utc();
    if of != service || !at.starts_with(date) || header("x-amz-security-token") != SESSION_TOKEN {
        return Err(format!("wrong service, date or session: {credential} {at}"));
    }
    if now_secs.abs_diff(signed_at.unix_timestamp()) > LONGEST.as_secs() {
        return Err(format!("too old: {at}"));
    }
    let names: Vec<&str> = signed.split(';').collect();
    if !["host", "x-amz-date", "x-amz-security-token"].iter().all(|name| names.contains(name)) || !names.is_sorted() {
        return Err(format!("signed headers: {signed}"));
    }
    let mut canonical = format!("{}\n{}\n{}\n", request.method(), encoded(request.uri().path()), query(request));
    for name in &names {
        let values: Vec<_> = request.headers().get_all(*name).iter().filter_map(|value| value.to_str().ok()).collect();
        let value = values.join(",").split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{signed}\n{}", hex(&Sha256::digest(body)));
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for part in [date, region, service, "aws4_request", &to_sign] {
        key = hmac(&key, part.as_bytes());
    }
    if hex(&key) == signature { Ok(()) } else { Err(format!("another signature is right for\n{canonical}")) }
}

fn query(request: &Request<()>) -> String {
    let mut pairs: Vec<&str> = request.uri().query().unwrap_or_default().split('&').collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// A path as it was sent, encoded once more: only S3 signs it as it is.
fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_once_more() {
        assert_eq!(encoded("/live/@connections/L0%3D"), "/live/%40connections/L0%253D");
    }

    #[test]
    fn a_key_is_derived_as_in_the_examples_of_aws() {
        let mut key = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec();
        for part in ["20120215", "us-east-1", "iam", "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        assert_eq!(hex(&key), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
    }

    #[test]
    fn a_request_without_a_signature_or_with_a_wrong_one_is_refused() {
        let request = Request::post("/live/@connections/x");
        assert!(check(&request.body(()).unwrap(), b"", "execute-api", 0).is_err());
        let shown = "AWS4-HMAC-SHA256 Credential=test/20240313/us-east-1/execute-api/aws4_request, \
                     SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=00";
        let request = Request::post("/live/@connections/x")
            .header("authorization", shown)
            .header("x-amz-date", "20240313T145826Z")
            .header("x-amz-security-token", "test")
            .body(())
            .unwrap();
        let at = 1_710_341_906;
        assert!(check(&request, b"", "execute-api", at).unwrap_err().starts_with("another signature is right"));
        assert!(check(&request, b"", "execute-api", at + 3600).unwrap_err().starts_with("too old"));
        assert!(check(&request, b"", "dynamodb", at).unwrap_err().starts_with("wrong service"));
    }
}
