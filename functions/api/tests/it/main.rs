#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! Requests go through the routers of all functions, merged as on one machine, over the embedded engine. What is held
//! for every operation (who may call it, what it says when the table fails) takes its list from their documents.

mod api_key;
mod application;
mod arrange;
mod authentication;
mod attempt;
mod authorization;
mod background_task;
mod contract;
mod docs;
mod delivery;
mod documents;
mod endpoint;
mod errors;
mod example;
mod event_type;
mod headers;
mod job;
mod lambda;
mod list;
mod message;
mod operations;
mod outbound;
mod repair;
mod retry;
mod secret;
mod signing_secret;
mod stats;
mod store_faults;
mod support;
