//! Asynchronous jobs: collect what third-party providers hold, then call back.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::ids::{JobId, OrganizationId};
use crate::webhook_url::WebhookUrl;

/// Most providers that one job may ask: they are written in one transaction of 100 items at most.
pub const MAX_PROVIDERS: usize = 50;

/// The name of a provider: 1 to 64 letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderId(String);

/// A text names no provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits, `_` or `-`")]
pub struct ProviderIdError;

impl ProviderId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProviderId {
    type Error = ProviderIdError;

    fn try_from(text: String) -> Result<Self, ProviderIdError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if fits { Ok(Self(text)) } else { Err(ProviderIdError) }
    }
}

impl From<ProviderId> for String {
    fn from(id: ProviderId) -> Self {
        id.0
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Work is owed.
    Pending,
    /// The callback was answered with 2xx.
    Complete,
    /// The last try failed.
    Failed,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Complete, Self::Failed];

    /// As it is written in JSON, in the table and in a query.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }
}

/// Where a provider's record stands: it becomes complete together with its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordStatus {
    /// Not called back yet; the data may be there already.
    Pending,
    /// Called back.
    Complete,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Whom to ask, in the order of the answer; never empty, without repeats.
    pub providers: Vec<ProviderId>,
    /// Whom to call back.
    pub callback_url: WebhookUrl,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Tries that ended.
    pub tries: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When the schedule may take it; `None` when nothing is owed.
    pub next_due: Option<Timestamp>,
}

/// What one provider is to give, or gave.
#[derive(Debug, Clone)]
pub struct ProviderRecord {
    /// Which one.
    pub provider: ProviderId,
    /// Where it stands.
    pub status: RecordStatus,
    /// When it was written, or when its data came.
    pub date: Timestamp,
    /// The provider's answer, byte for byte.
    pub data: Option<Box<RawValue>>,
}

impl Job {
    /// What stands on the agenda while the job is pending.
    pub fn work(&self) -> Work {
        work(self.organization, self.id)
    }

    /// A record for each provider, without data.
    pub fn new_records(&self) -> Vec<ProviderRecord> {
        let record = |provider: &ProviderId| ProviderRecord {
            provider: provider.clone(),
            status: RecordStatus::Pending,
            date: self.created_at,
            data: None,
        };
        self.providers.iter().map(record).collect()
    }

    /// The body of the callback, or `None` while a provider's data is missing.
    pub fn callback_body(&self, records: &[ProviderRecord]) -> Option<Vec<u8>> {
        let data = self.providers.iter().map(|provider| {
            let record = records.iter().find(|record| record.provider == *provider)?;
            Some(CallbackRecord {
                job_id: self.id,
                provider_id: provider,
                callback_url: &self.callback_url,
                status: RecordStatus::Pending,
                date: record.date,
                data: record.data.as_deref()?,
            })
        });
        let body = CallbackBody { job_id: self.id, data: data.collect::<Option<_>>()? };
        Some(serde_json::to_vec(&body).expect("keys are texts and values serialise"))
    }
}

/// What stands on the agenda for this job.
pub fn work(organization: OrganizationId, job: JobId) -> Work {
    let record = RecordName::try_from(format!("{organization}/{job}")).expect("ids are letters, digits and `_`");
    Work { kind: Kind::Job, record }
}

/// The job that an agenda entry's record names.
pub fn parse_record(record: &RecordName) -> Option<(OrganizationId, JobId)> {
    let (organization, job) = record.as_str().split_once('/')?;
    Some((organization.parse().ok()?, job.parse().ok()?))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallbackBody<'a> {
    job_id: JobId,
    data: Vec<CallbackRecord<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallbackRecord<'a> {
    job_id: JobId,
    provider_id: &'a ProviderId,
    callback_url: &'a WebhookUrl,
    status: RecordStatus,
    date: Timestamp,
    data: &'a RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let at = Timestamp::from_millis(1_710_341_906_007);
        Job {
            id: JobId::new(at, [1; 15]),
            organization: OrganizationId::new(at, [2; 15]),
            providers: ["internet", "gas"].map(|name| ProviderId::try_from(name.to_owned()).unwrap()).to_vec(),
            callback_url: WebhookUrl::try_from("https://example.com/complete".to_owned()).unwrap(),
            status: JobStatus::Pending,
            created_at: at,
            updated_at: at,
            tries: 0,
            last_error: None,
            next_due: None,
        }
    }

    #[test]
    fn the_callback_lists_providers_in_the_order_asked_for_with_their_data_untouched() {
        let job = job();
        let mut records = job.new_records();
        assert_eq!(job.callback_body(&records), None);
        records.reverse();
        for record in &mut records {
            record.data = Some(RawValue::from_string("[{\"amount\": 22.270}]".to_owned()).unwrap());
        }
        let body = String::from_utf8(job.callback_body(&records).unwrap()).unwrap();
        assert!(body.find("internet").unwrap() < body.find("gas").unwrap());
        assert!(body.contains("\"status\":\"PENDING\"") && body.contains("[{\"amount\": 22.270}]"), "{body}");
    }

    #[test]
    fn an_entrys_record_names_its_job() {
        let job = job();
        assert_eq!(parse_record(&job.work().record), Some((job.organization, job.id)));
    }

    #[test]
    fn a_provider_is_named_by_letters_digits_underscores_and_hyphens() {
        for bad in ["", "a/b", "a b", "../etc", &"a".repeat(65)] {
            assert_eq!(ProviderId::try_from(bad.to_owned()), Err(ProviderIdError), "{bad}");
        }
    }
}
