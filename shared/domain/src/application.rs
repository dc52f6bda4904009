//! Applications: whom an organization sends messages to.

use std::num::NonZeroU16;

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::ids::{ApplicationId, OrganizationId};
use crate::metadata::Metadata;
use crate::names::Uid;

/// One customer of an organization: what its endpoints and messages belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The organization's own name for it.
    pub uid: Option<Uid>,
    /// For people.
    pub name: String,
    /// Most attempts a second, over all of its endpoints.
    pub throttle_rate: Option<NonZeroU16>,
    /// The organization's own texts.
    pub metadata: Metadata,
    /// Tokens of this application that were made before are not accepted any more.
    pub tokens_valid_after: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Removing what a deleted application owned.
pub fn purge(organization: OrganizationId, application: ApplicationId) -> Work {
    work(Kind::Purge, &[&organization.to_string(), &application.to_string()])
}

/// Work on the record whose ids are these.
pub(crate) fn work(kind: Kind, ids: &[&str]) -> Work {
    let record = RecordName::try_from(ids.join("/")).expect("ids are letters, digits and `_`");
    Work { kind, record }
}

/// The ids of a record's name, if there are as many as this.
pub(crate) fn ids<const N: usize>(record: &RecordName) -> Option<[&str; N]> {
    record.as_str().split('/').collect::<Vec<_>>().try_into().ok()
}

/// The application that a purge is for.
pub fn parse_purge(record: &RecordName) -> Option<(OrganizationId, ApplicationId)> {
    let [organization, application] = ids(record)?;
    Some((organization.parse().ok()?, application.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_a_purge_round_trips() {
        let at = Timestamp::from_millis(1_710_341_906_007);
        let (organization, application) = (OrganizationId::least_at(at), ApplicationId::least_at(at));
        assert_eq!(parse_purge(&purge(organization, application).record), Some((organization, application)));
        assert_eq!(parse_purge(&RecordName::try_from("a/b/c".to_owned()).unwrap()), None);
    }
}
