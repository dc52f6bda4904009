//! The vocabulary of Tidings and its rules: ids, entities, state machines, retry schedules, signing.
//!
//! Nothing in here does I/O, reads a clock, an environment variable or a source of randomness: time and
//! random bytes are arguments. Every other crate of the workspace may depend on this one; it depends on
//! none of them, and a test over `cargo metadata` holds that.

pub mod agenda;
pub mod api_key;
pub mod caller;
pub mod idempotency;
pub mod ids;
pub mod job;
pub mod page;
pub mod retry;
pub mod signature;
pub mod time;
pub mod webhook_url;

pub use time::Timestamp;
