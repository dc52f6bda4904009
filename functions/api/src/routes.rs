//! One module for each resource.

pub mod api_key;
pub mod docs;
pub mod health;
pub mod job;
