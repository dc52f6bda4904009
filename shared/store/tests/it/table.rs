use tidings_store::table::Ensured;

use crate::support::store;

#[tokio::test]
async fn making_the_table_twice_is_making_it_once() {
    let store = store().await;
    assert_eq!(store.ensure_table().await.unwrap(), Ensured::Existed);
}
