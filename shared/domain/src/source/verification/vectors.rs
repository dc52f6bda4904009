//! Requests that the senders' own libraries made and judged (`infra/vectors`): verification says what they say, but for
//! the few that it refuses although they do not, each for a reason.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::verify;
use crate::Timestamp;
use crate::source::{Names, Scheme, SignatureFormat, SourceKey, SourceKeys, SourceKind};

#[derive(Deserialize)]
struct File {
    /// In seconds.
    now: i64,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    kind: SourceKind,
    library: String,
    judged: bool,
    accepted: bool,
    stricter: Option<String>,
    login: Option<Login>,
    secret: Option<String>,
    signature: Option<SignatureFormat>,
    headers: BTreeMap<String, String>,
    body: String,
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

impl Vector {
    fn scheme(&self) -> Scheme {
        match self.kind {
            SourceKind::Docebo => Scheme::Docebo,
            SourceKind::Generic => {
                Scheme::Generic { signature: self.signature.clone().unwrap(), names: Names::default() }
            }
            SourceKind::Github => Scheme::Github,
            SourceKind::None => Scheme::None { names: Names::default() },
            SourceKind::Shopify => Scheme::Shopify,
            SourceKind::Slack => Scheme::Slack,
            SourceKind::Standard => Scheme::Standard,
            SourceKind::Stripe => Scheme::Stripe,
        }
    }

    fn key(&self) -> SourceKey {
        match (&self.login, &self.secret) {
            (Some(Login { username, password }), None) => {
                SourceKey::Login { username: username.clone(), password: password.clone() }
            }
            (None, Some(secret)) => SourceKey::Secret(secret.clone()),
            _ => panic!("{}: one key", self.name),
        }
    }
}

fn file() -> File {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

#[test]
fn what_the_senders_libraries_accept_is_verified_and_nothing_else() {
    let File { now, vectors } = file();
    let mut wrong = Vec::new();
    for vector in &vectors {
        let header = |name: &str| vector.headers.get(name).map(String::as_str);
        let keys = SourceKeys::new(vector.key());
        let now = Timestamp::from_millis(now * 1000);
        let result = verify(&vector.scheme(), Some(&keys), header, vector.body.as_bytes(), now);
        if result.is_ok() != vector.accepted {
            wrong.push(format!("{} ({}): {}: {result:?}", vector.kind, vector.library, vector.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_accepted_that_the_senders_library_refuses() {
    for vector in file().vectors {
        let is_stricter = vector.judged && !vector.accepted;
        assert!(vector.accepted == vector.judged || is_stricter, "{}: {}", vector.kind, vector.name);
        assert_eq!(is_stricter, vector.stricter.is_some(), "{}: {}", vector.kind, vector.name);
    }
}

#[test]
fn every_kind_that_verifies_has_good_and_tampered_requests() {
    let vectors = file().vectors;
    for kind in SourceKind::ALL {
        let counted = |accepted| vectors.iter().filter(|one| one.kind == kind && one.accepted == accepted).count();
        if kind != SourceKind::None {
            assert!(counted(true) >= 3 && counted(false) >= 10, "{kind}");
        }
    }
}
