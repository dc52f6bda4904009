//! For every operation a request that succeeds, given the right credential. The list of operations is the documents':
//! a new one without a row here fails.

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use tidings_domain::application::Application;
use tidings_domain::attempt::Attempt;
use tidings_domain::background_task::BackgroundTask;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{ApiKeyId, MessageId};
use tidings_domain::job::Job;
use tidings_domain::message::Message;
use tidings_domain::source::Source;
use tidings_domain::transaction::{ComputeError, Transaction, TransactionError};
use tidings_store::Store;

use crate::arrange;
use crate::broker;
use crate::client;
use crate::documents::{Operation, operations};
use crate::inbound;
use crate::organization::{ACME, PLATFORM};
use crate::organization_initialization;
use crate::outbound;
use crate::support::organization;

/// What the requests are about: organization 1's.
pub(crate) struct Fixtures {
    pub(crate) failed: Job,
    pub(crate) key: ApiKeyId,
    /// What the key's holder sends.
    pub(crate) secret: String,
    /// The one whose credentials the matrix has, with the uid `acme`.
    pub(crate) application: Application,
    /// Its own, with the uid `hook`.
    pub(crate) endpoint: Endpoint,
    /// What it was sent, and what became of that.
    pub(crate) message: Message,
    pub(crate) attempt: Attempt,
    pub(crate) task: BackgroundTask,
    pub(crate) client: Endpoint,
    /// A triggered event that failed at its only URL.
    pub(crate) job: MessageId,
    /// With the uid `docebo`.
    pub(crate) source: Source,
    /// What came in through its door: one that was accepted, and one that was rejected and could be accepted now.
    pub(crate) transaction: Transaction,
    pub(crate) transaction_error: TransactionError,
    /// What could not be computed of the one that was accepted.
    pub(crate) compute_error: ComputeError,
}

impl Fixtures {
    pub(crate) async fn arrange(store: &Store) -> Self {
        let (key, secret) = arrange::api_key(store, &organization(1), 1).await;
        let application = arrange::application(store, 1, 9, Some("acme")).await;
        let endpoint = arrange::endpoint(store, &application, 1, Some("hook")).await;
        arrange::event_type(store, &arrange::imagined_event_type("user.signup")).await;
        let message = outbound::message(store, &application, 1).await;
        let attempt = outbound::attempt(store, &outbound::failed(&endpoint, &message, 1)).await;
        let task = outbound::task(store, &endpoint, 1).await;
        let client = client::registered(store, 1).await;
        let failed = arrange::failed(store, 1).await;
        organization_initialization::failed(store, 1, "acme").await;
        let job = broker::failed(store).await;
        let source = arrange::source(store, 1, 1, Some("docebo")).await;
        let transaction = inbound::transaction(store, &source, 1).await;
        let transaction_error = inbound::transaction_error(store, &source, 1, WEBHOOK.as_bytes()).await;
        let compute_error = inbound::compute_error(store, &source, &transaction, None).await;
        inbound::enroll(store, &source, &serde_json::json!([{"user_id": 1, "course_id": 1}])).await;
        Self {
            failed,
            key,
            secret,
            application,
            endpoint,
            message,
            attempt,
            task,
            client,
            job,
            source,
            transaction,
            transaction_error,
            compute_error,
        }
    }

    /// Without a table that could hold them.
    pub(crate) fn imagined() -> Self {
        let secret = tidings_domain::api_key::ApiKeySecret::new([1; 32]).reveal().to_owned();
        let application = arrange::imagined_application(1, 9, Some("acme"));
        let endpoint = arrange::imagined_endpoint(&application, 1, Some("hook"));
        let key = ApiKeyId::new(crate::support::NOW, [1; 15]);
        let message = outbound::imagined_message(&application, 1);
        let attempt = outbound::failed(&endpoint, &message, 1);
        let task = outbound::imagined_task(&endpoint, 1);
        let client = arrange::imagined_endpoint(&application, 1, None);
        let (failed, job) = (arrange::job(1), message.id);
        let source = arrange::imagined_source(1, 1, Some("docebo"));
        let transaction = inbound::imagined_transaction(&source, 1);
        let transaction_error = inbound::imagined_transaction_error(&source, 1, WEBHOOK.as_bytes());
        let compute_error = inbound::imagined_compute_error(&transaction, None);
        Self {
            failed,
            key,
            secret,
            application,
            endpoint,
            message,
            attempt,
            task,
            client,
            job,
            source,
            transaction,
            transaction_error,
            compute_error,
        }
    }

    /// A good request for an operation, with this credential.
    pub(crate) fn request(&self, operation: &Operation, bearer: Option<&str>) -> Request<Body> {
        let row = ROWS.iter().find(|(id, _)| *id == operation.id);
        let (_, make) = row.unwrap_or_else(|| panic!("{} needs a row in {}", operation.id, file!()));
        let (path, body) = make(self);
        assert!(operation.matches(&operation.method, &path), "{} is not at {path}", operation.id);
        let mut request =
            Request::builder().method(operation.method.as_str()).uri(path).header("host", "tidings.example");
        if LOGINS.contains(&&*operation.id) {
            request = request.header("authorization", arrange::LOGIN);
        } else if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        request.body(body.into()).unwrap()
    }
}

impl Fixtures {
    /// A path below the application's.
    fn below_application(&self, rest: &str) -> String {
        format!("/api/v1/app/{}{rest}", self.application.id)
    }

    /// A path below the message's.
    fn below_message(&self, rest: &str) -> String {
        self.below_application(&format!("/msg/{}{rest}", self.message.id))
    }

    /// A path below the endpoint's.
    fn below_endpoint(&self, rest: &str) -> String {
        self.below_application(&format!("/endpoint/{}{rest}", self.endpoint.id))
    }

    /// A path below the source's, where it is managed.
    fn below_source(&self, rest: &str) -> String {
        format!("/api/v1/source/{}{rest}", self.source.id)
    }
}

/// Doors: what a request shows there is its source's login, whoever sends it.
const LOGINS: [&str; 2] = ["inbound.create", "inbound.docebo.create"];

type Make = fn(&Fixtures) -> (String, &'static str);

const JOB: &str = r#"{"providers":["gas"],"callbackUrl":"https://example.com/complete"}"#;

const PAIR: &str = r#"{"eventName":"upload_image","webhookUrl":"https://example.com/1"}"#;

const CLIENT: &str = r#"{"url":"https://example.com/new","token":"a"}"#;

const ENDPOINT: &str = r#"{"url":"https://example.com/"}"#;

const PING: &str = r#"{"eventType":"svix.ping"}"#;

const SINCE: &str = r#"{"since":"2027-01-10T00:00:00Z"}"#;

const SOURCE: &str = r#"{"name":"x","kind":"none"}"#;

const WEBHOOK: &str = r#"{"message_id":"wh-new","event":"course.updated","fired_by_batch_action":false,"payload":{}}"#;

const ENROLLMENTS: &str = r#"[{"user_id":1,"course_id":1,"status":"subscribed"}]"#;

const ROWS: &[(&str, Make)] = &[
    ("api-key.create", |_| ("/api/v1/api-key".to_owned(), "{}")),
    ("api-key.list", |_| ("/api/v1/api-key".to_owned(), "")),
    ("api-key.revoke", |fixtures| (format!("/api/v1/api-key/{}", fixtures.key), "")),
    ("broker.dead-letter.list", |_| ("/api/v0/dead-letters".to_owned(), "")),
    ("broker.job.count", |_| ("/api/v0/trigger-event".to_owned(), "")),
    ("broker.job.create", |_| ("/api/v0/trigger-event/upload_image".to_owned(), r#"{"a":1}"#)),
    ("broker.job.get", |fixtures| (format!("/api/v0/trigger-event/{}", fixtures.job), "")),
    ("broker.job.replay", |fixtures| (format!("/api/v0/trigger-event/{}/replay", fixtures.job), "")),
    ("broker.subscription.create", |_| ("/api/v0/webhooks".to_owned(), PAIR)),
    ("broker.subscription.delete", |_| ("/api/v0/webhooks".to_owned(), PAIR)),
    ("broker.subscription.get", |_| ("/api/v0/webhooks/upload_image".to_owned(), "")),
    ("broker.subscription.list", |_| ("/api/v0/webhooks".to_owned(), "")),
    ("client.create", |_| ("/api/webhooks".to_owned(), CLIENT)),
    ("client.delete", |fixtures| (format!("/api/webhooks?url={}", fixtures.client.url), "")),
    ("client.list", |_| ("/api/webhooks".to_owned(), "")),
    ("client.list-batches", |_| ("/api/webhooks/batches".to_owned(), "")),
    ("client.trigger", |_| ("/api/webhooks/test".to_owned(), r#"{"payload":["aaaa"]}"#)),
    ("complete.create", |_| ("/complete".to_owned(), r#"{"jobId":"job_1","data":[]}"#)),
    ("docs.openapi", |_| ("/openapi.json".to_owned(), "")),
    ("application.get-stats", |fixtures| (fixtures.below_application("/stats"), "")),
    ("docs.page", |_| ("/docs".to_owned(), "")),
    ("endpoint.get-attempt-stats", |fixtures| (fixtures.below_endpoint("/attempt-stats"), "")),
    ("inbound.check", |fixtures| (inbound::below(&fixtures.source, ""), "")),
    ("inbound.compute-error.get", |fixtures| {
        (inbound::below(&fixtures.source, &format!("/compute-errors/{}", fixtures.compute_error.id)), "")
    }),
    ("inbound.compute-error.list", |fixtures| (inbound::below(&fixtures.source, "/compute-errors"), "")),
    ("inbound.compute-error.retry", |fixtures| {
        (inbound::below(&fixtures.source, &format!("/compute-errors/{}/retry", fixtures.compute_error.id)), "")
    }),
    ("inbound.create", |fixtures| (inbound::below(&fixtures.source, ""), WEBHOOK)),
    ("inbound.docebo.check", |_| ("/transaction".to_owned(), "")),
    ("inbound.docebo.create", |_| ("/transaction".to_owned(), WEBHOOK)),
    ("inbound.enrollment.export", |fixtures| (inbound::below(&fixtures.source, "/enrollments/export"), "")),
    ("inbound.enrollment.import", |fixtures| (inbound::below(&fixtures.source, "/enrollments"), ENROLLMENTS)),
    ("inbound.enrollment.list", |fixtures| (inbound::below(&fixtures.source, "/enrollments"), "")),
    ("inbound.transaction.get", |fixtures| {
        (inbound::below(&fixtures.source, &format!("/transactions/{}", fixtures.transaction.id)), "")
    }),
    ("inbound.transaction.list", |fixtures| (inbound::below(&fixtures.source, "/transactions"), "")),
    ("inbound.transaction.replay", |fixtures| {
        (inbound::below(&fixtures.source, &format!("/transactions/{}/replay", fixtures.transaction.id)), "")
    }),
    ("inbound.transaction.replay-range", |fixtures| (inbound::below(&fixtures.source, "/transactions/replay"), SINCE)),
    ("inbound.transaction-error.get", |fixtures| {
        (inbound::below(&fixtures.source, &format!("/transaction-errors/{}", fixtures.transaction_error.id)), "")
    }),
    ("inbound.transaction-error.list", |fixtures| (inbound::below(&fixtures.source, "/transaction-errors"), "")),
    ("inbound.transaction-error.retry", |fixtures| {
        (inbound::below(&fixtures.source, &format!("/transaction-errors/{}/retry", fixtures.transaction_error.id)), "")
    }),
    ("job.create", |_| ("/webhook".to_owned(), JOB)),
    ("job.get", |fixtures| (format!("/webhook/{}", fixtures.failed.id), "")),
    ("job.list", |_| ("/webhook".to_owned(), "")),
    ("job.retry", |fixtures| (format!("/webhook/{}/retry", fixtures.failed.id), "")),
    ("job.signing-secret", |_| ("/webhook/signing-secret".to_owned(), "")),
    ("logout_api_v1_auth_logout__post", |_| ("/api/v1/auth/logout".to_owned(), "")),
    ("organization.create-endpoint", |_| (format!("{ACME}/endpoints"), ENDPOINT)),
    ("organization.create-preconfigured-endpoints", |_| (format!("{ACME}/preconfigured-endpoints"), "")),
    ("organization.delete-endpoint", |fixtures| (format!("{ACME}/endpoints/{}", fixtures.endpoint.id), "")),
    ("organization.get-initialization-stats", |_| (format!("{PLATFORM}/initialization-stats"), "")),
    ("organization.get-initialization-status", |_| (format!("{ACME}/initialization-status"), "")),
    ("organization.get-status", |_| (format!("{PLATFORM}/status"), "")),
    ("organization.initialize", |_| (format!("{ACME}/initialize"), "")),
    ("organization.list-attempts", |fixtures| (format!("{ACME}/messages/{}/attempts", fixtures.message.id), "")),
    ("organization.list-endpoints", |_| (format!("{ACME}/endpoints"), "")),
    ("organization.list-preconfigured-endpoints", |_| (format!("{PLATFORM}/preconfigured-endpoints"), "")),
    ("organization.retry-failed-initializations", |_| (format!("{PLATFORM}/retry-failed-initializations"), "")),
    ("organization.send", |_| (format!("{ACME}/send"), r#"{"eventType":"a","payload":{}}"#)),
    ("organization.send-event", |_| {
        (format!("{PLATFORM}/events"), r#"{"event":"organization.created","organizationId":"acme"}"#)
    }),
    ("organization.update-all-endpoints", |_| (format!("{PLATFORM}/update-all-endpoints"), "")),
    ("patch_application", |fixtures| (fixtures.below_application(""), "{}")),
    ("patch_endpoint", |fixtures| (fixtures.below_endpoint(""), "{}")),
    ("patch_event_type", |_| ("/api/v1/event-type/user.signup".to_owned(), r#"{"description":"x"}"#)),
    ("provider.get", |_| ("/providers/gas".to_owned(), "")),
    ("v1.application.create", |_| ("/api/v1/app".to_owned(), r#"{"name":"x"}"#)),
    ("v1.application.delete", |fixtures| (fixtures.below_application(""), "")),
    ("v1.application.get", |fixtures| (fixtures.below_application(""), "")),
    ("v1.application.list", |_| ("/api/v1/app".to_owned(), "")),
    ("v1.application.update", |fixtures| (fixtures.below_application(""), r#"{"name":"x"}"#)),
    ("v1.authentication.app-portal-access", |fixtures| {
        (format!("/api/v1/auth/app-portal-access/{}", fixtures.application.id), "{}")
    }),
    ("v1.authentication.expire-all", |fixtures| {
        (format!("/api/v1/auth/app/{}/expire-all", fixtures.application.id), "{}")
    }),
    ("v1.background-task.get", |fixtures| (format!("/api/v1/background-task/{}", fixtures.task.id), "")),
    ("v1.background-task.list", |_| ("/api/v1/background-task".to_owned(), "")),
    ("v1.endpoint.create", |fixtures| (fixtures.below_application("/endpoint"), ENDPOINT)),
    ("v1.endpoint.delete", |fixtures| (fixtures.below_endpoint(""), "")),
    ("v1.endpoint.get", |fixtures| (fixtures.below_endpoint(""), "")),
    ("v1.endpoint.get-headers", |fixtures| (fixtures.below_endpoint("/headers"), "")),
    ("v1.endpoint.get-secret", |fixtures| (fixtures.below_endpoint("/secret"), "")),
    ("v1.endpoint.get-stats", |fixtures| (fixtures.below_endpoint("/stats"), "")),
    ("v1.endpoint.list", |fixtures| (fixtures.below_application("/endpoint"), "")),
    ("v1.endpoint.patch-headers", |fixtures| (fixtures.below_endpoint("/headers"), r#"{"headers":{"X-A":"1"}}"#)),
    ("v1.endpoint.recover", |fixtures| (fixtures.below_endpoint("/recover"), SINCE)),
    ("v1.endpoint.replay-missing", |fixtures| (fixtures.below_endpoint("/replay-missing"), SINCE)),
    ("v1.endpoint.rotate-secret", |fixtures| (fixtures.below_endpoint("/secret/rotate"), "{}")),
    ("v1.endpoint.send-example", |fixtures| (fixtures.below_endpoint("/send-example"), PING)),
    ("v1.endpoint.update", |fixtures| (fixtures.below_endpoint(""), ENDPOINT)),
    ("v1.endpoint.update-headers", |fixtures| (fixtures.below_endpoint("/headers"), r#"{"headers":{"X-A":"1"}}"#)),
    ("v1.event-type.create", |_| ("/api/v1/event-type".to_owned(), r#"{"name":"x","description":"x"}"#)),
    ("v1.event-type.delete", |_| ("/api/v1/event-type/user.signup".to_owned(), "")),
    ("v1.event-type.get", |_| ("/api/v1/event-type/user.signup".to_owned(), "")),
    ("v1.event-type.list", |_| ("/api/v1/event-type".to_owned(), "")),
    ("v1.event-type.update", |_| ("/api/v1/event-type/user.signup".to_owned(), r#"{"description":"x"}"#)),
    ("v1.health.get", |_| ("/api/v1/health".to_owned(), "")),
    ("v1.health.ping", |_| ("/api/v1/health/ping".to_owned(), "")),
    ("v1.message.create", |fixtures| (fixtures.below_application("/msg"), r#"{"eventType":"a","payload":{}}"#)),
    ("v1.message.expunge-content", |fixtures| (fixtures.below_message("/content"), "")),
    ("v1.message.get", |fixtures| (fixtures.below_message(""), "")),
    ("v1.message.list", |fixtures| (fixtures.below_application("/msg"), "")),
    ("v1.message.precheck", |fixtures| (fixtures.below_application("/msg/precheck/active"), r#"{"eventType":"a"}"#)),
    ("v1.message-attempt.expunge-content", |fixtures| {
        (fixtures.below_message(&format!("/attempt/{}/content", fixtures.attempt.id)), "")
    }),
    ("v1.message-attempt.get", |fixtures| (fixtures.below_message(&format!("/attempt/{}", fixtures.attempt.id)), "")),
    ("v1.message-attempt.list-attempted-destinations", |fixtures| (fixtures.below_message("/endpoint"), "")),
    ("v1.message-attempt.list-attempted-messages", |fixtures| (fixtures.below_endpoint("/msg"), "")),
    ("v1.message-attempt.list-by-endpoint", |fixtures| {
        (fixtures.below_application(&format!("/attempt/endpoint/{}", fixtures.endpoint.id)), "")
    }),
    ("v1.message-attempt.list-by-msg", |fixtures| {
        (fixtures.below_application(&format!("/attempt/msg/{}", fixtures.message.id)), "")
    }),
    ("v1.message-attempt.resend", |fixtures| {
        (fixtures.below_message(&format!("/endpoint/{}/resend", fixtures.endpoint.id)), "")
    }),
    ("v1.source.create", |_| ("/api/v1/source".to_owned(), SOURCE)),
    ("v1.source.delete", |fixtures| (fixtures.below_source(""), "")),
    ("v1.source.get", |fixtures| (fixtures.below_source(""), "")),
    ("v1.source.list", |_| ("/api/v1/source".to_owned(), "")),
    ("v1.source.patch", |fixtures| (fixtures.below_source(""), r#"{"name":"y"}"#)),
    ("v1.source.rotate-secret", |fixtures| (fixtures.below_source("/secret/rotate"), r#"{"password":"x"}"#)),
    ("v1.source.update", |fixtures| (fixtures.below_source(""), SOURCE)),
];

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let described: BTreeSet<_> = operations().into_iter().map(|operation| operation.id).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(described, rows);
}
