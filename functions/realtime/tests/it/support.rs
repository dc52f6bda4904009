//! A world in which somebody listens: a table, a clock, and connections that are held in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::event::dynamodb::EventRecord;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use realtime::{Accepted, Connections, Opening, Options, PostError, Posted, Realtime, Refusal, Standing};
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::connection::ConnectionId;
use tidings_domain::delivery::{Delivery, Trigger};
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::ids::{ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId};
use tidings_domain::metadata::Metadata;
use tidings_domain::names::Reference;
use tidings_harness::{Changes, Function, Table, TestClock};
use tidings_http::Credentials;
use tidings_http::credential::{MintOptions, mint};
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Settings, random};
use tidings_store::Created;

pub(crate) const SECRET: &str = "a secret of the tests, which is long enough";

/// Connections in memory.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<String, Line>>);

#[derive(Default)]
struct Line {
    is_open: bool,
    is_broken: bool,
    said: Vec<String>,
}

impl Held {
    pub(crate) fn open(&self, id: &str) {
        self.0.lock().unwrap().entry(id.to_owned()).or_default().is_open = true;
    }

    pub(crate) fn close(&self, id: &str) {
        self.0.lock().unwrap().entry(id.to_owned()).or_default().is_open = false;
    }

    pub(crate) fn break_line(&self, id: &str) {
        self.0.lock().unwrap().entry(id.to_owned()).or_default().is_broken = true;
    }

    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.0.lock().unwrap().get(id).is_some_and(|line| line.is_open)
    }

    /// What a connection was told since the last time.
    pub(crate) fn said(&self, id: &str) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().entry(id.to_owned()).or_default().said)
    }

    /// The same as JSON.
    pub(crate) fn frames(&self, id: &str) -> Vec<Value> {
        self.said(id).iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    /// The names of the events that a connection was told since the last time.
    pub(crate) fn events(&self, id: &str) -> Vec<String> {
        self.frames(id).iter().map(|frame| frame["event"].as_str().unwrap().to_owned()).collect()
    }
}

impl Connections for Held {
    fn post<'a>(&'a self, connection: &'a ConnectionId, text: &'a str) -> BoxFuture<'a, Result<Posted, PostError>> {
        let mut lines = self.0.lock().unwrap();
        let line = lines.entry(connection.to_string()).or_default();
        let posted = match (line.is_broken, line.is_open) {
            (true, _) => Err(PostError::new("no way there")),
            (false, false) => Ok(Posted::Gone),
            (false, true) => {
                line.said.push(text.to_owned());
                Ok(Posted::Sent)
            }
        };
        std::future::ready(posted).boxed()
    }

    fn delete<'a>(&'a self, connection: &'a ConnectionId) -> BoxFuture<'a, Result<(), PostError>> {
        self.close(connection.as_str());
        std::future::ready(Ok(())).boxed()
    }
}

pub(crate) struct World {
    pub(crate) table: Table,
    pub(crate) clock: TestClock,
    pub(crate) held: Arc<Held>,
    pub(crate) realtime: Realtime,
    changes: Changes,
}

pub(crate) fn id(name: &str) -> ConnectionId {
    name.parse().unwrap()
}

pub(crate) fn organization(number: u8) -> OrganizationId {
    OrganizationId::new(Timestamp::from_millis(1_710_341_906_007), [number; 15])
}

/// Everybody's superior in an organization.
pub(crate) fn admin(number: u8) -> Caller {
    Caller {
        organization: organization(number),
        scope: Scope::Organization,
        role: Role::Admin,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let (table, clock, held) = (Table::start().await, TestClock::running(), Arc::<Held>::default());
        let settings = |name: &str| (name == "TIDINGS_JWT_SECRET").then(|| SECRET.to_owned());
        let settings = Settings::read(Defaults::Deployed, settings).unwrap();
        let store = table.faulty_store().clone();
        let realtime = Realtime::new(Options {
            credentials: Credentials::from_settings(&settings, &store, &clock.clock()).unwrap(),
            store,
            clock: clock.clock(),
            connections: Arc::<Held>::clone(&held),
            greetings: 1,
        });
        let changes = Changes::that(table.engine(), Arc::new(realtime::wants));
        Self { table, clock, held, realtime, changes }
    }

    /// The function as it is deployed, with these connections.
    pub(crate) fn function(&self, connections: &str) -> Function {
        Function::new(env!("CARGO_BIN_EXE_realtime"))
            .env("CONNECTIONS_ENDPOINT", connections)
            .env("TIDINGS_JWT_SECRET", SECRET)
            .table(&self.table)
    }

    pub(crate) fn token(&self, caller: &Caller) -> String {
        self.token_for(caller, Duration::from_hours(1))
    }

    pub(crate) fn token_for(&self, caller: &Caller, expires_in: Duration) -> String {
        mint(SECRET.as_bytes(), MintOptions { caller, now: self.clock.now(), expires_in }).unwrap()
    }

    /// A handshake, with a query and sub-protocols.
    pub(crate) async fn open(
        &self,
        name: &str,
        engine: Option<&str>,
        sub_protocols: Option<&str>,
    ) -> Result<Accepted, Refusal> {
        self.held.open(name);
        let transport = engine.map(|_| "websocket");
        let opening = Opening { id: id(name), at: self.clock.now(), engine, transport, sub_protocols };
        self.realtime.open(opening).await
    }

    /// Somebody who listens with JSON frames.
    pub(crate) async fn listen(&self, name: &str, caller: &Caller) -> Standing {
        self.open(name, None, None).await.unwrap();
        let standing = self.say(name, &serde_json::json!({"token": self.token(caller)}).to_string()).await;
        assert_eq!(self.held.said(name), [r#"{"event":"connected"}"#]);
        standing
    }

    pub(crate) async fn say(&self, name: &str, frame: &str) -> Standing {
        self.realtime.hear(&id(name), frame).await.unwrap()
    }

    /// Waits for so many changes, and tells of them and whatever else came.
    pub(crate) async fn announce(&self, count: usize) -> Vec<String> {
        let records = self.take(count).await;
        self.realtime.announce(records.into_iter().map(Into::into).collect()).await
    }

    pub(crate) async fn take(&self, count: usize) -> Vec<EventRecord> {
        self.changes.take(count).await
    }

    pub(crate) fn take_all(&self) -> Vec<EventRecord> {
        self.changes.take_all()
    }

    pub(crate) async fn application(&self, organization: OrganizationId, uid: Option<&str>) -> Application {
        let now = self.clock.now();
        let application = Application {
            id: ApplicationId::new(now, random::bytes()),
            organization,
            uid: uid.map(|uid| uid.parse().unwrap()),
            name: "Acme".to_owned(),
            throttle_rate: None,
            metadata: Metadata::default(),
            tokens_valid_after: None,
            created_at: now,
            updated_at: now,
        };
        assert_eq!(self.table.store().create_application(&application, None).await.unwrap(), Created::Written);
        application
    }

    /// A new endpoint: a change that is told.
    pub(crate) async fn endpoint(&self, application: &Application) -> Endpoint {
        let now = self.clock.now();
        let endpoint = Endpoint {
            id: EndpointId::new(now, random::bytes()),
            organization: application.organization,
            application: application.id,
            uid: None,
            url: "https://example.com/hook".to_owned().try_into().unwrap(),
            description: String::new(),
            event_types: None,
            channels: None,
            disabled: false,
            throttle_rate: None,
            metadata: Metadata::default(),
            retry_schedule: None,
            timeout: None,
            keys: Sealed(b"sealed keys".to_vec()),
            headers: None,
            token: None,
            retried: Retried::All,
            failing_since: None,
            created_at: now,
            updated_at: now,
        };
        assert_eq!(self.table.store().create_endpoint(&endpoint, None, None).await.unwrap(), Created::Written);
        endpoint
    }

    pub(crate) async fn read(&self, endpoint: &Endpoint) -> Endpoint {
        let Endpoint { id, organization, application, .. } = *endpoint;
        self.table.store().endpoint(organization, application, &Reference::Id(id)).await.unwrap().unwrap()
    }

    /// An attempt that ended like this, written as the processor writes it.
    pub(crate) async fn attempt(&self, endpoint: &Endpoint, response_status: u16) -> Attempt {
        let now = self.clock.now();
        let is_success = (200..300).contains(&response_status);
        let attempt = Attempt {
            id: AttemptId::new(now, random::bytes()),
            delivery: Delivery {
                organization: endpoint.organization,
                application: endpoint.application,
                endpoint: endpoint.id,
                message: MessageId::new(now, random::bytes()),
            },
            url: endpoint.url.clone(),
            event_type: "user.created".parse().unwrap(),
            channels: Vec::new(),
            status: if is_success { AttemptStatus::Success } else { AttemptStatus::Fail },
            response_status,
            response: Some("an answer".to_owned()),
            duration: Duration::ZERO,
            trigger: Trigger::Scheduled,
            number: 1,
            next_attempt: None,
            made_at: now,
        };
        self.table.store().put_attempt(&attempt).await.unwrap();
        attempt
    }
}
