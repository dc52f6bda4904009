//! The console's URL, as the caller reached this service.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};
use serde::Serialize;
use tidings_domain::ids::ApplicationId;

/// What the console opens with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key<'a> {
    app_id: ApplicationId,
    token: &'a str,
}

/// Scheme and host. The headers are the caller's own, or those of the proxy in front: whoever writes something else
/// into them gets a URL that leads elsewhere, and it is its own answer.
pub(super) fn base_url(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let first = |name: &str| Some(headers.get(name)?.to_str().ok()?.split(',').next()?.trim().to_owned());
    let scheme = first("x-forwarded-proto").filter(|scheme| matches!(&**scheme, "http" | "https"));
    let hosts = [first("x-forwarded-host"), first(HOST.as_str()), uri.authority().map(ToString::to_string)];
    let authority = hosts.into_iter().flatten().find_map(|host| host.parse::<Authority>().ok())?;
    // Nobody in front says how it was asked: then it was asked itself, and it does not speak TLS.
    Some(format!("{}://{}", scheme.as_deref().unwrap_or("http"), without_user(&authority)))
}

/// `user:password@` before a host would be shown, and lead to the host behind it.
fn without_user(authority: &Authority) -> &str {
    authority.as_str().rsplit('@').next().unwrap_or_default()
}

/// The console of an application. What follows `#` is not sent to any server.
pub(super) fn url(base: &str, application: ApplicationId, token: &str) -> String {
    let key = serde_json::to_string(&Key { app_id: application, token }).expect("an id and a text serialise");
    format!("{base}/console#key={}", BASE64_URL_SAFE_NO_PAD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(headers: &[(&'static str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        base_url(&headers.collect(), &Uri::from_static("/api/v1/x"))
    }

    #[test]
    fn a_proxy_says_how_it_was_asked() {
        let own = ("host", "127.0.0.1:8080");
        assert_eq!(base(&[own]).unwrap(), "http://127.0.0.1:8080");
        assert_eq!(base(&[own, ("x-forwarded-proto", "https")]).unwrap(), "https://127.0.0.1:8080");
        let behind = [own, ("x-forwarded-proto", "https, http"), ("x-forwarded-host", "hooks.example.com, a")];
        assert_eq!(base(&behind).unwrap(), "https://hooks.example.com");
        let http2 = Uri::from_static("https://hooks.example.com:8443/api");
        assert_eq!(base_url(&HeaderMap::new(), &http2).unwrap(), "http://hooks.example.com:8443");
    }

    #[test]
    fn a_host_that_is_none_does_not_get_into_the_url() {
        let own = ("host", "a.example");
        for bad in ["b.example/path?x#y", "b.example\" onload=\"", "<b>", "", "a b"] {
            assert_eq!(base(&[("x-forwarded-host", bad), own]).unwrap(), "http://a.example", "{bad}");
        }
        assert_eq!(base(&[("host", "user:password@b.example")]).unwrap(), "http://b.example");
        assert_eq!(base(&[own, ("x-forwarded-proto", "javascript")]).unwrap(), "http://a.example");
        assert_eq!(base(&[]), None);
    }
}
