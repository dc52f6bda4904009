use std::time::Duration;

use proptest::prelude::*;
use tidings_domain::agenda::{Entry, Kind};
use tidings_domain::broadcast::{Broadcast, Counts, Ended, MAX_RECEIVERS, Tally};
use tidings_domain::delivery::Origin;
use tidings_domain::ids::MessageId;
use tidings_domain::message::{Message, Route};
use tidings_domain::page::{PageLimit, Position};
use tidings_harness::{Changes, Fault, Rule, Table};
use tidings_store::agenda::{Claim, Finished, Starts};
use tidings_store::broadcast::NewBroadcast;
use tidings_store::{Store, StoreError};

use crate::outbound::{application, delivery, endpoint, message, message_id};
use crate::support::{all_due, at, organization, store};

/// A broadcast of the message of this second, to two endpoints.
fn broadcast(second: i64) -> Broadcast {
    Broadcast {
        organization: organization(1),
        application: application(),
        message: message_id(second),
        subject: "upload image \u{1f5bc}".to_owned(),
        receivers: vec![endpoint(1), endpoint(2)],
        created_at: at(second),
        ended: None,
    }
}

/// How it ended, with so many deliveries of each sort.
fn ended(second: i64, completed: u64, failed: u64) -> Broadcast {
    let ended = Some(Ended { at: at(second + 60), tally: tally(completed, failed) });
    Broadcast { ended, ..broadcast(second) }
}

fn tally(completed: u64, failed: u64) -> Tally {
    Tally {
        main: Counts { completed, failed, ..Counts::default() },
        dead_letters: Counts { failed, ..Counts::default() },
    }
}

fn new<'a>(message: &'a Message, broadcast: &'a Broadcast) -> NewBroadcast<'a> {
    let due = message.created_at + Duration::from_secs(30);
    let follow_due = message.created_at + Duration::from_secs(5);
    NewBroadcast { message, broadcast, due, follow_due, starts: Starts::AtOnce }
}

async fn create(store: &Store, second: i64) -> bool {
    store.create_broadcast(&new(&message(second), &broadcast(second))).await.unwrap()
}

async fn read(store: &Store, second: i64) -> Option<Broadcast> {
    store.broadcast(organization(1), application(), message_id(second)).await.unwrap()
}

async fn totals(store: &Store) -> Tally {
    store.broadcast_totals(organization(1), application()).await.unwrap()
}

async fn open(store: &Store) -> Vec<MessageId> {
    let open = store.open_broadcasts(organization(1), application()).await.unwrap();
    open.iter().map(|broadcast| broadcast.message).collect()
}

/// The entry that follows the broadcast of this second.
async fn following(store: &Store, second: i64) -> Option<Entry> {
    let due = all_due(store, at(100_000)).await;
    due.into_iter().find(|entry| entry.key.work == broadcast(second).work())
}

async fn claim(store: &Store, second: i64) -> Claim {
    let entry = following(store, second).await.unwrap();
    store.claim(&entry, at(second + 100)).await.unwrap().unwrap()
}

async fn end(store: &Store, second: i64, completed: u64, failed: u64) -> Finished {
    let claim = claim(store, second).await;
    store.end_broadcast(&claim, &ended(second, completed, failed)).await.unwrap()
}

#[tokio::test]
async fn a_broadcast_is_written_with_its_message_and_what_both_owe() {
    let table = Table::start().await;
    let (store, changes) = (table.store(), Changes::of(table.engine()));
    assert!(create(store, 0).await);
    assert_eq!(read(store, 0).await, Some(broadcast(0)));
    let stored = store.message(organization(1), application(), message_id(0), at(1)).await.unwrap();
    assert_eq!(stored, Some(message(0)));
    let mut due: Vec<_> = all_due(store, at(30)).await.into_iter().map(|entry| entry.key).collect();
    due.sort_by_key(|key| key.due);
    let expected = [(at(5), broadcast(0).work()), (at(30), message(0).work(Route::Endpoints))];
    assert_eq!(due.into_iter().map(|key| (key.due, key.work)).collect::<Vec<_>>(), expected);
    // The stream starts the message, and nothing else.
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(tidings_store::agenda::owed(&image).unwrap().unwrap().work.kind, Kind::Message);
    assert_eq!(tidings_store::message::from_image(image).unwrap(), message(0));
    let other = store.broadcast(organization(2), application(), message_id(0)).await.unwrap();
    assert_eq!(other, None, "another tenant's");
}

#[tokio::test]
async fn a_broadcast_of_a_later_time_waits_for_the_schedule() {
    let table = Table::start().await;
    let (store, changes) = (table.store(), Changes::of(table.engine()));
    let (message, broadcast) = (message(0), broadcast(0));
    let later = NewBroadcast { starts: Starts::WhenDue, ..new(&message, &broadcast) };
    assert!(store.create_broadcast(&later).await.unwrap());
    assert_eq!(all_due(store, at(30)).await.len(), 2);
    // What comes next is the first that the stream sees.
    assert!(create(store, 1).await);
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(tidings_store::message::from_image(image).unwrap().id, message_id(1));
}

#[tokio::test]
async fn a_broadcast_is_written_once_or_not_at_all() {
    let table = Table::start().await;
    assert!(create(table.store(), 0).await);
    let other = Broadcast { subject: "another".to_owned(), ..broadcast(0) };
    assert!(!table.store().create_broadcast(&new(&message(0), &other)).await.unwrap());
    assert_eq!(read(table.store(), 0).await, Some(broadcast(0)));
    table.faults().inject(Rule::new(Fault::Throttled).on("TransactWriteItems"));
    let thrown_back = table.faulty_store().create_broadcast(&new(&message(1), &broadcast(1))).await;
    assert!(matches!(thrown_back, Err(StoreError::Throttled(_))), "{thrown_back:?}");
    assert_eq!(read(table.store(), 1).await, None);
    assert_eq!(all_due(table.store(), at(10_000)).await.len(), 2, "of the first alone");
}

#[tokio::test]
async fn one_whose_answer_was_lost_stands_once() {
    let table = Table::start().await;
    table.faults().inject(Rule::new(Fault::AnswerLost).on("TransactWriteItems").times(1));
    // The SDK sends the same request again, and its token says that it is the same.
    let _ = table.faulty_store().create_broadcast(&new(&message(0), &broadcast(0))).await.unwrap();
    assert_eq!(read(table.store(), 0).await, Some(broadcast(0)));
    assert_eq!(all_due(table.store(), at(10_000)).await.len(), 2);
}

#[tokio::test]
async fn the_largest_broadcast_fits() {
    let store = store().await;
    let receivers = (0..MAX_RECEIVERS).map(|number| crate::endpoint::endpoint(number.try_into().unwrap()).id).collect();
    let payload = format!("\"{}\"", "x".repeat(256 * 1024 - 2));
    let (large, full) =
        (Message { payload: Some(payload.into()), ..message(0) }, Broadcast { receivers, ..broadcast(0) });
    assert!(store.create_broadcast(&new(&large, &full)).await.unwrap());
    assert_eq!(read(&store, 0).await, Some(full));
}

#[tokio::test]
async fn a_broadcast_ends_once_and_is_counted_once() {
    let store = store().await;
    assert!(create(&store, 0).await && create(&store, 1).await);
    assert_eq!(open(&store).await, [message_id(1), message_id(0)]);
    let first = claim(&store, 0).await;
    let not_ended = store.end_broadcast(&first, &broadcast(0)).await;
    assert!(matches!(not_ended, Err(StoreError::Decode(_))), "{not_ended:?}");
    // Two that believe it is theirs: the second has claimed it over the head of the first.
    let second = store.claim(&first.entry, at(200)).await.unwrap().unwrap();
    assert_eq!(store.end_broadcast(&first, &ended(0, 0, 2)).await.unwrap(), Finished::Lost);
    assert_eq!(totals(&store).await, Tally::default());
    assert_eq!(store.end_broadcast(&second, &ended(0, 1, 1)).await.unwrap(), Finished::Written);
    assert_eq!(read(&store, 0).await, Some(ended(0, 1, 1)));
    assert_eq!(totals(&store).await, tally(1, 1));
    assert_eq!((open(&store).await, following(&store, 0).await), (vec![message_id(1)], None));
    assert_eq!(store.end_broadcast(&second, &ended(0, 1, 1)).await.unwrap(), Finished::Lost);
    // Nor over an entry that somebody put again.
    store.put_entries(std::slice::from_ref(&second.entry), Starts::WhenDue).await.unwrap();
    assert_eq!(store.end_broadcast(&second, &ended(0, 2, 0)).await.unwrap(), Finished::Lost);
    assert_eq!(totals(&store).await, tally(1, 1));
    let others = store.broadcast_totals(organization(2), application()).await.unwrap();
    assert_eq!(others, Tally::default(), "another tenant's");
}

#[tokio::test]
async fn one_that_is_opened_again_is_counted_as_it_ends_again() {
    let table = Table::start().await;
    let (store, changes) = (table.store(), Changes::of(table.engine()));
    assert!(create(store, 0).await && create(store, 1).await);
    changes.take(2).await;
    let _ = (end(store, 0, 1, 1).await, end(store, 1, 2, 0).await);
    assert_eq!(totals(store).await, tally(3, 1));
    let read_by_two = read(store, 0).await.unwrap();
    let again = [delivery(0, 2).entry(at(130), 0, Origin::Schedule)];
    assert!(store.reopen_broadcast(&read_by_two, &again, at(105)).await.unwrap());
    assert!(!store.reopen_broadcast(&read_by_two, &again, at(106)).await.unwrap(), "the other one");
    assert_eq!((read(store, 0).await, open(store).await), (Some(broadcast(0)), vec![message_id(0)]));
    assert_eq!(totals(store).await, tally(2, 0));
    // The stream starts the delivery; the schedule follows.
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(tidings_store::agenda::owed(&image).unwrap(), Some(again[0].key.clone()));
    assert_eq!(following(store, 0).await.unwrap().key.due, at(105));
    let ended_again = Ended { at: at(300), tally: tally(2, 0) };
    let again = Broadcast { ended: Some(ended_again), ..broadcast(0) };
    assert_eq!(store.end_broadcast(&claim(store, 0).await, &again).await.unwrap(), Finished::Written);
    assert_eq!((read(store, 0).await, totals(store).await), (Some(again.clone()), tally(4, 0)));
    assert!(!store.reopen_broadcast(&read_by_two, &[], at(400)).await.unwrap(), "it has ended anew since it was read");
    assert!(store.reopen_broadcast(&again, &[], at(400)).await.unwrap());
    let nothing_to_open = store.reopen_broadcast(&broadcast(0), &[], at(400)).await;
    assert!(matches!(nothing_to_open, Err(StoreError::Decode(_))), "{nothing_to_open:?}");
}

#[tokio::test]
async fn a_replay_of_more_than_fits_in_a_transaction_is_whole() {
    let store = store().await;
    let receivers = (0..200).map(|number| crate::endpoint::endpoint(number).id).collect::<Vec<_>>();
    let entries: Vec<Entry> = receivers
        .iter()
        .map(|endpoint| tidings_domain::delivery::Delivery { endpoint: *endpoint, ..delivery(0, 1) })
        .map(|delivery| delivery.entry(at(130), 0, Origin::Schedule))
        .collect();
    assert!(create(&store, 0).await);
    let _ = end(&store, 0, 0, 200).await;
    assert!(store.reopen_broadcast(&ended(0, 0, 200), &entries, at(105)).await.unwrap());
    let due = all_due(&store, at(130)).await;
    let deliveries = due.iter().filter(|entry| entry.key.work.kind == Kind::Delivery);
    assert_eq!((deliveries.count(), totals(&store).await), (200, Tally::default()));
}

#[tokio::test]
async fn open_and_ended_ones_are_one_list_newest_first() {
    let store = store().await;
    for second in 0..7 {
        assert!(create(&store, second).await);
        if second % 2 == 0 {
            let _ = end(&store, second, 2, 0).await;
        }
    }
    let list = async |position: Option<Position<MessageId>>, limit: u64| {
        let limit = PageLimit::try_from(limit).unwrap();
        let page = store.broadcasts(organization(1), application(), position, limit).await.unwrap();
        let seconds = page.data.iter().map(|broadcast| {
            assert_eq!(broadcast.ended.is_some(), broadcast.created_at.since(at(0)).as_secs().is_multiple_of(2));
            broadcast.created_at.since(at(0)).as_secs()
        });
        (seconds.collect::<Vec<_>>(), page.done)
    };
    assert_eq!(list(None, 3).await, (vec![6, 5, 4], false));
    assert_eq!(list(Some(Position::After(message_id(4))), 3).await, (vec![3, 2, 1], false));
    assert_eq!(list(Some(Position::After(message_id(1))), 3).await, (vec![0], true));
    assert_eq!(list(Some(Position::Before(message_id(3))), 2).await, (vec![5, 4], false));
    assert_eq!(list(None, 250).await, ((0..7).rev().collect(), true));
}

#[tokio::test]
async fn a_purge_removes_broadcasts_and_what_was_counted_of_them() {
    let store = store().await;
    assert!(create(&store, 0).await && create(&store, 1).await);
    let _ = end(&store, 0, 2, 0).await;
    assert!(store.purge_application(organization(1), application(), || false).await.unwrap());
    assert_eq!((read(&store, 0).await, read(&store, 1).await), (None, None));
    assert_eq!((totals(&store).await, open(&store).await), (Tally::default(), Vec::new()));
}

#[tokio::test]
async fn ends_that_meet_are_tried_again() {
    let table = Table::start().await;
    assert!(create(table.store(), 0).await);
    let claim = claim(table.store(), 0).await;
    table.faults().inject(Rule::new(Fault::Conflict).on("TransactWriteItems").times(3));
    let finished = table.faulty_store().end_broadcast(&claim, &ended(0, 2, 0)).await.unwrap();
    assert_eq!((finished, totals(table.store()).await), (Finished::Written, tally(2, 0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever ends and is opened again: what is counted is what the ended ones say.
    #[test]
    fn totals_are_the_sum_of_what_has_ended(steps in prop::collection::vec((0_i64..4, 0_u64..3, 0_u64..3), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (counted, summed) = runtime.block_on(async {
            let store = store().await;
            for second in 0..4 {
                assert!(create(&store, second).await);
            }
            for (step, (second, completed, failed)) in steps.into_iter().enumerate() {
                let stored = read(&store, second).await.unwrap();
                if stored.ended.is_some() {
                    assert!(store.reopen_broadcast(&stored, &[], at(2_000)).await.unwrap());
                } else {
                    let time = at(500 + i64::try_from(step).unwrap());
                    let ended = Some(Ended { at: time, tally: tally(completed, failed) });
                    let claim = claim(&store, second).await;
                    let finished = store.end_broadcast(&claim, &Broadcast { ended, ..stored }).await;
                    assert_eq!(finished.unwrap(), Finished::Written);
                }
            }
            let mut summed = Tally::default();
            let page = store.broadcasts(organization(1), application(), None, PageLimit::default()).await.unwrap();
            for broadcast in &page.data {
                summed += broadcast.ended.map(|ended| ended.tally).unwrap_or_default();
            }
            let open = page.data.iter().filter(|broadcast| broadcast.ended.is_none()).count();
            assert_eq!(store.open_broadcasts(organization(1), application()).await.unwrap().len(), open);
            (totals(&store).await, summed)
        });
        prop_assert_eq!(counted, summed);
    }
}
