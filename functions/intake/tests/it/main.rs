#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! Requests go through the router that the function serves, over the embedded engine.

mod bodies;
mod broker;
mod callback_urls;
mod client;
mod create;
mod credentials;
mod edge;
mod idempotency;
mod inbound;
mod inbound_bodies;
mod inbound_check;
mod inbound_faults;
mod inbound_kinds;
mod inbound_lambda;
mod inbound_names;
mod inbound_properties;
mod inbound_retry;
mod inbound_sizes;
mod inbound_verification;
mod lambda;
mod message;
mod message_bodies;
mod message_faults;
mod message_schema;
mod organization;
mod organization_event;
mod store_faults;
mod support;
