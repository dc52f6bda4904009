//! The `tidings` binary, as its users run it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod broker;
mod clients;
mod commands;
mod delivery_provider;
mod inbound;
mod inbound_import;
mod inbound_kill;
mod kill;
mod serve;
mod support;
mod workspace;
