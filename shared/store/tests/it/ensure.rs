use futures::future::join_all;
use tidings_domain::names::{Reference, Uid};
use tidings_domain::page::{Order, PageLimit};
use tidings_harness::{Fault, Rule, Table};
use tidings_store::StoreError;

use crate::support::{at, organization};

fn uid() -> Uid {
    tidings_domain::broker::application_uid()
}

#[tokio::test]
async fn the_application_of_a_surface_is_made_once_and_then_known() {
    let table = Table::start().await;
    let here = table.faulty_store();
    let made = here.ensure_application(organization(1), &uid(), "Broker", at(0), [1; 15]).await.unwrap();
    assert_eq!((made.uid.as_ref(), made.name.as_str()), (Some(&uid()), "Broker"));
    let stored = table.store().application(organization(1), &Reference::Id(made.id)).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&*made));
    let again = here.ensure_application(organization(1), &uid(), "Another name", at(1), [2; 15]).await.unwrap();
    assert_eq!(again, made);
    table.meter().reset();
    let kept = here.ensure_application(organization(1), &uid(), "Broker", at(2), [3; 15]).await.unwrap();
    assert_eq!((kept, table.meter().total().count), (made.clone(), 0));
    let theirs = here.ensure_application(organization(2), &uid(), "Broker", at(0), [4; 15]).await.unwrap();
    assert_ne!(theirs.id, made.id);
}

#[tokio::test]
async fn two_that_make_it_at_once_get_the_same() {
    let table = Table::start().await;
    // As if all of them had found none.
    let stores: Vec<_> = (0..8).map(|_| tidings_store::Store::new(table.store().client().clone(), "tidings")).collect();
    let made = stores.iter().zip(0..).map(|(store, number)| async move {
        store.ensure_application(organization(1), &uid(), "Broker", at(0), [number; 15]).await.unwrap().id
    });
    let made = join_all(made).await;
    assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
    let page = table.store().applications(organization(1), None, Order::Ascending, PageLimit::default()).await.unwrap();
    assert_eq!(page.data.iter().map(|application| application.id).collect::<Vec<_>>(), made[..1]);
}

#[tokio::test]
async fn one_that_was_deleted_is_made_anew() {
    let table = Table::start().await;
    let store = table.store();
    let first = store.ensure_application(organization(1), &uid(), "Broker", at(0), [1; 15]).await.unwrap();
    assert!(store.delete_application(&first, at(30)).await.unwrap());
    let second = store.ensure_application(organization(1), &uid(), "Broker", at(1), [2; 15]).await.unwrap();
    assert_ne!(second.id, first.id);
    table.faults().inject(Rule::new(Fault::Throttled).on("TransactWriteItems"));
    let thrown_back = table.faulty_store().ensure_application(organization(3), &uid(), "x", at(0), [1; 15]).await;
    assert!(matches!(thrown_back, Err(StoreError::Throttled(_))), "{thrown_back:?}");
}
