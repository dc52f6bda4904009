//! Requests that may come twice under one `Idempotency-Key`.

use std::time::Duration;

use tidings_domain::idempotency::{Fingerprint, IdempotencyKey, KeptAnswer};
use tidings_http::{ApiError, Reply};
use tidings_store::Created;

/// What is kept of a `POST`, so that a repetition is answered the same.
pub(crate) fn kept(key: Option<IdempotencyKey>, path: &str, body: &[u8], reply: &Reply) -> Option<KeptAnswer> {
    let fingerprint = Fingerprint::of("POST", path, body);
    key.map(|key| KeptAnswer { key, fingerprint, answer: reply.answer().clone() })
}

/// The answer to a request that made something without a name.
pub(crate) fn answer(created: Created, reply: Reply) -> Result<Reply, ApiError> {
    match created {
        Created::Written => Ok(reply),
        Created::Repeated(repetition) => Reply::repeated(repetition),
        // The same was asked for in the same millisecond.
        Created::UidTaken => Err(ApiError::conflict_retry(Duration::from_secs(1))),
    }
}
