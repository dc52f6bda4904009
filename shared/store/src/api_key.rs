//! API keys: found by their hash, listed by organization.

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::api_key::{ApiKey, ApiKeyHash};
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::{ApiKeyId, ApplicationId, OrganizationId};

use crate::expression::{Item, item, s};
use crate::{DecodeError, Store, StoreError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct ApiKeyItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    id: ApiKeyId,
    organization: OrganizationId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    application: Option<ApplicationId>,
    role: Role,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    organizations: Vec<String>,
    description: String,
    created_at: i64,
    gsi1pk: String,
    gsi1sk: String,
}

fn api_key_item(key: &ApiKey) -> Item {
    let ApiKey { id, description, caller, hash, created_at } = key;
    // A key has no flags: they are for tokens of the portal.
    let Caller { organization, scope, role, organizations, feature_flags: _ } = caller;
    let keys::Key { pk, sk } = keys::api_key(hash);
    let index = keys::api_key_index(*organization, *id);
    item(&ApiKeyItem {
        pk,
        sk,
        entity: "api_key".to_owned(),
        v: 1,
        id: *id,
        organization: *organization,
        application: match scope {
            Scope::Organization => None,
            Scope::Application(application) => Some(*application),
        },
        role: *role,
        organizations: organizations.clone(),
        description: description.clone(),
        created_at: created_at.as_millis(),
        gsi1pk: index.pk,
        gsi1sk: index.sk,
    })
}

fn decode_api_key(stored: Item) -> Result<ApiKey, DecodeError> {
    let stored: ApiKeyItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an API key", error))?;
    let ApiKeyItem {
        pk,
        sk: _,
        entity: _,
        v: _,
        id,
        organization,
        application,
        role,
        organizations,
        description,
        created_at,
        gsi1pk: _,
        gsi1sk: _,
    } = stored;
    let hash = pk.strip_prefix("KEY#").ok_or_else(|| DecodeError::new(&*pk, "its key holds no hash"))?;
    let scope = application.map_or(Scope::Organization, Scope::Application);
    Ok(ApiKey {
        id,
        description,
        caller: Caller { organization, scope, role, organizations, feature_flags: Vec::new() },
        hash: ApiKeyHash::from_stored(hash.to_owned()),
        created_at: Timestamp::from_millis(created_at),
    })
}

impl Store {
    /// Writes a new key.
    pub async fn create_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(api_key_item(key)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", keys::PK)
            .send()
            .await?;
        Ok(())
    }

    /// The key that somebody presented, if there is such a one. One eventually consistent read.
    pub async fn api_key(&self, hash: &ApiKeyHash) -> Result<Option<ApiKey>, StoreError> {
        let key = keys::api_key(hash).attributes();
        let answer = self.client.get_item().table_name(&*self.table).set_key(Some(key)).send().await?;
        Ok(answer.item.map(decode_api_key).transpose()?)
    }

    /// An organization's keys, oldest first. An operator's list, so it is read to its end.
    pub async fn api_keys(&self, organization: OrganizationId) -> Result<Vec<ApiKey>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(keys::INDEX)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", keys::INDEX_PK)
            .expression_attribute_values(":pk", s(keys::api_key_index_partition(organization)))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(indexed) = pages.try_next().await? {
            let pk = indexed.get(keys::PK).and_then(|pk| pk.as_s().ok()).and_then(|pk| pk.strip_prefix("KEY#"));
            if let Some(hash) = pk {
                found.extend(self.api_key(&ApiKeyHash::from_stored(hash.to_owned())).await?);
            }
        }
        Ok(found)
    }

    /// Deletes a key. Functions that know it go on taking it for the few seconds that they remember it.
    /// `false` if the organization has no such key.
    pub async fn revoke_api_key(&self, organization: OrganizationId, id: ApiKeyId) -> Result<bool, StoreError> {
        let key = self.api_keys(organization).await?.into_iter().find(|key| key.id == id);
        let Some(key) = key else { return Ok(false) };
        let key = keys::api_key(&key.hash).attributes();
        self.client.delete_item().table_name(&*self.table).set_key(Some(key)).send().await?;
        Ok(true)
    }
}
