//! The engine through the real SDK.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

mod durability;
mod feed;
mod feed_names;
mod operations;
#[cfg(feature = "server")]
mod server;
mod support;
mod transactions;
