//! The way to open connections. There are two sides: API Gateway holds them, or this process does.

use std::error::Error;

use futures::future::BoxFuture;
use tidings_domain::connection::ConnectionId;

/// Whoever holds the connections.
pub trait Connections: Send + Sync + 'static {
    /// Sends a text on a connection.
    fn post<'a>(&'a self, connection: &'a ConnectionId, text: &'a str) -> BoxFuture<'a, Result<Posted, PostError>>;

    /// Ends a connection. That it is gone already is no error.
    fn delete<'a>(&'a self, connection: &'a ConnectionId) -> BoxFuture<'a, Result<(), PostError>>;
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It is on its way.
    Sent,
    /// There is no such connection, or not yet.
    Gone,
}

/// Whoever holds the connections could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("a connection could not be reached")]
pub struct PostError(#[source] Box<dyn Error + Send + Sync>);

impl PostError {
    /// With its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
