//! How many attempts an application or an endpoint gets in a second: a counter for each second.

use std::num::NonZeroU16;
use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValue;
use tidings_domain::Timestamp;
use tidings_domain::ids::{ApplicationId, EndpointId, OrganizationId};

use crate::expression::{n, s};
use crate::{DecodeError, Store, StoreError, keys};

/// How long a second's counter stays: nobody asks for it once the second is over.
const KEPT: Duration = Duration::from_secs(3600);

/// When there is room for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Place {
    /// In this second.
    Now,
    /// In a later one, that begins at this time, if all who asked keep their order.
    At(Timestamp),
}

impl Store {
    /// Asks for a place among the attempts of this second: of the application, or of one of its endpoints. One write.
    pub async fn take_place(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        endpoint: Option<EndpointId>,
        rate: NonZeroU16,
        now: Timestamp,
    ) -> Result<Place, StoreError> {
        let key = keys::rate(organization, application, endpoint, now);
        let answer = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .update_expression("ADD #taken :one SET #ttl = :ttl, #entity = :entity, #v = :v")
            .expression_attribute_names("#taken", "taken")
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_names("#entity", "entity")
            .expression_attribute_names("#v", "v")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":ttl", n((now + KEPT).as_secs()))
            .expression_attribute_values(":entity", s("rate"))
            .expression_attribute_values(":v", n(1))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await?;
        let taken = answer.attributes.as_ref().and_then(|values| values.get("taken")?.as_n().ok()?.parse::<i64>().ok());
        let taken = taken.ok_or_else(|| DecodeError::new(&*key.pk, "its counter is no number"))?;
        let seconds_later = (taken - 1) / i64::from(rate.get());
        Ok(match seconds_later {
            ..=0 => Place::Now,
            later => Place::At(Timestamp::from_millis((now.as_secs() + later) * 1000)),
        })
    }
}
