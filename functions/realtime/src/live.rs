//! Live updates: what listeners are told, and how that looks as JSON.

use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::attempt::Attempt;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{EndpointId, MessageId};
use tidings_http::EndpointOut;

/// Something that listeners are told. As JSON it is `{"event": <name>, "data": {...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", content = "data", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// An endpoint took a message.
    #[serde(rename = "webhook.delivered")]
    Delivered {
        /// The message.
        message_id: MessageId,
        /// Where it went.
        endpoint_id: EndpointId,
        /// The status code of the answer.
        status: u16,
        /// When the request was made.
        timestamp: Timestamp,
    },
    /// An attempt to deliver a message failed; another one may follow.
    #[serde(rename = "webhook.failed")]
    Failed {
        /// The message.
        message_id: MessageId,
        /// Where it was to go.
        endpoint_id: EndpointId,
        /// What happened.
        error: String,
        /// When the request was made.
        timestamp: Timestamp,
    },
    /// There is a new endpoint.
    #[serde(rename = "endpoint.created")]
    EndpointCreated {
        /// As it is.
        endpoint: Box<EndpointOut>,
        /// When it was made.
        timestamp: Timestamp,
    },
    /// An endpoint was changed, or disabled.
    #[serde(rename = "endpoint.updated")]
    EndpointUpdated {
        /// As it is now.
        endpoint: Box<EndpointOut>,
        /// When it was changed.
        timestamp: Timestamp,
    },
    /// An endpoint is gone.
    #[serde(rename = "endpoint.deleted")]
    EndpointDeleted {
        /// Its id.
        endpoint_id: EndpointId,
        /// When it was deleted.
        timestamp: Timestamp,
    },
}

impl Event {
    /// What is told of an attempt.
    pub(crate) fn of_attempt(attempt: &Attempt) -> Self {
        let (message_id, endpoint_id) = (attempt.delivery.message, attempt.delivery.endpoint);
        let timestamp = attempt.made_at;
        // An answer's body is its receiver's own, and is not told here.
        match attempt.error() {
            None => Self::Delivered { message_id, endpoint_id, status: attempt.response_status, timestamp },
            Some(error) => Self::Failed { message_id, endpoint_id, error, timestamp },
        }
    }

    /// What is told of an endpoint that was made.
    pub(crate) fn created(endpoint: Endpoint) -> Self {
        let timestamp = endpoint.created_at;
        Self::EndpointCreated { endpoint: Box::new(endpoint.into()), timestamp }
    }

    /// What is told of an endpoint that was changed.
    pub(crate) fn updated(endpoint: Endpoint) -> Self {
        let timestamp = endpoint.updated_at;
        Self::EndpointUpdated { endpoint: Box::new(endpoint.into()), timestamp }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use tidings_domain::attempt::AttemptStatus;
    use tidings_domain::delivery::{Delivery, Trigger};
    use tidings_domain::endpoint::{Retried, Sealed};
    use tidings_domain::ids::{ApplicationId, AttemptId, OrganizationId};
    use tidings_domain::metadata::Metadata;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);

    fn told(status: AttemptStatus, response_status: u16, response: Option<&str>) -> Value {
        let attempt = Attempt {
            id: AttemptId::least_at(NOW),
            delivery: Delivery {
                organization: OrganizationId::least_at(NOW),
                application: ApplicationId::least_at(NOW),
                endpoint: EndpointId::least_at(NOW),
                message: MessageId::least_at(NOW),
            },
            url: "https://example.com/".to_owned().try_into().unwrap(),
            event_type: "a".parse().unwrap(),
            channels: Vec::new(),
            status,
            response_status,
            response: response.map(str::to_owned),
            duration: Duration::ZERO,
            trigger: Trigger::Scheduled,
            number: 1,
            next_attempt: None,
            made_at: NOW,
        };
        serde_json::to_value(Event::of_attempt(&attempt)).unwrap()
    }

    #[test]
    fn an_attempt_is_told_with_its_message_and_endpoint() {
        let (message, endpoint) = (MessageId::least_at(NOW), EndpointId::least_at(NOW));
        let expected = json!({"event": "webhook.delivered", "data": {
            "messageId": message, "endpointId": endpoint, "status": 204, "timestamp": "2024-03-13T14:58:26.007Z",
        }});
        assert_eq!(told(AttemptStatus::Success, 204, Some("thanks")), expected);
        let failed = told(AttemptStatus::Fail, 500, Some("a secret in an answer"));
        let expected = json!({"event": "webhook.failed", "data": {
            "messageId": message, "endpointId": endpoint, "error": "answered 500", "timestamp": "2024-03-13T14:58:26.007Z",
        }});
        assert_eq!(failed, expected);
        assert_eq!(told(AttemptStatus::Fail, 0, Some("timed out"))["data"]["error"], "timed out");
        assert_eq!(told(AttemptStatus::Fail, 0, None)["data"]["error"], "no answer");
    }

    #[test]
    fn an_endpoint_is_told_without_its_secrets() {
        let secret = || Sealed(b"secret".to_vec());
        let endpoint = Endpoint {
            id: EndpointId::least_at(NOW),
            organization: OrganizationId::least_at(NOW),
            application: ApplicationId::least_at(NOW),
            uid: None,
            url: "https://example.com/hook".to_owned().try_into().unwrap(),
            description: String::new(),
            event_types: None,
            channels: None,
            disabled: false,
            throttle_rate: None,
            metadata: Metadata::default(),
            retry_schedule: None,
            timeout: None,
            keys: secret(),
            headers: Some(secret()),
            token: Some(secret()),
            retried: Retried::All,
            failing_since: None,
            created_at: NOW,
            updated_at: NOW,
        };
        let told = serde_json::to_value(Event::created(endpoint.clone())).unwrap();
        assert_eq!(
            (&told["event"], &told["data"]["timestamp"]),
            (&json!("endpoint.created"), &json!(endpoint.created_at))
        );
        let names: Vec<_> = told["data"]["endpoint"].as_object().unwrap().keys().cloned().collect();
        assert!(!names.iter().any(|name| ["keys", "headers", "token"].contains(&name.as_str())), "{names:?}");
        assert_eq!(told["data"]["endpoint"]["url"], "https://example.com/hook");
        assert_eq!(serde_json::to_value(Event::updated(endpoint)).unwrap()["event"], "endpoint.updated");
    }

    #[test]
    fn an_endpoint_that_is_gone_is_told_by_its_id() {
        let event = Event::EndpointDeleted { endpoint_id: EndpointId::least_at(NOW), timestamp: NOW };
        let expected = json!({"event": "endpoint.deleted", "data": {
            "endpointId": EndpointId::least_at(NOW), "timestamp": "2024-03-13T14:58:26.007Z",
        }});
        assert_eq!(serde_json::to_value(event).unwrap(), expected);
    }
}
