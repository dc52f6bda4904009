#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! Requests go through the router that the function serves, over the embedded engine.

mod bodies;
mod callback_urls;
mod create;
mod credentials;
mod edge;
mod idempotency;
mod lambda;
mod store_faults;
mod support;
