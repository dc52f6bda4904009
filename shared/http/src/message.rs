use serde::Serialize;
use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::ids::MessageId;
use tidings_domain::message::{EXPIRED, Message};
use tidings_domain::names::{Channel, EventId, EventTypeName, Tag};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::query::{FromQuery, QueryString};

/// Stands in the place of a payload that the caller does not want to see.
const LEFT_OUT: &str = "{}";

/// A message as it is answered, by who accepts it and by who lists it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageOut<'a> {
    /// Its id; `webhook-id` in every request.
    #[schema(value_type = String, example = "msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    pub id: MessageId,
    /// What it is about.
    #[schema(value_type = String, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$", example = "user.signup")]
    pub event_type: &'a EventTypeName,
    /// The sender's own name for it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    pub event_id: Option<&'a EventId>,
    /// Narrows who gets it.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 5)]
    pub channels: Option<&'a [Channel]>,
    /// What it can be listed by.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 8)]
    pub tags: Option<&'a [Tag]>,
    /// As it was sent, byte for byte; `{"expired": true}` once it is gone, `{}` where it was not asked for.
    #[schema(value_type = Object)]
    pub payload: &'a RawValue,
    /// When it was accepted.
    #[schema(value_type = String, format = "date-time")]
    pub timestamp: Timestamp,
}

/// Whether payloads and answers of receivers are shown: the query's `with_content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// They are.
    #[default]
    Shown,
    /// Something short stands in their place.
    LeftOut,
}

impl<'a> MessageOut<'a> {
    /// As it is shown at this time.
    pub fn at(message: &'a Message, now: Timestamp, content: Content) -> Result<Self, ApiError> {
        let text = match content {
            Content::Shown => message.payload_at(now).map_or(Ok(EXPIRED), |payload| std::str::from_utf8(payload)),
            Content::LeftOut => Ok(LEFT_OUT),
        };
        // It was JSON when it was accepted. It is looked at again because a body that holds anything else would
        // be an answer that nobody can read.
        let payload = serde_json::from_str(text.map_err(ApiError::internal)?).map_err(ApiError::internal)?;
        let Message {
            id,
            organization: _,
            application: _,
            event_type,
            event_id,
            channels,
            tags,
            payload: _,
            payload_until: _,
            created_at,
        } = message;
        Ok(Self {
            id: *id,
            event_type,
            event_id: event_id.as_ref(),
            channels: Some(channels.as_slice()).filter(|channels| !channels.is_empty()),
            tags: Some(tags.as_slice()).filter(|tags| !tags.is_empty()),
            payload,
            timestamp: *created_at,
        })
    }
}

impl FromQuery for Content {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let read = |text: &str| match text {
            "true" => Ok(Self::Shown),
            "false" => Ok(Self::LeftOut),
            _ => Err("must be `true` or `false`"),
        };
        Some(query.one("with_content", read).unwrap_or_default())
    }
}

impl IntoParams for Content {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(true.into())).build();
        let parameter = ParameterBuilder::new()
            .name("with_content")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some("Whether payloads and answers of receivers are shown."))
            .schema(Some(schema))
            .build();
        vec![parameter]
    }
}
