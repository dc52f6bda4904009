use std::collections::BTreeMap;

use proptest::prelude::*;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::attempt::{Attempt, AttemptStatus};
use tidings_domain::delivery::DeliveryStatus;
use tidings_domain::ids::{AttemptId, MessageId};
use tidings_domain::message::{Message, RETENTION, Route};
use tidings_domain::page::{Page, PageLimit, Position};
use tidings_harness::{Changes, Fault, Rule, Table};
use tidings_store::Store;
use tidings_store::agenda::{Claim, Finished, Starts};
use tidings_store::attempt::{AttemptCounts, AttemptFilter, DeliveryCounts, EndpointMessageFilter};

use crate::outbound::{application, delivery, endpoint, failure, message, message_id, new, pending, success};
use crate::support::{all_due, at, claim_only, organization, store};

fn limit(limit: u64) -> PageLimit {
    PageLimit::try_from(limit).unwrap()
}

/// An entry for another attempt.
fn entry(due: i64) -> Entry {
    let key = EntryKey { due: at(due), work: delivery(0, 1).work() };
    Entry { key, tries: 1, destination: Some("https://example.com".to_owned()), note: None }
}

async fn claimed(store: &Store) -> Claim {
    store.put_entries(&[entry(30)], Starts::WhenDue).await.unwrap();
    claim_only(store, at(30)).await
}

async fn put_all(store: &Store, attempts: &[Attempt]) {
    for attempt in attempts {
        store.put_attempt(attempt).await.unwrap();
    }
}

fn seconds(page: Page<Attempt>) -> (Vec<u64>, bool) {
    (page.data.into_iter().map(|attempt| attempt.made_at.since(at(0)).as_secs()).collect(), page.done)
}

async fn by_endpoint(store: &Store, filter: AttemptFilter) -> Vec<u64> {
    let page =
        store.attempts_by_endpoint(organization(1), application(), endpoint(1), &filter, None, limit(100), at(10_000));
    seconds(page.await.unwrap()).0
}

#[tokio::test]
async fn an_attempt_is_read_as_it_was_written() {
    let store = store().await;
    let written = Attempt {
        channels: vec!["eu".parse().unwrap()],
        response: Some("gr\u{fc}\u{df}e \"quoted\"".to_owned()),
        number: 3,
        ..pending(delivery(0, 1), 5)
    };
    let without = Attempt { response: None, response_status: 0, ..failure(delivery(0, 2), 6) };
    put_all(&store, &[written.clone(), without.clone()]).await;
    for attempt in [&written, &without] {
        let read = store.attempt(organization(1), application(), message_id(0), attempt.id, at(9)).await.unwrap();
        assert_eq!(read.as_ref(), Some(attempt));
        assert_eq!(store.newest_attempt(&attempt.delivery).await.unwrap().as_ref(), Some(attempt));
    }
    let elsewhere = store.attempt(organization(2), application(), message_id(0), written.id, at(9)).await.unwrap();
    assert_eq!(elsewhere, None);
    let expired = store.attempt(organization(1), application(), message_id(0), written.id, at(5) + RETENTION).await;
    assert_eq!(expired.unwrap(), None);
}

#[tokio::test]
async fn the_newest_attempt_is_the_last_one_at_its_endpoint() {
    let store = store().await;
    let attempts = [
        pending(delivery(0, 1), 1),
        pending(delivery(0, 1), 9),
        success(delivery(0, 2), 20),
        success(delivery(1, 1), 30),
    ];
    put_all(&store, &attempts).await;
    assert_eq!(store.newest_attempt(&delivery(0, 1)).await.unwrap().as_ref(), Some(&attempts[1]));
    assert_eq!(store.newest_attempt(&delivery(0, 3)).await.unwrap(), None);
    let newest = store.newest_attempts_of_message(organization(1), application(), message_id(0)).await.unwrap();
    assert_eq!(newest, BTreeMap::from([(endpoint(1), attempts[1].clone()), (endpoint(2), attempts[2].clone())]));
}

#[tokio::test]
async fn an_answer_can_be_removed() {
    let store = store().await;
    let attempt = Attempt { response: Some("secret".to_owned()), ..success(delivery(0, 1), 1) };
    put_all(&store, std::slice::from_ref(&attempt)).await;
    assert!(store.expunge_attempt(organization(1), application(), message_id(0), attempt.id).await.unwrap());
    let read = store.newest_attempt(&attempt.delivery).await.unwrap().unwrap();
    assert_eq!(read, Attempt { response: None, ..attempt.clone() });
    assert!(!store.expunge_attempt(organization(2), application(), message_id(0), attempt.id).await.unwrap());
    let other = AttemptId::new(at(9), [9; 15]);
    assert!(!store.expunge_attempt(organization(1), application(), message_id(0), other).await.unwrap());
}

#[tokio::test]
async fn a_failure_moves_its_entry_to_the_next_attempt() {
    let store = store().await;
    let claim = claimed(&store).await;
    let failed = pending(delivery(0, 1), 31);
    let next = entry(331);
    let finished = store.put_failed_attempt(&failed, Some(&claim), Some((&next, Starts::WhenDue)), None).await.unwrap();
    assert_eq!(finished, Finished::Written);
    assert_eq!(store.newest_attempt(&delivery(0, 1)).await.unwrap(), Some(failed));
    assert_eq!(all_due(&store, at(10_000)).await, [entry(331)]);
}

#[tokio::test]
async fn a_next_attempt_at_the_very_time_of_the_claim_is_a_millisecond_later() {
    let store = store().await;
    let claim = claimed(&store).await;
    let next = Entry { key: claim.entry.key.clone(), ..entry(0) };
    let failed = pending(delivery(0, 1), 31);
    let finished = store.put_failed_attempt(&failed, Some(&claim), Some((&next, Starts::WhenDue)), None).await.unwrap();
    assert_eq!((finished, all_due(&store, at(10_000)).await.len()), (Finished::Written, 1));
}

#[tokio::test]
async fn the_last_failure_takes_its_entry_off_and_tells_of_it() {
    let store = store().await;
    let claim = claimed(&store).await;
    let told = Message { id: MessageId::new(at(31), [8; 15]), ..message(31) };
    let failed = failure(delivery(0, 1), 31);
    let finished = store.put_failed_attempt(&failed, Some(&claim), None, Some(&new(&told))).await.unwrap();
    assert_eq!(finished, Finished::Written);
    assert_eq!(store.message(organization(1), application(), told.id, at(32)).await.unwrap(), Some(told.clone()));
    let due: Vec<_> = all_due(&store, at(10_000)).await.into_iter().map(|entry| entry.key.work).collect();
    assert_eq!(due, [told.work(Route::Endpoints)]);
}

#[tokio::test]
async fn who_lost_the_claim_still_writes_the_attempt_and_nothing_else() {
    let store = store().await;
    let claim = claimed(&store).await;
    let other = store.claim(&claim.entry, at(500)).await.unwrap().unwrap();
    let told = message(31);
    let failed = pending(delivery(0, 1), 31);
    let next = entry(331);
    let finished =
        store.put_failed_attempt(&failed, Some(&claim), Some((&next, Starts::WhenDue)), Some(&new(&told))).await;
    assert_eq!(finished.unwrap(), Finished::Lost);
    assert_eq!(store.newest_attempt(&delivery(0, 1)).await.unwrap(), Some(failed));
    assert_eq!(all_due(&store, at(10_000)).await, [other.entry]);
    assert_eq!(store.message(organization(1), application(), told.id, at(32)).await.unwrap(), None);
}

#[tokio::test]
async fn the_first_failure_brings_its_entry_with_it() {
    let table = Table::start().await;
    let changes = Changes::of(table.engine());
    let failed = pending(delivery(0, 1), 31);
    let finished =
        table.store().put_failed_attempt(&failed, None, Some((&entry(331), Starts::AtOnce)), None).await.unwrap();
    assert_eq!((finished, all_due(table.store(), at(331)).await), (Finished::Written, vec![entry(331)]));
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(tidings_store::agenda::owed(&image).unwrap(), Some(entry(331).key));
}

#[tokio::test]
async fn a_failure_that_is_thrown_back_leaves_nothing() {
    let table = Table::start().await;
    table.faults().inject(Rule::new(Fault::Throttled).on("TransactWriteItems"));
    let failed = pending(delivery(0, 1), 31);
    let next = entry(331);
    let result = table.faulty_store().put_failed_attempt(&failed, None, Some((&next, Starts::WhenDue)), None).await;
    assert!(result.unwrap_err().retryable());
    assert_eq!(table.store().newest_attempt(&delivery(0, 1)).await.unwrap(), None);
    assert!(all_due(table.store(), at(10_000)).await.is_empty());
}

#[tokio::test]
async fn a_failure_without_consequences_is_one_write() {
    let table = Table::start().await;
    let finished = table.faulty_store().put_failed_attempt(&failure(delivery(0, 1), 1), None, None, None).await;
    assert_eq!(finished.unwrap(), Finished::Written);
    // And the question who listens.
    assert_eq!((table.meter().total().count, table.meter().count("BatchWriteItem")), (2, 1));
}

#[tokio::test]
async fn an_endpoints_attempts_are_listed_by_what_they_are() {
    let store = store().await;
    let odd = |attempt: Attempt| Attempt {
        event_type: "odd".parse().unwrap(),
        channels: vec!["eu".parse().unwrap()],
        ..attempt
    };
    put_all(
        &store,
        &[
            success(delivery(0, 1), 1),
            odd(pending(delivery(1, 1), 2)),
            Attempt { response_status: 0, ..failure(delivery(2, 1), 3) },
            Attempt { response_status: 404, ..failure(delivery(3, 1), 4) },
            odd(Attempt { response_status: 204, ..success(delivery(1, 1), 5) }),
            success(delivery(0, 2), 6),
        ],
    )
    .await;
    let all = AttemptFilter::default;
    assert_eq!(by_endpoint(&store, all()).await, [5, 4, 3, 2, 1]);
    assert_eq!(by_endpoint(&store, AttemptFilter { status: Some(AttemptStatus::Success), ..all() }).await, [5, 1]);
    assert_eq!(by_endpoint(&store, AttemptFilter { status: Some(AttemptStatus::Fail), ..all() }).await, [4, 3, 2]);
    for (class, expected) in [(0, vec![3]), (200, vec![5, 1]), (400, vec![4]), (500, vec![2]), (100, vec![])] {
        let filter = AttemptFilter { status_code_class: Some(class), ..all() };
        assert_eq!(by_endpoint(&store, filter).await, expected);
    }
    assert_eq!(by_endpoint(&store, AttemptFilter { event_types: vec!["odd".parse().unwrap()], ..all() }).await, [5, 2]);
    assert_eq!(by_endpoint(&store, AttemptFilter { channel: Some("eu".parse().unwrap()), ..all() }).await, [5, 2]);
    let times = AttemptFilter { since: Some(at(2)), before: Some(at(5)), ..all() };
    assert_eq!(by_endpoint(&store, times).await, [4, 3, 2]);
    let nothing = AttemptFilter { since: Some(at(5)), before: Some(at(2)), ..all() };
    assert!(by_endpoint(&store, nothing).await.is_empty());
}

#[tokio::test]
async fn a_messages_attempts_are_listed_in_the_order_of_their_time_whatever_their_endpoint() {
    let store = store().await;
    put_all(
        &store,
        &[
            pending(delivery(0, 1), 1),
            success(delivery(0, 2), 2),
            success(delivery(0, 1), 3),
            failure(delivery(0, 3), 4),
            success(delivery(1, 1), 5),
        ],
    )
    .await;
    let list = async |filter: AttemptFilter, position, size| {
        let page = store.attempts_by_message(
            organization(1),
            application(),
            message_id(0),
            &filter,
            position,
            limit(size),
            at(100),
        );
        page.await.unwrap()
    };
    let all = AttemptFilter::default;
    let first = list(all(), None, 3).await;
    let oldest = first.data[2].id;
    assert_eq!(seconds(first), (vec![4, 3, 2], false));
    assert_eq!(seconds(list(all(), Some(Position::After(oldest)), 3).await), (vec![1], true));
    assert_eq!(seconds(list(all(), Some(Position::Before(oldest)), 1).await), (vec![3], false));
    assert_eq!(seconds(list(all(), Some(Position::Before(oldest)), 9).await), (vec![4, 3], true));
    assert_eq!(
        seconds(list(AttemptFilter { endpoint: Some(endpoint(1)), ..all() }, None, 9).await),
        (vec![3, 1], true)
    );
    let failed = AttemptFilter { status: Some(AttemptStatus::Fail), before: Some(at(4)), ..all() };
    assert_eq!(seconds(list(failed, None, 9).await), (vec![1], true));
    let any = all();
    let expired = store.attempts_by_message(
        organization(1),
        application(),
        message_id(0),
        &any,
        None,
        limit(9),
        at(2) + RETENTION,
    );
    assert_eq!(seconds(expired.await.unwrap()), (vec![4, 3], true));
}

#[tokio::test]
async fn messages_are_counted_by_their_newest_attempt_and_attempts_one_by_one() {
    let store = store().await;
    put_all(
        &store,
        &[
            pending(delivery(0, 1), 1),
            success(delivery(0, 1), 2),
            pending(delivery(1, 1), 3),
            pending(delivery(2, 1), 4),
            failure(delivery(2, 1), 5),
            success(delivery(3, 1), 6),
            failure(delivery(4, 2), 6),
        ],
    )
    .await;
    let deliveries = async |since, until| {
        store.count_deliveries(organization(1), application(), endpoint(1), at(since), at(until)).await.unwrap()
    };
    assert_eq!(deliveries(0, 100).await, DeliveryCounts { success: 2, pending: 1, fail: 1 });
    assert_eq!(deliveries(2, 5).await, DeliveryCounts { success: 1, pending: 2, fail: 0 });
    assert_eq!(deliveries(5, 2).await, DeliveryCounts::default());
    let attempts = store.count_attempts(organization(1), application(), endpoint(1), at(0), at(100)).await.unwrap();
    assert_eq!(attempts, AttemptCounts { success: 2, fail: 4 });
}

#[tokio::test]
async fn a_messages_place_at_an_endpoint_is_its_newest_attempts() {
    let store = store().await;
    let tagged = Message { tags: vec!["a".parse().unwrap()], ..message(1) };
    for message in [message(0), tagged] {
        let _ = store.create_message(&new(&message), None).await.unwrap();
    }
    put_all(
        &store,
        &[
            pending(delivery(0, 1), 1),
            success(delivery(1, 1), 2),
            success(delivery(0, 1), 3),
            // Sent once more by hand, in vain.
            failure(delivery(1, 1), 4),
            pending(delivery(2, 1), 5),
        ],
    )
    .await;
    let list = async |filter: EndpointMessageFilter| {
        let page =
            store.attempted_messages(organization(1), application(), endpoint(1), &filter, None, limit(9), at(100));
        seconds(page.await.unwrap()).0
    };
    let all = EndpointMessageFilter::default;
    assert_eq!(list(all()).await, [5, 4, 3]);
    for (status, expected) in [
        (DeliveryStatus::Success, vec![3]),
        (DeliveryStatus::Pending, vec![5]),
        (DeliveryStatus::Fail, vec![4]),
        (DeliveryStatus::Sending, vec![]),
    ] {
        assert_eq!(list(EndpointMessageFilter { status: Some(status), ..all() }).await, expected);
    }
    assert_eq!(list(EndpointMessageFilter { tag: Some("a".parse().unwrap()), ..all() }).await, [4]);
    assert_eq!(list(EndpointMessageFilter { before: Some(at(5)), ..all() }).await, [4, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// What the lists answer is what looking at everything says, page by page, both ways.
    #[test]
    fn lists_are_what_looking_at_all_attempts_says(
        made in prop::collection::vec((0..6_i64, 1..3_u8, 0..3_u8), 0..40), size in 1..7_u64, wanted in 0..3_u8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store().await;
            let made: Vec<Attempt> = (0..).zip(made).map(|(second, (message, endpoint, ended))| {
                let make = [success, pending, failure][usize::from(ended)];
                make(delivery(message, endpoint), second)
            }).collect();
            futures::future::join_all(made.iter().map(|attempt| store.put_attempt(attempt))).await;
            let status = [DeliveryStatus::Success, DeliveryStatus::Pending, DeliveryStatus::Fail][usize::from(wanted)];
            let here: Vec<&Attempt> =
                made.iter().rev().filter(|attempt| attempt.delivery.endpoint == endpoint(1)).collect();

            let filter = AttemptFilter { status: Some(AttemptStatus::Fail), ..AttemptFilter::default() };
            let expected = here.iter().filter(|attempt| attempt.status == AttemptStatus::Fail);
            let read = async |position| {
                let (org, app) = (organization(1), application());
                store.attempts_by_endpoint(org, app, endpoint(1), &filter, position, limit(size), at(9999)).await.unwrap()
            };
            assert_both_ways(&expected.map(|attempt| attempt.id).collect::<Vec<_>>(), read).await;

            let mut seen = std::collections::HashSet::new();
            let newest: Vec<&&Attempt> = here.iter().filter(|attempt| seen.insert(attempt.delivery.message)).collect();
            let expected = newest.iter().filter(|attempt| DeliveryStatus::of(Some(attempt)) == status);
            let filter = EndpointMessageFilter { status: Some(status), ..EndpointMessageFilter::default() };
            let read = async |position| {
                let (org, app) = (organization(1), application());
                store.attempted_messages(org, app, endpoint(1), &filter, position, limit(size), at(9999)).await.unwrap()
            };
            assert_both_ways(&expected.map(|attempt| attempt.id).collect::<Vec<_>>(), read).await;

            let counts = store.count_deliveries(organization(1), application(), endpoint(1), at(0), at(9999)).await;
            let counts = counts.unwrap();
            let count = [counts.success, counts.pending, counts.fail][usize::from(wanted)];
            let expected = newest.iter().filter(|attempt| DeliveryStatus::of(Some(attempt)) == status).count();
            assert_eq!(count, expected as u64);
        });
    }
}

async fn assert_both_ways(expected: &[AttemptId], read: impl AsyncFn(Option<Position<AttemptId>>) -> Page<Attempt>) {
    let (mut forward, mut position) = (Vec::new(), None);
    loop {
        let page = read(position).await;
        assert!(page.done || !page.data.is_empty());
        forward.extend(page.data.iter().map(|attempt| attempt.id));
        position = forward.last().copied().map(Position::After);
        if page.done {
            break;
        }
    }
    assert_eq!(forward, expected);
    let mut backward: Vec<AttemptId> = Vec::new();
    let mut position = Some(Position::Before(AttemptId::new(at(-1), [0; 15])));
    loop {
        let page = read(position).await;
        assert!(page.done || !page.data.is_empty());
        backward.splice(0..0, page.data.iter().map(|attempt| attempt.id));
        position = backward.first().copied().map(Position::Before);
        if page.done {
            break;
        }
    }
    assert_eq!(backward, expected);
}
