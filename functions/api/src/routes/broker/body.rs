//! What the broker's requests say, and the words in which they are refused.

use serde::Serialize;
use serde_json::{Map, Value};
use tidings_domain::broker::EventName;
use tidings_domain::webhook_url::{WebhookUrl, WebhookUrlError};
use tidings_http::{FromQuery, QueryString};
use utoipa::{IntoParams, ToSchema};

/// A URL that wants an event. Other properties are passed over.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SubscriptionIn {
    /// The event's name: any text, without the space around it.
    #[schema(value_type = String, min_length = 3, max_length = 256, example = "upload_image")]
    pub(super) event_name: EventName,
    /// Where requests go: `http` or `https`, and no private address.
    #[schema(value_type = String, format = "uri", example = "https://example.com/webhook/")]
    pub(super) webhook_url: WebhookUrl,
}

/// One thing that is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SubscriptionFault)]
pub struct Fault {
    /// The way to it from the body on.
    path: Vec<&'static str>,
    /// What is wrong.
    message: String,
}

impl Fault {
    /// A fault of a property.
    pub(super) fn of(name: &'static str, message: impl Into<String>) -> Self {
        Self { path: vec![name], message: message.into() }
    }
}

/// Everything that is wrong with a request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema only: the answer itself is made by tidings_http::refused")]
pub struct SubscriptionErrorOut {
    /// One for each fault.
    #[schema(example = json!([{"path": ["eventName"], "message": "Required"}]))]
    error: Vec<Fault>,
}

/// A request whose query cannot be read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema only: the answer itself is made by tidings_http::refused")]
pub struct ParametersErrorOut {
    /// That it cannot.
    #[schema(example = "Invalid parameters")]
    error: String,
}

/// What [`ParametersErrorOut`] says.
pub(super) const INVALID_PARAMETERS: &str = "Invalid parameters";

impl SubscriptionIn {
    /// Reads a body; every fault at once. `check` says what is wrong with a URL that can be read.
    pub(super) fn read(body: &Value, check: impl Fn(&WebhookUrl) -> Result<(), String>) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = body else {
            let message = format!("Expected object, received {}", kind(body));
            return Err(vec![Fault { path: Vec::new(), message }]);
        };
        let event_name = text(members, "eventName").and_then(event_name);
        let url = text(members, "webhookUrl").and_then(|text| {
            let url = webhook_url(&text)?;
            check(&url).map(|()| url)
        });
        match (event_name, url) {
            (Ok(event_name), Ok(webhook_url)) => Ok(Self { event_name, webhook_url }),
            (event_name, url) => {
                let name = event_name.err().map(|message| Fault::of("eventName", message));
                let url = url.err().map(|message| Fault::of("webhookUrl", message));
                Err(name.into_iter().chain(url).collect())
            }
        }
    }
}

fn text(members: &Map<String, Value>, name: &str) -> Result<String, String> {
    match members.get(name) {
        None => Err("Required".to_owned()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("Expected string, received {}", kind(other))),
    }
}

fn event_name(text: String) -> Result<EventName, String> {
    if text.trim().chars().count() < EventName::MIN {
        return Err(format!("String must contain at least {} character(s)", EventName::MIN));
    }
    EventName::try_from(text).map_err(|error| error.to_string())
}

fn webhook_url(text: &str) -> Result<WebhookUrl, String> {
    WebhookUrl::try_from(text.trim().to_owned()).map_err(|error| match error {
        WebhookUrlError::Malformed => "Invalid url".to_owned(),
        WebhookUrlError::Scheme | WebhookUrlError::TooLong => error.to_string(),
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A part of a list, by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Slice {
    /// How many at most.
    #[param(required = false, minimum = 1, maximum = 100, default = 10)]
    pub(super) page_size: usize,
    /// How many of the list come before them.
    #[param(required = false, minimum = 0, maximum = 10_000, default = 0)]
    pub(super) offset: usize,
}

/// What a query asks for, or `None` if that cannot be read.
#[derive(Debug, Clone, Copy)]
pub struct SliceQuery(pub(super) Option<Slice>);

impl FromQuery for SliceQuery {
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let page_size = number(query, "page_size", 10).filter(|size| (1..=100).contains(size));
        let offset = number(query, "offset", 0).filter(|offset| *offset <= 10_000);
        let slice = page_size.zip(offset);
        Some(Self(slice.map(|(page_size, offset)| Slice { page_size, offset })))
    }
}

fn number(query: &mut QueryString, name: &str, default: usize) -> Option<usize> {
    let values = query.all(name, |text| Ok::<_, std::convert::Infallible>(text.to_owned()));
    match &values[..] {
        [] => Some(default),
        [one] => one.parse().ok(),
        _ => None,
    }
}
