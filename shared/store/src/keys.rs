//! Every key of the table. Parts are joined by `#`, which none of the types that go in can hold: ids are letters, digits
//! and `_`; names are checked where they are made; a caller's free text is hashed. The tenant leads wherever a
//! caller can name an item; what only Tidings itself looks for (the agenda, keys by their hash) leads with its kind.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{EntryKey, RecordName, Work};
use tidings_domain::api_key::ApiKeyHash;
use tidings_domain::idempotency::IdempotencyKey;
use tidings_domain::ids::{ApiKeyId, JobId, OrganizationId};
use tidings_domain::job::{JobStatus, ProviderId};

/// The table's partition key.
pub const PK: &str = "pk";
/// The table's sort key.
pub const SK: &str = "sk";
/// The one index.
pub const INDEX: &str = "gsi1";
/// The index's partition key.
pub const INDEX_PK: &str = "gsi1pk";
/// The index's sort key.
pub const INDEX_SK: &str = "gsi1sk";
/// When the table may delete an item, in seconds since the epoch.
pub const TTL: &str = "expires_at";

/// The sort key of a job; its providers' records stand beside it.
pub(crate) const JOB: &str = "JOB";
pub(crate) const PROVIDER: &str = "PROVIDER#";

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// The key of an item in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexKey {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        [(PK, &self.pk), (SK, &self.sk)].map(|(name, value)| (name.into(), AttributeValue::S(value.clone()))).into()
    }
}

/// A job.
pub fn job(organization: OrganizationId, job: JobId) -> Key {
    Key::new(job_partition(organization, job), JOB)
}

/// What a job and its providers' records have in common.
pub(crate) fn job_partition(organization: OrganizationId, job: JobId) -> String {
    format!("{organization}/{job}")
}

/// What one provider is to give to a job.
pub fn provider_record(organization: OrganizationId, job: JobId, provider: &ProviderId) -> Key {
    Key::new(job_partition(organization, job), format!("{PROVIDER}{provider}"))
}

/// An organization's jobs in one status, by age.
pub fn job_index(organization: OrganizationId, status: JobStatus, job: JobId) -> IndexKey {
    IndexKey { pk: job_index_partition(organization, status), sk: job.to_string() }
}

pub(crate) fn job_index_partition(organization: OrganizationId, status: JobStatus) -> String {
    format!("{organization}#JOB#{}", status.code())
}

/// An API key, found by what its holder presents.
pub fn api_key(hash: &ApiKeyHash) -> Key {
    Key::new(format!("KEY#{}", hash.as_str()), "KEY")
}

/// An organization's API keys, by age.
pub fn api_key_index(organization: OrganizationId, id: ApiKeyId) -> IndexKey {
    IndexKey { pk: api_key_index_partition(organization), sk: id.to_string() }
}

pub(crate) fn api_key_index_partition(organization: OrganizationId) -> String {
    format!("{organization}#KEY")
}

/// A request that was answered under an `Idempotency-Key`.
pub fn idempotency(organization: OrganizationId, key: &IdempotencyKey) -> Key {
    Key::new(format!("{organization}#IDEMPOTENCY#{}", key.hash()), "IDEMPOTENCY")
}

/// An entry of the agenda.
pub fn agenda(entry: &EntryKey) -> Key {
    Key::new(agenda_partition(entry.work.shard()), format!("{}#{}", sortable(entry.due), work(&entry.work)))
}

pub(crate) fn agenda_partition(shard: u8) -> String {
    format!("DUE#{shard:02}")
}

/// The work of an entry, as it stands in the sort key and in a record's image.
pub(crate) fn work(work: &Work) -> String {
    format!("{}#{}", work.kind, work.record)
}

/// The other way.
pub(crate) fn parse_work(text: &str) -> Option<Work> {
    let (kind, record) = text.split_once('#')?;
    Some(Work { kind: kind.parse().ok()?, record: RecordName::try_from(record.to_owned()).ok()? })
}

/// The entry that stands at a sort key of the agenda.
pub(crate) fn parse_agenda(sk: &str) -> Option<EntryKey> {
    let (due, work) = sk.split_once('#')?;
    let due = due.parse().ok().filter(|_| due.len() == TIME_DIGITS)?;
    Some(EntryKey { due: Timestamp::from_millis(due), work: parse_work(work)? })
}

/// An item that is never written: reading it opens the connection.
pub(crate) fn warm() -> Key {
    Key::new("WARM".to_owned(), "WARM")
}

const TIME_DIGITS: usize = 15;

/// Times as texts that sort like them.
pub(crate) fn sortable(at: Timestamp) -> String {
    format!("{:0TIME_DIGITS$}", at.as_millis().max(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidings_domain::agenda::Kind;

    use super::*;

    fn job_id(random: [u8; 15]) -> JobId {
        JobId::new(Timestamp::from_millis(1_710_341_906_007), random)
    }

    fn organization(random: [u8; 15]) -> OrganizationId {
        OrganizationId::new(Timestamp::from_millis(1_710_341_906_007), random)
    }

    #[test]
    fn one_key_of_every_entity() {
        let (org, id) = (organization([1; 15]), job_id([2; 15]));
        let entry =
            EntryKey { due: Timestamp::from_millis(1_710_341_936_007), work: tidings_domain::job::work(org, id) };
        let api_key_id = ApiKeyId::new(Timestamp::from_millis(1_710_341_906_007), [3; 15]);
        let shown = [
            job(org, id),
            provider_record(org, id, &ProviderId::try_from("gas".to_owned()).unwrap()),
            api_key(&ApiKeyHash::from_stored("0123abcd".to_owned())),
            idempotency(org, &IdempotencyKey::try_from("order#17").unwrap()),
            agenda(&entry),
            warm(),
        ]
        .map(|key| format!("{} | {}", key.pk, key.sk));
        let indexed = [job_index(org, JobStatus::Pending, id), api_key_index(org, api_key_id)]
            .map(|key| format!("{INDEX}: {} | {}", key.pk, key.sk));
        insta::assert_snapshot!([&shown[..], &indexed[..]].concat().join("\n"), @"
        org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/job_2dddUfOD2jtybGII1GhBEQtKO4Q | JOB
        org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/job_2dddUfOD2jtybGII1GhBEQtKO4Q | PROVIDER#gas
        KEY#0123abcd | KEY
        org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#IDEMPOTENCY#cfd3198b18ca04d0ff12aa6326a939592870b41495a716e4ee431e2144d40f05 | IDEMPOTENCY
        DUE#14 | 001710341936007#job#org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/job_2dddUfOD2jtybGII1GhBEQtKO4Q
        WARM | WARM
        gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#JOB#pending | job_2dddUfOD2jtybGII1GhBEQtKO4Q
        gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#KEY | key_2dddUfODVBVIbzAZ9IjCe0EbM3v
        ");
    }

    proptest! {
        #[test]
        fn agenda_keys_round_trip_and_sort_by_time(
            due in 0_i64..100_000_000_000_000,
            other in 0_i64..100_000_000_000_000,
            random in any::<[u8; 15]>(),
        ) {
            let work = tidings_domain::job::work(organization([1; 15]), job_id(random));
            let at = |due| EntryKey { due: Timestamp::from_millis(due), work: work.clone() };
            prop_assert_eq!(parse_agenda(&agenda(&at(due)).sk), Some(at(due)));
            prop_assert_eq!(agenda(&at(due)).sk.cmp(&agenda(&at(other)).sk), due.cmp(&other));
        }

        #[test]
        fn another_tenants_keys_never_share_a_partition(
            mine in any::<[u8; 15]>(), yours in any::<[u8; 15]>(), id in any::<[u8; 15]>(), text in "[ -~]{1,40}",
        ) {
            prop_assume!(mine != yours);
            let key = IdempotencyKey::try_from(text.as_str()).unwrap();
            prop_assert_ne!(job(organization(mine), job_id(id)).pk, job(organization(yours), job_id(id)).pk);
            prop_assert_ne!(idempotency(organization(mine), &key).pk, idempotency(organization(yours), &key).pk);
        }

        #[test]
        fn no_text_from_the_table_makes_an_entry_that_it_is_not(text in ".{0,60}") {
            if let Some(entry) = parse_agenda(&text) {
                prop_assert_eq!(agenda(&entry).sk, text.clone());
            }
            prop_assert!(parse_work(&text).is_none_or(|work| work.kind == Kind::Job));
        }
    }
}
