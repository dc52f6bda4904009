//! What a source keeps ends when its retention says so, that which is there already, too.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::StreamExt as _;
use processor::Summary;
use serde_json::json;
use tidings_domain::Timestamp;
use tidings_domain::agenda::Kind;
use tidings_domain::ids::TransactionErrorId;
use tidings_domain::retention::{Period, Retention};
use tidings_domain::source::Source;
use tidings_domain::transaction::{KeptHeaders, Transaction, TransactionError};
use tidings_harness::{Fault, Rule, Table};
use tidings_runtime::random;
use tidings_store::{Replaced, keys};

use crate::support::inbound::{CREATED, key};
use crate::support::outbound::impatient;
use crate::support::{GRACE, World};

/// When the work that follows a change of a source is due.
const AFTER: Duration = Duration::from_secs(15);

const LONG: Retention = Retention {
    transactions: Period::years(2),
    transaction_errors: Period::years(3),
    compute_errors: Period::years(4),
    enrollments: Period::years(10),
};

const SHORT: Retention = Retention {
    transactions: Period::days(1),
    transaction_errors: Period::days(2),
    compute_errors: Period::days(3),
    enrollments: Period::years(9),
};

/// One record of each kind.
struct Kept {
    transaction: Transaction,
    rejected: TransactionError,
}

impl World {
    /// A source with one record of each kind: a group with a good payload and a bad one, and a rejected request.
    async fn source_with_records(&self, retention: Retention) -> (Source, Kept) {
        let source = self.source_with(|source| source.retention = retention).await;
        let payloads = [crate::support::inbound::payload(1, 1, "subscribed"), json!({})];
        let transaction = self.receive_group(&source, "group", CREATED, &payloads).await;
        let now = self.clock.now();
        let rejected = TransactionError {
            id: TransactionErrorId::new(now, random::bytes()),
            organization: source.organization,
            source: source.id,
            status: 400,
            faults: vec!["`event` is required".to_owned()],
            headers: KeptHeaders::default(),
            body: "{}".into(),
            body_bytes: 2,
            received_at: now,
        };
        self.table.store().put_transaction_error(&rejected, retention.transaction_errors.end(now)).await.unwrap();
        self.stream(&self.processor_with(impatient())).await;
        (source, Kept { transaction, rejected })
    }

    async fn retain(&self, source: &Source, retention: Retention) -> Source {
        let updated_at = self.clock.now().max(source.updated_at + Duration::from_millis(1));
        let after = Source { retention, updated_at, ..source.clone() };
        let due = self.clock.now() + AFTER;
        assert_eq!(self.table.store().replace_source(source, &after, due).await.unwrap(), Replaced::Written);
        after
    }

    /// When the table deletes an item, in seconds; `None` if it is not there.
    async fn expires_at(&self, key: &keys::Key) -> Option<i64> {
        let get = self.table.store().client().get_item().table_name(Table::NAME);
        let get = get.key("pk", AttributeValue::S(key.pk.clone())).key("sk", AttributeValue::S(key.sk.clone()));
        let item = get.consistent_read(true).send().await.unwrap().item?;
        Some(item["expires_at"].as_n().unwrap().parse().unwrap())
    }

    /// When each of a source's records is deleted: transaction, transaction error, compute error, enrollment.
    async fn ends(&self, source: &Source, kept: &Kept) -> [Option<i64>; 4] {
        let Kept { transaction, rejected } = kept;
        let Source { organization, id, .. } = source;
        let compute_error = transaction.compute_error_id(Some(1));
        [
            self.expires_at(&keys::transaction(*organization, *id, &transaction.name)).await,
            self.expires_at(&keys::transaction_error(*organization, *id, rejected.id)).await,
            self.expires_at(&keys::compute_error(*organization, *id, compute_error)).await,
            self.expires_at(&keys::enrollment(*organization, *id, &key(1))).await,
        ]
    }

    /// What [`Self::ends`] is by a retention. What was computed is as old as its transaction's last computation.
    async fn expected_ends(&self, kept: &Kept, retention: Retention) -> [Option<i64>; 4] {
        let Kept { transaction, rejected } = kept;
        let computed_at = self.stored_transaction(transaction).await.computed_at.unwrap();
        let Retention { transactions, transaction_errors, compute_errors, enrollments } = retention;
        [
            transactions.end(transaction.received_at),
            transaction_errors.end(rejected.received_at),
            compute_errors.end(computed_at),
            enrollments.end(computed_at),
        ]
        .map(|end: Timestamp| Some(end.as_secs()))
    }
}

#[tokio::test]
async fn records_are_written_with_the_end_that_the_retention_says() {
    let world = World::new().await;
    for retention in [LONG, SHORT] {
        let (source, kept) = world.source_with_records(retention).await;
        assert_eq!(world.ends(&source, &kept).await, world.expected_ends(&kept, retention).await);
    }
}

#[tokio::test]
async fn a_longer_or_a_shorter_retention_holds_for_what_is_there_already() {
    for (before, after) in [(SHORT, LONG), (LONG, SHORT)] {
        let world = World::new().await;
        let (source, kept) = world.source_with_records(before).await;
        let (other, untouched) = world.source_with_records(before).await;
        world.retain(&source, after).await;
        let processor = world.processor_with(impatient());
        assert_eq!(world.tick(&processor).await, Summary::default(), "it waits until nobody believes the old one");
        world.clock.advance(AFTER);
        assert_eq!(world.tick(&processor).await, Summary { finished: 1, ..Summary::default() });
        assert_eq!(world.ends(&source, &kept).await, world.expected_ends(&kept, after).await);
        assert_eq!(world.ends(&other, &untouched).await, world.expected_ends(&untouched, before).await);
        assert_eq!(world.agenda().await, []);
    }
}

#[tokio::test]
async fn of_two_changes_the_last_one_holds() {
    let world = World::new().await;
    let (source, kept) = world.source_with_records(SHORT).await;
    let changed = world.retain(&source, Retention::default()).await;
    world.clock.advance(Duration::from_secs(1));
    world.retain(&changed, LONG).await;
    assert_eq!(world.agenda().await.len(), 2);
    world.work_off(&world.processor_with(impatient())).await;
    assert_eq!(world.ends(&source, &kept).await, world.expected_ends(&kept, LONG).await);
}

#[tokio::test]
async fn a_change_of_anything_else_is_no_work() {
    let world = World::new().await;
    let (source, _) = world.source_with_records(SHORT).await;
    world.retain(&Source { name: "another".to_owned(), ..source.clone() }, SHORT).await;
    assert_eq!(world.agenda().await, []);
}

#[tokio::test]
async fn what_a_deleted_source_kept_is_removed_and_nothing_else() {
    let world = World::new().await;
    let (source, kept) = world.source_with_records(LONG).await;
    let (other, untouched) = world.source_with_records(LONG).await;
    // Not computed yet, and never to be.
    world.receive(&source, "late", CREATED, &json!({})).await;
    assert!(world.table.store().delete_source(&source, world.clock.now() + AFTER).await.unwrap());
    world.work_off(&world.processor_with(impatient())).await;
    assert_eq!(world.ends(&source, &kept).await, [None; 4]);
    assert_eq!(world.ends(&other, &untouched).await, world.expected_ends(&untouched, LONG).await);
}

/// More than fits into the time of one try.
const MANY: usize = 450;

#[tokio::test]
async fn what_is_left_when_time_is_up_is_gone_through_from_there() {
    for is_deleted in [false, true] {
        let world = World::new().await;
        let (source, kept) = world.source_with_records(SHORT).await;
        let (world, source) = (&world, &source);
        let received = futures::stream::iter(0..MANY).map(|number| async move {
            let event = "course.created";
            let transaction = world.new_transaction(source, &format!("wh-{number}"), event, "{}");
            let accepted = world.put_transaction(source, &transaction, GRACE).await;
            assert_eq!(accepted, tidings_store::transaction::TransactionAccepted::Written);
            transaction
        });
        let transactions: Vec<_> = received.buffer_unordered(32).collect().await;
        let processor = world.processor_with(impatient());
        world.work_off(&processor).await;
        if is_deleted {
            assert!(world.table.store().delete_source(source, world.clock.now() + AFTER).await.unwrap());
        } else {
            world.retain(source, LONG).await;
        }
        world.clock.advance(AFTER);
        // Each page of this source's records takes most of a try's time.
        let slow = Rule::new(Fault::Slow(Duration::from_millis(1_200))).on("Query");
        world.table.faults().inject(slow.containing(&source.id.to_string()));
        let first = world.tick(&processor).await;
        world.table.faults().clear();
        assert!(first.postponed > 0, "{first:?}");
        world.work_off(&processor).await;
        for transaction in &transactions {
            let key = keys::transaction(source.organization, source.id, &transaction.name);
            let end = (!is_deleted).then(|| LONG.transactions.end(transaction.received_at).as_secs());
            assert_eq!(world.expires_at(&key).await, end);
        }
        let ends = world.ends(source, &kept).await;
        assert!(ends.iter().all(|end| end.is_none() == is_deleted), "{ends:?}");
    }
}

#[tokio::test]
async fn a_processor_that_dies_in_between_leaves_the_rest_to_the_next() {
    let world = World::new().await;
    let (source, kept) = world.source_with_records(SHORT).await;
    world.retain(&source, LONG).await;
    let entry = world.agenda().await.remove(0);
    assert_eq!(entry.key.work.kind, Kind::Retention);
    world.clock.advance(AFTER);
    let processor = world.processor_with(impatient());
    for operation in ["GetItem", "Query", "UpdateItem", "BatchWriteItem"] {
        world.table.faults().inject(Rule::new(Fault::Unreachable).on(operation).containing(&source.id.to_string()));
        world.tick(&processor).await;
        assert_eq!(world.agenda().await.len(), 1, "{operation}");
        world.table.faults().clear();
        world.clock.advance(2 * GRACE);
    }
    world.work_off(&processor).await;
    assert_eq!(world.ends(&source, &kept).await, world.expected_ends(&kept, LONG).await);
}
