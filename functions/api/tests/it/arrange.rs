//! What the tests are about, as it comes to be, by the store.

use std::time::Duration;

use serde_json::value::RawValue;
use tidings_domain::Timestamp;
use tidings_domain::api_key::{ApiKey, ApiKeySecret};
use tidings_domain::application::Application;
use tidings_domain::caller::Caller;
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::event_type::EventType;
use tidings_domain::ids::{ApiKeyId, ApplicationId, EndpointId, JobId, SourceId};
use tidings_domain::job::{Job, JobStatus, ProviderId};
use tidings_domain::metadata::Metadata;
use tidings_domain::retention::Retention;
use tidings_domain::signature::{EndpointKeys, SigningKey};
use tidings_domain::source::{Scheme, Source, SourceKey, SourceKeys};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_store::agenda::{Claim, Finished};
use tidings_store::job::Accepted;
use tidings_store::{Created, Store};

use crate::support::{NOW, organization, vault};

pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// A job of organization 1. Higher numbers are younger, by a second each; 100 is made now.
pub(crate) fn job(number: i64) -> Job {
    let created_at = Timestamp::from_millis(NOW.as_millis() + (number - 100) * 1000);
    Job {
        id: JobId::new(created_at, [7; 15]),
        organization: organization(1).organization,
        providers: ["gas", "internet"].map(provider).to_vec(),
        callback_url: WebhookUrl::try_from("https://example.com/complete".to_owned()).unwrap(),
        status: JobStatus::Pending,
        created_at,
        updated_at: created_at,
        tries: 0,
        last_error: None,
        next_due: Some(created_at + GRACE),
    }
}

fn provider(name: &str) -> ProviderId {
    ProviderId::try_from(name.to_owned()).unwrap()
}

pub(crate) async fn pending(store: &Store, number: i64) -> Job {
    let job = job(number);
    assert_eq!(store.create_job(&job, None).await.unwrap(), Accepted::Written);
    job
}

pub(crate) async fn failed(store: &Store, number: i64) -> Job {
    let job = pending(store, number).await;
    answer(store, &job, "gas", r#"[{"billedOn":"2020-04-07T15:03:14.257Z","amount":22.270}]"#).await;
    let claim = claim(store, &job).await;
    let ended = store.fail_job(&job, &claim, "internet: answered 500", job.created_at + GRACE * 2).await.unwrap();
    assert_eq!(ended, Finished::Written);
    job
}

pub(crate) async fn complete(store: &Store, number: i64) -> Job {
    let job = pending(store, number).await;
    answer(store, &job, "gas", r#"[{"amount":22.27},{"amount":30}]"#).await;
    answer(store, &job, "internet", "[]").await;
    let claim = claim(store, &job).await;
    assert_eq!(store.complete_job(&job, &claim, job.created_at + GRACE * 2).await.unwrap(), Finished::Written);
    job
}

pub(crate) async fn postponed(store: &Store, number: i64) -> Job {
    let job = pending(store, number).await;
    let claim = claim(store, &job).await;
    let (now, due) = (job.created_at + GRACE, job.created_at + GRACE * 4);
    assert_eq!(store.postpone_job(&job, &claim, "gas: answered 500", due, now).await.unwrap(), Finished::Written);
    job
}

async fn answer(store: &Store, job: &Job, name: &str, data: &str) {
    let data = RawValue::from_string(data.to_owned()).unwrap();
    store.keep_provider_data(job, &provider(name), &data, job.created_at + GRACE).await.unwrap();
}

/// What the agenda holds for a job, up to a time.
pub(crate) async fn owed(store: &Store, job: &Job, until: Timestamp) -> Vec<tidings_domain::agenda::Entry> {
    let page = store.due(job.work().shard(), until, None, 100).await.unwrap();
    page.entries.into_iter().filter(|entry| entry.key.work == job.work()).collect()
}

async fn claim(store: &Store, job: &Job) -> Claim {
    let due = job.next_due.unwrap();
    let entry = owed(store, job, due).await.remove(0);
    store.claim(&entry, due + Duration::from_secs(60)).await.unwrap().unwrap()
}

/// An API key, and what its holder sends.
pub(crate) async fn api_key(store: &Store, caller: &Caller, number: u8) -> (ApiKeyId, String) {
    let secret = ApiKeySecret::new([number; 32]);
    let id = ApiKeyId::new(NOW, [number; 15]);
    let key = ApiKey {
        id,
        description: format!("key {number}"),
        caller: caller.clone(),
        hash: secret.hash(),
        created_at: NOW,
    };
    store.create_api_key(&key).await.unwrap();
    (id, secret.reveal().to_owned())
}

/// An application of an organization. That of number 9 is [`crate::support::application`]'s.
pub(crate) async fn application(store: &Store, organization_number: u8, number: u8, uid: Option<&str>) -> Application {
    let application = imagined_application(organization_number, number, uid);
    assert_eq!(store.create_application(&application, None).await.unwrap(), Created::Written);
    application
}

pub(crate) fn imagined_application(organization_number: u8, number: u8, uid: Option<&str>) -> Application {
    let created_at = Timestamp::from_millis(1_700_000_000_000);
    Application {
        id: ApplicationId::new(created_at, [number; 15]),
        organization: organization(organization_number).organization,
        uid: uid.map(|uid| uid.parse().unwrap()),
        name: format!("application {number}"),
        throttle_rate: None,
        metadata: Metadata::default(),
        tokens_valid_after: None,
        created_at,
        updated_at: created_at,
    }
}

/// An endpoint of an application.
pub(crate) async fn endpoint(store: &Store, application: &Application, number: u8, uid: Option<&str>) -> Endpoint {
    let endpoint = imagined_endpoint(application, number, uid);
    assert_eq!(store.create_endpoint(&endpoint, None, None).await.unwrap(), Created::Written);
    endpoint
}

pub(crate) fn imagined_endpoint(application: &Application, number: u8, uid: Option<&str>) -> Endpoint {
    let created_at = application.created_at;
    let mut endpoint = Endpoint {
        id: EndpointId::new(created_at, [number; 15]),
        organization: application.organization,
        application: application.id,
        uid: uid.map(|uid| uid.parse().unwrap()),
        url: WebhookUrl::try_from(format!("https://example.com/{number}")).unwrap(),
        description: String::new(),
        event_types: None,
        channels: None,
        disabled: false,
        throttle_rate: None,
        metadata: Metadata::default(),
        retry_schedule: None,
        timeout: None,
        keys: Sealed(Vec::new()),
        headers: None,
        token: None,
        retried: Retried::All,
        failing_since: None,
        created_at,
        updated_at: created_at,
    };
    let keys = EndpointKeys::new(SigningKey::generate([number; 24]));
    endpoint.keys = vault().seal(endpoint.organization, &endpoint.keys_context(), keys.seal_text().as_bytes());
    endpoint
}

pub(crate) fn imagined_event_type(name: &str) -> EventType {
    EventType {
        organization: organization(1).organization,
        name: name.parse().unwrap(),
        description: format!("about {name}"),
        archived: false,
        deprecated: false,
        schemas: None,
        check_schema: false,
        feature_flags: Vec::new(),
        group_name: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) async fn event_type(store: &Store, event_type: &EventType) {
    assert_eq!(store.create_event_type(event_type, None).await.unwrap(), Created::Written);
}

/// What a request shows at a source's door: `docebo:correct horse`.
pub(crate) const LOGIN: &str = "Basic ZG9jZWJvOmNvcnJlY3QgaG9yc2U=";

/// A source of kind `docebo` of an organization, with the login `docebo`, `correct horse`.
pub(crate) async fn source(store: &Store, organization_number: u8, number: u8, uid: Option<&str>) -> Source {
    let source = imagined_source(organization_number, number, uid);
    assert_eq!(store.create_source(&source, None).await.unwrap(), Created::Written);
    source
}

pub(crate) fn imagined_source(organization_number: u8, number: u8, uid: Option<&str>) -> Source {
    let created_at = Timestamp::from_millis(1_700_000_000_000);
    let mut source = Source {
        id: SourceId::new(created_at, [number; 15]),
        organization: organization(organization_number).organization,
        uid: uid.map(|uid| uid.parse().unwrap()),
        name: format!("source {number}"),
        scheme: Scheme::Docebo,
        keys: None,
        forward_to: None,
        retention: Retention::default(),
        created_at,
        updated_at: created_at,
    };
    let login = SourceKey::Login { username: "docebo".to_owned(), password: "correct horse".to_owned() };
    let sealed = SourceKeys::new(login).seal_text();
    source.keys = Some(vault().seal(source.organization, &source.keys_context(), sealed.as_bytes()));
    source
}
