//! Connections as they are stored.

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::api_key::ApiKeyHash;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::connection::{Connection, Credential, Protocol};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::names::FeatureFlag;
use tidings_domain::token::TokenHash;

use crate::expression::{Item, item};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct ConnectionItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    protocol: Protocol,
    /// The caller's; without it nobody has said yet who listens.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    organization: Option<OrganizationId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    application: Option<ApplicationId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    organizations: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    feature_flags: Vec<FeatureFlag>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    api_key: Option<ApiKeyHash>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    token: Option<TokenHash>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    token_issued_at: Option<i64>,
    created_at: i64,
    until: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    gsi1pk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    gsi1sk: Option<String>,
    expires_at: i64,
}

pub(super) fn connection_item(connection: &Connection) -> Item {
    let Connection { id, protocol, caller, credential, created_at, until } = connection;
    let (api_key, token, issued_at) = match credential {
        None => (None, None, None),
        Some(Credential::ApiKey(hash)) => (Some(hash.clone()), None, None),
        Some(Credential::Token { hash, issued_at }) => (None, Some(hash.clone()), *issued_at),
    };
    let keys::Key { pk, sk } = keys::connection(id);
    let mut stored = ConnectionItem {
        pk,
        sk,
        entity: "connection".to_owned(),
        v: 1,
        protocol: *protocol,
        organization: None,
        application: None,
        role: None,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
        api_key,
        token,
        token_issued_at: issued_at.map(Timestamp::as_millis),
        created_at: created_at.as_millis(),
        until: until.as_millis(),
        gsi1pk: None,
        gsi1sk: None,
        expires_at: until.as_secs(),
    };
    if let Some(Caller { organization, scope, role, organizations, feature_flags }) = caller {
        let index = keys::connection_index(*organization, id);
        stored = ConnectionItem {
            organization: Some(*organization),
            application: match scope {
                Scope::Organization => None,
                Scope::Application(application) => Some(*application),
            },
            role: Some(*role),
            organizations: organizations.clone(),
            feature_flags: feature_flags.clone(),
            gsi1pk: Some(index.pk),
            gsi1sk: Some(index.sk),
            ..stored
        };
    }
    item(&stored)
}

pub(super) fn decode(stored: Item) -> Result<Connection, DecodeError> {
    read(serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a connection", error))?)
}

/// The connection that an image of the table's stream shows.
pub fn from_image(image: serde_dynamo::Item) -> Result<Connection, DecodeError> {
    read(serde_dynamo::from_item(image).map_err(|error| DecodeError::new("of a connection's image", error))?)
}

fn read(stored: ConnectionItem) -> Result<Connection, DecodeError> {
    let ConnectionItem {
        pk,
        sk: _,
        entity: _,
        v: _,
        protocol,
        organization,
        application,
        role,
        organizations,
        feature_flags,
        api_key,
        token,
        token_issued_at,
        created_at,
        until,
        gsi1pk: _,
        gsi1sk: _,
        expires_at: _,
    } = stored;
    let id = pk.strip_prefix(keys::CONNECTION).and_then(|id| id.parse().ok());
    let scope = application.map_or(Scope::Organization, Scope::Application);
    let role = role.unwrap_or_default();
    let issued_at = token_issued_at.map(Timestamp::from_millis);
    let token = token.map(|hash| Credential::Token { hash, issued_at });
    Ok(Connection {
        id: id.ok_or_else(|| DecodeError::new(pk, "its key names no connection"))?,
        protocol,
        caller: organization.map(|organization| Caller { organization, scope, role, organizations, feature_flags }),
        credential: api_key.map(Credential::ApiKey).or(token),
        created_at: Timestamp::from_millis(created_at),
        until: Timestamp::from_millis(until),
    })
}
