//! Tokens of applications that were taken back: one by its hash, or all of an application that were made before.

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use tidings_domain::Timestamp;
use tidings_domain::ids::{ApplicationId, OrganizationId};
pub use tidings_domain::token::{Revocation, TokenHash};

use crate::expression::{Item, n, s};
use crate::{DecodeError, Store, StoreError, keys};

/// Of an application: its tokens that were made before are not accepted. Milliseconds since the epoch.
pub(crate) const TOKENS_VALID_AFTER: &str = "tokens_valid_after";

impl Store {
    /// Takes a token back. `until` is when nobody would accept it anyway; the table forgets it after that. Doing it
    /// twice is doing it once, so the write has no condition.
    pub async fn revoke_token(&self, token: &TokenHash, until: Timestamp) -> Result<(), StoreError> {
        let mut item = keys::revoked_token(token).attributes();
        // A part of a second counts as a whole one: too long is harmless.
        let expires_at = n(until.as_secs().saturating_add(1));
        let rest = [("entity", s("revoked_token")), ("v", n(1)), (keys::TTL, expires_at)];
        item.extend(rest.map(|(name, value)| (name.to_owned(), value)));
        self.client.put_item().table_name(&*self.table).set_item(Some(item)).send().await?;
        Ok(())
    }

    /// Whether a token of an application was taken back, alone or with all that were made before some moment. Two
    /// eventually consistent reads in one call.
    pub async fn token_revocation(
        &self,
        token: &TokenHash,
        organization: OrganizationId,
        application: ApplicationId,
    ) -> Result<Revocation, StoreError> {
        let mut revocation = Revocation::default();
        let revoked = keys::revoked_token(token);
        let mut wanted = vec![revoked.attributes(), keys::application(organization, application).attributes()];
        while !wanted.is_empty() {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .projection_expression("#pk, #after")
                .expression_attribute_names("#pk", keys::PK)
                .expression_attribute_names("#after", TOKENS_VALID_AFTER)
                .build()?;
            let answer = self.client.batch_get_item().request_items(&*self.table, request).send().await?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                if item.get(keys::PK).and_then(|pk| pk.as_s().ok()) == Some(&revoked.pk) {
                    revocation.revoked = true;
                } else {
                    revocation.valid_after = valid_after(&item)?;
                }
            }
            let rest = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&*self.table));
            wanted = rest.map(|rest| rest.keys).unwrap_or_default();
        }
        Ok(revocation)
    }
}

/// What an application's item says. That it cannot be read is an error: to take it for nothing would let in what was
/// taken back.
fn valid_after(application: &Item) -> Result<Option<Timestamp>, DecodeError> {
    let Some(value) = application.get(TOKENS_VALID_AFTER) else { return Ok(None) };
    let number = match value {
        AttributeValue::N(number) => number.parse().ok(),
        AttributeValue::Null(true) => return Ok(None),
        _ => None,
    };
    let millis = number.ok_or_else(|| DecodeError::new("of an application", "`tokens_valid_after` is no time"))?;
    Ok(Some(Timestamp::from_millis(millis)))
}
