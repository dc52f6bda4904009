//! The table fails in one place after the other while inbound webhooks are computed and forwarded: nothing is lost, and
//! nothing is forwarded twice.

use std::collections::BTreeSet;

use tidings_domain::application::Application;
use tidings_domain::source::Source;
use tidings_domain::transaction::{Transaction, TransactionStatus};
use tidings_harness::{Fault, Rule};

use crate::support::inbound::{CREATED, payload};
use crate::support::outbound::impatient;
use crate::support::{CLAIM, GRACE, World};

/// Faults that pass.
const PASSING: [Fault; 6] =
    [Fault::Throttled, Fault::Conflict, Fault::InternalError, Fault::Gateway, Fault::Unreachable, Fault::AnswerLost];

/// The calls of the fast lane: the check of the first batch, the source, what the enrollments were, what they are, the
/// application, the messages, the entries.
const FAST: [(&str, usize); 7] = [
    ("BatchGetItem", 0),
    ("GetItem", 0),
    ("BatchGetItem", 1),
    ("PutItem", 0),
    ("GetItem", 1),
    ("TransactWriteItems", 1),
    ("BatchWriteItem", 0),
];

/// The calls of the slow lane: the look, the claims, the transactions, the enrollments, the messages, the entries.
const SLOW: [(&str, usize); 7] = [
    ("Query", 16),
    ("TransactWriteItems", 1),
    ("GetItem", 0),
    ("GetItem", 3),
    ("PutItem", 1),
    ("TransactWriteItems", 4),
    ("BatchWriteItem", 0),
];

const TRANSACTIONS: usize = 3;

/// Only writes meet transactions.
fn happens(fault: Fault, operation: &str) -> bool {
    fault != Fault::Conflict || !matches!(operation, "Query" | "GetItem" | "BatchGetItem")
}

struct Scene {
    world: World,
    source: Source,
    transactions: Vec<Transaction>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let (application, _) = world.receiver_endpoint().await;
        Self::of(world, &application).await
    }

    async fn of(world: World, application: &Application) -> Self {
        let source = world.forwarding_source(application).await;
        let mut transactions = Vec::new();
        for number in 0..TRANSACTIONS {
            // Two of one user.
            let user = if number == 0 { 1 } else { 2 };
            let payload = payload(user, u32::try_from(number).unwrap(), &format!("status {number}"));
            transactions.push(world.receive(&source, &format!("wh-{number}"), CREATED, &payload).await);
        }
        Self { world, source, transactions }
    }

    /// After a disturbed beginning, everything comes to its end.
    async fn recovers(&self, what: &str) {
        let Self { world, source, transactions } = self;
        world.table.faults().clear();
        let processor = world.processor_with(impatient());
        world.clock.advance(CLAIM);
        world.work_off(&processor).await;
        let mut messages = BTreeSet::new();
        for transaction in transactions {
            let stored = world.stored_transaction(transaction).await;
            assert_eq!(stored.status, TransactionStatus::Computed, "{what}");
            messages.insert(stored.message.unwrap_or_else(|| panic!("{what}: not forwarded")).to_string());
        }
        assert_eq!(messages.len(), TRANSACTIONS, "{what}");
        let delivered: BTreeSet<_> = world.receiver.deliveries().into_iter().map(|delivery| delivery.id).collect();
        assert_eq!(delivered, messages, "{what}");
        let statuses = [world.status_of(source, 1).await, world.status_of(source, 2).await];
        assert_eq!(statuses, [Some("status 0".to_owned()), Some("status 2".to_owned())], "{what}");
        assert_eq!(world.compute_errors(source).await, [], "{what}");
    }
}

#[tokio::test]
async fn a_fault_in_the_fast_lane_leaves_the_work_to_the_schedule() {
    for fault in PASSING {
        for (operation, after) in FAST.into_iter().filter(|place| happens(fault, place.0)) {
            let what = format!("{fault:?} of {operation} {after}");
            let scene = Scene::new().await;
            let records = scene.world.changes(TRANSACTIONS).await;
            scene.world.table.faults().inject(Rule::new(fault).on(operation).after(after));
            let failed = scene.world.send(&scene.world.processor(), records).await;
            assert!(failed.is_empty(), "{what}: the records are not to blame");
            scene.recovers(&what).await;
        }
    }
}

#[tokio::test]
async fn a_fault_in_the_slow_lane_leaves_the_work_to_the_next_run() {
    for fault in PASSING {
        for (operation, after) in SLOW.into_iter().filter(|place| happens(fault, place.0)) {
            let what = format!("{fault:?} of {operation} {after}");
            let scene = Scene::new().await;
            scene.world.clock.advance(GRACE);
            scene.world.table.faults().inject(Rule::new(fault).on(operation).after(after));
            // Some runs fail, and say so; what they claimed is due again.
            if let Err(error) = scene.world.try_tick(&scene.world.processor_with(impatient())).await {
                assert!(error.retryable(), "{what}: {error}");
            }
            scene.recovers(&what).await;
        }
    }
}

#[tokio::test]
async fn tries_that_end_with_an_error_of_the_table_do_not_use_a_transaction_up() {
    let scene = Scene::new().await;
    let Scene { world, source, transactions } = &scene;
    world.table.faults().inject(Rule::new(Fault::Throttled).on("PutItem"));
    let processor = world.processor_with(impatient());
    for _ in 0..2 * tidings_domain::transaction::MAX_TRIES {
        world.clock.advance(CLAIM);
        world.tick(&processor).await;
    }
    assert!(world.agenda().await.iter().all(|entry| entry.tries == 0), "{:?}", world.agenda().await);
    for transaction in transactions {
        assert_eq!(world.transaction_status(transaction).await, TransactionStatus::Pending);
    }
    assert_eq!(world.compute_errors(source).await, []);
    scene.recovers("after a long disturbance").await;
}

#[tokio::test]
async fn what_the_table_refuses_is_set_aside_in_the_slow_lane_and_named_in_the_fast_one() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let records = world.changes(TRANSACTIONS).await;
    let numbers: Vec<_> = records.iter().filter_map(|record| record.change.sequence_number.clone()).collect();
    world.table.faults().inject(Rule::new(Fault::Refused).on("PutItem"));
    let mut failed = world.send(&world.processor(), records).await;
    failed.sort_unstable();
    assert_eq!(failed, numbers);
    world.clock.advance(GRACE);
    let summary = world.tick(&world.processor_with(impatient())).await;
    assert_eq!((summary.set_aside, world.agenda().await.len()), (TRANSACTIONS, TRANSACTIONS));
    scene.recovers("after it was mended").await;
}
