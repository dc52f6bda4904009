//! How an endpoint fares: since when it fails, and its end when it failed for too long.

use aws_sdk_dynamodb::types::AttributeValue;
use tidings_domain::Timestamp;
use tidings_domain::endpoint::Endpoint;

use super::decode_endpoint;
use crate::expression::{Change, n};
use crate::message::NewMessage;
use crate::transact::{Outcome, Refusal, TRIES};
use crate::{Store, StoreError, keys};

impl Store {
    /// An attempt failed: from now on the endpoint fails, if it did not before.
    pub async fn endpoint_failed(&self, endpoint: &Endpoint, now: Timestamp) -> Result<(), StoreError> {
        if endpoint.failing_since.is_some() {
            return Ok(());
        }
        let change = Change::new().set("failing_since", n(now.as_millis())).only_without("failing_since");
        self.change_health(endpoint, change).await
    }

    /// An attempt succeeded: the endpoint does not fail any more.
    pub async fn endpoint_recovered(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        let Some(since) = endpoint.failing_since else { return Ok(()) };
        let change = Change::new().remove("failing_since").only_if("failing_since", n(since.as_millis()));
        self.change_health(endpoint, change).await
    }

    /// That the endpoint is gone, or that somebody saw the same or something else before, is no news here.
    async fn change_health(&self, endpoint: &Endpoint, change: Change) -> Result<(), StoreError> {
        let Endpoint { organization, application, id, .. } = *endpoint;
        let change = change.set(crate::QUIET, AttributeValue::Bool(true));
        let changed = self.change_alone(&keys::endpoint(organization, application, id), change).await;
        self.forget_application(organization, application);
        changed.map(drop)
    }

    /// Disables an endpoint that has failed since `endpoint.failing_since`, and writes the message that tells of it.
    /// `false` if it is disabled or gone, or has not failed all the time since then.
    pub async fn disable_endpoint(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
        told: Option<&NewMessage<'_>>,
    ) -> Result<bool, StoreError> {
        let Endpoint { organization, application, id, failing_since, .. } = *endpoint;
        let mut before = endpoint.updated_at;
        for _ in 0..TRIES {
            // Two changes within a millisecond differ.
            let after = now.max(Timestamp::from_millis(before.as_millis() + 1));
            let mut change = Change::new()
                .set("disabled", AttributeValue::Bool(true))
                .set("updated_at", n(after.as_millis()))
                .remove(crate::QUIET)
                .only_if("disabled", AttributeValue::Bool(false))
                .only_if("updated_at", n(before.as_millis()));
            change = match failing_since {
                Some(since) => change.only_if("failing_since", n(since.as_millis())),
                None => change.only_without("failing_since"),
            };
            let mut actions = vec![self.change(&keys::endpoint(organization, application, id), change)?];
            actions.extend(self.telling(told)?);
            let outcome = self.transact(actions).await;
            self.forget_application(organization, application);
            let Outcome::Refused(refusals) = outcome? else { return Ok(true) };
            let stored = match refusals.into_iter().find(|refusal| refusal.action == 0) {
                Some(Refusal { item: Some(stored), .. }) => decode_endpoint(stored)?,
                _ => return Ok(false),
            };
            if stored.disabled || stored.failing_since != failing_since {
                return Ok(false);
            }
            before = stored.updated_at;
        }
        Err(StoreError::Contended)
    }
}
