use futures::future::join_all;
use tidings_domain::page::{PageLimit, Position};
use tidings_domain::source::Source;
use tidings_domain::transaction::ComputeError;
use tidings_store::Store;

use crate::inbound::{compute_error, days, keeping, source, transaction, unnamed};
use crate::support::{at, organization, store};

async fn note(store: &Store, failed: &[ComputeError]) {
    let until = source(1).retention.compute_errors.end(failed[0].updated_at);
    store.note_compute_errors(&transaction(0, "a"), failed, &[], until).await.unwrap();
}

async fn list(store: &Store, source: &Source) -> Vec<ComputeError> {
    store.compute_errors(source, days(8), None, PageLimit::default()).await.unwrap().data
}

#[tokio::test]
async fn what_fails_again_is_the_same_error_with_one_try_more_and_its_first_time() {
    let store = store().await;
    let first = compute_error(&transaction(0, "a"), Some(3), at(1));
    note(&store, std::slice::from_ref(&first)).await;
    assert_eq!(store.compute_error(&source(1), first.id, at(9)).await.unwrap(), Some(first.clone()));
    let again = ComputeError { message: "other".to_owned(), ..compute_error(&transaction(0, "a"), Some(3), at(5)) };
    note(&store, std::slice::from_ref(&again)).await;
    let expected = ComputeError { tries: 2, created_at: at(1), ..again };
    assert_eq!(store.compute_error(&source(1), first.id, at(9)).await.unwrap(), Some(expected));
    assert_eq!(list(&store, &source(1)).await.len(), 1);
    let elsewhere = Source { organization: organization(2), ..source(1) };
    assert_eq!(store.compute_error(&elsewhere, first.id, at(9)).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_that_fail_at_once_both_are_counted() {
    let store = store().await;
    let failed: Vec<_> = (0..25).map(|payload| compute_error(&transaction(0, "a"), Some(payload), at(1))).collect();
    join_all((0..3).map(|_| note(&store, &failed))).await;
    let found = list(&store, &source(1)).await;
    assert!(found.len() == 25 && found.iter().all(|error| error.tries == 3), "{found:?}");
}

#[tokio::test]
async fn what_was_mended_is_gone_and_the_others_stay() {
    let store = store().await;
    let own = transaction(0, "a");
    let [all, first, second] = [None, Some(0), Some(1)].map(|payload| compute_error(&own, payload, at(1)));
    note(&store, &[all.clone(), first.clone(), second.clone()]).await;
    let until = at(1_000_000);
    let mended = [all.id, first.id, own.compute_error_id(Some(7))];
    store.note_compute_errors(&own, std::slice::from_ref(&second), &mended, until).await.unwrap();
    assert_eq!(list(&store, &source(1)).await, [ComputeError { tries: 2, ..second }]);
    store.note_compute_errors(&own, &[], &[], until).await.unwrap();
}

#[tokio::test]
async fn compute_errors_are_listed_in_pages_and_hidden_past_their_end_which_counts_from_the_last_try() {
    let store = store().await;
    let day = 24 * 3600;
    for number in 0..5 {
        note(&store, &[compute_error(&unnamed(number * day), None, days(number))]).await;
    }
    // The oldest failed again today.
    note(&store, &[compute_error(&unnamed(0), None, days(7))]).await;
    let limit = PageLimit::try_from(2).unwrap();
    let page = async |source: &Source, position| {
        let page = store.compute_errors(source, days(8), position, limit).await.unwrap();
        (page.data.iter().map(|error| error.updated_at).collect::<Vec<_>>(), page.done)
    };
    let id = |number: i64| compute_error(&unnamed(number * day), None, at(0)).id;
    assert_eq!(page(&source(1), None).await, (vec![days(4), days(3)], false));
    assert_eq!(page(&source(1), Some(Position::After(id(2)))).await, (vec![days(1), days(7)], true));
    assert_eq!(page(&source(1), Some(Position::Before(id(2)))).await, (vec![days(4), days(3)], true));
    assert_eq!(page(&keeping(5), None).await, (vec![days(4), days(7)], true));
    assert_eq!(store.compute_error(&keeping(5), id(3), days(8)).await.unwrap(), None);
    assert!(store.compute_error(&keeping(5), id(4), days(8)).await.unwrap().is_some());
}
