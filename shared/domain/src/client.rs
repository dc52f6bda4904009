//! Clients: URLs that get everything their organization broadcasts, each with a token of its own. A client is an endpoint of
//! the clients' application.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::attempt::{Attempt, AttemptStatus};
use crate::broadcast::Broadcast;
use crate::endpoint::Endpoint;
use crate::idempotency::hex;
use crate::ids::EndpointId;
use crate::names::{EventTypeName, Uid};
use crate::webhook_url::WebhookUrl;

/// What the log and the list of batches say where a broadcast is for nobody.
pub const NOBODY: &str = "No Clients Registered yet";

/// Most bytes of a token.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// Attempts after which a delivery is a dead letter: clients have none.
pub const MAIN_ATTEMPTS: u32 = u32::MAX;

/// The name for people of the application that clients belong to.
pub const APPLICATION_NAME: &str = "Clients";

/// The name of the application that clients belong to.
pub fn application_uid() -> Uid {
    "tidings.clients".parse().expect("letters and a dot")
}

/// The name of the client with a URL.
pub fn endpoint_uid(url: &WebhookUrl) -> Uid {
    format!("client.{}", hex(&Sha256::digest(url.as_url().as_str().as_bytes())))
        .parse()
        .expect("letters, digits and a dot")
}

/// The type of a message that somebody asked for.
pub fn test_event() -> EventTypeName {
    "Test".parse().expect("letters")
}

/// The type of a message of the order generator.
pub fn order_event() -> EventTypeName {
    "OrderReceived".parse().expect("letters")
}

/// Where a broadcast stands, client by client. As JSON it is the line of the log that tells of its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Batch {
    /// URLs that took it.
    pub processed: Vec<String>,
    /// URLs that did not, each followed by ` - ` and why. Nobody tries any more.
    pub failed: Vec<String>,
    /// URLs at which it will be tried, or tried again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
}

impl Batch {
    /// Of a broadcast. `newest` is the newest attempt at each receiver, `endpoints` are those that its application has now.
    pub fn of(broadcast: &Broadcast, newest: &BTreeMap<EndpointId, Attempt>, endpoints: &[Endpoint]) -> Self {
        let endpoints: BTreeMap<_, _> = endpoints.iter().map(|endpoint| (endpoint.id, endpoint)).collect();
        // One that registered while a message was on its way got it, too.
        let receivers: BTreeSet<_> = broadcast.receivers.iter().collect();
        let late = newest.keys().filter(|endpoint| !receivers.contains(endpoint));
        let mut batch = Self::default();
        for id in broadcast.receivers.iter().chain(late) {
            let endpoint = endpoints.get(id).filter(|endpoint| !endpoint.disabled);
            let is_over = broadcast.ended.is_some() || endpoint.is_none();
            match newest.get(id) {
                Some(attempt) if attempt.status == AttemptStatus::Success => {
                    batch.processed.push(attempt.url.to_string());
                }
                Some(attempt) if is_over || attempt.next_attempt.is_none() => {
                    batch.failed.push(format!("{} - {}", attempt.url, attempt.error().unwrap_or_default()));
                }
                Some(attempt) => batch.pending.push(attempt.url.to_string()),
                None => {
                    let known = endpoints.get(id);
                    let name = known.map_or_else(|| id.to_string(), |endpoint| endpoint.url.to_string());
                    if is_over {
                        let why = match known {
                            None => "the client was removed",
                            Some(endpoint) if endpoint.disabled => "the client is disabled",
                            Some(_) => "nothing was sent",
                        };
                        batch.failed.push(format!("{name} - {why}"));
                    } else {
                        batch.pending.push(name);
                    }
                }
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Timestamp;
    use crate::broadcast::{Ended, Tally};
    use crate::delivery::{Delivery, Trigger};
    use crate::endpoint::tests::endpoint;
    use crate::ids::{AttemptId, RANDOM_BYTES};
    use crate::message::tests::message;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);

    fn client(number: u8) -> Endpoint {
        let url = format!("https://example.com/{number}").try_into().unwrap();
        Endpoint { id: EndpointId::new(NOW, [number; RANDOM_BYTES]), url, ..endpoint() }
    }

    /// An answer's status, 0 for none, and whether another attempt follows.
    fn attempt(client: &Endpoint, response_status: u16, follows: bool) -> (EndpointId, Attempt) {
        let &Endpoint { organization, application, id, .. } = client;
        let delivery = Delivery { organization, application, endpoint: id, message: message("a", &[]).id };
        let took = (200..300).contains(&response_status);
        let attempt = Attempt {
            id: AttemptId::least_at(NOW),
            delivery,
            url: client.url.clone(),
            event_type: test_event(),
            channels: Vec::new(),
            status: if took { AttemptStatus::Success } else { AttemptStatus::Fail },
            response_status,
            response: Some("the connection was refused".to_owned()),
            duration: Duration::ZERO,
            trigger: Trigger::Scheduled,
            number: 1,
            next_attempt: follows.then_some(NOW),
            made_at: NOW,
        };
        (id, attempt)
    }

    fn shown(broadcast: &Broadcast, newest: &[(EndpointId, Attempt)], endpoints: &[Endpoint]) -> String {
        serde_json::to_string(&Batch::of(broadcast, &newest.iter().cloned().collect(), endpoints)).unwrap()
    }

    #[test]
    fn a_batch_says_where_each_client_stands() {
        let all: Vec<_> = (1..=5).map(client).collect();
        let broadcast = Broadcast::of(&message("Test", &[]), "Test".to_owned(), &all);
        let newest = [
            attempt(&all[0], 204, false),
            attempt(&all[1], 500, false),
            attempt(&all[2], 0, false),
            attempt(&all[3], 503, true),
        ];
        let (one, five) = ("https://example.com/1", "https://example.com/5");
        let failed = r#"["https://example.com/2 - answered 500","https://example.com/3 - the connection was refused""#;
        assert_eq!(
            shown(&broadcast, &newest, &all),
            format!(r#"{{"processed":["{one}"],"failed":{failed}],"pending":["https://example.com/4","{five}"]}}"#)
        );
        let ended = Broadcast { ended: Some(Ended { at: NOW, tally: Tally::default() }), ..broadcast };
        let newest = &newest[..3];
        assert_eq!(
            shown(&Broadcast { receivers: ended.receivers[..3].to_vec(), ..ended }, newest, &all),
            format!(r#"{{"processed":["{one}"],"failed":{failed}]}}"#)
        );
    }

    #[test]
    fn nothing_waits_for_a_client_that_is_gone() {
        let all = [client(1), Endpoint { disabled: true, ..client(2) }];
        let mut broadcast = Broadcast::of(&message("Test", &[]), "Test".to_owned(), &all);
        broadcast.receivers = vec![client(1).id, client(2).id, client(3).id, client(4).id];
        let newest = [attempt(&client(4), 500, true)];
        let expected = format!(
            r#"{{"processed":[],"failed":["https://example.com/2 - the client is disabled","{} - the client was removed","https://example.com/4 - answered 500"],"pending":["https://example.com/1"]}}"#,
            client(3).id
        );
        assert_eq!(shown(&broadcast, &newest, &all), expected);
    }

    #[test]
    fn nothing_is_pending_in_a_batch_that_has_ended() {
        let all = [client(1), client(2)];
        let ended = Some(Ended { at: NOW, tally: Tally::default() });
        let broadcast = Broadcast { ended, ..Broadcast::of(&message("Test", &[]), "Test".to_owned(), &all) };
        assert_eq!(
            shown(&broadcast, &[attempt(&all[1], 500, true)], &all),
            r#"{"processed":[],"failed":["https://example.com/1 - nothing was sent","https://example.com/2 - answered 500"]}"#
        );
    }

    #[test]
    fn a_client_that_came_while_a_message_was_on_its_way_is_shown() {
        let broadcast = Broadcast::of(&message("Test", &[]), "Test".to_owned(), &[]);
        let shown = shown(&broadcast, &[attempt(&client(1), 200, false)], &[client(1)]);
        assert_eq!(shown, r#"{"processed":["https://example.com/1"],"failed":[]}"#);
    }

    #[test]
    fn a_client_is_known_by_its_url() {
        let url = |text: &str| WebhookUrl::try_from(text.to_owned()).unwrap();
        assert_eq!(endpoint_uid(&url("https://example.com/a")), endpoint_uid(&url("https://example.com/a")));
        assert_ne!(endpoint_uid(&url("https://example.com/a")), endpoint_uid(&url("https://example.com/b")));
    }
}
