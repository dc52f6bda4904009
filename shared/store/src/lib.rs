//! The DynamoDB access crate: one table, every key of it in one file, one module per entity.
//!
//! # Theory of operation
//! Whatever is accepted is written together with an entry of the [agenda], in one call. A record that owes work
//! carries [`OWED`] in its image as long as the table's stream may start on it; the entry is what the schedule finds.
//! Finishing work and taking its entry off is one transaction on the condition that the entry still stands where its
//! owner left it, so of two that believe they own the work only one can finish it.
//!
//! There is one implementation. What is swapped is the engine under the SDK's client: AWS, a DynamoDB-compatible
//! endpoint, or an engine inside the process, handed to [`Store::new`] as a client.

pub mod agenda;
pub mod api_key;
pub mod application;
pub mod attempt;
pub mod background_task;
mod batch;
pub mod broadcast;
mod cache;
mod client;
pub mod compute_error;
pub mod connection;
pub mod endpoint;
pub mod enrollment;
mod error;
pub mod event_name;
pub mod event_type;
mod expression;
mod idempotency;
pub mod initialization;
pub mod job;
pub mod keys;
mod list;
pub mod message;
mod metadata;
mod outcome;
mod query;
pub mod rate;
mod resend;
pub mod retention;
pub mod source;
pub mod stream;
pub mod table;
pub mod token;
mod transact;
pub mod transaction;
pub mod transaction_error;
mod update;

pub use cache::Receivers;
pub use client::{Options, Store};
pub use error::{DecodeError, StoreError};
pub use event_name::Subscribed;
pub use idempotency::Repetition;
pub use outcome::{Created, Replaced};

/// The attribute that makes a record's image start work in the fast lane: when the record's agenda entry is due, in
/// milliseconds since the epoch. The first write that follows takes it off. The stream's filter asks for it.
pub const OWED: &str = "owed";

/// The attribute beside [`OWED`] that names the work: `<kind>#<record>`.
pub const WORK: &str = "work";

/// The attribute, true, of an attempt that was written while somebody of its organization listened to live updates. The
/// stream's filter asks for it, so that attempts of which nobody would hear cost nothing more.
pub const LIVE: &str = "live";

/// The attribute, true, of an endpoint whose last change was one of its health, which is no change for people: live
/// updates leave it out.
pub const QUIET: &str = "quiet";
