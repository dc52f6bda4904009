//! What HTTP functions share: who the caller is and what it may do, what a request may look like, and how
//! every answer looks, errors included.
//!
//! A function's router names the extractors of this crate, and its wiring calls [`finish`] on it once. From
//! then on whatever goes wrong is answered with an [`ApiError`]'s body: a handler's refusal, an extractor's,
//! an unknown route, a wrong method, a panic.

mod answer;
mod app;
mod application;
mod caller;
mod client;
pub mod credential;
mod endpoint;
mod error;
mod extract;
mod fault;
mod from_json;
mod json;
mod message;
pub mod openapi;
mod page;
mod query;
mod store;
mod transaction;

pub use answer::{Reply, accepted, created, no_content, ok, refused};
pub use app::{RequestId, finish};
pub use application::{ApplicationIn, uid_of_path};
pub use caller::{Admin, AnyScope, Caller, Organization, Permission};
pub use client::ClientErrorOut;
pub use credential::{Credentials, LookupFailed};
pub use endpoint::EndpointOut;
pub use error::{ApiError, ErrorCode, Proof};
pub use extract::{BodyLimit, DEFAULT_BODY_BYTES, FromJsonAround, Idempotency, Json, JsonAround, Path, read_body};
pub use fault::{Fault, FaultKind, MAX_FAULTS};
pub use from_json::{FromJson, Object, Set, Text, Whole, text};
pub use json::parse;
pub use json::split::RawMember;
pub use message::{Content, MessageOut};
pub use page::{ListQuery, ListResponse, OrderedListQuery};
pub use query::{FromQuery, Query, QueryString};
pub use transaction::{TransactionOut, WholeTransactionOut};
