//! What the table's stream brings, and what is told of it.

use aws_lambda_events::event::dynamodb::EventRecord;
use serde_dynamo::{AttributeValue, Item};
use tidings_domain::Timestamp;
use tidings_domain::connection::Connection;
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_store::{DecodeError, LIVE, attempt, connection, endpoint};

use crate::live;

/// What a record means to those who listen.
#[derive(Debug)]
pub(crate) enum Announcement {
    /// Somebody has connected.
    Opened(Box<Connection>),
    /// Something happened in an application.
    Happened {
        /// The tenant.
        organization: OrganizationId,
        /// Whose it is.
        application: ApplicationId,
        /// What.
        event: live::Event,
    },
    /// Nothing.
    Nothing,
}

/// Whether a change may be something to tell: what the filter of the stream mapping in template.yaml asks.
pub fn wants(record: &EventRecord) -> bool {
    of_endpoint(record) || (record.event_name == "INSERT" && (of_connection(record) || of_heard_attempt(record)))
}

fn of_endpoint(record: &EventRecord) -> bool {
    starts_with(&record.change.keys, "sk", "EP#")
}

fn of_connection(record: &EventRecord) -> bool {
    starts_with(&record.change.keys, "pk", "CONNECTION#")
}

fn of_heard_attempt(record: &EventRecord) -> bool {
    matches!(record.change.new_image.get(LIVE), Some(AttributeValue::Bool(true)))
}

fn starts_with(key: &Item, name: &str, prefix: &str) -> bool {
    matches!(key.get(name), Some(AttributeValue::S(text)) if text.starts_with(prefix))
}

/// Reads a record.
pub(crate) fn read(record: EventRecord) -> Result<Announcement, DecodeError> {
    let is_new = record.event_name == "INSERT";
    if of_endpoint(&record) {
        return of_an_endpoint(record);
    }
    if is_new && of_connection(&record) {
        return connection::from_image(record.change.new_image).map(Box::new).map(Announcement::Opened);
    }
    if is_new && of_heard_attempt(&record) {
        let attempt = attempt::from_image(record.change.new_image)?;
        let (organization, application) = (attempt.delivery.organization, attempt.delivery.application);
        let event = live::Event::of_attempt(&attempt);
        return Ok(Announcement::Happened { organization, application, event });
    }
    Ok(Announcement::Nothing)
}

fn of_an_endpoint(record: EventRecord) -> Result<Announcement, DecodeError> {
    let change = record.change;
    if record.event_name == "REMOVE" {
        let timestamp = Timestamp::from_millis(change.approximate_creation_date_time.timestamp_millis());
        let removed = endpoint::removed_key(&change.keys);
        return Ok(removed.map_or(Announcement::Nothing, |(organization, application, endpoint_id)| {
            let event = live::Event::EndpointDeleted { endpoint_id, timestamp };
            Announcement::Happened { organization, application, event }
        }));
    }
    // Its health is no change for people.
    if endpoint::is_quiet(&change.new_image) {
        return Ok(Announcement::Nothing);
    }
    let endpoint = endpoint::from_image(change.new_image)?;
    let (organization, application) = (endpoint.organization, endpoint.application);
    let event =
        if record.event_name == "INSERT" { live::Event::created(endpoint) } else { live::Event::updated(endpoint) };
    Ok(Announcement::Happened { organization, application, event })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn record(name: &str, pk: &str, sk: &str, is_live: bool) -> EventRecord {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut record = EventRecord::default();
        name.clone_into(&mut record.event_name);
        let key = [("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))];
        record.change.keys = HashMap::from(key).into();
        if is_live {
            record.change.new_image = HashMap::from([(LIVE.to_owned(), AttributeValue::Bool(true))]).into();
        }
        record
    }

    #[test]
    fn only_what_may_be_told_is_wanted() {
        for name in ["INSERT", "MODIFY", "REMOVE"] {
            let is_new = name == "INSERT";
            assert!(wants(&record(name, "org/app", "EP#ep", false)));
            assert!(!wants(&record(name, "org/app", "EPUID#ep", false)));
            assert_eq!(wants(&record(name, "CONNECTION#abc", "CONNECTION", false)), is_new);
            assert_eq!(wants(&record(name, "org/app/msg", "ATT#ep#atmpt", true)), is_new);
            assert!(!wants(&record(name, "org/app/msg", "ATT#ep#atmpt", false)));
            assert!(!wants(&record(name, "DUE#01", "1#job#x", false)));
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_an_error_and_another_one_is_nothing() {
        assert!(read(record("INSERT", "org/app", "EP#ep", false)).is_err());
        assert!(read(record("INSERT", "CONNECTION#abc", "CONNECTION", false)).is_err());
        assert!(read(record("INSERT", "org/app/msg", "ATT#ep#atmpt", true)).is_err());
        assert!(matches!(read(record("REMOVE", "org/app", "EP#ep", false)), Ok(Announcement::Nothing)));
        assert!(matches!(read(record("MODIFY", "DUE#01", "1", false)), Ok(Announcement::Nothing)));
    }
}
