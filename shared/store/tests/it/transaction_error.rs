use bytes::Bytes;
use tidings_domain::page::{Page, PageLimit, Position};
use tidings_domain::source::Source;
use tidings_domain::transaction::TransactionError;
use tidings_store::Store;

use crate::inbound::{days, keeping, source, transaction_error};
use crate::support::{at, organization, store};

async fn put(store: &Store, error: &TransactionError) {
    let until = source(1).retention.transaction_errors.end(error.received_at);
    store.put_transaction_error(error, until).await.unwrap();
}

#[tokio::test]
async fn a_rejected_request_is_read_back_as_it_was_written_until_it_is_deleted() {
    let store = store().await;
    let (own, bare) = (transaction_error(0), TransactionError { body: Bytes::new(), ..transaction_error(1) });
    for error in [&own, &bare] {
        put(&store, error).await;
        let read = store.transaction_error(&source(1), error.id, at(9)).await.unwrap();
        assert_eq!(read.as_ref(), Some(error));
    }
    let elsewhere = Source { organization: organization(2), ..source(1) };
    assert_eq!(store.transaction_error(&elsewhere, own.id, at(9)).await.unwrap(), None);
    assert_eq!(store.transaction_error(&source(2), own.id, at(9)).await.unwrap(), None);
    for _ in 0..2 {
        store.delete_transaction_error(&own).await.unwrap();
        assert_eq!(store.transaction_error(&source(1), own.id, at(9)).await.unwrap(), None);
    }
    let page = store.transaction_errors(&source(1), at(9), None, PageLimit::default()).await.unwrap();
    assert_eq!(page, Page { data: vec![bare], done: true });
}

#[tokio::test]
async fn rejected_requests_are_listed_newest_first_there_and_back_and_hidden_past_their_end() {
    let store = store().await;
    let day = 24 * 3600;
    for number in 0..7 {
        put(&store, &transaction_error(number * day)).await;
    }
    let limit = PageLimit::try_from(2).unwrap();
    let page = async |source: &Source, position| {
        let page = store.transaction_errors(source, days(8), position, limit).await.unwrap();
        (page.data.iter().map(|error| error.received_at).collect::<Vec<_>>(), page.done)
    };
    let id = |number: i64| transaction_error(number * day).id;
    assert_eq!(page(&source(1), None).await, (vec![days(6), days(5)], false));
    assert_eq!(page(&source(1), Some(Position::After(id(2)))).await, (vec![days(1), days(0)], true));
    assert_eq!(page(&source(1), Some(Position::Before(id(1)))).await, (vec![days(3), days(2)], false));
    assert_eq!(page(&source(1), Some(Position::Before(id(5)))).await, (vec![days(6)], true));
    // Kept for four days: from the fifth on, which is not quite over.
    assert_eq!(page(&keeping(4), Some(Position::After(id(6)))).await, (vec![days(5)], true));
    assert_eq!(store.transaction_error(&keeping(4), id(4), days(8)).await.unwrap(), None);
    assert!(store.transaction_error(&keeping(5), id(4), days(8)).await.unwrap().is_some());
}
