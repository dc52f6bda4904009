//! Initializations as they are stored.

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::initialization::{Goal, Initialization, InitializationState};

use crate::expression::{Item, item};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct InitializationItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    state: InitializationState,
    goal: Goal,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    application: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    endpoints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last_error: Option<String>,
    retry_count: u32,
    created_at: i64,
    updated_at: i64,
    gsi1pk: String,
    gsi1sk: String,
}

pub(super) fn initialization_item(initialization: &Initialization) -> Item {
    let Initialization {
        tenant,
        organization,
        state,
        goal,
        application,
        endpoints,
        last_error,
        retry_count,
        created_at,
        updated_at,
    } = initialization;
    let keys::Key { pk, sk } = keys::initialization(*tenant, organization);
    let index = keys::initialization_index(*tenant, *state, organization);
    item(&InitializationItem {
        pk,
        sk,
        entity: "initialization".to_owned(),
        v: 1,
        state: *state,
        goal: *goal,
        application: application.clone(),
        endpoints: endpoints.clone(),
        last_error: last_error.clone(),
        retry_count: *retry_count,
        created_at: created_at.as_millis(),
        updated_at: updated_at.as_millis(),
        gsi1pk: index.pk,
        gsi1sk: index.sk,
    })
}

pub(super) fn decode_initialization(stored: Item) -> Result<Initialization, DecodeError> {
    let InitializationItem {
        pk,
        sk,
        entity: _,
        v: _,
        state,
        goal,
        application,
        endpoints,
        last_error,
        retry_count,
        created_at,
        updated_at,
        gsi1pk: _,
        gsi1sk: _,
    } = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an initialization", error))?;
    let wrong = || DecodeError::new(format!("{pk} | {sk}"), "its key names no initialization");
    Ok(Initialization {
        tenant: keys::parse_initialization_partition(&pk).ok_or_else(wrong)?,
        organization: sk.parse().map_err(|_| wrong())?,
        state,
        goal,
        application,
        endpoints,
        last_error,
        retry_count,
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}
