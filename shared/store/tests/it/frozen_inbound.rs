//! The same for sources, transactions, their errors, and enrollments.

use tidings_domain::ids::SourceId;
use tidings_domain::names::Reference;
use tidings_domain::page::{Order, PageLimit};
use tidings_domain::source::Source;
use tidings_store::enrollment::EnrollmentFilter;
use tidings_store::transaction::Times;

use crate::frozen::{organization, stored};
use crate::inbound::source;
use crate::support::at;

/// The source that the records are of.
fn own() -> Source {
    Source { id: "src_2dmHlPBrNdbSXHkUrzEyTQ3mEXz".parse().unwrap(), organization: organization(), ..source(1) }
}

#[tokio::test]
async fn sources_of_version_1_are_read_and_found_by_their_uids() {
    let store = stored(include_str!("../fixtures/v1/source.json")).await;
    let page = store.sources(organization(), None, Order::Ascending, PageLimit::default()).await.unwrap();
    let by_uid = Reference::<SourceId>::Uid("docebo".parse().unwrap());
    assert_eq!(store.source(organization(), &by_uid).await.unwrap().as_ref(), page.data.first());
    insta::assert_debug_snapshot!(page);
}

#[tokio::test]
async fn transactions_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/transaction.json")).await;
    let (times, limit) = (Times::default(), PageLimit::default());
    let listed = store.transactions(&own(), at(9), &times, None, Order::Ascending, limit).await.unwrap().data;
    let mut all = Vec::new();
    for transaction in &listed {
        all.extend(store.transaction_by_id(&own(), transaction.id, at(9)).await.unwrap());
    }
    insta::assert_debug_snapshot!(all);
}

#[tokio::test]
async fn transaction_errors_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/transaction_error.json")).await;
    let page = store.transaction_errors(&own(), at(9), None, PageLimit::default()).await.unwrap();
    insta::assert_debug_snapshot!(page.data);
}

#[tokio::test]
async fn compute_errors_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/compute_error.json")).await;
    let page = store.compute_errors(&own(), at(9), None, PageLimit::default()).await.unwrap();
    insta::assert_debug_snapshot!(page.data);
}

#[tokio::test]
async fn enrollments_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/enrollment.json")).await;
    let all = store.enrollments(&own(), at(9), &EnrollmentFilter::default(), None, 10).await.unwrap();
    let filter = EnrollmentFilter { course: Some(37), ..EnrollmentFilter::default() };
    let by_course = store.enrollments(&own(), at(9), &filter, None, 10).await.unwrap();
    assert_eq!(all, by_course);
    insta::assert_debug_snapshot!(all.data);
}
