//! Senders of every kind, and the sources that they send to.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::ids::SourceId;
use tidings_domain::retention::Retention;
use tidings_domain::source::{
    Algorithm, Encoding, Names, Scheme, SignatureFormat, Source, SourceKey, SourceKeys, SourceKind,
};
use tidings_domain::transaction::{Transaction, TransactionError, TransactionName};
use tidings_store::{Created, Store};

use super::{NOW, Service, organization, vault};

/// A webhook of Docebo, as its documentation has it.
pub(crate) const DOCEBO_BODY: &str = r#"{"event":"course.enrollment.created","fired_by_batch_action":false,
 "message_id":"wh-20240313-145834-5bf0ce52-91d0-40fa-98d8-d8286b78f8b8",
 "payload":{"fired_at":"2024-03-13 14:58:26","user_id":13250,"username":"jane","course_id":37,
  "course_name":"Safety","level":"learner","enrollment_date":"2024-03-13 14:58:26",
  "enrollment_date_begin_validity":null,"enrollment_date_end_validity":null,
  "subscribed_by_id":13250,"status":"subscribed"}}"#;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Somebody who sends webhooks to a source.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) scheme: Scheme,
    pub(crate) key: Option<SourceKey>,
    /// What it sends.
    pub(crate) body: &'static str,
    /// Its own headers that are not signed.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) message_id: Option<&'static str>,
    pub(crate) event: &'static str,
}

impl Sender {
    pub(crate) fn all() -> Vec<Self> {
        SourceKind::ALL.into_iter().map(Self::of).collect()
    }

    pub(crate) fn of(kind: SourceKind) -> Self {
        let secret = |text: &str| Some(SourceKey::Secret(text.to_owned()));
        let names = Names {
            id_header: Some("X-Thing-Id".parse().unwrap()),
            event_header: Some("X-Thing-Event".parse().unwrap()),
        };
        match kind {
            SourceKind::Docebo => Self {
                scheme: Scheme::Docebo,
                key: Some(SourceKey::Login { username: "docebo".to_owned(), password: "hunter2: a pass".to_owned() }),
                body: DOCEBO_BODY,
                headers: vec![],
                message_id: Some("wh-20240313-145834-5bf0ce52-91d0-40fa-98d8-d8286b78f8b8"),
                event: "course.enrollment.created",
            },
            SourceKind::Generic => Self {
                scheme: Scheme::Generic {
                    signature: SignatureFormat {
                        header: "X-Thing-Signature".parse().unwrap(),
                        algorithm: Algorithm::Sha512,
                        encoding: Encoding::Hex,
                        prefix: "sha512=".to_owned(),
                    },
                    names,
                },
                key: secret("a generic secret"),
                body: r#" { "made" : 1.00 } "#,
                headers: vec![("x-thing-id", "thing 1"), ("x-thing-event", "thing/made")],
                message_id: Some("thing 1"),
                event: "thing/made",
            },
            SourceKind::Github => Self {
                scheme: Scheme::Github,
                key: secret("It's a Secret to Everybody"),
                body: r#"{"action":"opened","issue":{"number":1}}"#,
                headers: vec![
                    ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
                    ("x-github-event", "issues"),
                ],
                message_id: Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
                event: "issues",
            },
            SourceKind::None => Self {
                scheme: Scheme::None { names: Names::default() },
                key: None,
                body: r#"{"event":"thing.made","type":"other"}"#,
                headers: vec![],
                message_id: None,
                event: "thing.made",
            },
            SourceKind::Shopify => Self {
                scheme: Scheme::Shopify,
                key: secret("shpss_secret"),
                body: r#"{"id":820982911946154508}"#,
                headers: vec![("x-shopify-topic", "orders/create"), ("x-shopify-webhook-id", "b54557e4-bdd9-4b37")],
                message_id: Some("b54557e4-bdd9-4b37"),
                event: "orders/create",
            },
            SourceKind::Slack => Self {
                scheme: Scheme::Slack,
                key: secret("8f742231b10e8888abcd99yyyzzz85a5"),
                body: r#"{"type":"event_callback","event_id":"Ev08MFMKH6","event":{"type":"reaction_added"}}"#,
                headers: vec![],
                message_id: Some("Ev08MFMKH6"),
                event: "reaction_added",
            },
            SourceKind::Standard => Self {
                scheme: Scheme::Standard,
                key: secret(SECRET),
                body: r#"{"type":"user.created","timestamp":"2022-11-03T20:26:10Z","data":{"id":"1f81eb52"}}"#,
                headers: vec![("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")],
                message_id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                event: "user.created",
            },
            SourceKind::Stripe => Self {
                scheme: Scheme::Stripe,
                key: secret(SECRET),
                body: r#"{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","type":"charge.succeeded","pending_webhooks":2}"#,
                headers: vec![],
                message_id: Some("evt_1NG8Du2eZvKYlo2CUI79vXWy"),
                event: "charge.succeeded",
            },
        }
    }

    pub(crate) fn kind(&self) -> SourceKind {
        self.scheme.kind()
    }

    /// What it is found by, if its sender names it.
    pub(crate) fn name(&self) -> TransactionName {
        TransactionName::of_message(self.message_id.unwrap())
    }

    /// A source of organization 1 for it.
    pub(crate) async fn source(&self, store: &Store, number: u8, uid: Option<&str>) -> Source {
        self.source_of(store, 1, number, uid).await
    }

    pub(crate) async fn source_of(&self, store: &Store, owner: u8, number: u8, uid: Option<&str>) -> Source {
        let mut source = Source {
            id: SourceId::new(NOW, [number; 15]),
            organization: organization(owner).organization,
            uid: uid.map(|uid| uid.parse().unwrap()),
            name: format!("{} {number}", self.kind()),
            scheme: self.scheme.clone(),
            keys: None,
            forward_to: None,
            retention: Retention::default(),
            created_at: NOW,
            updated_at: NOW,
        };
        source.keys = self.key.clone().map(|key| {
            let text = SourceKeys::new(key).seal_text();
            vault().seal(source.organization, &source.keys_context(), text.as_bytes())
        });
        assert_eq!(store.create_source(&source, None).await.unwrap(), Created::Written);
        source
    }

    /// What shows that a body is from it.
    pub(crate) fn proof(&self, body: &[u8], now: Timestamp) -> Vec<(&'static str, String)> {
        let seconds = now.as_secs().to_string();
        let mac = |algorithm, key: &[u8], start: &str| {
            let key = hmac::Key::new(algorithm, key);
            hmac::sign(&key, &[start.as_bytes(), body].concat()).as_ref().to_vec()
        };
        let key = |text: &SourceKey| match text {
            SourceKey::Secret(secret) => secret.clone(),
            SourceKey::Login { username, password } => format!("{username}:{password}"),
        };
        let Some(key) = self.key.as_ref().map(key) else { return vec![] };
        let sha256 = |key: &[u8], start: &str| mac(hmac::HMAC_SHA256, key, start);
        match self.kind() {
            SourceKind::Docebo => vec![("authorization", format!("Basic {}", BASE64_STANDARD.encode(key)))],
            SourceKind::Generic => {
                vec![("x-thing-signature", format!("sha512={}", hex(&mac(hmac::HMAC_SHA512, key.as_bytes(), ""))))]
            }
            SourceKind::Github => {
                vec![("x-hub-signature-256", format!("sha256={}", hex(&sha256(key.as_bytes(), ""))))]
            }
            SourceKind::None => vec![],
            SourceKind::Shopify => {
                vec![("x-shopify-hmac-sha256", BASE64_STANDARD.encode(sha256(key.as_bytes(), "")))]
            }
            SourceKind::Slack => {
                let signature = hex(&sha256(key.as_bytes(), &format!("v0:{seconds}:")));
                vec![("x-slack-signature", format!("v0={signature}")), ("x-slack-request-timestamp", seconds)]
            }
            SourceKind::Standard => {
                let key = BASE64_STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
                let id = self.headers.iter().find(|(name, _)| *name == "webhook-id").unwrap().1;
                let signature = BASE64_STANDARD.encode(sha256(&key, &format!("{id}.{seconds}.")));
                vec![("webhook-signature", format!("v1,{signature}")), ("webhook-timestamp", seconds)]
            }
            SourceKind::Stripe => {
                let signature = hex(&sha256(key.as_bytes(), &format!("{seconds}.")));
                vec![("stripe-signature", format!("t={seconds},v1={signature}"))]
            }
        }
    }

    /// A request with a body of its own, that it made at the tests' time.
    pub(crate) fn sends(&self, path: &str, body: impl Into<Vec<u8>>) -> Request<Body> {
        let body = body.into();
        let mut request = Request::post(path).header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        for (name, value) in self.proof(&body, NOW) {
            request = request.header(name, value);
        }
        request.body(Body::from(body)).unwrap()
    }

    /// What it usually sends.
    pub(crate) fn request(&self, path: &str) -> Request<Body> {
        self.sends(path, self.body)
    }
}

impl Service {
    /// A source of organization 1, and its door.
    pub(crate) async fn source_for(&self, sender: &Sender) -> (Source, String) {
        let source = sender.source(self.table.store(), 1, None).await;
        let path = format!("/in/{}", source.id);
        (source, path)
    }

    /// The transaction that a source has under a name.
    pub(crate) async fn transaction(&self, source: &Source, name: &TransactionName) -> Option<Transaction> {
        self.table.store().transaction(source.organization, source.id, name).await.unwrap()
    }

    /// All that was rejected, newest first.
    pub(crate) async fn errors(&self, source: &Source) -> Vec<TransactionError> {
        let limit = 250.try_into().unwrap();
        self.table.store().transaction_errors(source, NOW, None, limit).await.unwrap().data
    }

    /// How many transactions and transaction errors the table holds.
    pub(crate) async fn kept(&self) -> (usize, usize) {
        (self.count("transaction").await, self.count("transaction_error").await)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The transaction that an answer of 200 tells of.
pub(crate) async fn new_transaction(response: Response<Body>) -> Value {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["message"], "Transaction has been saved successfully");
    answer["newTransaction"].clone()
}
