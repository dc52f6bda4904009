use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::idempotency::{Answer, Fingerprint, KeptAnswer, RETENTION};
use tidings_domain::ids::OrganizationId;

use crate::expression::{Item, item, n};
use crate::{DecodeError, Store, StoreError, keys};

/// A request under a key that was used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repetition {
    /// The same request: this was answered.
    Same(Answer),
    /// Another request.
    Other,
}

/// The answer is written in the same transaction as what it answers for, so there is no time in which a key is
/// taken and its answer not known.
#[derive(Debug, Serialize, Deserialize)]
struct IdempotencyItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    fingerprint: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    location: Option<String>,
    body: String,
    expires_at: i64,
}

impl Store {
    /// Keeps an answer, if its key is not in use.
    pub(crate) fn keep_answer(
        &self,
        organization: OrganizationId,
        kept: &KeptAnswer,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let KeptAnswer { key, fingerprint, answer: Answer { status, location, body } } = kept;
        let keys::Key { pk, sk } = keys::idempotency(organization, key);
        let stored = IdempotencyItem {
            pk,
            sk,
            entity: "idempotency".to_owned(),
            v: 1,
            fingerprint: fingerprint.as_str().to_owned(),
            status: *status,
            location: location.clone(),
            body: body.clone(),
            expires_at: (now + RETENTION).as_secs(),
        };
        let put = Put::builder()
            .table_name(&*self.table)
            .set_item(Some(item(&stored)))
            // The table deletes expired items only within days.
            .condition_expression("attribute_not_exists(#pk) OR #ttl < :now")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":now", n(now.as_secs()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

impl Repetition {
    /// What a key that is in use means for the request that came under it.
    pub(crate) fn of(stored: Item, request: &KeptAnswer) -> Result<Self, StoreError> {
        // Before anything else: a message's reservation may stand here, which has no answer.
        let fingerprint = stored.get("fingerprint").and_then(|text| text.as_s().ok()).cloned().unwrap_or_default();
        if Fingerprint::from_stored(fingerprint) == request.fingerprint {
            let IdempotencyItem { status, location, body, .. } =
                serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("idempotency", error))?;
            Ok(Self::Same(Answer { status, location, body }))
        } else {
            Ok(Self::Other)
        }
    }
}
