//! Who listens to live updates: asked before every attempt is written.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::connection::{Connection, ConnectionId};
use tidings_domain::ids::OrganizationId;

use crate::{Store, StoreError};

/// How long the result of an attempt waits for the answer who listens.
const PATIENCE: Duration = Duration::from_millis(250);

impl Store {
    /// Who of an organization listens to live updates, as it was at most three seconds ago; that nobody does is kept, too.
    pub async fn cached_listeners(
        &self,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<Arc<Vec<Connection>>, StoreError> {
        let kept = &self.cache.listeners;
        let forgotten = match kept.get(&organization, now) {
            Ok(listeners) => return Ok(listeners),
            Err(forgotten) => forgotten,
        };
        let listeners = Arc::new(self.listeners(organization, now).await?);
        kept.keep(organization, Arc::clone(&listeners), 1 + listeners.len(), now, forgotten);
        Ok(listeners)
    }

    /// Whether somebody of an organization listens, for those who have more important things to do than to wait for the
    /// answer: when it does not come soon, nobody does, for as long as an answer is kept.
    pub(crate) async fn is_heard(&self, organization: OrganizationId, now: Timestamp) -> bool {
        if let Ok(listeners) = self.cache.listeners.get(&organization, now) {
            return !listeners.is_empty();
        }
        // Kept apart: who listens must not be taken from an answer that did not come in time.
        let kept = &self.cache.heard;
        let forgotten = match kept.get(&organization, now) {
            Ok(is_heard) => return is_heard,
            Err(forgotten) => forgotten,
        };
        let is_heard = match tokio::time::timeout(PATIENCE, self.has_listener(organization, now)).await {
            Ok(Ok(is_heard)) => is_heard,
            Ok(Err(error)) => {
                tracing::warn!(
                    organization.id = %organization,
                    error = &error as &dyn std::error::Error,
                    "cannot tell who listens: live updates are left out"
                );
                false
            }
            Err(_) => {
                tracing::warn!(
                    organization.id = %organization,
                    "cannot tell in time who listens: live updates are left out"
                );
                false
            }
        };
        kept.keep(organization, is_heard, 1, now, forgotten);
        is_heard
    }

    /// A connection was written.
    pub(crate) fn forget_listener(&self, id: &ConnectionId, organization: Option<OrganizationId>) {
        self.cache.listeners.forget_where(|of, listeners| {
            Some(*of) == organization || listeners.iter().any(|connection| connection.id == *id)
        });
        if let Some(organization) = organization {
            self.cache.heard.forget(&organization);
        }
    }
}
