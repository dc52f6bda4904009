//! Every message reaches every endpoint, each attempt is on record, and nothing is sent again for no reason, although the
//! processors are killed again and again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::message::Message;
use tidings_harness::{Delivery, Environment, Outcome, Plan, Reply, events, wait_until};

use crate::kill::from_first_failure;
use crate::support::World;

/// Messages, where nobody asks for another number.
const MESSAGES: usize = 400;

/// Sets another number; the is 5000.
const MESSAGES_VARIABLE: &str = "KILL_TEST_MESSAGES";

const ENDPOINTS: usize = 5;

/// How long processes are killed for at least.
const KILLING: Duration = Duration::from_secs(12);

/// Messages accepted in a second.
const A_SECOND: usize = 80;

/// A short one, so that messages change from the stream to the schedule while all this goes on.
const GRACE: Duration = Duration::from_secs(3);

/// Between a receiver's answer and the attempt in the table, at most: a kill in it makes the outcome unknown.
const UNKNOWN: Duration = Duration::from_secs(3);

/// How often Lambda sends a batch again that its function died of.
const RETRIES: usize = 3;

struct Trial {
    world: World,
    application: Application,
    stream: Environment,
    schedule: [Environment; 2],
    kills: Mutex<Vec<Timestamp>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processors_lose_no_message_and_repeat_only_what_they_cannot_know() {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let count = std::env::var(MESSAGES_VARIABLE).ok().and_then(|count| count.parse().ok()).unwrap_or(MESSAGES);
    let seed = fastrand::u64(..);
    println!("seed {seed}, {count} messages");
    let trial = Trial::new(seed).await;
    let started = Instant::now();
    let messages = tokio::select! {
        (messages, ()) = async { tokio::join!(trial.accept(count), trial.kill_for(count, seed)) } => messages,
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
    let kills = trial.kills.lock().unwrap().clone();
    println!("{} kills, {} deliveries, {:?}", kills.len(), trial.world.receiver.count(), started.elapsed());
    assert!(kills.len() > 10, "{}", kills.len());
    let mut deliveries: HashMap<(String, String), Vec<Delivery>> = HashMap::new();
    for delivery in trial.world.receiver.deliveries() {
        deliveries.entry((delivery.id.clone(), delivery.path.clone())).or_default().push(delivery);
    }
    for message in &messages {
        let attempts = trial.world.attempts(message).await;
        for endpoint in 0..ENDPOINTS {
            let path = format!("/complete/{endpoint}");
            let sent = deliveries.remove(&(message.id.to_string(), path.clone())).unwrap_or_default();
            let recorded = attempts.iter().filter(|attempt| attempt.url.as_url().path() == path).count();
            check(&sent, recorded, &kills);
        }
    }
    assert!(deliveries.is_empty(), "{} deliveries of nothing", deliveries.len());
}

/// It was taken; it was sent again only after a failure, or after a kill that may have kept the outcome from being
/// written; and so each attempt is on record but for those.
fn check(sent: &[Delivery], recorded: usize, kills: &[Timestamp]) {
    assert!(sent.iter().any(Delivery::is_taken), "never taken: {sent:?}");
    let is_unknown = |delivery: &Delivery| {
        let ended = match delivery.outcome {
            Outcome::Answered(_, at) | Outcome::Abandoned(at) => at,
            Outcome::Pending => delivery.arrived,
        };
        let from = delivery.arrived;
        kills.iter().any(|kill| *kill + Duration::from_millis(50) >= from && kill.since(ended) < UNKNOWN)
    };
    for pair in sent.windows(2) {
        assert!(!pair[0].is_taken() || is_unknown(&pair[0]), "sent again although it was taken: {pair:?}");
    }
    let unknown = sent.iter().filter(|delivery| is_unknown(delivery)).count();
    assert!(recorded <= sent.len() && recorded + unknown >= sent.len(), "{recorded} on record of {sent:?}");
}

impl Trial {
    async fn new(seed: u64) -> Self {
        let world = World::alone().await;
        let slow = Reply::After(Duration::from_millis(150), Box::new(Reply::Status(200)));
        let chances = [(0.1, Reply::Status(500)), (0.01, Reply::Hang), (0.1, slow)];
        world.receiver.set_plan(Plan::by_chance(seed, chances, Reply::Status(200)));
        let application = world.application().await;
        for number in 0..ENDPOINTS {
            world.endpoint(&application, &format!("{}/{number}", world.receiver.url())).await;
        }
        let function = world
            .function()
            .env("RUST_LOG", "warn")
            .env("RETRY_SCHEDULE", "1x200")
            .env("GRACE_SECONDS", "3")
            .env("REQUEST_TIMEOUT_MS", "600");
        let [stream, first, second] = [function.start().await, function.start().await, function.start().await];
        Self { world, application, stream, schedule: [first, second], kills: Mutex::default() }
    }

    async fn accept(&self, count: usize) -> Vec<Message> {
        let mut messages = Vec::with_capacity(count);
        let pause = Duration::from_secs(1) / u32::try_from(A_SECOND).unwrap();
        for _ in 0..count {
            let message = self.world.new_message(&self.application);
            self.world.put_message(&message, GRACE).await;
            messages.push(message);
            tokio::time::sleep(pause).await;
        }
        messages
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

    async fn kill_for(&self, count: usize, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let accepting = Duration::from_secs(1) * u32::try_from(count / A_SECOND).unwrap();
        let end = Instant::now() + KILLING.max(accepting);
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(random.u64(100..900))).await;
            let victim = match random.u8(0..3) {
                0 => &self.stream,
                number => &self.schedule[usize::from(number - 1)],
            };
            let at = self.world.clock.now();
            victim.kill().await;
            self.kills.lock().unwrap().push(at);
        }
    }

    async fn nothing_owed(&self) {
        wait_until("nothing is owed", Duration::from_secs(240), async || {
            tokio::time::sleep(Duration::from_millis(250)).await;
            self.world.agenda().await.is_empty()
        })
        .await;
    }
}
