//! What the hot path costs: six write units for a message to one endpoint, and no read.

use std::time::Duration;

use tidings_domain::agenda::EntryKey;
use tidings_domain::message::{Message, Route};
use tidings_harness::Table;
use tidings_store::message::MessageAccepted;

use crate::outbound::{delivery, message, new, success};

#[tokio::test]
async fn a_message_of_a_kilobyte_that_is_taken_at_once_costs_six_write_units_and_no_read() {
    let table = Table::start().await;
    table.meter().measure(true);
    let payload = format!("{{\"text\": \"{}\"}}", "x".repeat(1024 - 12));
    assert_eq!(payload.len(), 1024);
    let message = Message { payload: Some(payload.into()), ..message(0) };
    let mut units = Vec::new();
    let mut spent = || {
        let total = table.meter().total();
        table.meter().reset();
        units.push((total.count, total.write_units, total.read_units));
    };
    let store = table.faulty_store();
    // Who listens is kept, like endpoints and credentials: that nobody does is.
    assert!(store.cached_listeners(message.organization, message.created_at).await.unwrap().is_empty());
    table.meter().reset();
    assert_eq!(store.create_message(&new(&message), None).await.unwrap(), MessageAccepted::Written);
    spent();
    store.put_attempt(&success(delivery(0, 1), 0)).await.unwrap();
    spent();
    let due = message.created_at + Duration::from_secs(30);
    store.take_off(&EntryKey { due, work: message.work(Route::Endpoints) }).await.unwrap();
    spent();
    // Message and entry; attempt and its index entry; the entry again.
    assert_eq!(units, [(1, 3.0, 0.0), (1, 2.0, 0.0), (1, 1.0, 0.0)]);
}
