//! The store on the embedded engine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod agenda;
mod api_key;
mod application;
mod attempt;
mod background_task;
mod batch;
mod broadcast;
mod cache;
mod capacity;
mod connection;
mod endpoint;
mod ensure;
mod event_name;
mod event_type;
mod frozen;
mod frozen_outbound;
mod frozen_surface;
mod initialization;
mod job;
mod list;
mod live;
mod message;
mod outbound;
mod rate;
mod reservation;
mod support;
mod table;
mod template;
mod token;
