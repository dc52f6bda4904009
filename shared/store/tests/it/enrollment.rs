use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use proptest::prelude::*;
use tidings_domain::enrollment::{Enrollment, EnrollmentChange, EnrollmentKey, Field, Rank, Stamp, Value};
use tidings_domain::source::Source;
use tidings_harness::{Fault, Rule, Table};
use tidings_store::Store;
use tidings_store::enrollment::{EnrollmentFilter, Merged};

use crate::inbound::{change, created, days, keeping, key, source};
use crate::support::{at, organization, store};

async fn merge(store: &Store, changes: &[EnrollmentChange]) -> Vec<Merged> {
    store.merge_enrollments(&source(1), changes, at(100)).await.unwrap()
}

async fn read(store: &Store, key: EnrollmentKey) -> Option<Enrollment> {
    store.enrollment(&source(1), key).await.unwrap()
}

/// What the domain makes of these changes, one after another.
fn expected(changes: &[EnrollmentChange]) -> BTreeMap<EnrollmentKey, Enrollment> {
    let mut all = BTreeMap::new();
    for change in changes {
        let unknown = || Enrollment::unknown(organization(1), source(1).id, change.key);
        all.entry(change.key).or_insert_with(unknown).merge(change);
    }
    all
}

async fn all(store: &Store) -> BTreeMap<EnrollmentKey, Enrollment> {
    let page = store.enrollments(&source(1), at(100), &EnrollmentFilter::default(), None, 5000).await.unwrap();
    assert!(page.done);
    page.data.into_iter().map(|enrollment| (enrollment.key, enrollment)).collect()
}

#[tokio::test]
async fn each_change_is_told_what_it_did() {
    let store = store().await;
    let (one, session) = (key(13_250, 37, None), key(13_250, 37, Some(5)));
    let changes = [
        created(one, 10),
        change(one, 20, Rank::Completed, "completed"),
        change(session, 10, Rank::Updated, "waiting"),
        created(one, 10),
        change(one, 5, Rank::Imported, "old"),
    ];
    let merged = merge(&store, &changes).await;
    assert_eq!(merged, [Merged::Created, Merged::Updated, Merged::Created, Merged::Unchanged, Merged::Unchanged]);
    assert_eq!(all(&store).await, expected(&changes));
    assert_eq!(read(&store, session).await.unwrap().get(Field::Status), Some(&Value::Text("waiting".to_owned())));
    let again = [change(one, 30, Rank::Deleted, ""), created(one, 10), created(one, 40)];
    assert_eq!(merge(&store, &again).await, [Merged::Updated, Merged::Unchanged, Merged::Updated]);
    assert_eq!(merge(&store, &again).await, [Merged::Unchanged; 3]);
    assert_eq!(merge(&store, &[]).await, []);
    assert_eq!(read(&store, key(13_250, 38, None)).await, None);
}

#[tokio::test]
async fn enrollments_are_one_sources() {
    let store = store().await;
    let own = key(1, 2, None);
    let _ = merge(&store, &[created(own, 0)]).await;
    for other in [Source { organization: organization(2), ..source(1) }, source(2)] {
        assert_eq!(store.enrollment(&other, own).await.unwrap(), None);
        for course in [None, Some(2)] {
            let filter = EnrollmentFilter { course, ..EnrollmentFilter::default() };
            assert!(store.enrollments(&other, at(0), &filter, None, 10).await.unwrap().data.is_empty());
        }
        let merged = store.merge_enrollments(&other, &[created(own, 0)], at(0)).await.unwrap();
        assert_eq!(merged, [Merged::Created]);
    }
}

/// Docebo's events as they come: of few enrollments, many of one second.
fn events() -> impl Strategy<Value = Vec<EnrollmentChange>> {
    let event = (1..3_u64, 1..3_u64, prop::option::of(1..2_u64), 0..4_i64, 1..5_usize, "[ab]").prop_map(
        |(user, course, session, second, rank, status)| {
            let ranks = [Rank::Imported, Rank::Created, Rank::Updated, Rank::Completed, Rank::Deleted];
            change(key(user, course, session), second, ranks[rank], &status)
        },
    );
    prop::collection::vec(event, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn merging_all_at_once_in_any_parts_is_merging_one_after_another(events in events(), size in 1..6_usize) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(async {
            let store = store().await;
            let merged = join_all(events.chunks(size).map(|part| merge(&store, part))).await.concat();
            assert_eq!(all(&store).await, expected(&events));
            let made = merged.iter().filter(|merged| **merged == Merged::Created).count();
            let keys: BTreeSet<_> = events.iter().map(|event| event.key).collect();
            assert_eq!((merged.len(), made), (events.len(), keys.len()));
        });
    }
}

#[tokio::test]
async fn of_many_that_write_one_enrollment_none_is_lost() {
    let store = store().await;
    let own = key(1, 2, None);
    let told = |number: u64| {
        let fields = BTreeMap::from([(Field::SubscribedById, Value::Number(number))]);
        let stamp = Stamp { at: at(i64::try_from(number).unwrap()), rank: Rank::Updated };
        EnrollmentChange { key: own, stamp, fields }
    };
    let changes: Vec<_> = (0..30).map(told).chain([created(own, 3), change(own, 5, Rank::Deleted, "")]).collect();
    join_all(changes.iter().map(|change| merge(&store, std::slice::from_ref(change)))).await;
    assert_eq!(all(&store).await, expected(&changes));
}

#[tokio::test]
async fn a_lost_answer_to_a_merge_is_no_conflict() {
    let table = Table::start().await;
    let own = key(1, 2, None);
    for (change, expected) in [(created(own, 0), Merged::Created), (created(own, 9), Merged::Updated)] {
        table.faults().inject(Rule::new(Fault::AnswerLost).on("PutItem").times(1));
        assert_eq!(merge(table.faulty_store(), &[change]).await, [expected]);
        table.faults().clear();
    }
}

#[tokio::test]
async fn a_merge_that_breaks_off_is_done_again_as_if_once() {
    let table = Table::start().await;
    let changes: Vec<_> = (0..60).map(|user| created(key(user, 1, None), 0)).collect();
    table.faults().inject(Rule::new(Fault::Unreachable).on("PutItem").after(30));
    let broken = table.faulty_store().merge_enrollments(&source(1), &changes, at(100)).await;
    assert!(broken.unwrap_err().retryable());
    table.faults().clear();
    let written = all(table.store()).await.len();
    assert!((1..60).contains(&written), "{written}");
    let merged = merge(table.store(), &changes).await;
    assert_eq!(merged.iter().filter(|merged| **merged == Merged::Created).count(), 60 - written);
    assert_eq!(all(table.store()).await, expected(&changes));
}

#[tokio::test]
async fn a_page_of_an_import_is_merged_in_few_reads() {
    let table = Table::start().await;
    let changes: Vec<_> = (0..1000).map(|user| created(key(user, user % 7, None), 0)).collect();
    let merged = merge(table.faulty_store(), &changes).await;
    assert_eq!((merged.len(), table.meter().count("BatchGetItem")), (1000, 10));
    table.meter().reset();
    assert_eq!(merge(table.faulty_store(), &changes).await, [Merged::Unchanged; 1000]);
    assert_eq!(table.meter().total().count, 10, "nothing is written");
}

#[tokio::test]
async fn an_enrollment_ends_so_long_after_its_last_change_whenever_its_events_were_fired() {
    let store = store().await;
    let (recent, ancient) = (key(1, 1, None), key(2, 1, None));
    let ten_years = 10 * 366 * 24 * 3600;
    let _ = store.merge_enrollments(&source(1), &[created(ancient, -ten_years)], days(0)).await.unwrap();
    let _ = store.merge_enrollments(&source(1), &[created(recent, 0)], days(1)).await.unwrap();
    // What tells nothing new keeps nothing longer.
    let _ = store.merge_enrollments(&source(1), &[created(ancient, -ten_years)], days(2)).await.unwrap();
    let keys = [recent, ancient].map(|own| tidings_store::keys::enrollment(organization(1), source(1).id, &own));
    let mut ends = Vec::new();
    for key in keys {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let get = store.client().get_item().table_name("tidings").key("pk", S(key.pk)).key("sk", S(key.sk));
        let item = get.send().await.unwrap().item.unwrap();
        ends.push(item["expires_at"].as_n().unwrap().parse::<i64>().unwrap());
    }
    assert_eq!(ends, [days(91).as_secs(), days(90).as_secs()]);
    let seen = async |source: &Source, now| {
        let page = store.enrollments(source, now, &EnrollmentFilter::default(), None, 10).await.unwrap();
        page.data.iter().map(|enrollment| enrollment.key).collect::<Vec<_>>()
    };
    assert_eq!(seen(&source(1), days(3)).await, [recent, ancient]);
    assert_eq!(seen(&keeping(3), days(3)).await, [recent]);
    assert_eq!(seen(&keeping(2), days(3)).await, []);
}

/// The table deletes it only within days: what follows must not depend on when it does.
#[tokio::test]
async fn what_is_past_its_end_is_unknown_to_what_follows() {
    let store = store().await;
    let own = key(1, 1, None);
    let username = (Field::Username, Value::Text("jane".to_owned()));
    let named = || EnrollmentChange { fields: [username.clone()].into(), ..created(own, 0) };
    for (change, day, expected) in [
        (named(), 0, Merged::Created),
        (named(), 0, Merged::Unchanged),
        (named(), 2, Merged::Created),
        (change(own, 4 * 24 * 3600, Rank::Updated, "in_progress"), 4, Merged::Created),
    ] {
        assert_eq!(store.merge_enrollments(&keeping(1), &[change], days(day)).await.unwrap(), [expected]);
    }
    let known = read(&store, own).await.unwrap();
    assert_eq!(known.fields.into_keys().collect::<Vec<_>>(), [Field::Status]);
}
