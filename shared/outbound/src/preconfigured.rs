//! The endpoints that each organization of a platform gets, as they are made at a provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tidings_domain::names::Uid;
use tidings_domain::preconfigured::{Preconfigured, PreconfiguredEndpoint};

use crate::provider::NewPlatformEndpoint;

/// An organization's preconfigured endpoints, to be made in the place of those with these ids; without ids its first ones.
///
/// Their names follow from what they replace: whoever makes them again after a crash finds those that are there already,
/// and new ones do not meet those that they replace.
pub fn preconfigured_endpoints(
    table: &Preconfigured,
    organization: &Uid,
    replaced: &[String],
) -> Vec<NewPlatformEndpoint> {
    let new = |endpoint: &PreconfiguredEndpoint| NewPlatformEndpoint {
        url: table.url_for(endpoint, organization),
        description: endpoint.description.clone(),
        event_types: Some(endpoint.event_types.clone()),
        uid: Some(uid(&endpoint.suffix, replaced)),
    };
    table.endpoints().iter().map(new).collect()
}

fn uid(suffix: &str, replaced: &[String]) -> Uid {
    let mut hash = Sha256::new();
    for text in std::iter::once(suffix).chain(replaced.iter().map(String::as_str)) {
        // Lengths keep two lists of texts apart.
        hash.update(text.len().to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digest = URL_SAFE_NO_PAD.encode(hash.finalize());
    format!("preconfigured.{digest}").parse().expect("letters, digits, `-`, `_` and a dot")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_tell_rows_and_generations_apart_and_are_the_same_each_time() {
        let table = Preconfigured::parse(None, None).unwrap();
        let organization: Uid = "acme".parse().unwrap();
        let first = preconfigured_endpoints(&table, &organization, &[]);
        let second = preconfigured_endpoints(&table, &organization, &["ep_1".to_owned(), "ep_2".to_owned()]);
        let names: BTreeSet<_> = first.iter().chain(&second).map(|new| new.uid.clone()).collect();
        assert_eq!(names.len(), 10);
        assert_eq!(first, preconfigured_endpoints(&table, &organization, &[]));
        assert_eq!(first.first().unwrap().url.to_string(), "https://webhook.daytona.io/acme/sandbox-events");
    }
}
