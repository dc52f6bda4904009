//! Lists are gone through in pages, there and back, while entries come between.

use std::fmt::Debug;

use proptest::prelude::*;
use tidings_domain::page::{Order, Page, PageLimit, Position};
use tidings_store::Store;
use tidings_store::transaction::Times;

use crate::application::application;
use crate::background_task::task;
use crate::endpoint::{endpoint, store_with_application};
use crate::event_type::event_type;
use crate::inbound::{accept, source, unnamed};
use crate::support::{NOW, organization, store};

/// What stands in a list from its beginning, what comes between two pages, and how it is gone through.
#[derive(Debug, Clone)]
struct Case {
    first: Vec<u16>,
    later: Vec<u16>,
    limit: u64,
    is_descending: bool,
}

impl Case {
    fn order(&self) -> Order {
        if self.is_descending { Order::Descending } else { Order::Ascending }
    }

    fn limit(&self) -> PageLimit {
        PageLimit::try_from(self.limit).unwrap()
    }
}

fn case() -> impl Strategy<Value = Case> {
    let numbers = prop::collection::btree_set(0..200_u16, 1..30).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    (numbers.prop_shuffle(), 0..20_usize, 1..6_u64, any::<bool>()).prop_map(
        |(mut first, later, limit, is_descending)| {
            let later = first.split_off(first.len() - later.min(first.len() - 1));
            Case { first, later, limit, is_descending }
        },
    )
}

/// Goes through a list to its end and back from there.
async fn there_and_back<I: Copy + Ord + Debug>(
    case: &Case,
    id: impl Fn(u16) -> I,
    insert: impl AsyncFn(u16),
    page: impl AsyncFn(Option<Position<I>>) -> Page<I>,
) {
    for number in &case.first {
        insert(*number).await;
    }
    let mut later = case.later.iter();
    let (mut there, mut position) = (Vec::new(), None);
    loop {
        let Page { data, done } = page(position).await;
        assert!(data.len() <= case.limit().get() && (done || data.len() == case.limit().get()), "{data:?} {done}");
        there.extend(data);
        if done {
            break;
        }
        position = there.last().copied().map(Position::After);
        if let Some(number) = later.next() {
            insert(*number).await;
        }
    }
    check(case, &there, case.first.iter().map(|number| id(*number)).collect());

    let last = *there.last().unwrap();
    let (mut back, mut position) = (Vec::new(), Some(Position::Before(last)));
    loop {
        let Page { data, done } = page(position).await;
        assert!(data.len() <= case.limit().get() && (done || data.len() == case.limit().get()), "{data:?} {done}");
        back.splice(0..0, data);
        if done {
            break;
        }
        position = back.first().copied().map(Position::Before);
        if let Some(number) = later.next() {
            insert(*number).await;
        }
    }
    assert!(!back.contains(&last));
    check(case, &back, case.first.iter().map(|number| id(*number)).filter(|id| *id != last).collect());
}

/// In its order, nothing twice, and nothing lost of what was there from the beginning.
fn check<I: Copy + Ord + Debug>(case: &Case, seen: &[I], first: Vec<I>) {
    let in_order = |pair: &[I]| if case.is_descending { pair[0] > pair[1] } else { pair[0] < pair[1] };
    assert!(seen.windows(2).all(in_order), "{seen:?}");
    for id in first {
        assert!(seen.contains(&id), "{id:?} is not among {seen:?}");
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn applications_there_and_back(store: &Store, case: &Case) {
    let insert = async |number| {
        let _ = store.create_application(&application(number), None).await.unwrap();
    };
    there_and_back(
        case,
        |number| application(number).id,
        insert,
        async |position| {
            let page = store.applications(organization(1), position, case.order(), case.limit()).await.unwrap();
            Page { data: page.data.iter().map(|application| application.id).collect(), done: page.done }
        },
    )
    .await;
}

async fn sources_there_and_back(store: &Store, case: &Case) {
    let insert = async |number| {
        let _ = store.create_source(&source(number), None).await.unwrap();
    };
    there_and_back(
        case,
        |number| source(number).id,
        insert,
        async |position| {
            let page = store.sources(organization(1), position, case.order(), case.limit()).await.unwrap();
            Page { data: page.data.iter().map(|source| source.id).collect(), done: page.done }
        },
    )
    .await;
}

async fn transactions_there_and_back(store: &Store, case: &Case) {
    let own = |number: u16| unnamed(number.into());
    let insert = async |number| {
        let _ = accept(store, &own(number)).await;
    };
    there_and_back(
        case,
        |number| own(number).id,
        insert,
        async |position| {
            let times = Times::default();
            let (order, limit) = (case.order(), case.limit());
            let page = store.transactions(&source(1), NOW, &times, position, order, limit).await.unwrap();
            Page { data: page.data.iter().map(|transaction| transaction.id).collect(), done: page.done }
        },
    )
    .await;
}

async fn endpoints_there_and_back(store: &Store, case: &Case) {
    let application = application(1).id;
    let insert = async |number| {
        let _ = store.create_endpoint(&endpoint(number), None, None).await.unwrap();
    };
    there_and_back(
        case,
        |number| endpoint(number).id,
        insert,
        async |position| {
            let page =
                store.endpoints(organization(1), application, position, case.order(), case.limit()).await.unwrap();
            Page { data: page.data.iter().map(|endpoint| endpoint.id).collect(), done: page.done }
        },
    )
    .await;
}

async fn tasks_there_and_back(store: &Store, case: &Case) {
    let insert = async |number| {
        let _ = store.create_background_task(&task(number), NOW, None).await.unwrap();
    };
    there_and_back(
        case,
        |number| task(number).id,
        insert,
        async |position| {
            let page = store
                .background_tasks(organization(1), None, None, position, case.order(), case.limit())
                .await
                .unwrap();
            Page { data: page.data.iter().map(|task| task.id).collect(), done: page.done }
        },
    )
    .await;
}

/// Names that start with one another. `I` has to be `Copy`, so a name's rank among all of them stands for it.
async fn event_types_there_and_back(store: &Store, case: &Case) {
    let mut names: Vec<_> = (0..200).map(|number| event_type(number).name).collect();
    names.sort_unstable();
    let rank = |name| names.binary_search(&name).unwrap();
    let insert = async |number| {
        let _ = store.create_event_type(&event_type(number), None).await.unwrap();
    };
    there_and_back(
        case,
        |number| rank(event_type(number).name),
        insert,
        async |position| {
            let name = |rank: usize| names[rank].clone();
            let position = position.map(|position| match position {
                Position::After(rank) => Position::After(name(rank)),
                Position::Before(rank) => Position::Before(name(rank)),
            });
            let page = store.event_types(organization(1), false, position, case.order(), case.limit()).await.unwrap();
            Page { data: page.data.into_iter().map(|event_type| rank(event_type.name)).collect(), done: page.done }
        },
    )
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_entry_is_lost_or_repeated_when_others_come_between_pages(case in case()) {
        run(async {
            let store = store_with_application().await;
            endpoints_there_and_back(&store, &case).await;
            event_types_there_and_back(&store, &case).await;
            tasks_there_and_back(&store, &case).await;
            applications_there_and_back(&crate::support::store().await, &case).await;
            sources_there_and_back(&store, &case).await;
            transactions_there_and_back(&store, &case).await;
        });
    }
}

#[tokio::test]
async fn another_tenants_lists_are_empty_from_every_position() {
    let store = store_with_application().await;
    for number in 0..3 {
        let _ = store.create_endpoint(&endpoint(number), None, None).await.unwrap();
        let _ = store.create_event_type(&event_type(number), None).await.unwrap();
        let _ = store.create_background_task(&task(number), NOW, None).await.unwrap();
        let _ = store.create_source(&source(number), None).await.unwrap();
    }
    let (other, limit) = (organization(2), PageLimit::default());
    let app = application(1).id;
    for order in [Order::Ascending, Order::Descending] {
        for number in 0..3 {
            let (id, name, task) = (endpoint(number).id, event_type(number).name, task(number).id);
            for position in [None, Some(Position::After(id)), Some(Position::Before(id))] {
                assert!(store.endpoints(other, app, position, order, limit).await.unwrap().data.is_empty());
                let elsewhere = application(9).id;
                let page = store.endpoints(organization(1), elsewhere, position, order, limit).await.unwrap();
                assert!(page.data.is_empty() && page.done);
            }
            for position in [None, Some(Position::After(name.clone())), Some(Position::Before(name))] {
                assert!(store.event_types(other, true, position, order, limit).await.unwrap().data.is_empty());
            }
            for position in [None, Some(Position::After(task)), Some(Position::Before(task))] {
                let page = store.background_tasks(other, None, None, position, order, limit).await.unwrap();
                assert!(page.data.is_empty() && page.done);
            }
            let source = source(number).id;
            for position in [None, Some(Position::After(source)), Some(Position::Before(source))] {
                assert!(store.sources(other, position, order, limit).await.unwrap().data.is_empty());
            }
            for position in [None, Some(Position::After(app)), Some(Position::Before(app))] {
                assert!(store.applications(other, position, order, limit).await.unwrap().data.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() {
    let store = store().await;
    let page = store.applications(organization(1), None, Order::Descending, PageLimit::default()).await.unwrap();
    assert_eq!(page, Page { data: Vec::new(), done: true });
}
