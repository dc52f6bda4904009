//! The store on the embedded engine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod agenda;
mod api_key;
mod application;
mod attempt;
mod background_task;
mod batch;
mod cache;
mod capacity;
mod endpoint;
mod event_type;
mod frozen;
mod frozen_outbound;
mod job;
mod list;
mod message;
mod outbound;
mod rate;
mod reservation;
mod support;
mod table;
mod template;
mod token;
