//! What a webhook is forwarded as.

use tidings_domain::message::Message;
use tidings_domain::names::EventTypeName;
use tidings_domain::source::{Source, SourceKind};
use tidings_domain::transaction::Transaction;
use tidings_runtime::random;
use tidings_store::StoreError;
use tracing::error;

use super::{Outcome, Problem};
use crate::Context;

/// Adds the message of a transaction whose source names an application, and that was not forwarded yet.
pub(super) async fn add(
    context: &Context,
    source: &Source,
    transaction: &Transaction,
    outcome: &mut Outcome,
) -> Result<(), StoreError> {
    let options = &context.options;
    if let (Some(reference), None) = (&source.forward_to, transaction.message) {
        let now = options.clock.now();
        let application = options.store.cached_application(source.organization, reference, now).await?;
        let Some(application) = application else {
            let message = format!("application `{reference}` does not exist");
            outcome.problems.push(Problem { payload: None, message });
            return Ok(());
        };
        let Some(event_type) = event_type(source.scheme.kind(), &transaction.event) else {
            error!(transaction.id = %transaction.id, "there is no type for a transaction's message");
            return Ok(());
        };
        outcome.message =
            Some(Message::plain(&application, event_type, transaction.body.clone(), now, random::bytes()));
    }
    // Whatever kept all of it from being computed or forwarded before has passed.
    if outcome.problems.iter().all(|problem| problem.payload.is_some()) {
        outcome.fine.push(None);
    }
    Ok(())
}

/// The type of the message: `<kind>.<event>`, in what characters a type can have.
fn event_type(kind: SourceKind, event: &str) -> Option<EventTypeName> {
    let event = event.chars().map(|character| match character {
        '/' | ':' => '.',
        '-' | '_' | '.' => character,
        _ if character.is_ascii_alphanumeric() => character,
        _ => '_',
    });
    let name: String = kind.code().chars().chain(['.']).chain(event).take(EventTypeName::MAX).collect();
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_name_becomes_a_type() {
        for (kind, event, name) in [
            (SourceKind::Docebo, "course.enrollment.created", "docebo.course.enrollment.created"),
            (SourceKind::Github, "pull_request", "github.pull_request"),
            (SourceKind::Shopify, "orders/create", "shopify.orders.create"),
            (SourceKind::Stripe, "v1:charge-made", "stripe.v1.charge-made"),
            (SourceKind::Generic, "B\u{fc}cher & mehr", "generic.B_cher___mehr"),
            (SourceKind::None, "", "none."),
        ] {
            assert_eq!(event_type(kind, event).unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_long_events_name_is_cut() {
        let name = event_type(SourceKind::Docebo, &"\u{fc}".repeat(300)).unwrap();
        assert_eq!(name.as_str().len(), EventTypeName::MAX);
    }
}
