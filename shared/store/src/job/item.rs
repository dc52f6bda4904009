//! Jobs and their providers' records as they are stored.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::job::{Job, JobStatus, ProviderId, ProviderRecord, RecordStatus};
use tidings_domain::webhook_url::WebhookUrl;

use crate::expression::{Item, item};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct JobItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    providers: Vec<ProviderId>,
    callback_url: WebhookUrl,
    status: JobStatus,
    created_at: i64,
    updated_at: i64,
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    next_due: Option<i64>,
    gsi1pk: String,
    gsi1sk: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ProviderItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    status: RecordStatus,
    date: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    data: Option<String>,
}

pub(super) fn job_item(job: &Job) -> Item {
    let Job { id, organization, providers, callback_url, status, created_at, updated_at, tries, last_error, next_due } =
        job;
    let keys::Key { pk, sk } = keys::job(*organization, *id);
    let index = keys::job_index(*organization, *status, *id);
    item(&JobItem {
        pk,
        sk,
        entity: "job".to_owned(),
        v: 1,
        providers: providers.clone(),
        callback_url: callback_url.clone(),
        status: *status,
        created_at: created_at.as_millis(),
        updated_at: updated_at.as_millis(),
        tries: *tries,
        last_error: last_error.clone(),
        next_due: next_due.map(Timestamp::as_millis),
        gsi1pk: index.pk,
        gsi1sk: index.sk,
        expires_at: None,
    })
}

fn read_job(stored: JobItem) -> Result<Job, DecodeError> {
    let JobItem {
        pk,
        sk: _,
        entity: _,
        v: _,
        providers,
        callback_url,
        status,
        created_at,
        updated_at,
        tries,
        last_error,
        next_due,
        gsi1pk: _,
        gsi1sk: _,
        expires_at: _,
    } = stored;
    let (organization, id) = pk.split_once('/').ok_or_else(|| DecodeError::new(&*pk, "its key names no job"))?;
    Ok(Job {
        id: id.parse().map_err(|error| DecodeError::new(&*pk, error))?,
        organization: organization.parse().map_err(|error| DecodeError::new(&*pk, error))?,
        providers,
        callback_url,
        status,
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
        tries,
        last_error,
        next_due: next_due.map(Timestamp::from_millis),
    })
}

pub(super) fn decode_job(stored: Item, now: Timestamp) -> Result<Option<Job>, DecodeError> {
    let key = stored.get(keys::PK).and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
    let stored: JobItem = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new(key, error))?;
    // The table deletes expired items only within days.
    if stored.expires_at.is_some_and(|at| at <= now.as_secs()) { Ok(None) } else { read_job(stored).map(Some) }
}

/// The job that an image of the table's stream shows.
pub fn from_image(image: serde_dynamo::Item) -> Result<Job, DecodeError> {
    let stored = serde_dynamo::from_item(image).map_err(|error| DecodeError::new("of a job's image", error))?;
    read_job(stored)
}

pub(super) fn record_item(job: &Job, record: &ProviderRecord) -> Item {
    let ProviderRecord { provider, status, date, data } = record;
    let keys::Key { pk, sk } = keys::provider_record(job.organization, job.id, provider);
    item(&ProviderItem {
        pk,
        sk,
        entity: "provider_record".to_owned(),
        v: 1,
        status: *status,
        date: date.as_millis(),
        data: data.as_deref().map(|data| data.get().to_owned()),
    })
}

pub(super) fn decode_record(stored: Item) -> Result<ProviderRecord, DecodeError> {
    let stored: ProviderItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a provider's record", error))?;
    let ProviderItem { pk, sk, entity: _, v: _, status, date, data } = stored;
    let wrong = |problem: String| DecodeError::new(format!("{pk} | {sk}"), problem);
    let provider = sk.strip_prefix(keys::PROVIDER).unwrap_or_default().to_owned();
    Ok(ProviderRecord {
        provider: ProviderId::try_from(provider).map_err(|error| wrong(error.to_string()))?,
        status,
        date: Timestamp::from_millis(date),
        data: data.map(RawValue::from_string).transpose().map_err(|error| wrong(error.to_string()))?,
    })
}
