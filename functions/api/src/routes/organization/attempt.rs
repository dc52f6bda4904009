//! What became of an organization's messages.

use axum::extract::State;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::delivery::Trigger;
use tidings_domain::ids::MessageId;
use tidings_domain::names::Uid;
use tidings_http::{Admin, ApiError, Caller, Path, Reply, ok};
use tidings_outbound::provider::PlatformAttempt;
use utoipa::ToSchema;

use super::{failed, reach};
use crate::status::{MessageAttemptTriggerType, MessageStatus, MessageStatusText};

/// An attempt to deliver a message to an endpoint of its organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformAttemptOut {
    /// The provider's name for it.
    #[schema(example = "atmpt_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: String,
    /// What was sent.
    #[schema(value_type = String)]
    msg_id: MessageId,
    /// Where it went: the provider's name for the endpoint.
    endpoint_id: String,
    /// Where the request went.
    #[schema(format = "uri")]
    url: String,
    /// 0 for success, 1 for a failure that another attempt follows, 2 for one that none does.
    status: MessageStatus,
    /// The same as a text.
    status_text: MessageStatusText,
    /// The answer's status code; 0 if there was no answer.
    response_status_code: u16,
    /// The answer's body, or why there was none.
    response: String,
    /// From the start of the request to the end of the answer.
    #[schema(format = Int64, minimum = 0)]
    response_duration_ms: u64,
    /// 0 when the message or the schedule asked for it, 1 when somebody did.
    trigger_type: MessageAttemptTriggerType,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    timestamp: Timestamp,
}

impl From<PlatformAttempt> for PlatformAttemptOut {
    fn from(attempt: PlatformAttempt) -> Self {
        let PlatformAttempt {
            id,
            message,
            endpoint,
            url,
            status,
            response_status,
            response,
            duration,
            trigger,
            made_at,
        } = attempt;
        Self {
            id,
            msg_id: message,
            endpoint_id: endpoint,
            url,
            status: status.into(),
            status_text: status.into(),
            response_status_code: response_status,
            response,
            response_duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            trigger_type: match trigger {
                Trigger::Scheduled => MessageAttemptTriggerType::Scheduled,
                Trigger::Manual => MessageAttemptTriggerType::Manual,
            },
            timestamp: made_at,
        }
    }
}

/// List a message's attempts
///
/// Newest first, 250 at most.
#[utoipa::path(
    get, path = "/api/webhooks/organizations/{organizationId}/messages/{messageId}/attempts",
    operation_id = "organization.list-attempts", tag = "Organizations", security(("HTTPBearer" = [])),
    params(
        ("organizationId" = String, Path, description = "The platform's name for it."),
        ("messageId" = String, Path, description = "The message's id.")
    ),
    responses((status = 200, body = Vec<PlatformAttemptOut>)),
)]
pub async fn list(
    State(state): State<crate::State>,
    caller: Caller<Admin>,
    Path((organization, message)): Path<(Uid, MessageId)>,
) -> Result<Reply, ApiError> {
    reach(&caller, &organization)?;
    let attempts = state.provider.attempts(caller.organization, &organization, message).await.map_err(failed)?;
    let attempts = attempts.ok_or_else(ApiError::not_found)?;
    ok(&attempts.into_iter().map(PlatformAttemptOut::from).collect::<Vec<_>>())
}
