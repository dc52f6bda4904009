//! Every key of the table. Parts are joined by `#`, which none of the types that go in can hold: ids are letters, digits
//! and `_`; names are checked where they are made; a caller's free text is hashed, or is a whole sort key. The tenant leads
//! wherever a caller can name an item; what only Tidings itself looks for (the agenda, keys by their hash, connections), and
//! sources, of which a sender says nothing but their id, lead with their kind.

mod inbound;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{EntryKey, RecordName, Work};
use tidings_domain::api_key::ApiKeyHash;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::broker::EventName;
use tidings_domain::connection::ConnectionId;
use tidings_domain::delivery::Delivery;
use tidings_domain::idempotency::IdempotencyKey;
use tidings_domain::ids::{
    ApiKeyId, ApplicationId, AttemptId, BackgroundTaskId, EndpointId, JobId, MessageId, OrganizationId,
};
use tidings_domain::initialization::InitializationState;
use tidings_domain::job::{JobStatus, ProviderId};
use tidings_domain::names::{EventId, EventTypeName, Uid};
use tidings_domain::token::TokenHash;

pub(crate) use self::inbound::{
    SOURCE, compute_error_partition, enrollment_index_partition, enrollment_partition, enrollments_in, enrollments_of,
    parse_enrollment, parse_source, source_index_partition, transaction_error_partition, transaction_index_partition,
};
pub use self::inbound::{
    compute_error, enrollment, enrollment_index, source, source_index, source_uid, transaction, transaction_error,
    transaction_index,
};

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

/// The sort key of an application; its endpoints and messages stand beside it.
pub(crate) const APPLICATION: &str = "APP";
pub(crate) const ENDPOINT: &str = "EP#";
pub(crate) const MESSAGE: &str = "MSG#";
pub(crate) const ATTEMPT: &str = "ATT#";

/// What is counted of an application's broadcasts stands beside them.
pub(crate) const TOTAL: &str = "TOTAL#";

/// Above every character of an id or a name: where a range of keys with one prefix ends.
pub(crate) const END: &str = "~";

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

/// An application.
pub fn application(organization: OrganizationId, application: ApplicationId) -> Key {
    Key::new(application_partition(organization, application), APPLICATION)
}

/// What an application, its endpoints and its messages have in common.
pub(crate) fn application_partition(organization: OrganizationId, application: ApplicationId) -> String {
    format!("{organization}/{application}")
}

/// An organization's applications, by age.
pub fn application_index(organization: OrganizationId, application: ApplicationId) -> IndexKey {
    IndexKey { pk: application_index_partition(organization), sk: application.to_string() }
}

pub(crate) fn application_index_partition(organization: OrganizationId) -> String {
    format!("{organization}#APP")
}

/// The application that has a uid.
pub fn application_uid(organization: OrganizationId, uid: &Uid) -> Key {
    Key::new(format!("{organization}#APPUID#{uid}"), "UID")
}

/// An endpoint.
pub fn endpoint(organization: OrganizationId, application: ApplicationId, endpoint: EndpointId) -> Key {
    Key::new(application_partition(organization, application), format!("{ENDPOINT}{endpoint}"))
}

/// The endpoint that has a uid.
pub fn endpoint_uid(organization: OrganizationId, application: ApplicationId, uid: &Uid) -> Key {
    Key::new(application_partition(organization, application), format!("EPUID#{uid}"))
}

/// A message.
pub fn message(organization: OrganizationId, application: ApplicationId, message: MessageId) -> Key {
    Key::new(application_partition(organization, application), format!("{MESSAGE}{message}"))
}

/// The message that has an `eventId`.
pub fn event_id(organization: OrganizationId, application: ApplicationId, event_id: &EventId) -> Key {
    Key::new(format!("{}#EVENTID#{event_id}", application_partition(organization, application)), "EVENTID")
}

/// An attempt: a message's attempts stand together, those at one endpoint side by side, oldest first.
pub fn attempt(delivery: &Delivery, attempt: AttemptId) -> Key {
    Key::new(
        attempt_partition(delivery.organization, delivery.application, delivery.message),
        format!("{}{attempt}", attempts_at(delivery.endpoint)),
    )
}

pub(crate) fn attempt_partition(
    organization: OrganizationId,
    application: ApplicationId,
    message: MessageId,
) -> String {
    format!("{organization}/{application}/{message}")
}

/// What the sort keys of a message's attempts at one endpoint start with.
pub(crate) fn attempts_at(endpoint: EndpointId) -> String {
    format!("{ATTEMPT}{endpoint}#")
}

/// An endpoint's attempts, by age. The key says how each ended, so that they can be counted and filtered without
/// being read.
pub fn attempt_index(attempt: &Attempt) -> IndexKey {
    let Delivery { organization, application, endpoint, message: _ } = attempt.delivery;
    let ended = match (attempt.status, attempt.next_attempt) {
        (AttemptStatus::Success, _) => 's',
        (AttemptStatus::Fail, Some(_)) => 'p',
        (AttemptStatus::Fail, None) => 'f',
    };
    IndexKey {
        pk: attempt_index_partition(organization, application, endpoint),
        sk: format!("{}#{ended}#{:03}", attempt.id, attempt.response_status),
    }
}

pub(crate) fn attempt_index_partition(
    organization: OrganizationId,
    application: ApplicationId,
    endpoint: EndpointId,
) -> String {
    format!("{organization}/{application}/{endpoint}")
}

/// A broadcast of a message. It expires with its message; its partition is not the application's, which takes the messages.
pub fn broadcast(organization: OrganizationId, application: ApplicationId, message: MessageId) -> Key {
    Key::new(broadcast_partition(organization, application), format!("{MESSAGE}{message}"))
}

/// One of the items that together count an application's ended broadcasts.
pub fn broadcast_total(organization: OrganizationId, application: ApplicationId, shard: u8) -> Key {
    Key::new(broadcast_partition(organization, application), format!("{TOTAL}{shard:02}"))
}

pub(crate) fn broadcast_partition(organization: OrganizationId, application: ApplicationId) -> String {
    format!("{}#BROADCAST", application_partition(organization, application))
}

/// An application's open broadcasts, by age.
pub fn open_broadcast_index(organization: OrganizationId, application: ApplicationId, message: MessageId) -> IndexKey {
    IndexKey { pk: open_broadcast_index_partition(organization, application), sk: message.to_string() }
}

pub(crate) fn open_broadcast_index_partition(organization: OrganizationId, application: ApplicationId) -> String {
    format!("{}#OPEN", application_partition(organization, application))
}

/// A connection that gets live updates.
pub fn connection(id: &ConnectionId) -> Key {
    Key::new(format!("{CONNECTION}{id}"), "CONNECTION")
}

pub(crate) const CONNECTION: &str = "CONNECTION#";

/// An organization's connections.
pub fn connection_index(organization: OrganizationId, id: &ConnectionId) -> IndexKey {
    IndexKey { pk: connection_index_partition(organization), sk: id.to_string() }
}

pub(crate) fn connection_index_partition(organization: OrganizationId) -> String {
    format!("{organization}#CONNECTION")
}

/// An organization's names of events, in the order of their bytes.
pub fn event_name(organization: OrganizationId, name: &EventName) -> Key {
    Key::new(event_name_partition(organization), name.as_str())
}

pub(crate) fn event_name_partition(organization: OrganizationId) -> String {
    format!("{organization}#EVENTNAME")
}

/// A URL that wants the events of a name: known by the uid of its endpoint, so that it is there once.
pub fn subscription(organization: OrganizationId, name: &EventName, endpoint: &Uid) -> Key {
    Key::new(subscription_partition(organization, name), endpoint.as_str())
}

pub(crate) fn subscription_partition(organization: OrganizationId, name: &EventName) -> String {
    format!("{organization}#EVENTURL#{}", name.event_type())
}

/// An organization's event types, by name.
pub fn event_type(organization: OrganizationId, name: &EventTypeName) -> Key {
    Key::new(event_type_partition(organization), name.as_str())
}

pub(crate) fn event_type_partition(organization: OrganizationId) -> String {
    format!("{organization}#TYPE")
}

/// The other way.
pub(crate) fn parse_event_type_partition(pk: &str) -> Option<OrganizationId> {
    pk.strip_suffix("#TYPE")?.parse().ok()
}

/// The initialization of a platform's organization, by its name.
pub fn initialization(tenant: OrganizationId, organization: &Uid) -> Key {
    Key::new(initialization_partition(tenant), organization.as_str())
}

pub(crate) fn initialization_partition(tenant: OrganizationId) -> String {
    format!("{tenant}#INITIALIZATION")
}

/// The other way.
pub(crate) fn parse_initialization_partition(pk: &str) -> Option<OrganizationId> {
    pk.strip_suffix("#INITIALIZATION")?.parse().ok()
}

/// A tenant's initializations in one state, by name.
pub fn initialization_index(tenant: OrganizationId, state: InitializationState, organization: &Uid) -> IndexKey {
    IndexKey { pk: initialization_index_partition(tenant, state), sk: organization.to_string() }
}

pub(crate) fn initialization_index_partition(tenant: OrganizationId, state: InitializationState) -> String {
    format!("{}#{}", initialization_partition(tenant), state.code())
}

/// An organization's background tasks, by age.
pub fn background_task(organization: OrganizationId, task: BackgroundTaskId) -> Key {
    Key::new(background_task_partition(organization), task.to_string())
}

pub(crate) fn background_task_partition(organization: OrganizationId) -> String {
    format!("{organization}#TASK")
}

/// The other way.
pub(crate) fn parse_background_task_partition(pk: &str) -> Option<OrganizationId> {
    pk.strip_suffix("#TASK")?.parse().ok()
}

/// Attempts of one second, of an application or of one of its endpoints.
pub fn rate(
    organization: OrganizationId,
    application: ApplicationId,
    endpoint: Option<EndpointId>,
    second: Timestamp,
) -> Key {
    let scope = match endpoint {
        Some(endpoint) => attempt_index_partition(organization, application, endpoint),
        None => application_partition(organization, application),
    };
    Key::new(format!("RATE#{scope}"), sortable(Timestamp::from_millis(second.as_secs() * 1000)))
}

/// A token that was taken back.
pub fn revoked_token(token: &TokenHash) -> Key {
    Key::new(format!("REVOKED#{}", token.as_str()), "REVOKED")
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
mod tests;
