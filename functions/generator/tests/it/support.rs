use std::time::Duration;

use generator::{Generator, Options, Tick};
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, Kind, SHARDS};
use tidings_domain::application::Application;
use tidings_domain::broadcast::Broadcast;
use tidings_domain::client;
use tidings_domain::endpoint::{Endpoint, Retried, Sealed};
use tidings_domain::ids::{EndpointId, OrganizationId};
use tidings_domain::message::Message;
use tidings_domain::metadata::Metadata;
use tidings_domain::names::Reference;
use tidings_domain::page::PageLimit;
use tidings_harness::{Table, TestClock};
use tidings_store::{Created, Store};

/// 35 seconds after a full minute.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_035_000);
pub(crate) const TICK: Tick = Tick { time: NOW };
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// A generator over a table of its own, at a time that the test moves.
pub(crate) struct World {
    pub(crate) table: Table,
    pub(crate) clock: TestClock,
    pub(crate) generator: Generator,
}

pub(crate) fn organization(number: u8) -> OrganizationId {
    OrganizationId::new(Timestamp::from_millis(1_700_000_000_000), [number; 15])
}

impl World {
    pub(crate) async fn start(frequency_ms: u64) -> Self {
        let (table, clock) = (Table::start().await, TestClock::standing(NOW));
        let generator = generator(table.faulty_store(), &clock, 1, frequency_ms);
        Self { table, clock, generator }
    }

    pub(crate) fn store(&self) -> &Store {
        self.table.store()
    }

    pub(crate) async fn application(&self) -> Application {
        let uid = Reference::Uid(client::application_uid());
        self.store().application(organization(1), &uid).await.unwrap().unwrap()
    }

    /// Registers one.
    pub(crate) async fn client(&self, number: u8) -> Endpoint {
        let (uid, name) = (client::application_uid(), client::APPLICATION_NAME);
        let application = self.store().ensure_application(organization(1), &uid, name, NOW, [1; 15]).await.unwrap();
        let client = Endpoint {
            id: EndpointId::new(NOW, [number; 15]),
            organization: application.organization,
            application: application.id,
            uid: None,
            url: format!("https://example.com/{number}").try_into().unwrap(),
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
            token: Some(Sealed(b"a token".to_vec())),
            retried: Retried::All,
            failing_since: None,
            created_at: NOW,
            updated_at: NOW,
        };
        assert_eq!(self.store().create_endpoint(&client, None, None).await.unwrap(), Created::Written);
        client
    }

    /// Everything that was broadcast, newest first.
    pub(crate) async fn broadcasts(&self) -> Vec<Broadcast> {
        let limit = PageLimit::try_from(250).unwrap();
        let page = self.store().broadcasts(organization(1), self.application().await.id, None, limit).await.unwrap();
        assert!(page.done, "there are more than a test looks at");
        page.data
    }

    pub(crate) async fn message(&self, broadcast: &Broadcast) -> Message {
        let &Broadcast { organization, application, message, .. } = broadcast;
        self.store().message(organization, application, message, NOW).await.unwrap().unwrap()
    }

    /// What the agenda holds of a kind, by its time.
    pub(crate) async fn owed(&self, kind: Kind) -> Vec<Entry> {
        let mut owed = Vec::new();
        for shard in 0..SHARDS {
            let page = self.store().due(shard, NOW + Duration::from_hours(1), None, 1000).await.unwrap();
            owed.extend(page.entries.into_iter().filter(|entry| entry.key.work.kind == kind));
        }
        owed.sort_by_key(|entry| entry.key.due);
        owed
    }

    /// When the entries of a kind are due, in milliseconds from [`NOW`] on.
    pub(crate) async fn due(&self, kind: Kind) -> Vec<i64> {
        self.owed(kind).await.iter().map(|entry| entry.key.due.as_millis() - NOW.as_millis()).collect()
    }
}

pub(crate) fn generator(store: &Store, clock: &TestClock, number: u8, frequency_ms: u64) -> Generator {
    Generator::new(Options {
        store: store.clone(),
        clock: clock.clock(),
        organization: organization(number),
        frequency: Duration::from_millis(frequency_ms),
        grace: GRACE,
    })
}

/// A payload as JSON.
pub(crate) fn json(message: &Message) -> Value {
    serde_json::from_slice(message.payload.as_ref().unwrap()).unwrap()
}
