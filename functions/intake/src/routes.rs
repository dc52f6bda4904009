//! One module for each resource.

pub mod job;
pub mod message;
