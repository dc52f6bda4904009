//! Nothing accepted is lost and nothing is done twice for no reason, although the processors are killed again and again.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_lambda_events::event::dynamodb::EventRecord;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::job::{Job, JobStatus};
use tidings_harness::{Delivery, Environment, Outcome, Plan, Providers, Reply, events, wait_until};

use crate::support::World;

const JOBS: usize = 200;

/// Time for accepting all of them.
const ACCEPTING: Duration = Duration::from_secs(6);

/// How long processes are killed for.
const KILLING: Duration = Duration::from_secs(12);

/// A short one, so that jobs change from the stream to the schedule while all this goes on.
const GRACE: Duration = Duration::from_secs(3);

/// Between a receiver's answer and the result in the table, at most: a kill in it makes the outcome unknown.
const UNKNOWN: Duration = Duration::from_secs(3);

/// How often Lambda sends a batch again that its function died of.
const RETRIES: usize = 3;

struct Trial {
    world: World,
    stream: Environment,
    schedule: [Environment; 2],
    kills: Mutex<Vec<Timestamp>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processors_killed_at_random_lose_nothing_and_repeat_only_what_they_cannot_know() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let trial = Trial::new(seed).await;
    let ended = Instant::now() + KILLING;
    let jobs = tokio::select! {
        (jobs, ()) = async { tokio::join!(trial.accept(), trial.kill_until(ended, seed)) } => jobs,
        () = trial.send_batches() => unreachable!("it goes on for ever"),
        () = trial.tick(0) => unreachable!("it goes on for ever"),
        () = trial.tick(1) => unreachable!("it goes on for ever"),
    };
    tokio::select! {
        () = trial.all_done(&jobs) => {}
        () = trial.send_batches() => unreachable!("it goes on for ever"),
        () = trial.tick(0) => unreachable!("it goes on for ever"),
        () = trial.tick(1) => unreachable!("it goes on for ever"),
    }
    let kills = trial.kills.lock().unwrap().clone();
    println!("{} kills, {} deliveries", kills.len(), trial.world.receiver.count());
    assert!(kills.len() > 10, "{}", kills.len());
    assert!(trial.world.receiver.overlapped().is_empty(), "{:?}", trial.world.receiver.overlapped());
    assert!(trial.world.agenda().await.is_empty());
    for job in &jobs {
        assert_every_repetition_has_a_reason(&trial.world.receiver.deliveries_of(&job.id.to_string()), &kills);
    }
}

/// One delivery is taken; another follows only if the process was killed before it could write that down.
fn assert_every_repetition_has_a_reason(deliveries: &[Delivery], kills: &[Timestamp]) {
    assert!(deliveries.iter().any(Delivery::is_taken), "never taken: {deliveries:?}");
    for pair in deliveries.windows(2) {
        let Outcome::Answered(200..=299, at) = pair[0].outcome else { continue };
        let killed = kills.iter().any(|kill| *kill + Duration::from_millis(50) >= at && kill.since(at) < UNKNOWN);
        assert!(killed, "delivered again although it was taken, and nobody was killed then: {pair:?}");
    }
}

impl Trial {
    async fn new(seed: u64) -> Self {
        let world = World::alone().await;
        world.providers.set_plan(Providers::failing_plan(seed, 0.5));
        let slow = Reply::After(Duration::from_millis(200), Box::new(Reply::Status(200)));
        let chances = [(0.15, Reply::Status(500)), (0.05, Reply::Hang), (0.2, slow)];
        world.receiver.set_plan(Plan::by_chance(seed, chances, Reply::Status(200)));
        let function = world
            .function()
            .env("RUST_LOG", "warn")
            .env("JOB_RETRY_SCHEDULE", "1x200")
            .env("REQUEST_TIMEOUT_MS", "600");
        let [stream, first, second] = [function.start().await, function.start().await, function.start().await];
        Self { world, stream, schedule: [first, second], kills: Mutex::default() }
    }

    async fn accept(&self) -> Vec<Job> {
        let mut jobs = Vec::with_capacity(JOBS);
        let pause = ACCEPTING / u32::try_from(JOBS).unwrap();
        for _ in 0..JOBS {
            jobs.push(self.world.accept_for(&self.world.receiver.url(), GRACE).await);
            tokio::time::sleep(pause).await;
        }
        jobs
    }

    /// What an event source mapping does: batches in their order, again after a crash.
    async fn send_batches(&self) {
        loop {
            let mut records = self.world.changes_so_far();
            for _ in 0..=RETRIES {
                if records.is_empty() {
                    break;
                }
                match self.stream.invoke(&events::stream(&records)).await {
                    Ok(answer) => records = from_first_failure(&records, &answer),
                    Err(error) => assert_eq!(error.error_type, "Runtime.ExitError", "{error}"),
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
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

    async fn kill_until(&self, end: Instant, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(random.u64(50..600))).await;
            let victim = match random.u8(0..3) {
                0 => &self.stream,
                number => &self.schedule[usize::from(number - 1)],
            };
            let at = self.world.clock.now();
            victim.kill().await;
            self.kills.lock().unwrap().push(at);
        }
    }

    async fn all_done(&self, jobs: &[Job]) {
        wait_until("every job has ended", Duration::from_secs(60), async || {
            for job in jobs {
                match self.world.status(job).await {
                    JobStatus::Pending => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        return false;
                    }
                    JobStatus::Failed => panic!("the schedule has many more tries: {:?}", self.world.stored(job).await),
                    JobStatus::Complete => {}
                }
            }
            true
        })
        .await;
    }
}

/// The rest of a batch from the first record that failed on, as Lambda sends it again.
pub(crate) fn from_first_failure(records: &[EventRecord], answer: &Value) -> Vec<EventRecord> {
    let failed: Vec<_> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str())
        .collect();
    let is_failed = |record: &EventRecord| failed.contains(&record.change.sequence_number.as_deref());
    match records.iter().position(is_failed) {
        Some(first) => records[first..].to_vec(),
        None => Vec::new(),
    }
}
