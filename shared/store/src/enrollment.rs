//! Enrollments: a source's in one partition, by user, course and session. The index has a course's.

mod item;
mod list;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tidings_domain::Timestamp;
use tidings_domain::enrollment::{Enrollment, EnrollmentChange, EnrollmentKey};
use tidings_domain::source::Source;

use self::item::{Versioned, decode, enrollment_item};
pub use self::list::{EnrollmentFilter, EnrollmentPage};
use crate::expression::{Item, n};
use crate::{DecodeError, Store, StoreError, keys};

/// Enrollments that are written side by side.
const AT_ONCE: usize = 16;

/// How often an enrollment is begun anew that somebody else wrote meanwhile. Of all who meet there, one succeeds in each
/// round, and the refusal shows the others what it wrote: nobody waits, and nobody reads again.
const ROUNDS: usize = 32;

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// It made the enrollment.
    Created,
    /// It changed something of it.
    Updated,
    /// It told nothing new: nothing was written.
    Unchanged,
}

/// The changes of one enrollment, with their places among all of them.
type Changes<'a> = Vec<(usize, &'a EnrollmentChange)>;

/// Until when a source keeps an enrollment.
fn end(stored: &Versioned, source: &Source) -> Timestamp {
    source.retention.enrollments.end(stored.written_at)
}

/// Until when a source keeps an enrollment that was read from the table.
pub(crate) fn end_of(stored: &Item, source: &Source) -> Result<Timestamp, DecodeError> {
    Ok(end(&decode(stored.clone())?, source))
}

impl Store {
    /// Takes in what events, or rows of an import, say of enrollments, and what each of them did, in their order. One
    /// consistent read of all that they are about, one write for each that changes; what somebody else wrote meanwhile is
    /// begun anew. [`StoreError::Contended`] if that never ends; some may have been written then. Doing it again is
    /// doing it once.
    pub async fn merge_enrollments(
        &self,
        source: &Source,
        changes: &[EnrollmentChange],
        now: Timestamp,
    ) -> Result<Vec<Merged>, StoreError> {
        let mut by_key: BTreeMap<EnrollmentKey, Changes<'_>> = BTreeMap::new();
        for (place, change) in changes.iter().enumerate() {
            by_key.entry(change.key).or_default().push((place, change));
        }
        let key = |key: &EnrollmentKey| keys::enrollment(source.organization, source.id, key);
        let wanted: Vec<keys::Key> = by_key.keys().map(key).collect();
        let mut stored = self.read_latest(&wanted).await?;
        let writes = by_key.into_iter().map(|(own, changes)| {
            let before = stored.remove(&key(&own)).map(decode).transpose();
            async move { self.merge_enrollment(source, own, before?, &changes, now).await }
        });
        let merged: Vec<Vec<(usize, Merged)>> =
            stream::iter(writes.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut merged: HashMap<usize, Merged> = merged.into_iter().flatten().collect();
        Ok((0..changes.len()).filter_map(|place| merged.remove(&place)).collect())
    }

    async fn merge_enrollment(
        &self,
        source: &Source,
        key: EnrollmentKey,
        mut before: Option<Versioned>,
        changes: &Changes<'_>,
        now: Timestamp,
    ) -> Result<Vec<(usize, Merged)>, StoreError> {
        for _ in 0..ROUNDS {
            let version = before.as_ref().map(|stored| stored.version);
            // What is over is gone for everybody, though the table may take days to delete it.
            let known = before.take().filter(|stored| now < end(stored, source));
            let mut is_new = known.is_none();
            let unknown = || Enrollment::unknown(source.organization, source.id, key);
            let mut enrollment = known.map_or_else(unknown, |stored| stored.enrollment);
            let mut merge = |change: &EnrollmentChange| {
                if !enrollment.merge(change) {
                    Merged::Unchanged
                } else if std::mem::take(&mut is_new) {
                    Merged::Created
                } else {
                    Merged::Updated
                }
            };
            let merged: Vec<_> = changes.iter().map(|(place, change)| (*place, merge(change))).collect();
            if merged.iter().all(|(_, merged)| *merged == Merged::Unchanged) {
                return Ok(merged);
            }
            let after = Versioned { enrollment, version: fastrand::i64(0..), written_at: now };
            match self.put_enrollment(&after, version, source).await? {
                // Not our own, written by an attempt whose answer was lost.
                Some(in_its_place) if in_its_place.version != after.version => before = Some(in_its_place),
                _ => return Ok(merged),
            }
        }
        Err(StoreError::Contended)
    }

    /// What stands there, if it is not the version that this one follows.
    async fn put_enrollment(
        &self,
        after: &Versioned,
        before: Option<i64>,
        source: &Source,
    ) -> Result<Option<Versioned>, StoreError> {
        let stored = enrollment_item(after, end(after, source));
        let put = self.client.put_item().table_name(&*self.table).set_item(Some(stored));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", keys::PK),
            // Or the table deleted it meanwhile.
            Some(before) => put
                .condition_expression("#version = :before OR attribute_not_exists(#pk)")
                .expression_attribute_names("#version", "version")
                .expression_attribute_names("#pk", keys::PK)
                .expression_attribute_values(":before", n(before)),
        };
        let sent =
            put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld).send().await;
        let Err(error) = sent else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Some(decode(refused.item.clone().unwrap_or_default())?))
            }
            _ => Err(error.into()),
        }
    }

    /// An enrollment of this source, whether it may still be seen or not. One consistent read.
    pub async fn enrollment(&self, source: &Source, key: EnrollmentKey) -> Result<Option<Enrollment>, StoreError> {
        let stored = self.item(&keys::enrollment(source.organization, source.id, &key)).await?;
        Ok(stored.map(decode).transpose()?.map(|versioned| versioned.enrollment))
    }
}
