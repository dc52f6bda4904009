#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! Requests go through the routers of all functions, merged as on one machine, over the embedded engine. What is held
//! for every operation (who may call it, what it says when the table fails) takes its list from their documents.

mod api_key;
mod arrange;
mod authorization;
mod docs;
mod documents;
mod errors;
mod job;
mod lambda;
mod list;
mod operations;
mod retry;
mod signing_secret;
mod store_faults;
mod support;
