//! Jobs and their providers' records: one partition a job.

mod item;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use futures::future::try_join_all;
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::{JobId, OrganizationId};
use tidings_domain::job::{Job, JobStatus, ProviderId, ProviderRecord};
use tidings_domain::page::{Page, PageLimit, Position};

pub use self::item::from_image;
use self::item::{decode_job, decode_record, job_item, record_item};
use crate::agenda::{Claim, Finished, entry_item, owing};
use crate::expression::{Change, Item, n, s};
use crate::idempotency::Repetition;
use crate::transact::{Outcome, Refusal};
use crate::{DecodeError, Store, StoreError, keys};

/// How long a job can be read after it ended.
pub const RETENTION: Duration = Duration::from_hours(24 * 90);

/// What became of a request that makes work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Accepted {
    /// It was written.
    Written,
    /// Its idempotency key was used before; nothing was written.
    Repeated(Repetition),
}

/// What became of a request to try a failed job again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Reopened {
    /// It is pending again.
    Pending,
    /// Its idempotency key was used before; nothing was written.
    Repeated(Repetition),
    /// There is no such job.
    Unknown,
    /// It has not failed: this is where it stands.
    NotFailed(JobStatus),
}

/// A job and what its providers gave, in the order asked for.
#[derive(Debug, Clone)]
pub struct StoredJob {
    /// The job.
    pub job: Job,
    /// A record for each of its providers.
    pub records: Vec<ProviderRecord>,
}

/// What a job owes from its beginning, or again: due when the fast lane's time is over.
fn entry(job: &Job, due: Timestamp) -> Entry {
    let key = EntryKey { due, work: job.work() };
    Entry { key, tries: 0, destination: Some(job.callback_url.origin()), note: None }
}

impl Store {
    /// Writes a new job, a record for each provider, what it owes from `job.next_due` on, and the answer that
    /// a repetition gets, all or nothing, in one call.
    pub async fn create_job(&self, job: &Job, kept: Option<&KeptAnswer>) -> Result<Accepted, StoreError> {
        let entry = entry(job, job.next_due.unwrap_or(job.created_at));
        let mut stored = job_item(job);
        stored.extend(owing(&entry));
        let mut actions = vec![self.create(stored)?, self.create(entry_item(&entry))?];
        for record in job.new_records() {
            actions.push(self.create(record_item(job, &record))?);
        }
        if let Some(kept) = kept {
            actions.push(self.keep_answer(job.organization, kept, job.created_at)?);
        }
        match (self.transact(actions).await?, kept) {
            (Outcome::Written, _) => Ok(Accepted::Written),
            (Outcome::Refused(refusals), Some(kept)) => {
                let stored = refusals.into_iter().find_map(|refusal| refusal.item);
                let stored = stored.ok_or_else(|| DecodeError::new(job.id.to_string(), "the id is in use"))?;
                Ok(Accepted::Repeated(Repetition::of(stored, kept)?))
            }
            (Outcome::Refused(_), None) => Err(DecodeError::new(job.id.to_string(), "the id is in use").into()),
        }
    }

    /// A job of this organization with its providers' records. One consistent read.
    pub async fn job(
        &self,
        organization: OrganizationId,
        id: JobId,
        now: Timestamp,
    ) -> Result<Option<StoredJob>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_values(":pk", s(keys::job_partition(organization, id)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut job = None;
        let mut records = HashMap::new();
        while let Some(stored) = pages.try_next().await? {
            let sk = stored.get(keys::SK).and_then(|sk| sk.as_s().ok()).map_or("", String::as_str);
            if sk == keys::JOB {
                job = decode_job(stored, now)?;
            } else if sk.starts_with(keys::PROVIDER) {
                let record = decode_record(stored)?;
                records.insert(record.provider.clone(), record);
            } else {
                tracing::warn!(job.id = %id, sk, "skipped an unknown item of a job");
            }
        }
        let Some(job) = job else { return Ok(None) };
        let records = job.providers.iter().map(|provider| {
            let missing = || DecodeError::new(job.id.to_string(), format!("no record of the provider {provider}"));
            records.remove(provider).ok_or_else(missing)
        });
        let records = records.collect::<Result<_, _>>()?;
        Ok(Some(StoredJob { job, records }))
    }

    /// An organization's jobs, newest first, from a position on. One query for each status asked for, and
    /// a batch of reads; again only while all of a page is over and not yet deleted: an empty page that is not the
    /// last has no place to go on from, and who asks for all pages would start over for ever.
    pub async fn jobs(
        &self,
        organization: OrganizationId,
        status: Option<JobStatus>,
        mut from: Option<Position<JobId>>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<Job>, StoreError> {
        loop {
            let (page, last) = self.page_of_jobs(organization, status, from, limit, now).await?;
            if page.done || !page.data.is_empty() {
                return Ok(page);
            }
            from = last;
        }
    }

    /// A page, and the last job that it would have if none were over.
    async fn page_of_jobs(
        &self,
        organization: OrganizationId,
        status: Option<JobStatus>,
        from: Option<Position<JobId>>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<(Page<Job>, Option<Position<JobId>>), StoreError> {
        let statuses = status.map_or(JobStatus::ALL.to_vec(), |status| vec![status]);
        let one_more = limit.get() + 1;
        let lists = statuses.iter().map(|status| self.job_ids(organization, *status, from, one_more));
        let mut ids = try_join_all(lists).await?.concat();
        let back = matches!(from, Some(Position::Before(_)));
        // The nearest first.
        ids.sort_unstable_by(|left, right| if back { left.cmp(right) } else { right.cmp(left) });
        // A job whose status is just changing can be in two lists.
        ids.dedup();
        let done = ids.len() <= limit.get();
        ids.truncate(limit.get());
        let last = ids.last().map(|last| if back { Position::Before(*last) } else { Position::After(*last) });
        if back {
            ids.reverse();
        }
        let mut jobs = self.jobs_by_id(organization, &ids, now).await?;
        let data = ids.iter().filter_map(|id| jobs.remove(id));
        let data = data.filter(|job| status.is_none_or(|status| job.status == status)).collect();
        Ok((Page { data, done }, last))
    }

    async fn job_ids(
        &self,
        organization: OrganizationId,
        status: JobStatus,
        from: Option<Position<JobId>>,
        limit: usize,
    ) -> Result<Vec<JobId>, StoreError> {
        let (condition, from, back) = match from {
            // `job_` and a character above every letter and digit.
            None => ("#pk = :pk AND #sk < :from", format!("{}~", JobId::PREFIX), false),
            Some(Position::After(id)) => ("#pk = :pk AND #sk < :from", id.to_string(), false),
            Some(Position::Before(id)) => ("#pk = :pk AND #sk > :from", id.to_string(), true),
        };
        let answer = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(keys::INDEX)
            .key_condition_expression(condition)
            .expression_attribute_names("#pk", keys::INDEX_PK)
            .expression_attribute_names("#sk", keys::INDEX_SK)
            .expression_attribute_values(":pk", s(keys::job_index_partition(organization, status)))
            .expression_attribute_values(":from", s(from))
            .scan_index_forward(back)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await?;
        Ok(answer.items().iter().filter_map(|item| item.get(keys::INDEX_SK)?.as_s().ok()?.parse().ok()).collect())
    }

    async fn jobs_by_id(
        &self,
        organization: OrganizationId,
        ids: &[JobId],
        now: Timestamp,
    ) -> Result<HashMap<JobId, Job>, StoreError> {
        let mut jobs = HashMap::new();
        let mut wanted: Vec<Item> = ids.iter().map(|id| keys::job(organization, *id).attributes()).collect();
        while !wanted.is_empty() {
            let later = wanted.split_off(wanted.len().min(100));
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).build()?;
            let answer = self.client.batch_get_item().request_items(&*self.table, request).send().await?;
            for stored in answer.responses.unwrap_or_default().into_values().flatten() {
                jobs.extend(decode_job(stored, now)?.map(|job| (job.id, job)));
            }
            let rest = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&*self.table));
            wanted = [rest.map(|rest| rest.keys).unwrap_or_default(), later].concat();
        }
        Ok(jobs)
    }

    /// Keeps what a provider gave, so that it is asked once however often the others fail.
    pub async fn keep_provider_data(
        &self,
        job: &Job,
        provider: &ProviderId,
        data: &RawValue,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let change = Change::new().set("data", s(data.get())).set("date", n(now.as_millis()));
        let update_expression = change.update_expression();
        let (condition, names, values) = change.into_parts();
        self.client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(keys::provider_record(job.organization, job.id, provider).attributes()))
            .update_expression(update_expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
            .send()
            .await?;
        Ok(())
    }

    /// The callback was taken: the job and its records are complete, and nothing is owed any more.
    pub async fn complete_job(&self, job: &Job, claim: &Claim, now: Timestamp) -> Result<Finished, StoreError> {
        let ended = Ended { status: JobStatus::Complete, last_error: job.last_error.as_deref(), now };
        let mut actions = vec![self.take(&keys::agenda(&claim.entry.key))?, self.end_job(job, &ended)?];
        actions.extend(self.change_records(job, || expiring(now).set("status", s("COMPLETE")))?);
        self.finish(actions).await
    }

    /// A try failed and another follows at `due`.
    pub async fn postpone_job(
        &self,
        job: &Job,
        claim: &Claim,
        error: &str,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<Finished, StoreError> {
        let Claim { entry: Entry { key, tries, destination, note }, until: _ } = claim;
        // One transaction cannot delete and write the same item, so the next time is never the time of the claim.
        let due = if due == key.due { due + Duration::from_millis(1) } else { due };
        let next = Entry {
            key: EntryKey { due, work: key.work.clone() },
            tries: *tries,
            destination: destination.clone(),
            note: note.clone(),
        };
        let change = Change::new()
            .only_if("status", s(JobStatus::Pending.code()))
            .set("tries", n(job.tries + 1))
            .set("last_error", s(error))
            .set("next_due", n(due.as_millis()))
            .set("updated_at", n(now.as_millis()))
            .remove(crate::OWED);
        self.finish(vec![
            self.take(&keys::agenda(key))?,
            self.create(entry_item(&next))?,
            self.change(&keys::job(job.organization, job.id), change)?,
        ])
        .await
    }

    /// The last try failed.
    pub async fn fail_job(
        &self,
        job: &Job,
        claim: &Claim,
        error: &str,
        now: Timestamp,
    ) -> Result<Finished, StoreError> {
        let ended = Ended { status: JobStatus::Failed, last_error: Some(error), now };
        let mut actions = vec![self.take(&keys::agenda(&claim.entry.key))?, self.end_job(job, &ended)?];
        actions.extend(self.change_records(job, || expiring(now))?);
        self.finish(actions).await
    }

    /// A failed job is pending again, with all its tries before it, and owes its work from `due` on.
    pub async fn reopen_job(
        &self,
        job: &Job,
        due: Timestamp,
        now: Timestamp,
        kept: Option<&KeptAnswer>,
    ) -> Result<Reopened, StoreError> {
        let entry = entry(job, due);
        let index = keys::job_index(job.organization, JobStatus::Pending, job.id);
        let mut change = Change::new()
            .only_if("status", s(JobStatus::Failed.code()))
            .set("status", s(JobStatus::Pending.code()))
            .set(keys::INDEX_PK, s(index.pk))
            .set("tries", n(0))
            .set("next_due", n(due.as_millis()))
            .set("updated_at", n(now.as_millis()))
            .remove(keys::TTL);
        for (name, value) in owing(&entry) {
            change = change.set(&name, value);
        }
        let mut actions =
            vec![self.change(&keys::job(job.organization, job.id), change)?, self.create(entry_item(&entry))?];
        actions.extend(self.change_records(job, || Change::new().remove(keys::TTL))?);
        if let Some(kept) = kept {
            actions.push(self.keep_answer(job.organization, kept, now)?);
        }
        let answer = actions.len() - 1;
        let mut refusals = match self.transact(actions).await? {
            Outcome::Written => return Ok(Reopened::Pending),
            Outcome::Refused(refusals) => refusals,
        };
        // The idempotency key is looked at first: the job that it reopened is not failed any more.
        let repeated = refusals.iter().position(|refusal| kept.is_some() && refusal.action == answer);
        if let (Some(position), Some(kept)) = (repeated, kept)
            && let Some(stored) = refusals.swap_remove(position).item
        {
            return Ok(Reopened::Repeated(Repetition::of(stored, kept)?));
        }
        match refusals.into_iter().next() {
            Some(Refusal { action: 0, item: Some(stored) }) => {
                Ok(decode_job(stored, now)?.map_or(Reopened::Unknown, |job| Reopened::NotFailed(job.status)))
            }
            Some(Refusal { action: 0, item: None }) => Ok(Reopened::Unknown),
            _ => Ok(Reopened::NotFailed(JobStatus::Pending)),
        }
    }

    fn end_job(&self, job: &Job, ended: &Ended<'_>) -> Result<TransactWriteItem, StoreError> {
        let Ended { status, last_error, now } = *ended;
        let index = keys::job_index(job.organization, status, job.id);
        let change = expiring(now)
            .only_if("status", s(JobStatus::Pending.code()))
            .set("status", s(status.code()))
            .set(keys::INDEX_PK, s(index.pk))
            .set("tries", n(job.tries + 1))
            .set_or_remove("last_error", last_error.map(s))
            .remove("next_due")
            .set("updated_at", n(now.as_millis()))
            .remove(crate::OWED);
        self.change(&keys::job(job.organization, job.id), change)
    }

    /// The same change of every provider's record.
    fn change_records(&self, job: &Job, change: impl Fn() -> Change) -> Result<Vec<TransactWriteItem>, StoreError> {
        let key = |provider| keys::provider_record(job.organization, job.id, provider);
        job.providers.iter().map(|provider| self.change(&key(provider), change())).collect()
    }

    async fn finish(&self, actions: Vec<TransactWriteItem>) -> Result<Finished, StoreError> {
        Ok(match self.transact(actions).await? {
            Outcome::Written => Finished::Written,
            Outcome::Refused(_) => Finished::Lost,
        })
    }
}

/// A change that also lets the table delete the item after its retention.
fn expiring(now: Timestamp) -> Change {
    Change::new().set(keys::TTL, n((now + RETENTION).as_secs()))
}

struct Ended<'a> {
    status: JobStatus,
    last_error: Option<&'a str>,
    now: Timestamp,
}
