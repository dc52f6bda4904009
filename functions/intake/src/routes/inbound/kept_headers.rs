//! Which headers of a request are kept: those that say what it is, and none that says who sent it.

use http::{HeaderMap, HeaderName, HeaderValue};
use tidings_domain::source::{Names, Scheme, SignatureFormat};
use tidings_domain::transaction::KeptHeaders;

/// Most bytes of a value.
const MAX_VALUE_BYTES: usize = 512;

/// Most values of one header. Two show that there were several.
const MAX_VALUES: usize = 2;

/// Of every request.
const ALWAYS: [&str; 3] = ["content-encoding", "content-type", "user-agent"];

/// Secrets by their names, should somebody take one of them for a sender's id.
const NEVER: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// What the senders of a kind say of a webhook beside its body.
fn own(scheme: &Scheme) -> &'static [&'static str] {
    match scheme {
        Scheme::Docebo | Scheme::Generic { .. } | Scheme::None { .. } | Scheme::Stripe => &[],
        Scheme::Github => &[
            "x-github-delivery",
            "x-github-event",
            "x-github-hook-id",
            "x-github-hook-installation-target-id",
            "x-github-hook-installation-target-type",
        ],
        Scheme::Shopify => &[
            "x-shopify-api-version",
            "x-shopify-event-id",
            "x-shopify-shop-domain",
            "x-shopify-topic",
            "x-shopify-triggered-at",
            "x-shopify-webhook-id",
        ],
        Scheme::Slack => &["x-slack-request-timestamp", "x-slack-retry-num", "x-slack-retry-reason"],
        Scheme::Standard => &["svix-id", "svix-timestamp", "webhook-id", "webhook-timestamp"],
    }
}

/// Those that a source's owner named.
fn named(scheme: &Scheme) -> impl Iterator<Item = &str> {
    let (names, signature) = match scheme {
        Scheme::Generic { signature: SignatureFormat { header, .. }, names } => (Some(names), Some(header.as_str())),
        Scheme::None { names } => (Some(names), None),
        Scheme::Docebo | Scheme::Github | Scheme::Shopify | Scheme::Slack | Scheme::Standard | Scheme::Stripe => {
            (None, None)
        }
    };
    let headers = names.into_iter().flat_map(|Names { id_header, event_header }| [id_header, event_header]);
    headers
        .flatten()
        .map(tidings_domain::source::HeaderName::as_str)
        .filter(move |name| !NEVER.contains(name) && Some(*name) != signature)
}

/// The headers of a request that are kept, by name.
pub(super) fn keep(scheme: &Scheme, headers: &HeaderMap) -> KeptHeaders {
    let mut names: Vec<_> = ALWAYS.iter().chain(own(scheme)).copied().chain(named(scheme)).collect();
    names.sort_unstable();
    names.dedup();
    let values = |name: &'_ str| {
        let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        // Such a text is ASCII, so it can be cut anywhere.
        texts.take(MAX_VALUES).map(|text| text.chars().take(MAX_VALUE_BYTES).collect()).collect::<Vec<String>>()
    };
    KeptHeaders(
        names.into_iter().flat_map(|name| values(name).into_iter().map(|value| (name.to_owned(), value))).collect(),
    )
}

/// The headers that were kept of a request, as a request's.
pub(super) fn restore(KeptHeaders(kept): &KeptHeaders) -> HeaderMap {
    let header = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in kept.iter().filter_map(header) {
        headers.append(name, value);
    }
    headers
}
