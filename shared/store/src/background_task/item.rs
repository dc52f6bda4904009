//! Background tasks as they are stored.

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::ids::{ApplicationId, EndpointId, MessageId};

use super::RETENTION;
use crate::expression::{Item, item};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct BackgroundTaskItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    application: ApplicationId,
    endpoint: EndpointId,
    task: BackgroundTaskType,
    status: BackgroundTaskStatus,
    since: i64,
    until: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cursor: Option<MessageId>,
    examined: u64,
    scheduled: u64,
    created_at: i64,
    updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_at: Option<i64>,
}

pub(super) fn task_item(task: &BackgroundTask) -> Item {
    let BackgroundTask {
        id,
        organization,
        application,
        endpoint,
        task,
        status,
        since,
        until,
        cursor,
        examined,
        scheduled,
        created_at,
        updated_at,
    } = task;
    let keys::Key { pk, sk } = keys::background_task(*organization, *id);
    let is_over = match status {
        BackgroundTaskStatus::Running => false,
        BackgroundTaskStatus::Finished | BackgroundTaskStatus::Failed => true,
    };
    item(&BackgroundTaskItem {
        pk,
        sk,
        entity: "background_task".to_owned(),
        v: 1,
        application: *application,
        endpoint: *endpoint,
        task: *task,
        status: *status,
        since: since.as_millis(),
        until: until.as_millis(),
        cursor: *cursor,
        examined: *examined,
        scheduled: *scheduled,
        created_at: created_at.as_millis(),
        updated_at: updated_at.as_millis(),
        expires_at: is_over.then(|| (*updated_at + RETENTION).as_secs()),
    })
}

pub(super) fn decode_task(stored: Item) -> Result<BackgroundTask, DecodeError> {
    let stored: BackgroundTaskItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a background task", error))?;
    let BackgroundTaskItem {
        pk,
        sk,
        entity: _,
        v: _,
        application,
        endpoint,
        task,
        status,
        since,
        until,
        cursor,
        examined,
        scheduled,
        created_at,
        updated_at,
        expires_at: _,
    } = stored;
    let wrong = |problem: &dyn std::fmt::Display| DecodeError::new(format!("{pk} | {sk}"), problem);
    let organization =
        keys::parse_background_task_partition(&pk).ok_or_else(|| wrong(&"its key names no organization"))?;
    Ok(BackgroundTask {
        id: sk.parse().map_err(|error| wrong(&error))?,
        organization,
        application,
        endpoint,
        task,
        status,
        since: Timestamp::from_millis(since),
        until: Timestamp::from_millis(until),
        cursor,
        examined,
        scheduled,
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}
