//! The keys of sources and of what they send in.

use tidings_domain::enrollment::EnrollmentKey;
use tidings_domain::ids::{ComputeErrorId, OrganizationId, SourceId, TransactionErrorId, TransactionId};
use tidings_domain::names::Uid;
use tidings_domain::transaction::TransactionName;

use super::{IndexKey, Key};

pub(crate) const SOURCE: &str = "SOURCE#";
pub(crate) const TRANSACTION: &str = "TRANSACTION";

/// A source. Its sender names nothing but it, so its tenant is not in the key.
pub fn source(source: SourceId) -> Key {
    Key::new(format!("{SOURCE}{source}"), "SOURCE")
}

/// An organization's sources, by age.
pub fn source_index(organization: OrganizationId, source: SourceId) -> IndexKey {
    IndexKey { pk: source_index_partition(organization), sk: source.to_string() }
}

pub(crate) fn source_index_partition(organization: OrganizationId) -> String {
    format!("{organization}#SOURCE")
}

/// The source that has a uid.
pub fn source_uid(organization: OrganizationId, uid: &Uid) -> Key {
    Key::new(format!("{organization}#SOURCEUID#{uid}"), "UID")
}

/// What a source's records have in common.
fn of_source(organization: OrganizationId, source: SourceId) -> String {
    format!("{organization}/{source}")
}

/// The other way, from the beginning of a partition's name, and what follows there.
pub(crate) fn parse_source(pk: &str) -> Option<(OrganizationId, SourceId, &str)> {
    let (organization, rest) = pk.split_once('/')?;
    let end = rest.find(['/', '#'])?;
    Some((organization.parse().ok()?, rest.get(..end)?.parse().ok()?, rest.get(end..)?))
}

/// An inbound webhook, found by what its sender calls it. Each has a partition of its own.
pub fn transaction(organization: OrganizationId, source: SourceId, name: &TransactionName) -> Key {
    Key::new(format!("{}/{}", of_source(organization, source), name.as_str()), TRANSACTION)
}

/// A source's transactions, by age.
pub fn transaction_index(organization: OrganizationId, source: SourceId, transaction: TransactionId) -> IndexKey {
    IndexKey { pk: transaction_index_partition(organization, source), sk: transaction.to_string() }
}

pub(crate) fn transaction_index_partition(organization: OrganizationId, source: SourceId) -> String {
    format!("{}#TRANSACTION", of_source(organization, source))
}

/// A request that was rejected: a source's side by side, by age.
pub fn transaction_error(organization: OrganizationId, source: SourceId, error: TransactionErrorId) -> Key {
    Key::new(transaction_error_partition(organization, source), error.to_string())
}

pub(crate) fn transaction_error_partition(organization: OrganizationId, source: SourceId) -> String {
    format!("{}#TRANSACTIONERROR", of_source(organization, source))
}

/// What could not be computed: a source's side by side, by the age of their transactions.
pub fn compute_error(organization: OrganizationId, source: SourceId, error: ComputeErrorId) -> Key {
    Key::new(compute_error_partition(organization, source), error.to_string())
}

pub(crate) fn compute_error_partition(organization: OrganizationId, source: SourceId) -> String {
    format!("{}#COMPUTEERROR", of_source(organization, source))
}

/// An enrollment: a source's side by side, by user, course and session, the course's own before its sessions'.
pub fn enrollment(organization: OrganizationId, source: SourceId, key: &EnrollmentKey) -> Key {
    let EnrollmentKey { user, course, session } = *key;
    let session = session.map(number).unwrap_or_default();
    let partition = enrollment_partition(organization, source);
    Key::new(partition, format!("{}{}{session}", enrollments_of(user), enrollments_in(course)))
}

pub(crate) fn enrollment_partition(organization: OrganizationId, source: SourceId) -> String {
    format!("{}#ENROLLMENT", of_source(organization, source))
}

/// What the sort keys of a user's enrollments start with.
pub(crate) fn enrollments_of(user: u64) -> String {
    format!("{}#", number(user))
}

/// What follows for one course of that user.
pub(crate) fn enrollments_in(course: u64) -> String {
    format!("{}#", number(course))
}

/// The enrollment that stands at a sort key.
pub(crate) fn parse_enrollment(sk: &str) -> Option<EnrollmentKey> {
    let mut parts = sk.split('#');
    let (Some(user), Some(course), Some(session), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let session = (!session.is_empty()).then(|| session.parse());
    Some(EnrollmentKey { user: user.parse().ok()?, course: course.parse().ok()?, session: session.transpose().ok()? })
}

/// A course's enrollments, by user and session.
pub fn enrollment_index(organization: OrganizationId, source: SourceId, key: &EnrollmentKey) -> IndexKey {
    let EnrollmentKey { user, course, session } = *key;
    let session = session.map(number).unwrap_or_default();
    IndexKey {
        pk: enrollment_index_partition(organization, source, course),
        sk: format!("{}{session}", enrollments_of(user)),
    }
}

pub(crate) fn enrollment_index_partition(organization: OrganizationId, source: SourceId, course: u64) -> String {
    format!("{}#COURSE#{course}", of_source(organization, source))
}

/// Docebo's numbers as texts that sort like them. They have 16 digits at most; a longer one, which only somebody's place
/// in a list can be, stands somewhere else and harms nothing.
fn number(number: u64) -> String {
    format!("{number:016}")
}

#[cfg(test)]
mod tests;
