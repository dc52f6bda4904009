//! A service around a processor: a table, providers, a receiver, and a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lambda_events::event::dynamodb::EventRecord;
use processor::event::{Event, Response, Share};
use processor::{Options, Processor, Summary};
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, SHARDS};
use tidings_domain::ids::{JobId, OrganizationId};
use tidings_domain::job::{Job, JobStatus, ProviderId};
use tidings_domain::preconfigured::Preconfigured;
use tidings_domain::retry::RetrySchedule;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_egress::Egress;
use tidings_harness::{Changes, Function, Plan, Providers, Receiver, Table, TestClock};
use tidings_outbound::endpoint::Endpoints;
use tidings_outbound::provider::Provider;
use tidings_runtime::settings::SvixServer;
use tidings_store::job::{Accepted, StoredJob};
use tidings_store::stream::Change;
use tidings_telemetry::metric::Metrics;
use tidings_vault::Vault;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) mod inbound;
pub(crate) mod outbound;
pub(crate) mod platform;

pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

/// What endpoints' keys are sealed with.
pub(crate) const ENCRYPTION_KEY: &str = "another secret of thirty-two bytes at least";

/// The service's own schedule of attempts.
pub(crate) const RETRY_SCHEDULE: &str = "5,300,1800,7200,18000,36000,36000";

/// How long the fast lane owns a job.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// Patience of the slow lane.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Patience of the fast lane.
pub(crate) const FAST_PATIENCE: Duration = Duration::from_millis(500);

/// The delay between two tries.
pub(crate) const DELAY: Duration = Duration::from_secs(60);

/// Longer than any claim lasts.
pub(crate) const CLAIM: Duration = Duration::from_secs(60);

/// Tests that keep the machine busy have it to themselves: others look at the time.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// A share of the machine, or all of it.
enum Machine {
    Shared {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Whole {
        _guard: RwLockWriteGuard<'static, ()>,
    },
    /// The share of another world of the same test.
    Borrowed,
}

pub(crate) struct World {
    pub(crate) table: Table,
    pub(crate) providers: Providers,
    pub(crate) receiver: Receiver,
    pub(crate) clock: TestClock,
    /// Who delivers for organizations; the service itself if unset.
    pub(crate) svix: Option<SvixServer>,
    /// What organizations get: two endpoints of this world's receiver.
    pub(crate) preconfigured: Preconfigured,
    changes: Changes,
    _machine: Machine,
}

/// What a test may want otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) schedule: &'static str,
    pub(crate) retry_schedule: &'static str,
    pub(crate) patience: Duration,
    pub(crate) fast_patience: Duration,
    pub(crate) stay: Duration,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            schedule: "60x3",
            retry_schedule: RETRY_SCHEDULE,
            patience: PATIENCE,
            fast_patience: FAST_PATIENCE,
            stay: processor::STAY,
        }
    }
}

impl World {
    /// Everything is healthy.
    pub(crate) async fn new() -> Self {
        Self::on(Machine::Shared { _guard: MACHINE.read().await }).await
    }

    /// The same, while no other test runs.
    pub(crate) async fn alone() -> Self {
        Self::on(Machine::Whole { _guard: MACHINE.write().await }).await
    }

    /// Another one, in the same test.
    pub(crate) async fn beside(_: &Self) -> Self {
        Self::on(Machine::Borrowed).await
    }

    async fn on(machine: Machine) -> Self {
        let table = Table::start().await;
        let changes = table.changes();
        let receiver = Receiver::start(Plan::status(200)).await;
        Self {
            table,
            changes,
            providers: Providers::healthy().await,
            svix: None,
            preconfigured: preconfigured(&receiver.url()),
            receiver,
            clock: TestClock::running(),
            _machine: machine,
        }
    }

    /// A new execution environment.
    pub(crate) fn processor(&self) -> Processor {
        self.processor_with(Wishes::default())
    }

    pub(crate) fn processor_with(&self, wishes: Wishes) -> Processor {
        let Wishes { schedule, retry_schedule, patience, fast_patience, stay } = wishes;
        Processor::new(Options {
            provider: self.provider(),
            preconfigured: self.preconfigured.clone(),
            store: self.table.faulty_store().clone(),
            egress: egress(),
            clock: self.clock.clock(),
            metrics: Metrics::off(),
            secret: SECRET.parse().unwrap(),
            service_endpoint: self.providers.endpoint().parse().unwrap(),
            vault: vault(),
            job_retry_schedule: schedule.parse::<RetrySchedule>().unwrap(),
            retry_schedule: retry_schedule.parse().unwrap(),
            grace: GRACE,
            request_timeout: patience,
            fast_request_timeout: fast_patience.min(patience),
            stay,
        })
    }

    /// Who delivers for organizations.
    pub(crate) fn provider(&self) -> Provider {
        let endpoints = Endpoints {
            store: self.table.faulty_store().clone(),
            egress: egress(),
            vault: vault(),
            clock: self.clock.clock(),
            grace: GRACE,
        };
        Provider::new(endpoints, self.svix.as_ref())
    }

    /// The binary, set up alike.
    pub(crate) fn function(&self) -> Function {
        Function::new(env!("CARGO_BIN_EXE_processor"))
            .table(&self.table)
            .env("TIDINGS_JWT_SECRET", SECRET)
            .env("TIDINGS_ENCRYPTION_KEY", ENCRYPTION_KEY)
            .env("SERVICE_ENDPOINT", self.providers.endpoint())
            .env("EGRESS_ALLOW", "127.0.0.0/8")
    }

    /// A job for this world's receiver, accepted now.
    pub(crate) async fn accept(&self) -> Job {
        self.accept_for(&self.receiver.url(), GRACE).await
    }

    pub(crate) async fn accept_many(&self, count: usize) -> Vec<Job> {
        let mut jobs = Vec::with_capacity(count);
        for _ in 0..count {
            jobs.push(self.accept().await);
        }
        jobs
    }

    /// A job for some receiver, which the schedule may take after a grace.
    pub(crate) async fn accept_for(&self, callback_url: &str, grace: Duration) -> Job {
        let job = new_job(callback_url, self.clock.now(), grace);
        assert_eq!(self.table.store().create_job(&job, None).await.unwrap(), Accepted::Written);
        job
    }

    /// The next changes of the table that owe work.
    pub(crate) async fn changes(&self, count: usize) -> Vec<EventRecord> {
        self.changes.take(count).await
    }

    pub(crate) fn changes_so_far(&self) -> Vec<EventRecord> {
        self.changes.take_all()
    }

    pub(crate) fn deadline(&self) -> Timestamp {
        self.clock.now() + Duration::from_secs(120)
    }

    /// Sends a batch, and answers with the sequence numbers that failed.
    pub(crate) async fn send(&self, processor: &Processor, records: Vec<EventRecord>) -> Vec<String> {
        self.send_changes(processor, records.into_iter().map(Change::from).collect()).await
    }

    pub(crate) async fn send_changes(&self, processor: &Processor, changes: Vec<Change>) -> Vec<String> {
        match processor.handle(Event::Changes(changes), self.deadline()).await.unwrap() {
            Response::Changes(response) => response
                .batch_item_failures
                .into_iter()
                .map(|failure| failure.item_identifier.unwrap_or_default())
                .collect(),
            Response::Tick(summary) => panic!("{summary:?}"),
        }
    }

    /// Runs the schedule once over everything.
    pub(crate) async fn tick(&self, processor: &Processor) -> Summary {
        self.try_tick(processor).await.unwrap()
    }

    pub(crate) async fn try_tick(&self, processor: &Processor) -> Result<Summary, tidings_store::StoreError> {
        match processor.handle(Event::Tick(Share::ALL), self.deadline()).await? {
            Response::Tick(summary) => Ok(summary),
            Response::Changes(response) => panic!("{response:?}"),
        }
    }

    pub(crate) async fn stored(&self, job: &Job) -> StoredJob {
        self.table.store().job(job.organization, job.id, self.clock.now()).await.unwrap().unwrap()
    }

    pub(crate) async fn status(&self, job: &Job) -> JobStatus {
        self.stored(job).await.job.status
    }

    /// Everything that is owed, whenever it is due.
    pub(crate) async fn agenda(&self) -> Vec<Entry> {
        let end = Timestamp::from_millis(99_999_999_999_999);
        let mut entries = Vec::new();
        for shard in 0..SHARDS {
            let mut next = None;
            loop {
                let page = self.table.store().due(shard, end, next.as_ref(), 200).await.unwrap();
                entries.extend(page.entries);
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
        }
        entries
    }

    /// That these jobs are complete, nothing is owed, and each was delivered once.
    pub(crate) async fn assert_all_done_once(&self, jobs: &[Job]) {
        for job in jobs {
            let stored = self.stored(job).await.job;
            assert_eq!(stored.status, JobStatus::Complete, "{stored:?}");
            let deliveries = self.receiver.deliveries_of(&job.id.to_string());
            assert_eq!(deliveries.len(), 1, "{} was delivered more than once", job.id);
        }
        assert_eq!(self.agenda().await, []);
    }
}

/// Two endpoints of a receiver for each organization.
pub(crate) fn preconfigured(base: &str) -> Preconfigured {
    let table = r#"[
        {"suffix": "created", "description": "New ones", "eventTypes": ["user.created"]},
        {"suffix": "all", "description": "All", "eventTypes": ["user.created", "user.deleted"]}
    ]"#;
    Preconfigured::parse(Some(table), Some(&base.parse().unwrap())).unwrap()
}

pub(crate) fn egress() -> Egress {
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    Egress::new(tidings_egress::Options { allow, ..Default::default() }).unwrap()
}

pub(crate) fn vault() -> Vault {
    Vault::new(&ENCRYPTION_KEY.parse().unwrap())
}

pub(crate) fn new_job(callback_url: &str, now: Timestamp, grace: Duration) -> Job {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 15];
    random[..8].copy_from_slice(&NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Job {
        id: JobId::new(now, random),
        organization: OrganizationId::new(Timestamp::from_millis(1_710_341_906_007), [1; 15]),
        providers: ["gas", "internet"].map(|name| ProviderId::try_from(name.to_owned()).unwrap()).to_vec(),
        callback_url: WebhookUrl::try_from(callback_url.to_owned()).unwrap(),
        status: JobStatus::Pending,
        created_at: now,
        updated_at: now,
        tries: 0,
        last_error: None,
        next_due: Some(now + grace),
    }
}
