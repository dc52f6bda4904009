//! Background tasks: work on many messages that somebody asked for, and its progress.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::application::{ids, work};
use crate::delivery::DeliveryStatus;
use crate::ids::{ApplicationId, BackgroundTaskId, EndpointId, MessageId, OrganizationId};

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BackgroundTaskType {
    /// Delivers what an endpoint refused.
    #[serde(rename = "endpoint.recover")]
    Recover,
    /// Delivers what an endpoint was never sent.
    #[serde(rename = "endpoint.replay")]
    ReplayMissing,
}

impl BackgroundTaskType {
    /// Whether a message that stands there at the endpoint is delivered again.
    pub fn takes(self, status: DeliveryStatus) -> bool {
        match self {
            Self::Recover => status == DeliveryStatus::Fail,
            Self::ReplayMissing => status == DeliveryStatus::Sending,
        }
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackgroundTaskStatus {
    /// Not done yet.
    Running,
    /// Done.
    Finished,
    /// Given up: its endpoint is gone.
    Failed,
}

/// A background task of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackgroundTask {
    /// Its id.
    pub id: BackgroundTaskId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose endpoint it is for.
    pub application: ApplicationId,
    /// Which one.
    pub endpoint: EndpointId,
    /// What it does.
    pub task: BackgroundTaskType,
    /// Where it stands.
    pub status: BackgroundTaskStatus,
    /// Messages accepted from then on.
    pub since: Timestamp,
    /// Messages accepted before.
    pub until: Timestamp,
    /// The last message that was looked at.
    pub cursor: Option<MessageId>,
    /// Messages looked at.
    pub examined: u64,
    /// Messages that are delivered again.
    pub scheduled: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last got on.
    pub updated_at: Timestamp,
}

impl BackgroundTask {
    /// What it owes as long as it runs.
    pub fn work(&self) -> Work {
        work(Kind::Task, &[&self.organization.to_string(), &self.id.to_string()])
    }
}

/// The task that work is for.
pub fn parse_record(record: &RecordName) -> Option<(OrganizationId, BackgroundTaskId)> {
    let [organization, task] = ids(record)?;
    Some((organization.parse().ok()?, task.parse().ok()?))
}
