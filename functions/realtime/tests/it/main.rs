//! Live updates, from the outside.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod binary;
mod hear;
mod open;
mod push;
mod support;
