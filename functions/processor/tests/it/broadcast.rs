//! Broadcasts are followed until the last delivery has ended, and counted once.

use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::attempt::Attempt;
use tidings_domain::broadcast::{Broadcast, Counts, Ended, FOLLOWED_AFTER, Tally};
use tidings_domain::delivery::{Delivery, Origin};
use tidings_domain::endpoint::{Endpoint, Retried};
use tidings_domain::ids::EndpointId;
use tidings_domain::message::Message;
use tidings_domain::{broker, client};
use tidings_harness::{Fault, Plan, Reply, Rule, events};
use tidings_store::agenda::Starts;
use tidings_store::broadcast::NewBroadcast;

use crate::support::outbound::impatient;
use crate::support::{CLAIM, GRACE, World};

/// When something must have been tried.
const LATE: Duration = Duration::from_secs(61);

/// What a broker's endpoint is.
fn brokers(endpoint: &mut Endpoint) {
    endpoint.retry_schedule = Some(broker::retry_schedule());
    endpoint.retried = Retried::Transient;
}

fn main(main: Counts) -> Tally {
    Tally { main, ..Tally::default() }
}

fn dead(dead_letters: Counts) -> Tally {
    Tally { main: Counts { failed: dead_letters.failed, ..Counts::default() }, dead_letters }
}

const ONE_COMPLETED: Counts = Counts { waiting: 0, active: 0, delayed: 0, failed: 0, completed: 1 };
const ONE_FAILED: Counts = Counts { failed: 1, completed: 0, ..ONE_COMPLETED };

impl World {
    async fn broker(&self) -> Application {
        self.application_with(|application| application.uid = Some(broker::application_uid())).await
    }

    async fn broadcast(&self, application: &Application, receivers: &[&Endpoint]) -> (Message, Broadcast) {
        let ids: Vec<_> = receivers.iter().map(|endpoint| endpoint.id).collect();
        self.broadcast_of(self.new_message(application), ids).await
    }

    async fn broadcast_of(&self, message: Message, receivers: Vec<EndpointId>) -> (Message, Broadcast) {
        let mut broadcast = Broadcast::of(&message, "upload_image".to_owned(), &[]);
        broadcast.receivers = receivers;
        let new = NewBroadcast {
            message: &message,
            broadcast: &broadcast,
            due: message.created_at + GRACE,
            follow_due: message.created_at + FOLLOWED_AFTER,
            starts: Starts::AtOnce,
        };
        assert!(self.table.store().create_broadcast(&new).await.unwrap());
        (message, broadcast)
    }

    async fn ended(&self, broadcast: &Broadcast) -> Option<Ended> {
        let Broadcast { organization, application, message, .. } = *broadcast;
        self.table.store().broadcast(organization, application, message).await.unwrap().unwrap().ended
    }

    async fn tally(&self, broadcast: &Broadcast) -> Option<Tally> {
        self.ended(broadcast).await.map(|ended| ended.tally)
    }

    async fn totals(&self, application: &Application) -> Tally {
        self.table.store().broadcast_totals(application.organization, application.id).await.unwrap()
    }

    async fn open(&self, application: &Application) -> usize {
        self.table.store().open_broadcasts(application.organization, application.id).await.unwrap().len()
    }

    /// As the API does it.
    async fn replay(&self, broadcast: &Broadcast, newest: &Attempt) {
        let read = Broadcast { ended: self.ended(broadcast).await, ..broadcast.clone() };
        let Broadcast { organization, application, message, .. } = *broadcast;
        let delivery = Delivery { organization, application, endpoint: newest.delivery.endpoint, message };
        let now = self.clock.now();
        let entry = delivery.entry(now + GRACE, 0, Origin::Again(newest.id));
        let store = self.table.store();
        assert!(store.reopen_broadcast(&read, &[entry], now + FOLLOWED_AFTER).await.unwrap());
        store.put_attempt(&Attempt { next_attempt: Some(now), ..newest.clone() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_broadcast_that_everybody_took_ends_at_the_first_look() {
    let world = World::new().await;
    let application = world.broker().await;
    let url = world.receiver.url();
    let [one, two] = ["1", "2"].map(|path| format!("{url}/{path}"));
    let [one, two] = [world.endpoint(&application, &one).await, world.endpoint(&application, &two).await];
    let (_, broadcast) = world.broadcast(&application, &[&one, &two]).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert_eq!(world.tick(&processor).await, processor::Summary::default(), "it is not time yet");
    assert_eq!((world.ended(&broadcast).await, world.open(&application).await), (None, 1));
    world.clock.advance(FOLLOWED_AFTER);
    assert_eq!(world.tick(&processor).await.finished, 1);
    let both = main(Counts { completed: 2, ..Counts::default() });
    assert_eq!((world.tally(&broadcast).await, world.totals(&application).await), (Some(both), both));
    assert_eq!((world.open(&application).await, world.agenda().await), (0, vec![]));
}

#[tokio::test]
async fn a_delivery_that_fails_is_a_dead_letter_after_five_attempts_and_ends_after_seven() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let application = world.broker().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), brokers).await;
    let (message, broadcast) = world.broadcast(&application, &[&endpoint]).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    for number in 1..7 {
        assert_eq!(world.attempts(&message).await.len(), number);
        assert_eq!(world.ended(&broadcast).await, None, "after attempt {number}");
        world.retry(&processor, &message).await;
    }
    world.work_off(&processor).await;
    assert_eq!(world.tally(&broadcast).await, Some(dead(ONE_FAILED)));
    assert_eq!((world.totals(&application).await, world.receiver.count()), (dead(ONE_FAILED), 7));
}

#[tokio::test]
async fn it_is_looked_at_when_the_next_attempt_should_have_been_made() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::in_order([Reply::Status(500), Reply::Status(200)]));
    let application = world.broker().await;
    let slow = |endpoint: &mut Endpoint| endpoint.retry_schedule = "600".parse().ok();
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), slow).await;
    let (message, broadcast) = world.broadcast(&application, &[&endpoint]).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.clock.advance(FOLLOWED_AFTER);
    assert_eq!(world.tick(&processor).await.postponed, 1);
    let next = world.attempts(&message).await[0].next_attempt.unwrap();
    let looks: Vec<_> = world.agenda().await.into_iter().filter(|entry| entry.key.work == broadcast.work()).collect();
    let [look] = &looks[..] else { panic!("{looks:?}") };
    assert_eq!((look.key.due, look.tries), (next + FOLLOWED_AFTER, 0));
    world.retry(&processor, &message).await;
    world.clock.advance(FOLLOWED_AFTER);
    world.tick(&processor).await;
    assert_eq!(world.tally(&broadcast).await, Some(main(ONE_COMPLETED)));
}

#[tokio::test]
async fn an_endpoint_that_the_fan_out_did_not_know_gets_its_delivery() {
    let world = World::new().await;
    let application = world.broker().await;
    let url = world.receiver.url();
    let old = world.endpoint(&application, &format!("{url}/old")).await;
    let processor = world.processor_with(impatient());
    world.message(&application).await;
    world.stream(&processor).await;
    // This processor remembers the application's endpoints by now.
    let new = world.endpoint(&application, &format!("{url}/new")).await;
    let (message, broadcast) = world.broadcast(&application, &[&old, &new]).await;
    world.stream(&processor).await;
    assert_eq!(world.attempts(&message).await.len(), 1, "it was passed over");
    world.clock.advance(FOLLOWED_AFTER);
    world.tick(&processor).await;
    assert_eq!((world.ended(&broadcast).await, world.receiver.count()), (None, 2));
    world.clock.advance(LATE);
    world.work_off(&processor).await;
    assert_eq!(world.tally(&broadcast).await, Some(main(Counts { completed: 2, ..Counts::default() })));
    let sent = world.receiver.deliveries_of(&message.id.to_string());
    assert_eq!(sent.iter().filter(|delivery| delivery.path.ends_with("/new")).count(), 1);
}

#[tokio::test]
async fn what_waits_for_a_receiver_that_is_gone_or_disabled_has_failed() {
    let world = World::new().await;
    let application = world.broker().await;
    let url = world.receiver.url();
    let here = world.endpoint(&application, &format!("{url}/here")).await;
    let off = world.endpoint_with(&application, &format!("{url}/off"), |endpoint| endpoint.disabled = true).await;
    let gone = world.endpoint(&application, &format!("{url}/gone")).await;
    assert!(world.table.store().delete_endpoint(&gone, None).await.unwrap());
    let (_, broadcast) = world.broadcast(&application, &[&here, &off, &gone]).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.clock.advance(FOLLOWED_AFTER);
    world.tick(&processor).await;
    assert_eq!(world.ended(&broadcast).await, None, "it may still be made");
    world.clock.advance(LATE);
    world.work_off(&processor).await;
    let counts = Counts { failed: 2, completed: 1, ..Counts::default() };
    let dead_letters = Counts { failed: 2, ..Counts::default() };
    assert_eq!(world.tally(&broadcast).await, Some(Tally { main: counts, dead_letters }));
    assert_eq!(world.receiver.count(), 1);
}

#[tokio::test]
async fn a_receiver_that_goes_between_two_attempts_ends_its_delivery() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let application = world.broker().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), brokers).await;
    let (_, broadcast) = world.broadcast(&application, &[&endpoint]).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert!(world.table.store().delete_endpoint(&endpoint, None).await.unwrap());
    world.work_off(&processor).await;
    assert_eq!((world.tally(&broadcast).await, world.receiver.count()), (Some(dead(ONE_FAILED)), 1));
}

#[tokio::test]
async fn a_payload_that_is_not_kept_any_more_ends_what_was_not_tried() {
    let world = World::new().await;
    let application = world.broker().await;
    let endpoint = world.endpoint(&application, &world.receiver.url()).await;
    let message = world.new_message(&application);
    let message = Message { payload_until: message.created_at + GRACE, ..message };
    let (_, broadcast) = world.broadcast_of(message, vec![endpoint.id]).await;
    world.clock.advance(LATE);
    world.work_off(&world.processor_with(impatient())).await;
    assert_eq!((world.tally(&broadcast).await, world.receiver.count()), (Some(dead(ONE_FAILED)), 0));
}

#[tokio::test]
async fn two_looks_at_once_end_it_once() {
    let world = World::new().await;
    let application = world.broker().await;
    let endpoint = world.endpoint(&application, &world.receiver.url()).await;
    world.stream_many(&application, &endpoint, 10).await;
    let [left, right] = [world.processor_with(impatient()), world.processor_with(impatient())];
    world.clock.advance(FOLLOWED_AFTER);
    let (left, right) = tokio::join!(world.tick(&left), world.tick(&right));
    assert_eq!(left.finished + right.finished, 10, "{left:?} {right:?}");
    let all = main(Counts { completed: 10, ..Counts::default() });
    assert_eq!((world.totals(&application).await, world.open(&application).await), (all, 0));
}

impl World {
    /// Broadcasts that everybody took, and that nobody has looked at.
    async fn stream_many(&self, application: &Application, endpoint: &Endpoint, count: usize) {
        for _ in 0..count {
            self.broadcast(application, &[endpoint]).await;
        }
        self.stream(&self.processor_with(impatient())).await;
    }
}

#[tokio::test]
async fn a_look_that_is_cut_short_is_taken_again_and_counts_once() {
    for fault in [Fault::InternalError, Fault::AnswerLost] {
        let world = World::new().await;
        let application = world.broker().await;
        let endpoint = world.endpoint(&application, &world.receiver.url()).await;
        world.stream_many(&application, &endpoint, 1).await;
        world.clock.advance(FOLLOWED_AFTER);
        // The second transaction writes the end; the first one claims. The client tries a few times by itself.
        world.table.faults().inject(Rule::new(fault).on("TransactWriteItems").after(1));
        let processor = world.processor_with(impatient());
        world.tick(&processor).await;
        world.table.faults().clear();
        world.clock.advance(CLAIM);
        world.work_off(&processor).await;
        assert_eq!((world.totals(&application).await, world.open(&application).await), (main(ONE_COMPLETED), 0));
    }
}

#[tokio::test]
async fn a_replayed_job_is_open_until_its_new_attempts_have_ended_and_is_counted_anew() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(404));
    let application = world.broker().await;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), brokers).await;
    let (message, broadcast) = world.broadcast(&application, &[&endpoint]).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.work_off(&processor).await;
    assert_eq!(world.totals(&application).await, dead(ONE_FAILED));
    let failed = world.attempts(&message).await.remove(0);
    // By the number of the request, since the first one.
    world.receiver.set_plan(Plan::in_order([404, 503, 200].map(Reply::Status)));
    world.replay(&broadcast, &failed).await;
    assert_eq!((world.totals(&application).await, world.open(&application).await), (Tally::default(), 1));
    // The stream is late: a look before the first new attempt must not take the old one for the end.
    world.clock.advance(FOLLOWED_AFTER);
    world.tick(&processor).await;
    assert_eq!(world.ended(&broadcast).await, None);
    world.stream(&processor).await;
    world.work_off(&processor).await;
    assert_eq!(world.answers(&message).await, [404, 503, 200]);
    let numbers: Vec<_> = world.attempts(&message).await.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 1, 2]);
    let both = (world.tally(&broadcast).await, world.totals(&application).await);
    assert_eq!(both, (Some(main(ONE_COMPLETED)), main(ONE_COMPLETED)));
}

#[tokio::test]
async fn a_broadcast_of_a_deleted_application_is_dropped() {
    let world = World::new().await;
    let application = world.broker().await;
    let (_, broadcast) = world.broadcast(&application, &[]).await;
    let due = world.clock.now() + GRACE;
    assert!(world.table.store().delete_application(&application, due).await.unwrap());
    world.clock.advance(GRACE);
    let processor = world.processor_with(impatient());
    world.work_off(&processor).await;
    let left = world.agenda().await;
    assert!(left.iter().all(|entry| entry.key.work != broadcast.work()), "{left:?}");
}

/// The real binary, which has the system's clock: what it finds was accepted some time ago.
async fn run_on(world: &World, application: &Application, receivers: &[&Endpoint]) -> Vec<String> {
    let ago = |at: Timestamp| at - LATE;
    let mut message = world.new_message(application);
    message.created_at = ago(message.created_at);
    message.id = tidings_domain::ids::MessageId::new(message.created_at, tidings_runtime::random::bytes());
    let ids = receivers.iter().map(|endpoint| endpoint.id).collect();
    let (_, broadcast) = world.broadcast_of(message, ids).await;
    let environment = world.function().start().await;
    for _ in 0..5 {
        if world.ended(&broadcast).await.is_some() {
            // One look more: it must not tell again.
            environment.invoke(&events::schedule()).await.unwrap();
            return environment.logs();
        }
        environment.invoke(&events::schedule()).await.unwrap();
    }
    panic!("it does not end: {:?}", environment.logs());
}

/// The message of every line of the log.
fn told(logs: &[String]) -> Vec<String> {
    let lines = logs.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn the_end_of_a_batch_is_one_line_of_the_log() {
    let world = World::new().await;
    let uid = Some(client::application_uid());
    let application = world.application_with(|application| application.uid = uid).await;
    let url = world.receiver.url();
    let once = |endpoint: &mut Endpoint| endpoint.retry_schedule = "".parse().ok();
    let earlier = |endpoint: &mut Endpoint| {
        once(endpoint);
        endpoint.created_at = endpoint.created_at - 2 * LATE;
    };
    let good = world.endpoint_with(&application, &format!("{url}/good"), earlier).await;
    let bad = world.endpoint_with(&application, &format!("{url}/bad"), earlier).await;
    let answer = |path: &str| Reply::Status(if path.ends_with("bad") { 500 } else { 200 });
    world.receiver.set_plan(Plan::by(move |arrival| answer(&arrival.path)));
    let told = told(&run_on(&world, &application, &[&good, &bad]).await);
    let line = format!(r#"{{"processed":["{url}/good"],"failed":["{url}/bad - answered 500"]}}"#);
    assert_eq!(told.iter().filter(|told| **told == line).count(), 1, "{told:#?}");
}

#[tokio::test]
async fn a_batch_for_nobody_says_so() {
    let world = World::new().await;
    let uid = Some(client::application_uid());
    let application = world.application_with(|application| application.uid = uid).await;
    let told = told(&run_on(&world, &application, &[]).await);
    assert_eq!(told.iter().filter(|told| **told == client::NOBODY).count(), 1, "{told:#?}");
}

#[tokio::test]
async fn the_end_of_a_job_is_one_line_of_the_log() {
    let world = World::new().await;
    let application = world.broker().await;
    let earlier = |endpoint: &mut Endpoint| endpoint.created_at = endpoint.created_at - 2 * LATE;
    let endpoint = world.endpoint_with(&application, &world.receiver.url(), earlier).await;
    let logs = run_on(&world, &application, &[&endpoint]).await;
    let lines: Vec<_> = logs.iter().filter(|line| line.contains("a job has ended")).collect();
    let [line] = &lines[..] else { panic!("{logs:#?}") };
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["event.name"], &line["completed"], &line["failed"]),
        (&"upload_image".into(), &1.into(), &0.into())
    );
}
