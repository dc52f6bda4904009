//! The store on the embedded engine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod agenda;
mod api_key;
mod frozen;
mod job;
mod support;
mod table;
mod template;
