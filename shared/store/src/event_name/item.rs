//! Names of events and the URLs that want them as they are stored.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, Update};
use serde::{Deserialize, Serialize};
use tidings_domain::broker::EventName;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::EndpointId;
use tidings_domain::webhook_url::WebhookUrl;

use super::Subscription;
use crate::expression::{Item, item, n, s};
use crate::query::text;
use crate::{DecodeError, keys};

/// The attribute of a name that says how many URLs want it.
pub(super) const URLS: &str = "urls";

#[derive(Debug, Serialize, Deserialize)]
struct SubscriptionItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    endpoint: EndpointId,
    url: WebhookUrl,
}

pub(super) fn pair_item(key: &keys::Key, endpoint: &Endpoint) -> Item {
    let keys::Key { pk, sk } = key.clone();
    let (entity, url) = ("subscription".to_owned(), endpoint.url.clone());
    item(&SubscriptionItem { pk, sk, entity, v: 1, endpoint: endpoint.id, url })
}

pub(super) fn decode_subscription(stored: Item) -> Result<Subscription, DecodeError> {
    let SubscriptionItem { pk: _, sk: _, entity: _, v: _, endpoint, url } =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a subscription", error))?;
    Ok(Subscription { endpoint, url })
}

/// One more URL wants a name, which is made if it is not there, up to so many; table and key are the caller's.
pub(super) fn more(most: i64) -> UpdateBuilder {
    Update::builder()
        .update_expression("ADD #urls :one SET #entity = :entity, #v = :v")
        .condition_expression("attribute_not_exists(#urls) OR #urls < :most")
        .expression_attribute_names("#urls", URLS)
        .expression_attribute_names("#entity", "entity")
        .expression_attribute_names("#v", "v")
        .expression_attribute_values(":one", n(1))
        .expression_attribute_values(":most", n(most))
        .expression_attribute_values(":entity", s("event_name"))
        .expression_attribute_values(":v", n(1))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
}

pub(super) fn decode_name(stored: &Item) -> Result<EventName, DecodeError> {
    let name = text(stored, keys::SK).unwrap_or_default().to_owned();
    EventName::try_from(name.clone()).map_err(|error| DecodeError::new(name, error))
}

pub(super) fn decode_urls(stored: &Item) -> Result<i64, DecodeError> {
    let urls = stored.get(URLS).and_then(|urls| urls.as_n().ok()?.parse().ok());
    urls.ok_or_else(|| DecodeError::new(text(stored, keys::SK).unwrap_or_default(), "its number of URLs is none"))
}
