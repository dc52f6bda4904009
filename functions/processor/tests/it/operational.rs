//! What an organization is told about its applications' endpoints and messages.

use std::time::Duration;

use serde_json::Value;
use tidings_domain::application::Application;
use tidings_domain::endpoint::{Endpoint, FAILING_FOR};
use tidings_harness::{Fault, Plan, Receiver, Reply, Rule};

use crate::support::World;
use crate::support::outbound::{impatient, organization};

/// A world in which somebody is told: everything that came there, by type.
struct Told {
    world: World,
    receiver: Receiver,
    recipient: Application,
}

impl Told {
    async fn new() -> Self {
        let world = World::new().await;
        let receiver = Receiver::start(Plan::status(200)).await;
        let recipient =
            world.application_with(|application| application.uid = organization().to_string().parse().ok()).await;
        world.endpoint(&recipient, &receiver.url()).await;
        Self { world, receiver, recipient }
    }

    fn types(&self) -> Vec<String> {
        self.events().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    fn events(&self) -> Vec<Value> {
        self.receiver.deliveries().iter().map(tidings_harness::Delivery::json).collect()
    }

    /// Runs both lanes through so many failures of one message.
    async fn fail(&self, endpoint: impl FnOnce(&mut Endpoint), attempts: usize) -> tidings_domain::message::Message {
        let world = &self.world;
        world.receiver.set_plan(Plan::status(500));
        let named = |application: &mut Application| application.uid = format!("acme-{}", application.id).parse().ok();
        let application = world.application_with(named).await;
        world.endpoint_with(&application, &world.receiver.url(), endpoint).await;
        let mut message = world.new_message(&application);
        message.event_id = "order-17".parse().ok();
        world.put_message(&message, crate::support::GRACE).await;
        let processor = world.processor_with(impatient());
        world.stream(&processor).await;
        for _ in 1..attempts {
            world.retry(&processor, &message).await;
        }
        self.pass_on().await;
        message
    }

    /// Delivers what the organization is told.
    async fn pass_on(&self) {
        let records = self.world.changes_so_far();
        self.world.send(&self.world.processor_with(impatient()), records).await;
    }
}

#[tokio::test]
async fn the_fourth_failure_says_that_a_message_is_failing() {
    let thrice = Told::new().await;
    thrice.fail(|_| {}, 3).await;
    assert_eq!(thrice.types(), Vec::<String>::new());
    let told = Told::new().await;
    let message = told.fail(|endpoint| endpoint.uid = "hook".parse().ok(), 4).await;
    assert_eq!(told.types(), ["message.attempt.failing"]);
    let data = &told.events()[0]["data"];
    let attempt = &told.world.attempts(&message).await[3];
    assert_eq!(data["msgId"], message.id.to_string());
    let uid = format!("acme-{}", message.application);
    assert_eq!((data["appUid"].as_str(), data["msgEventId"].as_str()), (Some(uid.as_str()), Some("order-17")));
    assert_eq!(data["lastAttempt"]["id"], attempt.id.to_string());
    assert_eq!(data["lastAttempt"]["responseStatusCode"], 500);
}

#[tokio::test]
async fn the_last_failure_says_that_a_message_is_exhausted() {
    let told = Told::new().await;
    told.fail(|endpoint| endpoint.retry_schedule = "5,5".parse().ok(), 3).await;
    assert_eq!(told.types(), ["message.attempt.exhausted"]);
    told.fail(|endpoint| endpoint.retry_schedule = "".parse().ok(), 1).await;
    assert_eq!(told.types(), ["message.attempt.exhausted", "message.attempt.exhausted"]);
}

#[tokio::test]
async fn a_message_that_was_failing_and_is_taken_has_recovered() {
    let told = Told::new().await;
    let message = told.fail(|_| {}, 5).await;
    told.world.receiver.set_plan(Plan::status(200));
    told.world.retry(&told.world.processor_with(impatient()), &message).await;
    told.pass_on().await;
    assert_eq!(told.types(), ["message.attempt.failing", "message.attempt.recovered"]);
    assert!(told.world.is_delivered(&message).await);
    // One that failed less often was not said to be failing.
    let message = told.fail(|_| {}, 2).await;
    told.world.receiver.set_plan(Plan::status(200));
    told.world.retry(&told.world.processor_with(impatient()), &message).await;
    told.pass_on().await;
    assert_eq!(told.types().len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_is_disabled_is_told_of_once() {
    let told = Told::new().await;
    let world = &told.world;
    world.receiver.set_plan(Plan::always(Reply::Status(410)));
    let (application, endpoint) = world.receiver_endpoint().await;
    world.message(&application).await;
    world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert_eq!(told.types(), ["endpoint.disabled"]);
    let data = &told.events()[0]["data"];
    assert_eq!(
        (data["endpointId"].as_str(), data["appId"].as_str()),
        (Some(endpoint.id.to_string().as_str()), Some(application.id.to_string().as_str()),)
    );
}

#[tokio::test]
async fn nobody_is_told_about_the_one_that_is_told() {
    let told = Told::new().await;
    let world = &told.world;
    told.receiver.set_plan(Plan::status(500));
    let processor = world.processor_with(impatient());
    world.message(&told.recipient).await;
    world.stream(&processor).await;
    world.work_off(&processor).await;
    // Eight attempts at the one message, none at another.
    assert_eq!(told.receiver.count(), 8);
    world.clock.advance(FAILING_FOR + Duration::from_secs(60));
    world.message(&told.recipient).await;
    world.work_off(&processor).await;
    let ids: std::collections::BTreeSet<_> = told.receiver.deliveries().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 2, "only what was sent by hand");
}

#[tokio::test]
async fn where_nobody_wants_to_know_nothing_is_told() {
    let world = World::new().await;
    world.receiver.set_plan(Plan::status(500));
    let (application, _) = world.receiver_endpoint().await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.work_off(&processor).await;
    assert_eq!((world.answers(&message).await.len(), world.receiver.count()), (8, 8));
    assert!(world.changes_so_far().is_empty());
}

#[tokio::test]
async fn an_attempt_is_on_record_although_nobody_can_find_out_who_is_to_be_told() {
    let told = Told::new().await;
    told.world.table.faults().inject(Rule::new(Fault::Unreachable).containing("APPUID#"));
    let message = told.fail(|endpoint| endpoint.retry_schedule = "".parse().ok(), 1).await;
    assert_eq!((told.world.answers(&message).await, told.types().len()), (vec![500], 0));
    assert_eq!(told.world.agenda().await, []);
}
