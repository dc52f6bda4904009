//! Lists of transactions by time.

use std::time::Duration;

use proptest::prelude::*;
use tidings_domain::Timestamp;
use tidings_domain::ids::TransactionId;
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_domain::transaction::Transaction;
use tidings_store::Store;
use tidings_store::transaction::Times;

use crate::inbound::{accept, keeping, source, transaction, unnamed};
use crate::support::{NOW, at, store};

/// Received at this millisecond: ids count in steps of four.
fn received(millis: i64) -> Transaction {
    let received_at = Timestamp::from_millis(NOW.as_millis() + millis);
    let id = TransactionId::new(received_at, [u8::try_from(millis % 200).unwrap(); 15]);
    let name = tidings_domain::transaction::TransactionName::of_transaction(id);
    Transaction { id, name, received_at, ..unnamed(0) }
}

async fn ids(store: &Store, times: Times, order: Order) -> Vec<TransactionId> {
    let mut found = Vec::new();
    loop {
        let position = found.last().copied().map(Position::After);
        let limit = PageLimit::try_from(3).unwrap();
        let Page { data, done } = store.transactions(&source(1), at(60), &times, position, order, limit).await.unwrap();
        assert!(done || data.len() == 3);
        found.extend(data.iter().map(|transaction| transaction.id));
        if done {
            return found;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_list_of_a_time_has_what_was_received_then_in_either_order(
        millis in prop::collection::btree_set(0..60_i64, 0..20),
        since in prop::option::of(0..60_i64),
        before in prop::option::of(0..60_i64),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let store = store().await;
            for millis in &millis {
                let _ = accept(&store, &received(*millis)).await;
            }
            let time = |millis: i64| Timestamp::from_millis(NOW.as_millis() + millis);
            let times = Times { since: since.map(time), before: before.map(time) };
            let is_of_it = |millis: &&i64| since.is_none_or(|since| **millis >= since) && before.is_none_or(|before| **millis < before);
            let mut expected: Vec<_> = millis.iter().filter(is_of_it).map(|millis| received(*millis).id).collect();
            // Of one step of time, an id's order is its random part's.
            expected.sort_unstable();
            assert_eq!(ids(&store, times, Order::Ascending).await, expected);
            expected.reverse();
            assert_eq!(ids(&store, times, Order::Descending).await, expected);
        });
    }
}

#[tokio::test]
async fn a_list_goes_back_from_a_position() {
    let store = store().await;
    for second in 0..6 {
        let _ = accept(&store, &unnamed(second)).await;
    }
    let page = async |position, order| {
        let limit = PageLimit::try_from(2).unwrap();
        let page =
            store.transactions(&source(1), at(60), &Times::default(), Some(position), order, limit).await.unwrap();
        (page.data.iter().map(|transaction| transaction.received_at).collect::<Vec<_>>(), page.done)
    };
    let id = |second| unnamed(second).id;
    assert_eq!(page(Position::Before(id(2)), Order::Descending).await, (vec![at(4), at(3)], false));
    assert_eq!(page(Position::Before(id(3)), Order::Descending).await, (vec![at(5), at(4)], true));
    assert_eq!(page(Position::Before(id(2)), Order::Ascending).await, (vec![at(0), at(1)], true));
    assert_eq!(page(Position::After(id(5)), Order::Ascending).await, (vec![], true));
}

/// However much is past its end and not yet deleted, a list does not go through it.
#[tokio::test]
async fn a_list_reads_little_of_what_is_past_its_end() {
    let table = tidings_harness::Table::start().await;
    let day = 24 * 3600;
    for number in 0..40 {
        let _ = accept(table.store(), &transaction(number * day, &number.to_string())).await;
    }
    let now = at(40 * day);
    table.meter().reset();
    for (order, oldest_first) in [(Order::Descending, false), (Order::Ascending, true)] {
        let limit = PageLimit::try_from(5).unwrap();
        let page =
            table.faulty_store().transactions(&keeping(3), now, &Times::default(), None, order, limit).await.unwrap();
        let mut received: Vec<_> = page.data.iter().map(|transaction| transaction.received_at).collect();
        if !oldest_first {
            received.reverse();
        }
        assert_eq!((received, page.done), (vec![at(38 * day), at(39 * day)], true));
    }
    // Two queries at most and as many batches for each order, though 38 are over.
    assert!(table.meter().total().count <= 8, "{:?}", table.meter().calls());
    let nothing = Times { since: Some(now), before: Some(now - Duration::from_secs(60)) };
    let (own, limit) = (source(1), PageLimit::default());
    let page = table.store().transactions(&own, now, &nothing, None, Order::Ascending, limit).await;
    assert_eq!(page.unwrap(), Page { data: Vec::new(), done: true });
}
