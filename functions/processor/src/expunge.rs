//! Removing a message's payload when its own retention is over. It is not shown or sent from then on anyway; this makes
//! it physically gone, while the message and its attempts stay.

use tidings_domain::message::parse_record;
use tidings_store::{DecodeError, StoreError};

use crate::Context;
use crate::work::{Done, Task};

/// One try.
pub(crate) async fn run(context: &Context, task: Task) -> Result<Done, StoreError> {
    let store = &context.options.store;
    let record = &task.claim.entry.key.work.record;
    let (organization, application, id) = parse_record(record)
        .ok_or_else(|| DecodeError { key: record.to_string(), problem: "names no message".to_owned() })?;
    let found = store.expunge_message(organization, application, id).await?;
    store.take_off(&task.claim.entry.key).await?;
    Ok(if found { Done::Finished } else { Done::Dropped })
}
