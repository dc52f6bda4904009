//! What came in through the doors of sources: webhooks, what was wrong with them, and the enrollments that they come to.
//!
//! The doors themselves are `intake`'s. What is past its source's retention is not there, on every route: the source is
//! read anew for each request, so a shorter retention holds at once.

pub mod compute_error;
pub mod enrollment;
pub mod transaction;
pub mod transaction_error;
