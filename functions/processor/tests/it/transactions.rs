//! Inbound webhooks are computed, each of a group's payloads by itself.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use processor::Summary;
use serde_json::{Value as Json, json};
use tidings_domain::enrollment::EnrollmentKey;
use tidings_domain::source::Scheme;
use tidings_domain::transaction::{Transaction, TransactionStatus};
use tidings_store::transaction::TransactionAccepted;

use crate::support::inbound::{CREATED, fired, key, payload};
use crate::support::outbound::impatient;
use crate::support::{GRACE, World};

#[tokio::test]
async fn the_fast_lane_computes_a_transaction_from_its_image() {
    let world = World::new().await;
    let source = world.source().await;
    // The environment has worked before: its first batch is checked.
    let processor = world.processor();
    world.receive(&source, "one", CREATED, &payload(1, 1, "subscribed")).await;
    world.stream(&processor).await;
    let transaction = world.receive(&source, "two", CREATED, &payload(2, 2, "subscribed")).await;
    let records = world.changes(1).await;
    world.table.meter().reset();
    world.send(&processor, records).await;
    let enrollment = world.enrollment(&source, key(2)).await.unwrap();
    assert_eq!((enrollment.present.map(|stamp| stamp.at), enrollment.deleted_at()), (Some(fired(2)), None));
    let stored = world.stored_transaction(&transaction).await;
    assert_eq!(stored.status, TransactionStatus::Computed);
    assert!(stored.computed_at.is_some_and(|at| at >= transaction.received_at) && stored.message.is_none());
    assert_eq!((world.agenda().await, world.compute_errors(&source).await), (vec![], vec![]));
    let calls = world.table.meter().calls();
    let counts: Vec<_> = calls.iter().map(|(operation, calls)| (operation.as_str(), calls.count)).collect();
    // What the enrollment was; what it is now; that the transaction is computed; the entry.
    assert_eq!(counts, [("BatchGetItem", 1), ("BatchWriteItem", 1), ("PutItem", 1), ("UpdateItem", 1)]);
}

#[tokio::test]
async fn the_slow_lane_computes_what_the_fast_one_left() {
    let world = World::new().await;
    let source = world.source().await;
    let mut transactions = Vec::new();
    for user in 1..=5 {
        let payload = payload(user, 1, "subscribed");
        transactions.push(world.receive(&source, &format!("wh-{user}"), CREATED, &payload).await);
    }
    world.clock.advance(GRACE);
    let summary = world.tick(&world.processor_with(impatient())).await;
    assert_eq!(summary, Summary { finished: 5, ..Summary::default() });
    for (user, transaction) in (1..).zip(&transactions) {
        assert_eq!(world.status_of(&source, user).await.as_deref(), Some("subscribed"));
        assert_eq!(world.transaction_status(transaction).await, TransactionStatus::Computed);
    }
    assert_eq!(world.agenda().await, []);
}

#[tokio::test]
async fn each_payload_of_a_group_is_computed_and_a_bad_one_fails_alone() {
    let world = World::new().await;
    let source = world.source().await;
    let mut payloads: Vec<Json> = (1..=25).map(|user| payload(user, 1, "subscribed")).collect();
    payloads[6] = json!({"fired_at": "soon", "user_id": 7, "status": []});
    payloads[20]["user_id"] = json!("somebody");
    let transaction = world.receive_group(&source, "group", CREATED, &payloads).await;
    world.stream(&world.processor()).await;
    for user in 1..=25 {
        let expected = (user != 7 && user != 21).then_some("subscribed");
        assert_eq!(world.status_of(&source, user).await.as_deref(), expected, "{user}");
    }
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Failed);
    let errors = world.compute_errors(&source).await;
    assert_eq!(errors.iter().map(|error| error.payload).collect::<Vec<_>>(), [Some(6), Some(20)]);
    for name in ["fired_at", "course_id", "status"] {
        assert!(errors[0].message.contains(&format!("`{name}`")), "{}", errors[0].message);
    }
    let first = &errors[0];
    assert_eq!((first.transaction, &first.name, first.event.as_str()), (transaction.id, &transaction.name, CREATED));
    assert_eq!((first.tries, first.created_at), (1, first.updated_at));
    assert_eq!(world.agenda().await, [], "to try it again would not help");
}

#[tokio::test]
async fn a_replay_computes_again_and_counts_what_fails_again() {
    let world = World::new().await;
    let source = world.source().await;
    let payloads = [payload(1, 1, "subscribed"), json!({"user_id": 2})];
    let transaction = world.receive_group(&source, "group", CREATED, &payloads).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    let first = world.compute_errors(&source).await.remove(0);
    // By the stream, and then by the schedule.
    world.clock.advance(Duration::from_secs(60));
    world.compute_again(&transaction).await;
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Pending);
    world.stream(&processor).await;
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Failed);
    world.compute_again(&transaction).await;
    world.changes(1).await;
    world.work_off(&processor).await;
    let [third] = world.compute_errors(&source).await.try_into().unwrap();
    assert_eq!((third.id, third.tries, third.created_at), (first.id, 3, first.created_at));
    assert!(third.updated_at.since(first.updated_at) >= Duration::from_secs(60));
    assert_eq!(world.status_of(&source, 1).await.as_deref(), Some("subscribed"));
}

#[tokio::test]
async fn a_replay_restores_an_enrollment_that_was_lost() {
    let world = World::new().await;
    let (lost, source) = (world.source().await, world.source().await);
    let transaction = world.receive(&source, "wh", CREATED, &payload(1, 1, "subscribed")).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    // As if the enrollments of another source had been this one's.
    assert_eq!(world.status_of(&lost, 1).await, None);
    let key = tidings_store::keys::enrollment(source.organization, source.id, &key(1));
    let delete = world.table.store().client().delete_item().table_name(tidings_harness::Table::NAME);
    let delete = delete.key("pk", AttributeValue::S(key.pk)).key("sk", AttributeValue::S(key.sk));
    delete.send().await.unwrap();
    assert_eq!(world.status_of(&source, 1).await, None);
    world.compute_again(&transaction).await;
    world.stream(&processor).await;
    assert_eq!(world.status_of(&source, 1).await.as_deref(), Some("subscribed"));
    assert_eq!(world.transaction_status(&transaction).await, TransactionStatus::Computed);
}

#[tokio::test]
async fn a_redelivery_is_computed_once() {
    let world = World::new().await;
    let source = world.source().await;
    let bad = json!({"user_id": 1});
    let transaction = world.receive(&source, "wh", CREATED, &bad).await;
    let processor = world.processor_with(impatient());
    let again = |transaction: &Transaction| {
        let again = Transaction { received_at: world.clock.now(), ..transaction.clone() };
        Transaction { id: tidings_domain::ids::TransactionId::new(again.received_at, [9; 15]), ..again }
    };
    // Before it was computed, and after.
    let repeated = world.put_transaction(&source, &again(&transaction), GRACE).await;
    assert!(matches!(repeated, TransactionAccepted::Repeated(_)), "{repeated:?}");
    world.stream(&processor).await;
    let repeated = world.put_transaction(&source, &again(&transaction), GRACE).await;
    assert!(matches!(repeated, TransactionAccepted::Repeated(_)), "{repeated:?}");
    world.work_off(&processor).await;
    let [error] = world.compute_errors(&source).await.try_into().unwrap();
    assert_eq!(error.tries, 1);
}

#[tokio::test]
async fn a_batch_that_comes_again_changes_nothing() {
    let world = World::new().await;
    let source = world.source().await;
    world.receive(&source, "one", CREATED, &payload(1, 1, "subscribed")).await;
    world.receive(&source, "two", "course.enrollment.completed", &payload(1, 2, "completed")).await;
    let records = world.changes(2).await;
    let processor = world.processor();
    for _ in 0..2 {
        assert!(world.send(&processor, records.clone()).await.is_empty());
    }
    let before = world.enrollment(&source, key(1)).await;
    assert!(world.send(&world.processor(), records).await.is_empty());
    assert_eq!(world.enrollment(&source, key(1)).await, before);
    assert_eq!((world.status_of(&source, 1).await.as_deref(), world.agenda().await.len()), (Some("completed"), 0));
}

#[tokio::test]
async fn what_says_nothing_of_enrollments_is_kept_and_is_no_compute_error() {
    let world = World::new().await;
    let source = world.source().await;
    let github = world.source_with(|source| source.scheme = Scheme::Github).await;
    let mut transactions = Vec::new();
    for (number, event) in ["course.created", "user.updated", "course.enrollment.archived"].into_iter().enumerate() {
        transactions.push(world.receive(&source, &format!("wh-{number}"), event, &json!({"no": "sense"})).await);
    }
    // The name of an event means what its sender means by it.
    transactions.push(world.receive(&github, "push", CREATED, &payload(1, 1, "subscribed")).await);
    transactions.push(world.receive_body(&github, "list", "push", "[1, 2]").await);
    world.stream(&world.processor()).await;
    for transaction in &transactions {
        assert_eq!(world.transaction_status(transaction).await, TransactionStatus::Computed, "{transaction:?}");
    }
    assert_eq!(world.compute_errors(&source).await, []);
    assert_eq!(world.status_of(&github, 1).await, None);
}

#[tokio::test]
async fn a_body_that_is_not_docebos_is_one_compute_error() {
    let world = World::new().await;
    let source = world.source().await;
    let bodies = ["[]", r#"{"event":"course.enrollment.created"}"#, r#"{"payload":{},"payloads":[]}"#];
    for (number, body) in bodies.into_iter().enumerate() {
        world.receive_body(&source, &format!("wh-{number}"), CREATED, body).await;
    }
    world.stream(&world.processor()).await;
    let errors = world.compute_errors(&source).await;
    assert_eq!(errors.len(), bodies.len());
    assert!(errors.iter().all(|error| error.payload.is_none() && error.message.contains("`payload`")), "{errors:?}");
}

#[tokio::test]
async fn a_session_has_an_enrollment_beside_its_courses() {
    let world = World::new().await;
    let source = world.source().await;
    let mut session = payload(1, 1, "confirmed");
    session["session_id"] = json!(5);
    world.receive(&source, "course", CREATED, &payload(1, 1, "subscribed")).await;
    world.receive(&source, "session", "ilt.session.enrollment.created", &session).await;
    world
        .receive(&source, "gone", "ilt.session.enrollment.deleted", &{
            session["fired_at"] = json!(fired(2));
            session
        })
        .await;
    world.stream(&world.processor()).await;
    let in_session = world.enrollment(&source, EnrollmentKey { session: Some(5), ..key(1) }).await.unwrap();
    assert_eq!(in_session.deleted_at(), Some(fired(2)));
    assert_eq!(world.enrollment(&source, key(1)).await.unwrap().deleted_at(), None);
}
