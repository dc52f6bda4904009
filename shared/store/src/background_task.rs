//! Background tasks: an organization's in one partition, by age.

mod item;

use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::{BackgroundTaskId, OrganizationId};
use tidings_domain::page::{Order, Page, PageLimit, Position};

use self::item::{decode_task, task_item};
use crate::agenda::{Claim, Finished, Starts, apart, entry_item, starting};
use crate::expression::Condition;
use crate::list::{FILTERED, List, Walk, filling};
use crate::outcome::created;
use crate::transact::Outcome;
use crate::{Created, Store, StoreError, keys};

/// How long a task can be read after it ended; the table deletes it within days after that.
pub const RETENTION: Duration = Duration::from_hours(24 * 90);

impl Store {
    /// Writes a new task, what it owes, for which the schedule may come at `due`, and the answer that a repetition gets,
    /// all or nothing.
    pub async fn create_background_task(
        &self,
        task: &BackgroundTask,
        due: Timestamp,
        kept: Option<&KeptAnswer>,
    ) -> Result<Created, StoreError> {
        let key = EntryKey { due, work: task.work() };
        let entry = Entry { key, tries: 0, destination: None, note: None };
        let mut actions = vec![self.create(task_item(task))?, self.create(starting(&entry, Starts::AtOnce))?];
        if let Some(kept) = kept {
            actions.push(self.keep_answer(task.organization, kept, task.created_at)?);
        }
        created(self.transact(actions).await?, None, kept)
    }

    /// A task of this organization. One consistent read.
    pub async fn background_task(
        &self,
        organization: OrganizationId,
        id: BackgroundTaskId,
    ) -> Result<Option<BackgroundTask>, StoreError> {
        Ok(self.item(&keys::background_task(organization, id)).await?.map(decode_task).transpose()?)
    }

    /// An organization's tasks, by age, of one status and one type where they are named. One consistent query; more only
    /// while others are passed over.
    pub async fn background_tasks(
        &self,
        organization: OrganizationId,
        status: Option<BackgroundTaskStatus>,
        task: Option<BackgroundTaskType>,
        position: Option<Position<BackgroundTaskId>>,
        order: Order,
        limit: PageLimit,
    ) -> Result<Page<BackgroundTask>, StoreError> {
        let partition = keys::background_task_partition(organization);
        let mut walk = Walk::new(List { is_index: false, partition, prefix: "" }, position, order);
        let mut found = Vec::new();
        let mut most = filling(limit);
        while !walk.is_enough(found.len(), limit) {
            for stored in walk.next(self, most).await? {
                let read = decode_task(stored)?;
                let fits =
                    status.is_none_or(|status| read.status == status) && task.is_none_or(|task| read.task == task);
                found.extend(fits.then_some(read));
            }
            most = FILTERED;
        }
        Ok(walk.page(found, limit))
    }

    /// Writes how far a claimed task got, and either its next entry or, without one, that nothing is owed any more.
    pub async fn save_background_task(
        &self,
        task: &BackgroundTask,
        claim: &Claim,
        next: Option<&Entry>,
    ) -> Result<Finished, StoreError> {
        let mut actions =
            vec![self.take(&keys::agenda(&claim.entry.key))?, self.replace(task_item(task), Condition::exists())?];
        if let Some(next) = next {
            actions.push(self.create(entry_item(&apart(claim, next)))?);
        }
        Ok(match self.transact(actions).await? {
            Outcome::Written => Finished::Written,
            Outcome::Refused(_) => Finished::Lost,
        })
    }
}
