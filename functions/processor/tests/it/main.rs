#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! The lanes, in the process over the embedded engine and as the real binary behind a Lambda Runtime API.

mod attempts;
mod batches;
mod broadcast;
mod callbacks;
mod concurrency;
mod delivery_provider;
mod disabling;
mod envelope;
mod fan_out;
mod fast_lane;
mod forward;
mod inbound_forward;
mod initialization;
mod isolation;
mod kill;
mod kill_inbound;
mod kill_messages;
mod lambda;
mod many;
mod operational;
mod providers;
mod rate_limits;
mod removal;
mod requests;
mod retention;
mod retried;
mod slow_lane;
mod store_faults;
mod support;
mod tasks;
mod transaction_faults;
mod transaction_order;
mod transaction_poison;
mod transactions;
