//! The `tidings` binary, as its users run it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod commands;
mod kill;
mod serve;
mod support;
mod workspace;
