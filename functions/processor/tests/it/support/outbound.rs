//! Applications, endpoints and messages of a world.

use std::time::Duration;

use bytes::Bytes;
use processor::Processor;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::application::Application;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::delivery::Delivery;
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::ids::{ApplicationId, BackgroundTaskId, EndpointId, MessageId, OrganizationId};
use tidings_domain::message::{Message, RETENTION, Route};
use tidings_domain::names::Reference;
use tidings_domain::page::PageLimit;
use tidings_domain::signature::{EndpointKeys, SigningKey};
use tidings_runtime::random;
use tidings_store::Created;
use tidings_store::attempt::AttemptFilter;
use tidings_store::message::{MessageAccepted, NewMessage};

use crate::support::{GRACE, Wishes, World, vault};

/// Longer than jitter makes any delay.
const BEYOND: Duration = Duration::from_secs(1);

pub(crate) fn organization() -> OrganizationId {
    OrganizationId::new(Timestamp::from_millis(1_710_341_906_007), [1; 15])
}

/// Runs of the schedule that wait for nothing: tests move the clock.
pub(crate) fn impatient() -> Wishes {
    Wishes { stay: Duration::ZERO, ..Wishes::default() }
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate([7; 24])
}

/// As the API seals it.
pub(crate) fn seal(endpoint: &Endpoint, what: &str, text: &str) -> Sealed {
    let Endpoint { organization, application, id, .. } = endpoint;
    vault().seal(*organization, &format!("{organization}/{application}/{id}#{what}"), text.as_bytes())
}

impl World {
    pub(crate) async fn application(&self) -> Application {
        self.application_with(|_| {}).await
    }

    pub(crate) async fn application_with(&self, change: impl FnOnce(&mut Application)) -> Application {
        let now = self.clock.now();
        let mut application = Application {
            id: ApplicationId::new(now, random::bytes()),
            organization: organization(),
            uid: None,
            name: "Acme".to_owned(),
            throttle_rate: None,
            metadata: tidings_domain::metadata::Metadata::default(),
            tokens_valid_after: None,
            created_at: now,
            updated_at: now,
        };
        change(&mut application);
        assert_eq!(self.table.store().create_application(&application, None).await.unwrap(), Created::Written);
        application
    }

    pub(crate) fn new_endpoint(&self, application: &Application, url: &str) -> Endpoint {
        let now = self.clock.now();
        let mut endpoint = Endpoint {
            id: EndpointId::new(now, random::bytes()),
            organization: application.organization,
            application: application.id,
            uid: None,
            url: url.to_owned().try_into().unwrap(),
            description: String::new(),
            event_types: None,
            channels: None,
            disabled: false,
            throttle_rate: None,
            metadata: tidings_domain::metadata::Metadata::default(),
            retry_schedule: None,
            timeout: None,
            keys: Sealed(Vec::new()),
            headers: None,
            token: None,
            retried: Retried::All,
            failing_since: None,
            created_at: now,
            updated_at: now,
        };
        endpoint.keys = seal(&endpoint, "keys", &EndpointKeys::new(key()).seal_text());
        endpoint
    }

    pub(crate) async fn endpoint(&self, application: &Application, url: &str) -> Endpoint {
        self.endpoint_with(application, url, |_| {}).await
    }

    pub(crate) async fn endpoint_with(
        &self,
        application: &Application,
        url: &str,
        change: impl FnOnce(&mut Endpoint),
    ) -> Endpoint {
        let mut endpoint = self.new_endpoint(application, url);
        change(&mut endpoint);
        self.put_endpoint(&endpoint).await;
        endpoint
    }

    pub(crate) async fn put_endpoint(&self, endpoint: &Endpoint) {
        assert_eq!(self.table.store().create_endpoint(endpoint, None, None).await.unwrap(), Created::Written);
    }

    /// An application with one endpoint: this world's receiver.
    pub(crate) async fn receiver_endpoint(&self) -> (Application, Endpoint) {
        let application = self.application().await;
        let endpoint = self.endpoint(&application, &self.receiver.url()).await;
        (application, endpoint)
    }

    pub(crate) fn new_message(&self, application: &Application) -> Message {
        let now = self.clock.now();
        Message {
            id: MessageId::new(now, random::bytes()),
            organization: application.organization,
            application: application.id,
            event_type: "user.created".parse().unwrap(),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            payload: Some(Bytes::from_static(b"{\"b\" : 1.00,\n\"a\":\"\\u00fc\"}")),
            payload_until: now + RETENTION,
            created_at: now,
        }
    }

    /// A message, accepted now.
    pub(crate) async fn message(&self, application: &Application) -> Message {
        let message = self.new_message(application);
        self.put_message(&message, GRACE).await;
        message
    }

    pub(crate) async fn put_message(&self, message: &Message, grace: Duration) {
        let new = NewMessage { message, due: message.created_at + grace, route: Route::Endpoints };
        assert_eq!(self.table.store().create_message(&new, None).await.unwrap(), MessageAccepted::Written);
    }

    /// Sends what the stream brought so far, until it brings nothing more.
    pub(crate) async fn stream(&self, processor: &Processor) {
        let mut records = self.changes(1).await;
        while !records.is_empty() {
            assert_eq!(self.send(processor, records).await, Vec::<String>::new());
            // The engine hands changes over when it has acknowledged them.
            tokio::time::sleep(Duration::from_millis(20)).await;
            records = self.changes_so_far();
        }
    }

    /// A message's attempts, oldest first.
    pub(crate) async fn attempts(&self, message: &Message) -> Vec<Attempt> {
        let Message { organization, application, id, .. } = message;
        let limit = PageLimit::try_from(250).unwrap();
        let filter = AttemptFilter::default();
        let now = self.clock.now();
        let page =
            self.table.store().attempts_by_message(*organization, *application, *id, &filter, None, limit, now).await;
        let page = page.unwrap();
        assert!(page.done, "too many for a test");
        page.data.into_iter().rev().collect()
    }

    /// The statuses of its answers, oldest first.
    pub(crate) async fn answers(&self, message: &Message) -> Vec<u16> {
        self.attempts(message).await.iter().map(|attempt| attempt.response_status).collect()
    }

    pub(crate) async fn is_delivered(&self, message: &Message) -> bool {
        self.attempts(message).await.last().is_some_and(|attempt| attempt.status == AttemptStatus::Success)
    }

    pub(crate) async fn stored_endpoint(&self, endpoint: &Endpoint) -> Endpoint {
        let Endpoint { organization, application, id, .. } = endpoint;
        self.table.store().endpoint(*organization, *application, &Reference::Id(*id)).await.unwrap().unwrap()
    }

    /// Moves the clock to when a message's next attempt is due, and runs the schedule.
    pub(crate) async fn retry(&self, processor: &Processor, message: &Message) -> processor::Summary {
        let due = self.attempts(message).await.last().unwrap().next_attempt.expect("another attempt is due");
        self.clock.advance(due.since(self.clock.now()));
        self.tick(processor).await
    }

    /// Runs the schedule, with the clock moved past every claim and grace, until nothing is owed.
    pub(crate) async fn work_off(&self, processor: &Processor) {
        for _ in 0..50 {
            let agenda = self.agenda().await;
            let Some(last) = agenda.iter().map(|entry| entry.key.due).max() else { return };
            self.clock.advance(last.since(self.clock.now()) + BEYOND);
            self.tick(processor).await;
        }
        panic!("still owed: {:?}", self.agenda().await);
    }

    pub(crate) async fn task(&self, endpoint: &Endpoint, task: BackgroundTaskType, since: Timestamp) -> BackgroundTask {
        let now = self.clock.now();
        let task = BackgroundTask {
            id: BackgroundTaskId::new(now, random::bytes()),
            organization: endpoint.organization,
            application: endpoint.application,
            endpoint: endpoint.id,
            task,
            status: BackgroundTaskStatus::Running,
            since,
            until: now + Duration::from_millis(1),
            cursor: None,
            examined: 0,
            scheduled: 0,
            created_at: now,
            updated_at: now,
        };
        let created = self.table.store().create_background_task(&task, now + GRACE, None).await.unwrap();
        assert_eq!(created, Created::Written);
        task
    }

    pub(crate) async fn stored_task(&self, task: &BackgroundTask) -> BackgroundTask {
        self.table.store().background_task(task.organization, task.id).await.unwrap().unwrap()
    }
}

impl World {
    /// As the API does it.
    pub(crate) async fn resend(&self, message: &Message, endpoint: &Endpoint) {
        let delivery = Delivery {
            organization: message.organization,
            application: message.application,
            endpoint: endpoint.id,
            message: message.id,
        };
        // Attempts that are made within four milliseconds have no order.
        self.clock.advance(Duration::from_millis(10));
        let now = self.clock.now();
        let entry = Entry {
            key: EntryKey { due: now + GRACE, work: delivery.work() },
            tries: 0,
            destination: Some(endpoint.id.to_string()),
            note: Some("manual".to_owned()),
        };
        let created = self.table.store().create_resend(&entry, message.organization, None, now).await.unwrap();
        assert_eq!(created, Created::Written);
    }
}
