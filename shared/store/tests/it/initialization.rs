use std::time::Duration;

use proptest::prelude::*;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::initialization::{Goal, Initialization, InitializationState};
use tidings_domain::page::PageLimit;
use tidings_harness::{Changes, Fault, Rule, Table};
use tidings_store::Store;
use tidings_store::agenda::Finished;

use crate::support::{all_due, at, claim_only, organization, store};

/// What is owed to an organization of tenant 1.
fn pending(name: &str) -> Initialization {
    Initialization {
        tenant: organization(1),
        organization: name.parse().unwrap(),
        state: InitializationState::Pending,
        goal: Goal::Initialize,
        application: None,
        endpoints: Vec::new(),
        last_error: None,
        retry_count: 0,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn failed(before: &Initialization, second: i64) -> Initialization {
    Initialization {
        state: InitializationState::Failed,
        last_error: Some("Failed to create endpoints: no".to_owned()),
        application: Some("app_1".to_owned()),
        retry_count: before.retry_count + 1,
        updated_at: at(second),
        ..before.clone()
    }
}

fn done(before: &Initialization, second: i64) -> Initialization {
    Initialization {
        state: InitializationState::Initialized,
        application: Some("app_1".to_owned()),
        endpoints: (0..5).map(|number| format!("ep_{number}")).collect(),
        last_error: None,
        updated_at: at(second),
        ..before.clone()
    }
}

async fn read(store: &Store, name: &str) -> Option<Initialization> {
    store.initialization(organization(1), &name.parse().unwrap()).await.unwrap()
}

async fn count(store: &Store) -> [u64; 3] {
    let mut counts = [0; 3];
    for (count, state) in counts.iter_mut().zip(InitializationState::ALL) {
        *count = store.count_initializations(organization(1), state).await.unwrap();
    }
    counts
}

#[tokio::test]
async fn an_initialization_is_written_once_and_the_stream_starts_it() {
    let table = Table::start().await;
    let (store, changes) = (table.store(), Changes::of(table.engine()));
    assert!(store.create_initialization(&pending("acme"), at(30)).await.unwrap());
    let other = Initialization { goal: Goal::Update, ..pending("acme") };
    assert!(!store.create_initialization(&other, at(31)).await.unwrap());
    assert_eq!(read(store, "acme").await, Some(pending("acme")));
    assert_eq!(store.initialization(organization(2), &pending("acme").organization).await.unwrap(), None);
    let image = changes.take(1).await.remove(0).change.new_image;
    let entry = EntryKey { due: at(30), work: pending("acme").work() };
    assert_eq!(tidings_store::agenda::owed(&image).unwrap(), Some(entry.clone()));
    let standing: Vec<_> = all_due(store, at(1_000)).await.into_iter().map(|entry| entry.key).collect();
    assert_eq!(standing, [entry]);
}

#[tokio::test]
async fn a_try_writes_its_result_with_its_next_entry_or_none() {
    let store = store().await;
    let first = pending("acme");
    assert!(store.create_initialization(&first, at(30)).await.unwrap());
    let claim = claim_only(&store, at(30)).await;
    let next = Entry { key: EntryKey { due: at(60), work: first.work() }, ..claim.entry.clone() };
    let second = failed(&first, 31);
    let settled = store.settle_initialization(&claim, &first, &second, Some(&next)).await.unwrap();
    assert_eq!((settled, read(&store, "acme").await), (Finished::Written, Some(second.clone())));
    assert_eq!(all_due(&store, at(1_000)).await, [next]);
    assert_eq!(count(&store).await, [0, 0, 1]);
    let third = done(&second, 61);
    assert_eq!(store.settle_initialization(&claim, &second, &third, None).await.unwrap(), Finished::Lost);
    assert_eq!(read(&store, "acme").await, Some(second.clone()), "whose entry it is not writes nothing");
    let claim = claim_only(&store, at(60)).await;
    let stale = store.settle_initialization(&claim, &first, &done(&first, 62), None).await.unwrap();
    assert_eq!(stale, Finished::Lost, "it was not read as it is");
    let no_later = done(&second, 31);
    assert_eq!(store.settle_initialization(&claim, &second, &no_later, None).await.unwrap(), Finished::Lost);
    assert_eq!(all_due(&store, at(10_000)).await, std::slice::from_ref(&claim.entry), "and it is still owed");
    assert_eq!(store.settle_initialization(&claim, &second, &third, None).await.unwrap(), Finished::Written);
    assert_eq!((read(&store, "acme").await, count(&store).await), (Some(third), [0, 1, 0]));
    assert!(all_due(&store, at(10_000)).await.is_empty());
}

#[tokio::test]
async fn one_that_is_asked_for_again_starts_at_once_and_a_try_under_way_does_not_undo_it() {
    let table = Table::start().await;
    let (store, changes) = (table.store(), Changes::of(table.engine()));
    let first = pending("acme");
    assert!(store.create_initialization(&first, at(30)).await.unwrap());
    changes.take(1).await;
    let claim = claim_only(store, at(30)).await;
    let again = Initialization { goal: Goal::Update, updated_at: at(31), ..first.clone() };
    assert!(store.restart_initialization(&first, &again, at(61)).await.unwrap());
    let stale = Initialization { updated_at: at(32), ..again.clone() };
    assert!(!store.restart_initialization(&first, &stale, at(62)).await.unwrap());
    let no_later = Initialization { retry_count: 9, ..again.clone() };
    assert!(!store.restart_initialization(&again, &no_later, at(62)).await.unwrap());
    let nobody = pending("nobody");
    let later = Initialization { updated_at: at(1), ..nobody.clone() };
    assert!(!store.restart_initialization(&nobody, &later, at(62)).await.unwrap());
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(tidings_store::agenda::owed(&image).unwrap().unwrap().due, at(61));
    assert_eq!(all_due(store, at(60)).await.len(), 0);
    let settled = store.settle_initialization(&claim, &first, &done(&first, 40), None).await.unwrap();
    assert_eq!((settled, read(store, "acme").await), (Finished::Lost, Some(again)));
}

#[tokio::test]
async fn what_is_thrown_back_is_not_there() {
    let table = Table::start().await;
    table.faults().inject(Rule::new(Fault::Throttled).on("TransactWriteItems").times(5));
    let thrown_back = table.faulty_store().create_initialization(&pending("acme"), at(30)).await;
    assert!(thrown_back.unwrap_err().retryable());
    assert_eq!((read(table.store(), "acme").await, all_due(table.store(), at(1_000)).await), (None, Vec::new()));
    table.faults().inject(Rule::new(Fault::Conflict).on("TransactWriteItems").times(2));
    assert!(table.faulty_store().create_initialization(&pending("acme"), at(30)).await.unwrap());
}

#[tokio::test]
async fn those_in_a_state_are_listed_by_name_in_full_pages() {
    let store = store().await;
    for name in ["a-1", "b.2", "c_3", "d", "e"] {
        assert!(store.create_initialization(&pending(name), at(30)).await.unwrap());
    }
    let theirs = Initialization { tenant: organization(2), ..pending("a-1") };
    assert!(store.create_initialization(&theirs, at(30)).await.unwrap());
    for name in ["b.2", "e"] {
        let entries = all_due(&store, at(30)).await;
        let entry = entries.iter().find(|entry| entry.key.work == pending(name).work()).unwrap();
        let claim = store.claim(entry, at(90)).await.unwrap().unwrap();
        let _ = store.settle_initialization(&claim, &pending(name), &failed(&pending(name), 31), None).await.unwrap();
    }
    let list = async |state, after: Option<&str>, limit: u64| {
        let (after, limit) = (after.map(|name| name.parse().unwrap()), PageLimit::try_from(limit).unwrap());
        let page = store.initializations(organization(1), state, after.as_ref(), limit).await.unwrap();
        (page.data.into_iter().map(|read| read.organization.to_string()).collect::<Vec<_>>().join(" "), page.done)
    };
    assert_eq!(list(InitializationState::Pending, None, 2).await, ("a-1 c_3".to_owned(), false));
    assert_eq!(list(InitializationState::Pending, Some("c_3"), 2).await, ("d".to_owned(), true));
    assert_eq!(list(InitializationState::Failed, None, 2).await, ("b.2 e".to_owned(), true));
    assert_eq!(list(InitializationState::Initialized, None, 2).await, (String::new(), true));
    assert_eq!(count(&store).await, [3, 0, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever is changed: each organization is counted in the state that it is in, and in no other.
    #[test]
    fn counts_by_state_are_what_reads_show(steps in prop::collection::vec((0_usize..4, 0_usize..3), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (counted, expected) = runtime.block_on(async {
            let store = store().await;
            let names = ["a", "b", "c", "d"];
            for (name, state) in steps {
                let (name, state) = (names[name], InitializationState::ALL[state]);
                if let Some(before) = read(&store, name).await {
                    let updated_at = before.updated_at + Duration::from_millis(1);
                    let after = Initialization { state, updated_at, ..before.clone() };
                    assert!(store.restart_initialization(&before, &after, at(30)).await.unwrap());
                } else {
                    let new = Initialization { state, ..pending(name) };
                    assert!(store.create_initialization(&new, at(30)).await.unwrap());
                }
            }
            let mut expected = [0; 3];
            for name in names {
                if let Some(found) = read(&store, name).await {
                    let state = InitializationState::ALL.iter().position(|state| *state == found.state).unwrap();
                    expected[state] += 1;
                }
            }
            (count(&store).await, expected)
        });
        prop_assert_eq!(counted, expected);
    }
}
