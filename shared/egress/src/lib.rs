//! The only way out: every HTTP request that Tidings sends to somebody else's machine.
//!
//! Its users choose the URLs, so each of them is an attempt to make this service talk to something
//! that only it can reach (the metadata address, a database in the same network), or to keep it busy for
//! ever. The crate holds both off, in one place, so that no caller can forget to.
//!
//! # Where a request may go
//! [`verdict`] says of one address whether it is public. It is asked three times:
//!
//! 1. [`Egress::check`], when a URL is registered, without DNS: what can never be right is refused at once, to the
//!    one who gave it. The `url` crate has by then turned every spelling of an IPv4 address (decimal,
//!    octal, hexadecimal, short, full-width digits, trailing dot) into the address itself.
//! 2. [`Egress::send`] does the same again, because a URL may have been stored when the allow list was longer, and
//!    because a literal address never reaches the resolver.
//! 3. The resolver judges every address of an answer, and one bad address refuses the whole
//!    request: an answer that mixes both is an attack or a mistake, and picking the good ones would hide it.
//!
//! The third answer is not a check before the connection: the addresses that were judged are those that the
//! connector is given. A name that resolves differently the next time is judged the next time. A pooled
//! connection was judged when it was opened, and goes on to the same machine.
//!
//! Redirects are handed back and not followed, and proxies from the environment are not used: either would move the
//! decision to somebody else. What the guard cannot see is a public address that the operator's
//! own network routes to something private; such a network needs a rule of its own.
//!
//! # How long and how much
//! [`Request::timeout`] runs from the first byte of DNS to the last byte of the answer's body, whatever the
//! server drips in between, and [`Request::body_limit`] ends the reading of an answer that does not end.
//! Compressed answers are not unpacked. Connecting has a shorter limit of its own.
//!
//! A request is sent at most once: whether to try again is known to who called, and not here.

mod client;
mod error;
mod guard;
mod lookup;
mod message;
mod progress;

pub use client::{Egress, Options};
pub use error::{BuildError, ConnectFault, Phase, SendError};
pub use guard::{Refused, verdict};
pub use lookup::{Lookup, SystemLookup};
pub use message::{RETRY_AFTER_MAX, Request, Response};
