//! What can go wrong on the way out. Every text is fit to be shown as the last error of a job or a delivery.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter::successors;
use std::time::Duration;

use http::header::InvalidHeaderValue;

use crate::guard::Refused;

type Source = Box<dyn Error + Send + Sync>;

/// The client cannot be built: a user agent that is no header value, or no certificate roots on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the client for outbound requests could not be built")]
pub struct BuildError {
    #[source]
    source: Source,
}

impl From<reqwest::Error> for BuildError {
    fn from(error: reqwest::Error) -> Self {
        Self { source: error.into() }
    }
}

impl From<InvalidHeaderValue> for BuildError {
    fn from(error: InvalidHeaderValue) -> Self {
        Self { source: error.into() }
    }
}

/// Why there is no answer.
///
/// Whether the destination has seen the request is certain for `Refused`, `Resolve` and `Connect` only: it has not.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The guard does not let the request go there. Trying again helps only if DNS changes.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The name has no address, or DNS does not answer.
    #[error("the host name could not be resolved")]
    Resolve {
        /// What the resolver says.
        source: Source,
    },
    /// No connection came about.
    #[error("{fault}")]
    Connect {
        /// The kind of failure.
        fault: ConnectFault,
        /// What the operating system or the TLS stack says.
        source: Source,
    },
    /// Time ran out.
    #[error("{phase} within {} s", after.as_secs_f64())]
    Timeout {
        /// The limit that was reached: the connect time-out of the options, or the time-out of the request.
        after: Duration,
        /// What was being waited for.
        phase: Phase,
    },
    /// The connection was there, and broke off, or carried something other than HTTP.
    #[error("the connection broke off, or its answer was not HTTP")]
    Io {
        /// What the HTTP client says.
        source: Source,
    },
}

/// What a request that ran out of time was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// DNS, TCP and TLS.
    Connect,
    /// The request's own way out, the status and the headers.
    Answer,
    /// The rest of the body.
    Body,
}

/// Why a connection did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFault {
    /// Nothing listens on the port.
    Refused,
    /// No route, or a firewall that says so.
    Unreachable,
    /// It was closed before it could be used.
    Closed,
    /// The certificate is not accepted, or the other side does not speak TLS.
    Tls,
    /// Anything else.
    Other,
}

impl SendError {
    /// Whether time ran out, in whichever phase.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Reads the client's error. The URL is taken out of it: its query may be a secret.
    pub(crate) fn from_client(error: reqwest::Error, connect_timeout: Duration) -> Self {
        let error = error.without_url();
        if let Some(refused) = causes(&error).find_map(|cause| cause.downcast_ref::<Refused>().copied()) {
            Self::Refused(refused)
        } else if error.is_dns() {
            Self::Resolve { source: error.into() }
        } else if error.is_connect() && error.is_timeout() {
            Self::Timeout { after: connect_timeout, phase: Phase::Connect }
        } else if error.is_connect() {
            Self::Connect { fault: ConnectFault::of(&error), source: error.into() }
        } else {
            Self::Io { source: error.into() }
        }
    }
}

impl ConnectFault {
    fn of(error: &reqwest::Error) -> Self {
        // The outer ones only wrap: the innermost knows.
        let kind = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => Self::Unreachable,
            Some(
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::UnexpectedEof,
            ) => Self::Closed,
            // This is how the TLS stack hands its own errors up.
            Some(io::ErrorKind::InvalidData) => Self::Tls,
            _ => Self::Other,
        }
    }
}

/// `error` and what is behind it. An I/O error names as its source what is behind the error that it wraps, and so would
/// leave that one out.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&cause| {
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        }
    })
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the connection was refused",
            Self::Unreachable => "the host is unreachable",
            Self::Closed => "the connection was closed while it was being opened",
            Self::Tls => "TLS could not be negotiated, or the certificate is not trusted",
            Self::Other => "the connection could not be opened",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Answer => "no answer",
            Self::Body => "the answer did not end",
        })
    }
}
