#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! Events are written to the embedded engine, and read back from it.

mod event;
mod lambda;
mod minute;
mod order;
mod support;
