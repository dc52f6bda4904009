//! Messages and what became of them, by the store.

use std::time::Duration;

use bytes::Bytes;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, Work};
use tidings_domain::application::Application;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};
use tidings_domain::delivery::{Delivery, Trigger};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{AttemptId, BackgroundTaskId, MessageId};
use tidings_domain::message::{Message, RETENTION, Route};
use tidings_store::message::{MessageAccepted, NewMessage};
use tidings_store::{Created, Store};

use crate::arrange::{self, GRACE};
use crate::support::{NOW, Service};

/// When something of a number comes to be: higher numbers are younger, by a minute each; 100 is made now.
pub(crate) fn at(number: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + (number - 100) * 60_000)
}

fn random(number: i64) -> [u8; 15] {
    [u8::try_from(number).unwrap(); 15]
}

pub(crate) fn imagined_message(application: &Application, number: i64) -> Message {
    let created_at = at(number);
    Message {
        id: MessageId::new(created_at, random(number)),
        organization: application.organization,
        application: application.id,
        event_type: "user.signup".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        payload: Some(Bytes::from(format!(r#"{{ "number": {number}.0 }}"#))),
        payload_until: created_at + RETENTION,
        created_at,
    }
}

/// Writes a message.
pub(crate) async fn write(store: &Store, message: &Message) {
    let new = NewMessage { message, due: message.created_at + GRACE, route: Route::Endpoints };
    assert_eq!(store.create_message(&new, None).await.unwrap(), MessageAccepted::Written);
}

/// A message of an application.
pub(crate) async fn message(store: &Store, application: &Application, number: i64) -> Message {
    let message = imagined_message(application, number);
    write(store, &message).await;
    message
}

/// An attempt that failed for good.
pub(crate) fn failed(endpoint: &Endpoint, message: &Message, number: i64) -> Attempt {
    let made_at = at(number);
    Attempt {
        id: AttemptId::new(made_at, random(number)),
        delivery: Delivery {
            organization: endpoint.organization,
            application: endpoint.application,
            endpoint: endpoint.id,
            message: message.id,
        },
        url: endpoint.url.clone(),
        event_type: message.event_type.clone(),
        channels: message.channels.clone(),
        status: AttemptStatus::Fail,
        response_status: 500,
        response: Some(format!("no, says {number}")),
        duration: Duration::from_millis(42),
        trigger: Trigger::Scheduled,
        number: 1,
        next_attempt: None,
        made_at,
    }
}

/// One that did not.
pub(crate) fn succeeded(endpoint: &Endpoint, message: &Message, number: i64) -> Attempt {
    Attempt {
        status: AttemptStatus::Success,
        response_status: 200,
        response: Some(String::new()),
        ..failed(endpoint, message, number)
    }
}

/// One that is followed by another.
pub(crate) fn pending(endpoint: &Endpoint, message: &Message, number: i64) -> Attempt {
    let next_attempt = Some(at(number) + Duration::from_secs(5));
    Attempt { next_attempt, ..failed(endpoint, message, number) }
}

/// Writes an attempt.
pub(crate) async fn attempt(store: &Store, attempt: &Attempt) -> Attempt {
    store.put_attempt(attempt).await.unwrap();
    attempt.clone()
}

pub(crate) fn imagined_task(endpoint: &Endpoint, number: i64) -> BackgroundTask {
    let created_at = at(number);
    BackgroundTask {
        id: BackgroundTaskId::new(created_at, random(number)),
        organization: endpoint.organization,
        application: endpoint.application,
        endpoint: endpoint.id,
        task: BackgroundTaskType::Recover,
        status: BackgroundTaskStatus::Running,
        since: at(0),
        until: at(1),
        cursor: None,
        examined: 0,
        scheduled: 0,
        created_at,
        updated_at: created_at,
    }
}

/// Writes a task.
pub(crate) async fn write_task(store: &Store, task: &BackgroundTask) {
    assert_eq!(store.create_background_task(task, task.created_at + GRACE, None).await.unwrap(), Created::Written);
}

pub(crate) async fn task(store: &Store, endpoint: &Endpoint, number: i64) -> BackgroundTask {
    let task = imagined_task(endpoint, number);
    write_task(store, &task).await;
    task
}

/// A service with the application `acme` of organization 1 and its endpoint `hook`.
pub(crate) struct Acme {
    pub(crate) service: Service,
    pub(crate) application: Application,
    pub(crate) endpoint: Endpoint,
}

impl Acme {
    pub(crate) async fn start() -> Self {
        let service = Service::start().await;
        let application = arrange::application(&service.store, 1, 9, Some("acme")).await;
        let endpoint = arrange::endpoint(&service.store, &application, 1, Some("hook")).await;
        Self { service, application, endpoint }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.service.store
    }

    pub(crate) async fn message(&self, number: i64) -> Message {
        message(self.store(), &self.application, number).await
    }

    /// Another endpoint of the application, changed before it is written.
    pub(crate) async fn endpoint(&self, number: u8, change: impl FnOnce(&mut Endpoint)) -> Endpoint {
        let mut endpoint = arrange::imagined_endpoint(&self.application, number, None);
        change(&mut endpoint);
        assert_eq!(self.store().create_endpoint(&endpoint, None, None).await.unwrap(), Created::Written);
        endpoint
    }

    /// What the agenda holds of some work, whenever it is due.
    pub(crate) async fn owed(&self, work: &Work) -> Vec<Entry> {
        let page = self.store().due(work.shard(), at(100_000), None, 100).await.unwrap();
        page.entries.into_iter().filter(|entry| entry.key.work == *work).collect()
    }
}
