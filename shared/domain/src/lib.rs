//! The vocabulary of Tidings and its rules: ids, entities, state machines, retry schedules, signing.
//!
//! Nothing in here does I/O, reads a clock, an environment variable or a source of randomness: time and
//! random bytes are arguments. Every other crate of the workspace may depend on this one; it depends on
//! none of them, and a test over `cargo metadata` holds that.

pub mod agenda;
pub mod api_key;
pub mod application;
pub mod attempt;
pub mod background_task;
pub mod broadcast;
pub mod broker;
pub mod caller;
pub mod client;
pub mod connection;
pub mod delivery;
pub mod docebo;
pub mod endpoint;
pub mod endpoint_headers;
pub mod enrollment;
pub mod event_type;
pub mod idempotency;
pub mod ids;
pub mod initialization;
pub mod job;
pub mod message;
pub mod metadata;
pub mod names;
pub mod operational;
pub mod page;
pub mod patch;
pub mod platform_event;
pub mod preconfigured;
pub mod retention;
pub mod retry;
pub mod signature;
pub mod source;
pub mod time;
pub mod token;
pub mod transaction;
pub mod webhook_url;

pub use time::Timestamp;
