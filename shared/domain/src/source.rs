//! Sources: who sends webhooks in, how their requests are verified, and what becomes of them.

mod keys;
mod scheme;
pub mod verification;

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::application::{ids, work};
use crate::endpoint::Sealed;
use crate::ids::{ApplicationId, OrganizationId, SourceId};
use crate::names::{Reference, Uid};
use crate::retention::Retention;

pub use self::keys::{SourceKey, SourceKeyError, SourceKeys};
pub use self::scheme::{
    Algorithm, Encoding, HeaderName, HeaderNameError, MAX_PREFIX_BYTES, Names, PrefixError, Scheme, SignatureFormat,
    SourceKind,
};

/// The uid of the source whose door `POST /transaction` is.
pub const DOCEBO: &str = "docebo";

/// Longest name.
pub const MAX_NAME_CHARS: usize = 256;

/// Who sends webhooks in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The organization's own name for it.
    pub uid: Option<Uid>,
    /// For people.
    pub name: String,
    /// How its requests are read and verified.
    pub scheme: Scheme,
    /// What they are verified with ([`SourceKeys`]); none if nothing is verified.
    pub keys: Option<Sealed>,
    /// The application that gets each of its events as a message.
    pub forward_to: Option<Reference<ApplicationId>>,
    /// How long its records are kept.
    pub retention: Retention,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Source {
    /// What the vault binds its sealed keys to.
    pub fn keys_context(&self) -> String {
        format!("{}/{}#keys", self.organization, self.id)
    }

    /// The work that gives its records the end that its retention says, or removes them once it is deleted.
    pub fn retention_work(&self) -> Work {
        work(Kind::Retention, &[&self.organization.to_string(), &self.id.to_string()])
    }
}

/// The source that work of the kind `retention` is for.
pub fn parse_retention(record: &RecordName) -> Option<(OrganizationId, SourceId)> {
    let [organization, source] = ids(record)?;
    Some((organization.parse().ok()?, source.parse().ok()?))
}
