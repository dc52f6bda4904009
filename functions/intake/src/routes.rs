//! One module for each resource.

pub mod broker;
pub mod client;
pub mod event;
pub mod inbound;
pub mod job;
pub mod message;
pub mod organization;
