#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! The lanes, in the process over the embedded engine and as the real binary behind a Lambda Runtime API.

mod batches;
mod callbacks;
mod concurrency;
mod fast_lane;
mod kill;
mod lambda;
mod many;
mod providers;
mod slow_lane;
mod store_faults;
mod support;
