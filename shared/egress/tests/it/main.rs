//! The guard and the client against servers that behave badly, all on loopback.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod addresses;
mod bounds;
mod destinations;
mod embedded;
mod messages;
mod proxies;
mod server;
mod urls;
