//! What tests and benchmarks run the service against: everything around a function, on loopback.
//!
//! - [`Function`] and [`Environment`]: a real `bootstrap` binary behind a Lambda Runtime API. An environment is one
//!   process that takes one event at a time; start several for concurrency. A process that ends while it works is an
//!   error to who invoked it, and the next event starts another, as on AWS.
//! - [`Table`]: the embedded engine, in the process and over HTTP, with [`Faults`] to inject and a [`Meter`] that counts.
//! - [`Changes`]: what the table's stream brings, to be sent on (or again) by the test.
//! - [`Receiver`] and [`Providers`]: the servers at the other end, answering by a [`Plan`].
//! - [`ConnectionsApi`]: where API Gateway takes what WebSocket connections are to be sent.
//! - [`TestClock`]: a clock that the test moves.
//! - [`events`]: the events that AWS sends.
//!
//! Starting anything panics when it fails: there is nothing that a test could do about it.

mod changes;
mod clock;
mod connections_api;
mod environment;
pub mod events;
mod faults;
mod function;
mod meter;
mod plan;
mod process;
mod providers;
mod receiver;
mod runtime_api;
mod server;
mod signature_v4;
mod table;
mod wait;
mod wire;

pub use changes::Changes;
pub use clock::TestClock;
pub use connections_api::ConnectionsApi;
pub use environment::Environment;
pub use faults::{Fault, Faults, Rule};
pub use function::Function;
pub use meter::{Calls, Meter};
pub use plan::{Arrival, Plan, Reply};
pub use process::Process;
pub use providers::Providers;
pub use receiver::{Delivery, Outcome, Receiver};
pub use runtime_api::InvokeError;
pub use table::Table;
pub use wait::{eventually, wait_until};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock whose holders leave nothing half changed, so that one that panicked does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
