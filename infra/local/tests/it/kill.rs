//! The service is killed again and again: what it accepted is done all the same, and nothing is done twice whose outcome
//! was known.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tidings_domain::Timestamp;
use tidings_harness::{Delivery, Outcome, Plan, Providers, Receiver, Reply, wait_until};
use tidings_runtime::Clock;
use tokio::sync::Mutex;

use crate::support::{Client, Service, job};

const JOBS: usize = 200;
const KILLS: usize = 20;
const SENDERS: usize = 8;

/// From a receiver's answer to the result being written down.
const WRITING: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_kills_and_nothing_known_is_repeated() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let quick = Reply::After(Duration::from_millis(20), Box::new(Reply::Status(200)));
    let receiver =
        Receiver::start(Plan::by_chance(seed, [(0.2, Reply::Status(500)), (0.05, Reply::Hang)], quick)).await;
    let data = Reply::Body(200, "[{\"amount\":1}]".into());
    let providers = Providers::start(Plan::by_chance(seed, [(0.5, Reply::Status(500))], data)).await;
    let endpoint = providers.endpoint();
    let environment = [
        ("SERVICE_ENDPOINT", endpoint.as_str()),
        ("GRACE_SECONDS", "2"),
        ("JOB_RETRY_SCHEDULE", "1x60"),
        ("REQUEST_TIMEOUT_MS", "400"),
    ];
    let start = || Service::start(folder.path(), &environment);

    let mut service = start();
    let client = Arc::new(Mutex::new(service.client()));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(send(sender, Arc::clone(&client), receiver.url()));
    }
    let mut kills = Vec::new();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.u64(20..600))).await;
        service.kill();
        kills.push(Clock::system().now());
        service = start();
        *client.lock().await = service.client();
    }
    let accepted: Vec<String> = senders.join_all().await.concat();
    assert_eq!(accepted.len(), JOBS);

    let client = service.client();
    wait_until("nothing is pending", Duration::from_secs(90), async || {
        client.all_jobs("status=pending").await.is_empty()
    })
    .await;
    let jobs = client.all_jobs("").await;
    assert_eq!(jobs.len(), JOBS, "a request that was repeated under its idempotency key made one job");
    for job in &jobs {
        let id = job["jobId"].as_str().unwrap();
        assert!(accepted.iter().any(|known| known == id));
        let deliveries = receiver.deliveries_of(id);
        let taken = deliveries.iter().any(Delivery::is_taken);
        match job["status"].as_str() {
            Some("complete") => assert!(taken, "{id} is complete, and its receiver did not get it: {deliveries:?}"),
            Some("failed") => assert_eq!(job["attempts"], 61, "{id} failed before its schedule ended"),
            other => panic!("{id} is {other:?}"),
        }
        for pair in deliveries.windows(2) {
            assert!(
                !pair[0].is_taken() || was_killed_before_it_knew(&pair[0], &kills),
                "{id} was taken, and sent again: {pair:?}, kills {kills:?}"
            );
        }
    }
    assert_eq!(receiver.overlapped(), Vec::<String>::new(), "one job was worked on in two places");
}

/// Sends its part of the jobs, each under a key of its own, until it is answered.
async fn send(sender: usize, client: Arc<Mutex<Client>>, callback_url: String) -> Vec<String> {
    let mut accepted = Vec::new();
    for number in (sender..JOBS).step_by(SENDERS) {
        let key = format!("job {number}");
        loop {
            let client = client.lock().await.clone();
            let sent = client.send(Method::POST, "/webhook", Some(&job(&callback_url)), Some(&key)).await;
            match sent {
                Ok(answer) if answer.status == 201 => {
                    accepted.push(answer.body["jobId"].as_str().unwrap().to_owned());
                    break;
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    accepted
}

/// Whether a kill came after the delivery arrived and before its outcome could be written.
fn was_killed_before_it_knew(delivery: &Delivery, kills: &[Timestamp]) -> bool {
    let Outcome::Answered(_, answered) = delivery.outcome else { return false };
    kills.iter().any(|kill| (delivery.arrived..=answered + WRITING).contains(kill))
}
