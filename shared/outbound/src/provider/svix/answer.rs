//! What the server's answers mean.

use std::time::Duration;

use svix::error::HttpErrorContent;
use svix::models::{EndpointOut, MessageAttemptOut, MessageAttemptTriggerType, MessageStatus};
use tidings_domain::Timestamp;
use tidings_domain::delivery::{DeliveryStatus, Trigger};
use tidings_domain::ids::MessageId;
use tracing::warn;

use crate::provider::{PlatformAttempt, PlatformEndpoint, ProviderError};

pub(super) fn is_conflict(error: &svix::Error) -> bool {
    matches!(error, svix::Error::Http(HttpErrorContent { status, .. }) if status.as_u16() == 409)
}

/// `None` if it is not there.
pub(super) fn there<T>(answer: Result<T, svix::Error>) -> Result<Option<T>, ProviderError> {
    match answer.map_err(failed) {
        Ok(answer) => Ok(Some(answer)),
        Err(ProviderError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an error of the client means. Its own text may name more than callers should see, and is logged only.
pub(super) fn failed(error: svix::Error) -> ProviderError {
    let unavailable = |detail: String| ProviderError::Unavailable { detail };
    match error {
        svix::Error::Generic(text) => {
            warn!(error = text, "no answer of the Svix server");
            unavailable(no_answer(&text).to_owned())
        }
        svix::Error::Timeout { .. } => ProviderError::OutOfTime,
        svix::Error::Http(HttpErrorContent { status, payload }) => match status.as_u16() {
            404 => ProviderError::NotFound,
            // Somebody has to mend the credential, and what waits meanwhile must not be lost.
            status @ (401 | 403) => unavailable(format!("does not accept the credential (status {status})")),
            status @ (408 | 429 | 500..) => unavailable(format!("answered with status {status}")),
            status => {
                let detail = payload.map_or_else(|| "no reason given".to_owned(), |payload| payload.detail);
                ProviderError::Refused { status, detail }
            }
        },
        svix::Error::Validation(HttpErrorContent { status, payload }) => {
            let faults = payload.map(|payload| payload.detail).unwrap_or_default();
            let faults: Vec<_> =
                faults.into_iter().map(|fault| format!("{}: {}", fault.loc.join("."), fault.msg)).collect();
            ProviderError::Refused { status: status.as_u16(), detail: faults.join("; ") }
        }
    }
}

/// The client hands on what is behind it as a text only.
fn no_answer(text: &str) -> &'static str {
    if text.contains("ConnectionRefused") {
        "refused the connection"
    } else if text.contains("Connect") {
        "cannot be reached"
    } else if text.starts_with("Error(") {
        "gave an answer that cannot be read"
    } else {
        "broke the connection off"
    }
}

impl From<EndpointOut> for PlatformEndpoint {
    fn from(endpoint: EndpointOut) -> Self {
        let EndpointOut {
            id,
            metadata: _,
            url,
            description,
            throttle_rate: _,
            uid,
            disabled,
            event_types,
            channels: _,
            created_at,
            updated_at,
        } = endpoint;
        Self {
            id,
            uid,
            url,
            description,
            event_types: event_types.map(|types| types.into_iter().collect()),
            disabled: disabled.unwrap_or_default(),
            created_at: Timestamp::from_millis(created_at.timestamp_millis()),
            updated_at: Timestamp::from_millis(updated_at.timestamp_millis()),
        }
    }
}

pub(super) fn platform_attempt(attempt: MessageAttemptOut, message: MessageId) -> PlatformAttempt {
    let MessageAttemptOut {
        url,
        response,
        response_status_code,
        response_duration_ms,
        status,
        status_text: _,
        trigger_type,
        msg_id: _,
        endpoint_id,
        id,
        timestamp,
        msg: _,
    } = attempt;
    PlatformAttempt {
        id,
        message,
        endpoint: endpoint_id,
        url,
        status: match status {
            MessageStatus::Success => DeliveryStatus::Success,
            MessageStatus::Pending => DeliveryStatus::Pending,
            MessageStatus::Fail | MessageStatus::Canceled => DeliveryStatus::Fail,
            MessageStatus::Sending => DeliveryStatus::Sending,
        },
        response_status: u16::try_from(response_status_code).unwrap_or_default(),
        response,
        duration: Duration::from_millis(u64::try_from(response_duration_ms).unwrap_or_default()),
        trigger: match trigger_type {
            MessageAttemptTriggerType::Scheduled => Trigger::Scheduled,
            MessageAttemptTriggerType::Manual => Trigger::Manual,
        },
        made_at: Timestamp::from_millis(timestamp.timestamp_millis()),
    }
}
