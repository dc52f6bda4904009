//! One module for each resource.

pub mod api_key;
pub mod application;
pub mod attempt;
pub mod authentication;
pub mod background_task;
pub mod broker;
pub mod client;
pub mod delivery;
pub mod destination;
pub mod docs;
pub mod endpoint;
pub mod event_type;
pub mod example;
pub mod health;
pub mod inbound;
pub mod job;
pub mod message;
pub mod organization;
pub mod repair;
pub mod source;
pub mod stats;
