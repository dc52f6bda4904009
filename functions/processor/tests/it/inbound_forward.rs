//! Inbound webhooks are forwarded to an application as they came, and at most once.

use futures::future::join_all;
use serde_json::json;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::message::Message;
use tidings_domain::source::{Scheme, Source};
use tidings_domain::transaction::{Transaction, TransactionStatus};
use tidings_harness::{Fault, Rule};
use tidings_store::message::MessageFilter;
use tidings_store::{Created, Replaced};

use crate::support::inbound::{CREATED, payload};
use crate::support::outbound::{impatient, key};
use crate::support::{CLAIM, GRACE, World};

/// As no serializer would write it.
const BODY: &str = "{\"b\" : 1.00,\n\t\"a\":\"\\u00fc\\/\", \"b\":1e2}\n";

impl World {
    async fn messages_of(&self, application: &Application) -> Vec<Message> {
        let filter = MessageFilter { with_payload: true, ..MessageFilter::default() };
        let limit = 250.try_into().unwrap();
        let now = self.clock.now();
        let Application { organization, id, .. } = application;
        let page = self.table.store().messages(*organization, *id, &filter, None, limit, now).await.unwrap();
        assert!(page.done);
        page.data
    }

    /// The one message that a transaction was forwarded as, and that there is no other.
    async fn only_message(&self, application: &Application, transaction: &Transaction) -> Message {
        let [message] = self.messages_of(application).await.try_into().unwrap_or_else(|all| panic!("{all:?}"));
        assert_eq!(self.stored_transaction(transaction).await.message, Some(message.id));
        message
    }
}

#[tokio::test]
async fn the_body_is_forwarded_byte_for_byte_and_signed() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let source = world
        .source_with(|source| {
            source.scheme = Scheme::Github;
            source.forward_to = Some(tidings_domain::names::Reference::Id(application.id));
        })
        .await;
    let transaction = world.receive_body(&source, "1", "pull_request/opened", BODY).await;
    world.stream(&world.processor()).await;
    let message = world.only_message(&application, &transaction).await;
    assert_eq!(message.event_type.as_str(), "github.pull_request.opened");
    let [delivery] = world.receiver.deliveries().try_into().unwrap();
    assert_eq!(String::from_utf8_lossy(&delivery.body), BODY);
    assert_eq!(delivery.id, message.id.to_string());
    let at = Timestamp::from_millis(delivery.header("webhook-timestamp").parse::<i64>().unwrap() * 1000);
    assert_eq!(delivery.header("webhook-signature"), key().sign(&delivery.id, at, BODY.as_bytes()));
    assert_eq!(
        (world.transaction_status(&transaction).await, world.agenda().await),
        (TransactionStatus::Computed, vec![])
    );
}

#[tokio::test]
async fn a_group_is_computed_and_forwarded_as_one_message_although_a_payload_is_bad() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let source = world.forwarding_source(&application).await;
    let payloads = [payload(1, 1, "subscribed"), json!({"user_id": 2})];
    let transaction = world.receive_group(&source, "group", CREATED, &payloads).await;
    world.stream(&world.processor()).await;
    let message = world.only_message(&application, &transaction).await;
    assert_eq!(message.event_type.as_str(), "docebo.course.enrollment.created");
    assert_eq!(message.payload, Some(transaction.body.clone()));
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Failed);
    assert_eq!((world.compute_errors(&source).await.len(), world.receiver.count()), (1, 1));
}

#[tokio::test]
async fn redeliveries_replays_and_batches_that_come_again_forward_nothing_twice() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let source = world.forwarding_source(&application).await;
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    let processors = [world.processor_with(impatient()), world.processor_with(impatient())];
    let records = world.changes(1).await;
    // Two at once, and one of them again.
    join_all(processors.iter().map(|processor| world.send(processor, records.clone()))).await;
    world.send(&processors[0], records.clone()).await;
    let message = world.only_message(&application, &transaction).await;
    let again = world.new_transaction(&source, "wh", CREATED, "{}");
    assert_eq!(again.name, transaction.name);
    let accepted = world.put_transaction(&source, &again, GRACE).await;
    assert!(!matches!(accepted, tidings_store::transaction::TransactionAccepted::Written));
    for _ in 0..2 {
        world.compute_again(&transaction).await;
        world.stream(&processors[1]).await;
    }
    world.work_off(&processors[0]).await;
    assert_eq!(world.only_message(&application, &transaction).await.id, message.id);
    assert_eq!(world.receiver.count(), 1);
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Computed);
}

#[tokio::test]
async fn a_processor_that_dies_between_two_steps_forwards_nothing_twice() {
    // After the merge; after the message; nobody is told that the message is there.
    let places = [
        (Fault::Unreachable, "TransactWriteItems"),
        (Fault::Unreachable, "BatchWriteItem"),
        (Fault::AnswerLost, "TransactWriteItems"),
    ];
    for (fault, operation) in places {
        let what = format!("{fault:?} of {operation}");
        let world = World::new().await;
        let (application, _) = world.receiver_endpoint().await;
        let source = world.forwarding_source(&application).await;
        let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
        let records = world.changes(1).await;
        world.table.faults().inject(Rule::new(fault).on(operation).times(4));
        assert!(world.send(&world.processor(), records.clone()).await.is_empty(), "{what}");
        assert!(!world.agenda().await.is_empty(), "{what}: it is not done");
        world.table.faults().clear();
        // The stream brings it again, to another environment, and the schedule finds what is left.
        world.send(&world.processor(), records).await;
        world.clock.advance(CLAIM);
        let processor = world.processor_with(impatient());
        world.stream(&processor).await;
        world.work_off(&processor).await;
        world.only_message(&application, &transaction).await;
        assert_eq!(world.receiver.count(), 1, "{what}");
        assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Computed, "{what}");
    }
}

#[tokio::test]
async fn what_could_not_be_forwarded_is_once_its_application_is_there() {
    let world = World::new().await;
    let uid: tidings_domain::names::Uid = "learning".parse().unwrap();
    let reference = tidings_domain::names::Reference::Uid(uid.clone());
    let source = world.source_with(|source| source.forward_to = Some(reference)).await;
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Failed);
    let [error] = world.compute_errors(&source).await.try_into().unwrap();
    assert_eq!((error.payload, error.message.as_str()), (None, "application `learning` does not exist"));
    assert_eq!(world.status_of(&source, 1).await.as_deref(), Some("subscribed"), "it was computed all the same");
    let application = world.application_with(|application| application.uid = Some(uid)).await;
    world.endpoint(&application, &world.receiver.url()).await;
    world.compute_again(&transaction).await;
    world.stream(&processor).await;
    world.only_message(&application, &transaction).await;
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Computed);
    assert_eq!((world.compute_errors(&source).await.len(), world.receiver.count()), (0, 1));
}

#[tokio::test]
async fn a_replay_forwards_what_came_before_there_was_somebody_to_forward_to() {
    let world = World::new().await;
    let source = world.source().await;
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert_eq!(world.stored_transaction(&transaction).await.message, None);
    let (application, _) = world.receiver_endpoint().await;
    let reference = tidings_domain::names::Reference::Id(application.id);
    let updated_at = source.updated_at + GRACE;
    let after = Source { forward_to: Some(reference), updated_at, ..source.clone() };
    let replaced = world.table.faulty_store().replace_source(&source, &after, world.clock.now()).await.unwrap();
    assert_eq!(replaced, Replaced::Written);
    // Longer than a source is kept in memory.
    world.clock.advance(GRACE);
    world.compute_again(&transaction).await;
    world.stream(&processor).await;
    world.only_message(&application, &transaction).await;
    assert_eq!(world.receiver.count(), 1);
}

#[tokio::test]
async fn the_slow_lane_forwards_too() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let source = world.forwarding_source(&application).await;
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    world.changes(1).await;
    let processor = world.processor_with(impatient());
    world.work_off(&processor).await;
    let message = world.only_message(&application, &transaction).await;
    assert!(message.created_at >= transaction.received_at + GRACE, "it is as old as its forwarding");
    assert_eq!(world.receiver.count(), 1);
}

#[tokio::test]
async fn each_organization_forwards_to_its_own_applications() {
    let world = World::new().await;
    let other = tidings_domain::ids::OrganizationId::new(world.clock.now(), [2; 15]);
    let foreign = world.application_with(|application| application.organization = other).await;
    let mut source = world.forwarding_source(&foreign).await;
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    world.stream(&world.processor()).await;
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Failed);
    assert_eq!(world.messages_of(&foreign).await, []);
    // A source of that organization may.
    source.organization = other;
    source.id = tidings_domain::ids::SourceId::new(world.clock.now(), [3; 15]);
    assert_eq!(world.table.store().create_source(&source, None).await.unwrap(), Created::Written);
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    world.stream(&world.processor()).await;
    world.only_message(&foreign, &transaction).await;
}
