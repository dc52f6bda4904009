#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::duration_suboptimal_units,
    missing_docs,
    reason = "tests"
)]

//! Requests go through routers that are made as the functions make theirs.

mod api_key;
mod around;
mod body;
mod edge;
mod error;
mod extract;
mod object;
mod openapi;
mod permission;
mod revocation;
mod support;
mod token;
