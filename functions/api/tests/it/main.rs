#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

//! Requests go through the routers of all functions, merged as on one machine, over the embedded engine. What is held
//! for every operation (who may call it, what it says when the table fails) takes its list from their documents.

mod api_key;
mod application;
mod arrange;
mod attempt;
mod authentication;
mod authorization;
mod background_task;
mod broker;
mod broker_jobs;
mod client;
mod contract;
mod delivery;
mod docs;
mod documents;
mod endpoint;
mod errors;
mod event_type;
mod example;
mod headers;
mod inbound;
mod inbound_enrollment;
mod inbound_error;
mod inbound_export;
mod inbound_import;
mod inbound_round_trip;
mod inbound_transaction;
mod job;
mod lambda;
mod list;
mod message;
mod operations;
mod organization;
mod organization_initialization;
mod outbound;
mod repair;
mod retry;
mod secret;
mod signing_secret;
mod source;
mod source_change;
mod source_secret;
mod spoilt_items;
mod stats;
mod store_faults;
mod support;
