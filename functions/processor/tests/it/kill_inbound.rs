//! Every inbound webhook that was accepted is computed and forwarded once, although the processors are killed again and
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;
use tidings_domain::docebo;
use tidings_domain::enrollment::{Enrollment, EnrollmentKey};
use tidings_domain::source::Source;
use tidings_domain::transaction::{Transaction, TransactionStatus};
use tidings_harness::{Environment, Plan, Reply, events, wait_until};

use crate::kill::from_first_failure;
use crate::support::World;
use crate::support::inbound::{fired, group, single};

const TRANSACTIONS: usize = 400;

/// How long processes are killed for at least.
const KILLING: Duration = Duration::from_secs(12);

/// Transactions accepted in a second.
const A_SECOND: u32 = 60;

/// A short one, so that transactions change from the stream to the schedule while all this goes on.
const GRACE: Duration = Duration::from_secs(3);

/// How often Lambda sends a batch again that its function died of.
const RETRIES: usize = 3;

const VERBS: [&str; 4] = ["created", "updated", "completed", "deleted"];

struct Trial {
    world: World,
    source: Source,
    stream: Environment,
    schedule: [Environment; 2],
    kills: Mutex<usize>,
}

/// What was accepted, and what it comes to.
#[derive(Default)]
struct Accepted {
    transactions: Vec<Transaction>,
    enrollments: BTreeMap<EnrollmentKey, Enrollment>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processors_lose_no_webhook_and_forward_none_twice() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let trial = Trial::new(seed).await;
    let accepted = tokio::select! {
        (accepted, ()) = async { tokio::join!(trial.accept(seed), trial.kill(seed)) } => accepted,
        () = trial.send_batches() => unreachable!("it goes on for ever"),
        () = trial.tick(0) => unreachable!("it goes on for ever"),
        () = trial.tick(1) => unreachable!("it goes on for ever"),
    };
    tokio::select! {
        () = trial.nothing_owed() => {}
        () = trial.send_batches() => unreachable!("it goes on for ever"),
        () = trial.tick(0) => unreachable!("it goes on for ever"),
        () = trial.tick(1) => unreachable!("it goes on for ever"),
    }
    let kills = *trial.kills.lock().unwrap();
    println!("{kills} kills, {} deliveries", trial.world.receiver.count());
    assert!(kills > 10, "{kills}");
    trial.check(accepted).await;
}

impl Trial {
    async fn new(seed: u64) -> Self {
        let world = World::alone().await;
        let slow = Reply::After(Duration::from_millis(100), Box::new(Reply::Status(200)));
        world.receiver.set_plan(Plan::by_chance(seed, [(0.1, slow)], Reply::Status(200)));
        let (application, _) = world.receiver_endpoint().await;
        let source = world.forwarding_source(&application).await;
        let function = world
            .function()
            .env("RUST_LOG", "warn")
            .env("RETRY_SCHEDULE", "1x200")
            .env("GRACE_SECONDS", "3")
            .env("REQUEST_TIMEOUT_MS", "600");
        let [stream, first, second] = [function.start().await, function.start().await, function.start().await];
        Self { world, source, stream, schedule: [first, second], kills: Mutex::default() }
    }

    /// Events of thirty enrollments in an order that is none, in groups or alone, some of them twice.
    async fn accept(&self, seed: u64) -> Accepted {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut accepted = Accepted::default();
        for number in 0..TRANSACTIONS {
            let event = format!("course.enrollment.{}", VERBS[random.usize(0..VERBS.len())]);
            let payloads: Vec<_> = (0..random.usize(1..5))
                .map(|_| {
                    let (user, course) = (random.u64(1..=10), random.u64(1..=3));
                    let status = format!("status {}", random.u8(0..5));
                    let fired_at = fired(random.u32(0..60));
                    json!({"fired_at": fired_at, "user_id": user, "course_id": course, "status": status})
                })
                .collect();
            let message_id = format!("wh-{number}");
            let body = match &payloads[..] {
                [payload] => single(&message_id, &event, payload),
                payloads => group(&message_id, &event, payloads),
            };
            let transaction = self.world.new_transaction(&self.source, &message_id, &event, &body);
            for _ in 0..random.usize(1..=2) {
                let again = self.world.new_transaction(&self.source, &message_id, &event, &body);
                let again = Transaction { id: transaction.id, ..again };
                // Whether it is written or known already is the table's to tell.
                let _ = self.world.put_transaction(&self.source, &again, GRACE).await;
            }
            for payload in &payloads {
                let change = docebo::change(&event, payload, transaction.received_at).unwrap().unwrap();
                let unknown = || Enrollment::unknown(self.source.organization, self.source.id, change.key);
                accepted.enrollments.entry(change.key).or_insert_with(unknown).merge(&change);
            }
            accepted.transactions.push(transaction);
            tokio::time::sleep(Duration::from_secs(1) / A_SECOND).await;
        }
        accepted
    }

    /// What an event source mapping does: batches in their order, again after a crash.
    async fn send_batches(&self) {
        loop {
            let records = self.world.changes_so_far();
            for batch in records.chunks(100) {
                let mut batch = batch.to_vec();
                for _ in 0..=RETRIES {
                    if batch.is_empty() {
                        break;
                    }
                    match self.stream.invoke(&events::stream(&batch)).await {
                        Ok(answer) => batch = from_first_failure(&batch, &answer),
                        Err(error) => assert_eq!(error.error_type, "Runtime.ExitError", "{error}"),
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the rule does, more often.
    async fn tick(&self, share: u8) {
        loop {
            if let Err(error) = self.schedule[usize::from(share)].invoke(&events::share(share, 2)).await {
                assert_eq!(error.error_type, "Runtime.ExitError", "{error}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn kill(&self, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let end = Instant::now() + KILLING;
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(random.u64(100..700))).await;
            let victim = match random.u8(0..3) {
                0 => &self.stream,
                number => &self.schedule[usize::from(number - 1)],
            };
            victim.kill().await;
            *self.kills.lock().unwrap() += 1;
        }
    }

    async fn nothing_owed(&self) {
        wait_until("nothing is owed", Duration::from_secs(120), async || {
            tokio::time::sleep(Duration::from_millis(250)).await;
            self.world.agenda().await.is_empty()
        })
        .await;
    }

    async fn check(&self, Accepted { transactions, enrollments }: Accepted) {
        let mut messages = BTreeSet::new();
        for transaction in &transactions {
            let stored = self.world.stored_transaction(transaction).await;
            assert_eq!(stored.status, TransactionStatus::Computed, "{stored:?}");
            let message = stored.message.unwrap_or_else(|| panic!("never forwarded: {stored:?}"));
            messages.insert(message.to_string());
        }
        assert_eq!(messages.len(), transactions.len());
        // Whatever was sent more than once was sent under one id.
        let mut delivered = BTreeMap::new();
        for delivery in self.world.receiver.deliveries() {
            *delivered.entry(delivery.id.clone()).or_insert(false) |= delivery.is_taken();
        }
        assert!(delivered.values().all(|taken| *taken));
        assert_eq!(delivered.into_keys().collect::<BTreeSet<_>>(), messages);
        for (key, expected) in enrollments {
            assert_eq!(self.world.enrollment(&self.source, key).await, Some(expected));
        }
        assert_eq!(self.world.compute_errors(&self.source).await, []);
    }
}
