//! Counting an endpoint's attempts, from the keys of the index: nothing else is read.

use std::collections::HashSet;

use tidings_domain::Timestamp;
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, OrganizationId};

use super::item::{Ended, Listed};
use super::list::index_range;
use crate::query::{Direction, id_time};
use crate::{Store, StoreError};

/// How many messages stand where at an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Taken.
    pub success: u64,
    /// Another attempt is due.
    pub pending: u64,
    /// Given up.
    pub fail: u64,
}

/// How many attempts ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// With 2xx.
    pub success: u64,
    /// Otherwise.
    pub fail: u64,
}

impl Store {
    /// Messages by the newest attempt that was made at the endpoint from `since` on and before `until`.
    pub async fn count_deliveries(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<DeliveryCounts, StoreError> {
        let (mut counts, mut seen) = (DeliveryCounts::default(), HashSet::new());
        let count = |attempt: Listed| {
            // The newest attempt of a message comes first.
            if seen.insert(attempt.delivery.message) {
                match attempt.ended {
                    Ended::Success => counts.success += 1,
                    Ended::Pending => counts.pending += 1,
                    Ended::Fail => counts.fail += 1,
                }
            }
        };
        self.for_each_attempt(organization, application, endpoint, since, until, count).await?;
        Ok(counts)
    }

    /// Attempts that were made at the endpoint from `since` on and before `until`.
    pub async fn count_attempts(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<AttemptCounts, StoreError> {
        let mut counts = AttemptCounts::default();
        let count = |attempt: Listed| match attempt.ended {
            Ended::Success => counts.success += 1,
            Ended::Pending | Ended::Fail => counts.fail += 1,
        };
        self.for_each_attempt(organization, application, endpoint, since, until, count).await?;
        Ok(counts)
    }

    async fn for_each_attempt(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
        mut visit: impl FnMut(Listed),
    ) -> Result<(), StoreError> {
        let mut range = index_range(organization, application, endpoint, since, None);
        // To the step of the ids' time: nothing is read that could tell more.
        range.to = AttemptId::least_at(id_time(until)).to_string();
        if range.is_empty() {
            return Ok(());
        }
        let mut pages = self.query_index(&range, Direction::NewestFirst).into_paginator().items().send();
        while let Some(item) = pages.try_next().await? {
            if let Some(attempt) = Listed::of(&item) {
                visit(attempt);
            }
        }
        Ok(())
    }
}
