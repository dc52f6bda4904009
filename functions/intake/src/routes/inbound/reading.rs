//! What a request says: the sender's own id of it, and the event. Each kind of source says it in its own place. All that
//! is wrong is told at once, each fault with its way from the request on.

mod docebo;

use http::HeaderMap;
use serde_json::Value;
use tidings_domain::source::verification::standard_id;
use tidings_domain::source::{HeaderName, Names, Scheme};
use tidings_domain::transaction::{MAX_EVENT_CHARS, MAX_MESSAGE_ID_CHARS};
use tidings_http::{Fault, FaultKind, FromJson as _, Text, parse};

use super::check::{MAX_CHALLENGE, is_challenge};
use super::header::{Once, once};

/// The event of a request that does not name one.
const UNKNOWN: &str = "unknown";

/// What Slack asks before it sends.
const SLACK_QUESTION: &str = "url_verification";

/// What a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// A webhook.
    Event(Named),
    /// A question whether somebody is there; this is the answer.
    Challenge(String),
}

/// How a webhook is named by its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Its id, which a redelivery has, too.
    pub(super) message_id: Option<String>,
    /// The event.
    pub(super) event: String,
}

/// Reads a request of a source with this scheme.
pub(super) fn read(scheme: &Scheme, headers: &HeaderMap, body: &[u8]) -> Result<Reading, Vec<Fault>> {
    let mut reader = Reader { headers, faults: Vec::new() };
    reader.refuse_encoding();
    let body = reader.body(body);
    // Without a body what the headers say is looked at all the same: every fault is told at once.
    let body = body.unwrap_or(Value::Null);
    if matches!(scheme, Scheme::Slack) && body.get("type").and_then(Value::as_str) == Some(SLACK_QUESTION) {
        return reader.challenge(&body);
    }
    let (message_id, event) = match scheme {
        Scheme::Docebo => reader.docebo(body),
        Scheme::Generic { names: Names { id_header, event_header }, .. }
        | Scheme::None { names: Names { id_header, event_header } } => {
            let id = id_header.as_ref().map(HeaderName::as_str);
            let event = match event_header {
                Some(header) => reader.header_event(header.as_str()),
                None => reader.body_event(&body, &[&["event"], &["type"]]),
            };
            (id.and_then(|id| reader.header_id(id)), event)
        }
        Scheme::Github => (reader.needed_header_id("x-github-delivery"), reader.header_event("x-github-event")),
        Scheme::Shopify => (reader.needed_header_id("x-shopify-webhook-id"), reader.header_event("x-shopify-topic")),
        Scheme::Slack => {
            (reader.body_id(&body, "event_id"), reader.body_event(&body, &[&["event", "type"], &["type"]]))
        }
        Scheme::Standard => (reader.standard_id(), reader.body_event(&body, &[&["type"]])),
        Scheme::Stripe => (reader.needed_body_id(&body, "id"), reader.body_event(&body, &[&["type"]])),
    };
    if !reader.faults.is_empty() {
        return Err(reader.faults);
    }
    Ok(Reading::Event(Named { message_id, event: event.unwrap_or_else(|| UNKNOWN.to_owned()) }))
}

struct Reader<'a> {
    headers: &'a HeaderMap,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// What was signed are the bytes that came. To look into others, made from them, would be another trust.
    fn refuse_encoding(&mut self) {
        let is_none = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !self.headers.get_all("content-encoding").iter().all(is_none) {
            self.refuse_header("content-encoding", "must be left out: bodies are not decompressed");
        }
    }

    /// The body, if it is JSON.
    fn body(&mut self, body: &[u8]) -> Option<Value> {
        parse(body).map_err(|why| self.faults.push(Fault::new(FaultKind::Value, why).within("body"))).ok()
    }

    fn docebo(&mut self, body: Value) -> (Option<String>, Option<String>) {
        if body.is_null() && !self.faults.is_empty() {
            // There is nothing to look into.
            return (None, None);
        }
        match docebo::read(body) {
            Ok(Named { message_id, event }) => (message_id, Some(event)),
            Err(faults) => {
                self.faults.extend(faults.into_iter().map(|fault| fault.within("body")));
                (None, None)
            }
        }
    }

    fn challenge(mut self, body: &Value) -> Result<Reading, Vec<Fault>> {
        let challenge = body.get("challenge").and_then(Value::as_str).filter(|text| is_challenge(text));
        if challenge.is_none() {
            let why = format!("must be a text of 1 to {MAX_CHALLENGE} visible ASCII characters");
            self.refuse_body("challenge", FaultKind::Value, why);
        }
        match challenge {
            Some(challenge) if self.faults.is_empty() => Ok(Reading::Challenge(challenge.to_owned())),
            _ => Err(self.faults),
        }
    }

    fn standard_id(&mut self) -> Option<String> {
        // Only the id that was signed: another one beside it is anybody's.
        let headers = self.headers;
        match standard_id(|name| once(headers, name).value()) {
            Some(id) => self.id("webhook-id", id),
            None => self.missing_header("webhook-id"),
        }
    }

    fn needed_header_id(&mut self, name: &str) -> Option<String> {
        if once(self.headers, name) == Once::Absent { self.missing_header(name) } else { self.header_id(name) }
    }

    fn header_id(&mut self, name: &str) -> Option<String> {
        match once(self.headers, name) {
            Once::Absent => None,
            Once::Value(id) => self.id(name, id),
            Once::Unclear => self.unclear(name),
        }
    }

    fn id(&mut self, header: &str, id: &str) -> Option<String> {
        if (1..=MAX_MESSAGE_ID_CHARS).contains(&id.chars().count()) {
            return Some(id.to_owned());
        }
        self.refuse_header(header, format!("must be 1 to {MAX_MESSAGE_ID_CHARS} characters long"));
        None
    }

    fn header_event(&mut self, name: &str) -> Option<String> {
        match once(self.headers, name) {
            Once::Absent | Once::Value("") => None,
            Once::Value(event) if event.chars().count() <= MAX_EVENT_CHARS => Some(event.to_owned()),
            Once::Value(_) => {
                self.refuse_header(name, format!("must be at most {MAX_EVENT_CHARS} characters long"));
                None
            }
            Once::Unclear => self.unclear(name),
        }
    }

    fn needed_body_id(&mut self, body: &Value, name: &str) -> Option<String> {
        if body.get(name).is_none() {
            // If the body could not be read, that is what is wrong with it.
            if self.faults.is_empty() {
                self.refuse_body(name, FaultKind::Missing, "is required");
            }
            return None;
        }
        self.body_id(body, name)
    }

    fn body_id(&mut self, body: &Value, name: &str) -> Option<String> {
        match Text::<1, MAX_MESSAGE_ID_CHARS>::from_json(body.get(name)?.clone()) {
            Ok(Text(id)) => Some(id),
            Err(faults) => {
                self.faults.extend(faults.into_iter().map(|fault| fault.within(name).within("body")));
                None
            }
        }
    }

    /// The first of these properties that is a text.
    fn body_event(&mut self, body: &Value, ways: &[&[&str]]) -> Option<String> {
        let (way, event) = ways.iter().find_map(|way| {
            let value = way.iter().try_fold(body, |value, name| value.get(name))?;
            value.as_str().filter(|text| !text.is_empty()).map(|text| (*way, text))
        })?;
        if event.chars().count() <= MAX_EVENT_CHARS {
            return Some(event.to_owned());
        }
        let fault = Fault::new(FaultKind::Value, format!("must be at most {MAX_EVENT_CHARS} characters long"));
        self.faults.push(way.iter().rfold(fault, |fault, name| fault.within(*name)).within("body"));
        None
    }

    fn missing_header(&mut self, name: &str) -> Option<String> {
        self.faults.push(Fault::new(FaultKind::Missing, "is required").within(name).within("header"));
        None
    }

    fn unclear(&mut self, name: &str) -> Option<String> {
        self.refuse_header(name, "must be there once, and be a text");
        None
    }

    fn refuse_header(&mut self, name: &str, why: impl Into<std::borrow::Cow<'static, str>>) {
        self.faults.push(Fault::new(FaultKind::Value, why).within(name).within("header"));
    }

    fn refuse_body(&mut self, name: &str, kind: FaultKind, why: impl Into<std::borrow::Cow<'static, str>>) {
        self.faults.push(Fault::new(kind, why).within(name).within("body"));
    }
}
