//! Operational webhooks: messages about an application, to the application of its organization that wants to know. Nobody
//! is told about that one, so that a failure to tell is not told in turn.

use tidings_domain::Timestamp;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::Trigger;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::message::Message;
use tidings_domain::names::{EventId, Uid};
use tidings_domain::operational::{AttemptEvent, EndpointEvent, FAILING_AFTER, OperationalEvent, operational_message};
use tidings_runtime::random;
use tidings_store::StoreError;

use crate::Context;

/// What a message about an attempt says; `None` if there is nothing to say.
pub(crate) fn about_attempt(
    attempt: &Attempt,
    previous: Option<&Attempt>,
    app_uid: Option<&Uid>,
    event_id: Option<&EventId>,
) -> Option<OperationalEvent> {
    let was_failing = attempt.number > FAILING_AFTER
        || previous.is_some_and(|last| last.status == AttemptStatus::Fail && last.number >= FAILING_AFTER);
    let event = || AttemptEvent::new(app_uid, event_id, attempt);
    match (attempt.status, attempt.trigger, attempt.next_attempt) {
        (AttemptStatus::Success, _, _) => was_failing.then(|| OperationalEvent::AttemptRecovered(event())),
        // It failed before, and somebody tried again: nothing has changed.
        (AttemptStatus::Fail, Trigger::Manual, _) => None,
        (AttemptStatus::Fail, Trigger::Scheduled, None) => Some(OperationalEvent::AttemptExhausted(event())),
        (AttemptStatus::Fail, Trigger::Scheduled, Some(_)) => {
            (attempt.number == FAILING_AFTER).then(|| OperationalEvent::AttemptFailing(event()))
        }
    }
}

/// What a message about an endpoint that is being disabled says.
pub(crate) fn about_disabling(endpoint: &Endpoint, app_uid: Option<&Uid>, now: Timestamp) -> OperationalEvent {
    EndpointEvent::new(app_uid, endpoint).disabled(endpoint.failing_since.unwrap_or(now))
}

/// The message that tells it, if there is somebody to be told.
pub(crate) async fn message(
    context: &Context,
    organization: OrganizationId,
    about: ApplicationId,
    event: &OperationalEvent,
    now: Timestamp,
) -> Result<Option<Message>, StoreError> {
    let recipient = context.options.store.operational_recipient(organization, now).await?;
    Ok(recipient
        .filter(|recipient| recipient.id != about)
        .map(|recipient| operational_message(event, &recipient, now, random::bytes())))
}
