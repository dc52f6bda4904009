//! Applications and their uids as they are stored.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::names::Uid;

use crate::expression::{Item, item};
use crate::metadata::{read_metadata, stored_metadata};
use crate::{DecodeError, keys};

#[derive(Debug, Serialize, Deserialize)]
struct ApplicationItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    uid: Option<Uid>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    throttle_rate: Option<NonZeroU16>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    tokens_valid_after: Option<i64>,
    created_at: i64,
    updated_at: i64,
    gsi1pk: String,
    gsi1sk: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct ApplicationUidItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    application: ApplicationId,
}

pub(super) fn application_item(application: &Application) -> Item {
    let Application {
        id,
        organization,
        uid,
        name,
        throttle_rate,
        metadata,
        tokens_valid_after,
        created_at,
        updated_at,
    } = application;
    let keys::Key { pk, sk } = keys::application(*organization, *id);
    let index = keys::application_index(*organization, *id);
    item(&ApplicationItem {
        pk,
        sk,
        entity: "application".to_owned(),
        v: 1,
        uid: uid.clone(),
        name: name.clone(),
        throttle_rate: *throttle_rate,
        metadata: stored_metadata(metadata),
        tokens_valid_after: tokens_valid_after.map(Timestamp::as_millis),
        created_at: created_at.as_millis(),
        updated_at: updated_at.as_millis(),
        gsi1pk: index.pk,
        gsi1sk: index.sk,
    })
}

/// An application as it was read from the table.
pub(crate) fn decode_application(stored: Item) -> Result<Application, DecodeError> {
    let stored: ApplicationItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an application", error))?;
    let ApplicationItem {
        pk,
        sk: _,
        entity: _,
        v: _,
        uid,
        name,
        throttle_rate,
        metadata,
        tokens_valid_after,
        created_at,
        updated_at,
        gsi1pk: _,
        gsi1sk: _,
    } = stored;
    let (organization, id) = parse_partition(&pk)?;
    Ok(Application {
        id,
        organization,
        uid,
        name,
        throttle_rate,
        metadata: read_metadata(&pk, metadata)?,
        tokens_valid_after: tokens_valid_after.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}

/// Whose partition it is.
pub(crate) fn parse_partition(pk: &str) -> Result<(OrganizationId, ApplicationId), DecodeError> {
    let (organization, id) = pk.split_once('/').ok_or_else(|| DecodeError::new(pk, "its key names no application"))?;
    let organization = organization.parse().map_err(|error| DecodeError::new(pk, error))?;
    Ok((organization, id.parse().map_err(|error| DecodeError::new(pk, error))?))
}

pub(super) fn uid_item(application: &Application, uid: &Uid) -> Item {
    let keys::Key { pk, sk } = keys::application_uid(application.organization, uid);
    let entity = "application_uid".to_owned();
    item(&ApplicationUidItem { pk, sk, entity, v: 1, application: application.id })
}

pub(super) fn decode_uid(stored: Item) -> Result<ApplicationId, DecodeError> {
    let stored: ApplicationUidItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an application's uid", error))?;
    Ok(stored.application)
}
