//! Operational webhooks: what an organization is told about its own applications, endpoints and messages. They are messages
//! like any other, to the application whose `uid` is the organization's id.

use serde::Serialize;

use crate::Timestamp;
use crate::application::Application;
use crate::attempt::Attempt;
use crate::endpoint::Endpoint;
use crate::ids::{ApplicationId, EndpointId, MessageId, OrganizationId, RANDOM_BYTES};
use crate::message::Message;
use crate::names::{EventId, EventTypeName, Uid};

/// After this many failures in a row a message is said to be failing.
pub const FAILING_AFTER: u32 = 4;

/// The name of the application that is told.
pub fn recipient(organization: OrganizationId) -> Uid {
    organization.to_string().parse().expect("an id is a name")
}

/// The message that tells the recipient of an event; `random` must be fresh random bytes.
pub fn operational_message(
    event: &OperationalEvent,
    recipient: &Application,
    now: Timestamp,
    random: [u8; RANDOM_BYTES],
) -> Message {
    Message::plain(recipient, event.event_type(), event.payload().into(), now, random)
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum OperationalEvent {
    /// An endpoint was made.
    #[serde(rename = "endpoint.created")]
    EndpointCreated(EndpointEvent),
    /// It was changed.
    #[serde(rename = "endpoint.updated")]
    EndpointUpdated(EndpointEvent),
    /// It was deleted.
    #[serde(rename = "endpoint.deleted")]
    EndpointDeleted(EndpointEvent),
    /// It was disabled by the service.
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled(EndpointDisabledEvent),
    /// The last attempt failed.
    #[serde(rename = "message.attempt.exhausted")]
    AttemptExhausted(AttemptEvent),
    /// [`FAILING_AFTER`] attempts failed.
    #[serde(rename = "message.attempt.failing")]
    AttemptFailing(AttemptEvent),
    /// A message that was failing was taken.
    #[serde(rename = "message.attempt.recovered")]
    AttemptRecovered(AttemptEvent),
}

/// About an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointEvent {
    app_id: ApplicationId,
    app_uid: Option<Uid>,
    endpoint_id: EndpointId,
    endpoint_uid: Option<Uid>,
}

/// About an endpoint that was disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointDisabledEvent {
    #[serde(flatten)]
    endpoint: EndpointEvent,
    fail_since: Timestamp,
}

/// About an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptEvent {
    app_id: ApplicationId,
    app_uid: Option<Uid>,
    endpoint_id: EndpointId,
    msg_id: MessageId,
    msg_event_id: Option<EventId>,
    last_attempt: LastAttempt,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct LastAttempt {
    id: crate::ids::AttemptId,
    response_status_code: u16,
    timestamp: Timestamp,
}

impl EndpointEvent {
    /// About this endpoint of the application with this uid.
    pub fn new(app_uid: Option<&Uid>, endpoint: &Endpoint) -> Self {
        Self {
            app_id: endpoint.application,
            app_uid: app_uid.cloned(),
            endpoint_id: endpoint.id,
            endpoint_uid: endpoint.uid.clone(),
        }
    }

    /// It was disabled, having failed since then.
    pub fn disabled(self, fail_since: Timestamp) -> OperationalEvent {
        OperationalEvent::EndpointDisabled(EndpointDisabledEvent { endpoint: self, fail_since })
    }
}

impl AttemptEvent {
    /// About the newest attempt of a delivery.
    pub fn new(app_uid: Option<&Uid>, event_id: Option<&EventId>, attempt: &Attempt) -> Self {
        Self {
            app_id: attempt.delivery.application,
            app_uid: app_uid.cloned(),
            endpoint_id: attempt.delivery.endpoint,
            msg_id: attempt.delivery.message,
            msg_event_id: event_id.cloned(),
            last_attempt: LastAttempt {
                id: attempt.id,
                response_status_code: attempt.response_status,
                timestamp: attempt.made_at,
            },
        }
    }
}

impl OperationalEvent {
    /// The type of the message that tells it.
    pub fn event_type(&self) -> EventTypeName {
        let name = match self {
            Self::EndpointCreated(_) => "endpoint.created",
            Self::EndpointUpdated(_) => "endpoint.updated",
            Self::EndpointDeleted(_) => "endpoint.deleted",
            Self::EndpointDisabled(_) => "endpoint.disabled",
            Self::AttemptExhausted(_) => "message.attempt.exhausted",
            Self::AttemptFailing(_) => "message.attempt.failing",
            Self::AttemptRecovered(_) => "message.attempt.recovered",
        };
        name.parse().expect("each of the names above is one")
    }

    /// The payload of the message that tells it.
    pub fn payload(&self) -> String {
        serde_json::to_string(self).expect("ids, names and times serialise")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::tests::endpoint;

    #[test]
    fn an_event_has_its_type_and_its_data() {
        let endpoint = endpoint();
        let event = EndpointEvent::new(Some(&"acme".parse().unwrap()), &endpoint).disabled(endpoint.created_at);
        assert_eq!(event.event_type().as_str(), "endpoint.disabled");
        let payload: serde_json::Value = serde_json::from_str(&event.payload()).unwrap();
        assert_eq!(payload["type"], "endpoint.disabled");
        assert_eq!(payload["data"]["appUid"], "acme");
        assert_eq!(payload["data"]["failSince"], "2024-03-13T14:58:26.007Z");
    }
}
