//! Lists of enrollments by user, by course, by status, there and back.

use proptest::prelude::*;
use tidings_domain::enrollment::{EnrollmentKey, Rank};
use tidings_domain::page::Position;
use tidings_harness::Table;
use tidings_store::Store;
use tidings_store::enrollment::{EnrollmentFilter, EnrollmentPage};

use crate::inbound::{change, created, days, keeping, key, source};
use crate::support::{at, store};

/// Above every number that Docebo has.
const MOST: u64 = 9_999_999_999_999_999;

const STATUSES: [&str; 3] = ["subscribed", "completed", "waiting"];

/// One of each status, some deleted.
async fn enroll(store: &Store, keys: &[EnrollmentKey]) {
    let mut changes = Vec::new();
    for own in keys {
        changes.push(change(*own, 0, Rank::Created, status(own)));
        changes.extend(is_deleted(own).then(|| change(*own, 1, Rank::Deleted, "")));
    }
    store.merge_enrollments(&source(1), &changes, at(9)).await.unwrap();
}

fn status(key: &EnrollmentKey) -> &'static str {
    STATUSES[usize::try_from((key.user + key.course + key.session.unwrap_or(5)) % 3).unwrap()]
}

fn is_deleted(key: &EnrollmentKey) -> bool {
    (key.user + key.session.unwrap_or(1)).is_multiple_of(4)
}

fn is_listed(key: &EnrollmentKey, filter: &EnrollmentFilter) -> bool {
    filter.user.is_none_or(|user| key.user == user)
        && filter.course.is_none_or(|course| key.course == course)
        && filter.status.as_ref().is_none_or(|wanted| status(key) == wanted)
        && filter.deleted.is_none_or(|wanted| is_deleted(key) == wanted)
}

async fn page(
    store: &Store,
    filter: &EnrollmentFilter,
    position: Option<Position<EnrollmentKey>>,
    limit: usize,
) -> EnrollmentPage {
    store.enrollments(&source(1), at(9), filter, position, limit).await.unwrap()
}

fn keys_of(page: &EnrollmentPage) -> Vec<EnrollmentKey> {
    page.data.iter().map(|enrollment| enrollment.key).collect()
}

/// Through a list to its end, and back from there: full pages but for the last.
async fn there_and_back(store: &Store, filter: &EnrollmentFilter, limit: usize) -> [Vec<EnrollmentKey>; 2] {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let mut position = None;
    loop {
        let page = page(store, filter, position, limit).await;
        assert!(page.done || page.data.len() == limit);
        there.extend(keys_of(&page));
        if page.done {
            break;
        }
        position = page.last.map(Position::After);
    }
    // From above everything.
    let mut position = Some(Position::Before(key(MOST, filter.course.unwrap_or(MOST), Some(MOST))));
    loop {
        let page = page(store, filter, position, limit).await;
        assert!(page.done || page.data.len() == limit);
        back.splice(0..0, keys_of(&page));
        if page.done {
            return [there, back];
        }
        position = page.first.map(Position::Before);
    }
}

fn any_key() -> impl Strategy<Value = EnrollmentKey> {
    // Numbers that are each other's beginnings.
    let number = || prop::sample::select(vec![1, 2, 10, 11, 100, 9_007_199_254_740_991_u64]);
    (number(), number(), prop::option::of(number())).prop_map(|(user, course, session)| key(user, course, session))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_filtered_list_has_all_that_fit_in_the_order_of_their_numbers(
        keys in prop::collection::btree_set(any_key(), 0..40),
        user in prop::option::of(prop::sample::select(vec![1, 10, 3])),
        course in prop::option::of(prop::sample::select(vec![1, 11, 3])),
        status in prop::option::of(prop::sample::select(STATUSES.to_vec())),
        deleted in prop::option::of(any::<bool>()),
        limit in 1..7_usize,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let store = store().await;
            let keys: Vec<_> = keys.into_iter().collect();
            enroll(&store, &keys).await;
            let filter = EnrollmentFilter { user, course, status: status.map(str::to_owned), deleted };
            let expected: Vec<_> = keys.iter().filter(|own| is_listed(own, &filter)).copied().collect();
            let [there, back] = there_and_back(&store, &filter, limit).await;
            assert_eq!(there, expected);
            assert_eq!(back, expected);
        });
    }
}

#[tokio::test]
async fn a_page_goes_on_beside_what_it_looked_at() {
    let store = store().await;
    let keys: Vec<_> = (0..6).map(|user| key(user, 1, None)).collect();
    enroll(&store, &keys).await;
    let filter = EnrollmentFilter::default();
    let first = page(&store, &filter, None, 2).await;
    assert_eq!(
        (keys_of(&first), first.first, first.last, first.done),
        (keys[..2].to_vec(), Some(keys[0]), Some(keys[1]), false)
    );
    let back = page(&store, &filter, Some(Position::Before(keys[5])), 2).await;
    assert_eq!(
        (keys_of(&back), back.first, back.last, back.done),
        (keys[3..5].to_vec(), Some(keys[3]), Some(keys[4]), false)
    );
    let over = page(&store, &filter, Some(Position::After(keys[5])), 2).await;
    assert_eq!(over, EnrollmentPage { data: Vec::new(), first: None, last: None, done: true });
    // A place that no enrollment has.
    let between = page(&store, &filter, Some(Position::After(key(3, 0, Some(7)))), 9).await;
    assert_eq!((keys_of(&between), between.done), (keys[3..].to_vec(), true));
}

#[tokio::test]
async fn what_hardly_fits_is_looked_for_in_twenty_queries_and_then_goes_on() {
    let table = Table::start().await;
    let changes: Vec<_> = (0..5500).map(|user| created(key(user, 1, None), 0)).collect();
    for part in changes.chunks(1000) {
        table.store().merge_enrollments(&source(1), part, at(9)).await.unwrap();
    }
    let rare = [key(5200, 1, None), key(5300, 1, None)];
    let rarely = rare.map(|own| change(own, 5, Rank::Completed, "completed"));
    table.store().merge_enrollments(&source(1), &rarely, at(9)).await.unwrap();
    for course in [None, Some(1)] {
        let filter = EnrollmentFilter { status: Some("completed".to_owned()), course, ..EnrollmentFilter::default() };
        table.meter().reset();
        let first = page(table.faulty_store(), &filter, None, 300).await;
        assert_eq!((keys_of(&first), first.first, first.done), (vec![], Some(key(0, 1, None)), false));
        assert_eq!(table.meter().count("Query"), 20);
        assert_eq!(first.last, Some(key(4999, 1, None)));
        let second = page(table.store(), &filter, first.last.map(Position::After), 300).await;
        assert_eq!((keys_of(&second), second.done), (rare.to_vec(), true));
        let back = page(table.store(), &filter, Some(Position::Before(key(5300, 1, None))), 300).await;
        assert_eq!((keys_of(&back), back.first, back.done), (vec![rare[0]], Some(key(300, 1, None)), false));
    }
    // A page as large as it may be.
    let page = page(table.store(), &EnrollmentFilter::default(), None, 10_000).await;
    assert_eq!((page.data.len(), page.last, page.done), (5000, Some(key(4999, 1, None)), false));
}

#[tokio::test]
async fn what_is_past_its_end_is_passed_over() {
    let store = store().await;
    for (user, day) in (0..6).zip(0..) {
        store.merge_enrollments(&source(1), &[created(key(user, 1, None), 0)], days(day)).await.unwrap();
    }
    for course in [None, Some(1)] {
        let filter = EnrollmentFilter { course, ..EnrollmentFilter::default() };
        let page = store.enrollments(&keeping(3), days(6), &filter, None, 2).await.unwrap();
        assert_eq!((keys_of(&page), page.done), (vec![key(4, 1, None), key(5, 1, None)], true));
    }
}
