//! Endpoints of organizations as they are asked for and answered.

use serde::Serialize;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::names::EventTypeName;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_egress::Egress;
use tidings_http::{Fault, FromJson, Object, Set, Text};
use tidings_outbound::provider::{NewPlatformEndpoint, PlatformEndpoint};
use utoipa::ToSchema;

type EventTypes = Set<EventTypeName, 1, 500>;
type Description = Text<0, 4096>;

/// An endpoint to be.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct PlatformEndpointIn {
    /// Where requests go: `http` or `https`, and no private address.
    #[schema(value_type = String, format = "uri", min_length = 1, example = "https://example.com/webhook/")]
    url: WebhookUrl,
    /// For people.
    #[schema(value_type = Option<String>, max_length = 4096)]
    description: String,
    /// Types that it wants; all if there are none.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 500, example = json!(["sandbox.created"]))]
    event_types: Option<Vec<EventTypeName>>,
}

impl PlatformEndpointIn {
    /// Reads a body; every fault at once.
    pub(super) fn read(body: Value, egress: &Egress) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(body)?;
        let url = object.required::<WebhookUrl>("url");
        let description = object.nullable("description").map(|Text(text): Description| text).unwrap_or_default();
        let event_types = object.nullable("eventTypes").map(|Set(types): EventTypes| types);
        if let Some(Err(refused)) = url.as_ref().map(|url| egress.check(url.as_url())) {
            object.refuse("url", refused);
        }
        object.finish(|| Some(Self { url: url?, description, event_types }))
    }
}

impl From<PlatformEndpointIn> for NewPlatformEndpoint {
    fn from(request: PlatformEndpointIn) -> Self {
        let PlatformEndpointIn { url, description, event_types } = request;
        Self { url, description, event_types, uid: None }
    }
}

/// An endpoint of an organization, as its provider has it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformEndpointOut {
    /// The provider's name for it.
    #[schema(example = "ep_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: String,
    /// Where requests go.
    #[schema(format = "uri")]
    url: String,
    /// For people.
    description: String,
    /// Types that it wants; all if there are none.
    event_types: Option<Vec<String>>,
    /// Gets nothing.
    disabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl From<PlatformEndpoint> for PlatformEndpointOut {
    fn from(endpoint: PlatformEndpoint) -> Self {
        let PlatformEndpoint { id, uid: _, url, description, event_types, disabled, created_at, updated_at } = endpoint;
        Self { id, url, description, event_types, disabled, created_at, updated_at }
    }
}
