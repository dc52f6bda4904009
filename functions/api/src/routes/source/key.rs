//! What a body says of what requests are verified with. It is never answered, logged or printed.

use std::fmt;

use serde_json::Value;
use tidings_domain::source::{SourceKey, SourceKind};
use tidings_http::{Fault, FromJson, Object, text};
use utoipa::ToSchema;

use super::verification::{ignore, refuse};

const LOGIN: [&str; 2] = ["username", "password"];
const SECRET: [&str; 1] = ["secret"];

/// What requests are verified with.
#[derive(Clone, Default, ToSchema)]
pub struct SourceKeyIn {
    /// The user that a sender of kind `docebo` logs in with; no other kind has one.
    #[schema(write_only, min_length = 1, max_length = 512)]
    username: Option<String>,
    /// That user's password.
    #[schema(write_only, min_length = 1, max_length = 512)]
    password: Option<String>,
    /// The secret that a sender of any other kind signs with, as it shows it; `none` has none.
    #[schema(write_only, min_length = 1, max_length = 512)]
    secret: Option<String>,
}

struct Username(String);

impl FromJson for Username {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |text| SourceKey::check_username(&text).map(|()| Self(text)))
    }
}

struct Password(String);

impl FromJson for Password {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |text| SourceKey::check_password(&text).map(|()| Self(text)))
    }
}

/// A property that must be there, unless what was there before may stay.
fn take<T: FromJson>(object: &mut Object, name: &str, may_stay: bool) -> Option<T> {
    if may_stay { object.nullable(name) } else { object.required(name) }
}

impl SourceKeyIn {
    /// For a source of this kind, if it can be told. The key of a source of the same kind stays where none is given.
    pub(super) fn take(object: &mut Object, kind: Option<SourceKind>, before: Option<SourceKind>) -> Self {
        let may_stay = kind == before;
        match kind {
            None => {
                ignore(object, &LOGIN);
                ignore(object, &SECRET);
                Self::default()
            }
            Some(SourceKind::Docebo) => {
                refuse_secret(object);
                Self {
                    username: take(object, "username", may_stay).map(|Username(name)| name),
                    password: take(object, "password", may_stay).map(|Password(password)| password),
                    secret: None,
                }
            }
            Some(SourceKind::None) => {
                let why = || "is not for a source of kind `none`, which verifies nothing".to_owned();
                refuse(object, &LOGIN, why);
                refuse(object, &SECRET, why);
                Self::default()
            }
            Some(
                kind @ (SourceKind::Generic
                | SourceKind::Github
                | SourceKind::Shopify
                | SourceKind::Slack
                | SourceKind::Standard
                | SourceKind::Stripe),
            ) => {
                refuse(object, &LOGIN, || format!("is not for a source of kind `{kind}`, which signs with a secret"));
                Self { secret: take_secret(object, kind, may_stay), ..Self::default() }
            }
        }
    }

    /// For a rotation of the key of a source of this kind: a new one must be given.
    pub(super) fn take_new(object: &mut Object, kind: SourceKind) -> Self {
        match kind {
            // The user may stay: it is the password that is changed.
            SourceKind::Docebo => {
                refuse_secret(object);
                Self {
                    username: object.nullable("username").map(|Username(name)| name),
                    password: object.required("password").map(|Password(password)| password),
                    secret: None,
                }
            }
            _ => Self::take(object, Some(kind), None),
        }
    }

    /// Whether something is given.
    pub(super) fn is_given(&self) -> bool {
        let Self { username, password, secret } = self;
        username.is_some() || password.is_some() || secret.is_some()
    }

    /// The key that this makes of one that was there. `None`: it makes none.
    pub(super) fn over(self, before: Option<&SourceKey>) -> Option<SourceKey> {
        let Self { username, password, secret } = self;
        if let Some(secret) = secret {
            return Some(SourceKey::Secret(secret));
        }
        let (old_username, old_password) = match before {
            Some(SourceKey::Login { username, password }) => (Some(username), Some(password)),
            Some(SourceKey::Secret(_)) | None => (None, None),
        };
        Some(SourceKey::Login {
            username: username.or_else(|| old_username.cloned())?,
            password: password.or_else(|| old_password.cloned())?,
        })
    }
}

fn refuse_secret(object: &mut Object) {
    refuse(object, &SECRET, || "is not for a source of kind `docebo`, which logs in".to_owned());
}

fn take_secret(object: &mut Object, kind: SourceKind, may_stay: bool) -> Option<String> {
    let secret: String = take(object, "secret", may_stay)?;
    match SourceKey::check_secret(kind, &secret) {
        Ok(()) => Some(secret),
        Err(error) => {
            object.refuse("secret", error);
            None
        }
    }
}

impl fmt::Debug for SourceKeyIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
