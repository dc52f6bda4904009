//! One endpoint that is slow or dead does not hold up the others: the whole of both lanes, as one machine runs them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use processor::Processor;
use processor::event::{Event, Response, Share};
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_engine::FeedOptions;
use tidings_harness::{Plan, Receiver, Reply, wait_until};
use tokio::task::JoinSet;

use crate::support::outbound::impatient;
use crate::support::{GRACE, Wishes, World};

const HEALTHY: usize = 8;
const MESSAGES: usize = 150;

/// Slow enough for an unoptimised build: this is about waiting, not about how much it can do.
const PACE: Duration = Duration::from_millis(40);

/// A busy machine's own hiccups; what a dead endpoint could cost is a second.
const NOISE: Duration = Duration::from_millis(50);

/// Both lanes, until it is dropped.
fn run(world: &World, processor: &Processor) -> JoinSet<()> {
    let mut running = JoinSet::new();
    let options = FeedOptions { filter: Arc::new(processor::event::owes), ..FeedOptions::default() };
    let feed = world.table.engine().feed(options);
    let (fast, clock) = (processor.clone(), world.clock.clone());
    running.spawn(feed.run(move |changes| {
        let (processor, deadline) = (fast.clone(), clock.now() + Duration::from_secs(120));
        async move {
            let changes = Event::Changes(changes.records.into_iter().map(Into::into).collect());
            let answer = processor.handle(changes, deadline).await.unwrap();
            assert!(
                matches!(&answer, Response::Changes(failed) if failed.batch_item_failures.is_empty()),
                "{answer:?}"
            );
            Vec::new()
        }
    }));
    let (slow, clock) = (processor.clone(), world.clock.clone());
    running.spawn(async move {
        loop {
            let deadline = clock.now() + Duration::from_secs(120);
            slow.handle(Event::Tick(Share::ALL), deadline).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    running
}

/// From a message's acceptance to its arrival, at each of the healthy endpoints; the 99th percentile.
async fn p99(world: &World, application: &Application) -> Duration {
    let before = world.receiver.count();
    let mut accepted: HashMap<String, Timestamp> = HashMap::new();
    let mut pace = tokio::time::interval(PACE);
    for _ in 0..MESSAGES {
        pace.tick().await;
        let message = world.message(application).await;
        accepted.insert(message.id.to_string(), message.created_at);
    }
    let expected = before + MESSAGES * HEALTHY;
    wait_until("every delivery to a healthy endpoint", Duration::from_secs(20), async || {
        world.receiver.count() >= expected
    })
    .await;
    let mut waited: Vec<_> = world
        .receiver
        .deliveries()
        .into_iter()
        .filter_map(|delivery| accepted.get(&delivery.id).map(|at| delivery.arrived.since(*at)))
        .collect();
    assert_eq!(waited.len(), MESSAGES * HEALTHY, "each once");
    waited.sort_unstable();
    waited[waited.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_endpoints_one_that_never_answers_and_one_that_refuses_do_not_delay_the_other_eight() {
    let world = World::alone().await;
    let application = world.application().await;
    let url = world.receiver.url();
    for number in 0..HEALTHY {
        world.endpoint(&application, &format!("{url}/{number}")).await;
    }
    let wishes = Wishes { patience: Duration::from_secs(15), fast_patience: Duration::from_secs(3), ..impatient() };
    let processor = world.processor_with(wishes);
    let _running = run(&world, &processor);
    p99(&world, &application).await;
    let without = p99(&world, &application).await;

    let silent = Receiver::start(Plan::always(Reply::Hang)).await;
    world.endpoint(&application, &silent.url()).await;
    world.endpoint(&application, "http://127.0.0.1:1/").await;
    // What it takes to find out: that the processor hears of its new endpoints, and one second of waiting for one message.
    wait_until("the silent one was tried", Duration::from_secs(10), async || {
        world.message(&application).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        silent.count() > 0
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let with = p99(&world, &application).await;
    println!("p99 without {without:?}, with {with:?}");
    assert!(with <= without.mul_f64(1.5).max(without + NOISE), "without {without:?}, with {with:?}");
    assert!(silent.most_at_once() <= 16, "{}", silent.most_at_once());
}

/// Two endpoints of one host: the one that answers is not taken for the one that does not.
#[tokio::test]
async fn two_endpoints_on_one_origin_do_not_hold_each_other_up() {
    let world = World::new().await;
    let application = world.application().await;
    let hangs = |arrival: &tidings_harness::Arrival| match arrival.path.as_str() {
        "/complete/hangs" => Reply::Hang,
        _ => Reply::Status(200),
    };
    world.receiver.set_plan(Plan::by(hangs));
    let url = world.receiver.url();
    world.endpoint(&application, &format!("{url}/hangs")).await;
    world.endpoint(&application, &format!("{url}/answers")).await;
    let processor = world.processor_with(impatient());
    let arrived = |path: &str| world.receiver.deliveries().iter().filter(|one| one.path.ends_with(path)).count();
    for _ in 0..3 {
        world.message(&application).await;
        world.stream(&processor).await;
    }
    // A batch waited for it once; the other one got everything.
    assert_eq!((arrived("hangs"), arrived("answers")), (1, 3));
    for _ in 0..40 {
        world.message(&application).await;
    }
    world.clock.advance(GRACE);
    world.tick(&processor).await;
    let crowd = world.tick(&processor);
    tokio::pin!(crowd);
    tokio::select! {
        _ = &mut crowd => {}
        () = wait_until("the answering one has everything", Duration::from_secs(5), async || arrived("answers") == 43) => {}
    }
    assert_eq!(arrived("answers"), 43);
}
