//! Names to addresses, and the judgement on each address before the connector sees it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::guard::verdict;

/// Asks for the addresses of a name. Two sides: the system's DNS, and tests that change their answer.
pub trait Lookup: Send + Sync {
    /// All addresses of `host`, in the order in which they should be tried.
    ///
    /// Called once for each connection that is opened. What it returns is judged after it, so it need not be careful.
    fn lookup(&self, host: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver (`getaddrinfo`, on a thread of its own).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// What the client resolves with: a lookup, and the guard behind it.
pub(crate) struct Guarded {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) allow: Arc<[IpNet]>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        let allow = Arc::clone(&self.allow);
        Box::pin(async move {
            let host = name.as_str();
            let found = lookup.lookup(host).await?;
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            for ip in &found {
                verdict(*ip, &allow).inspect_err(|_| {
                    // The caller is not told the address; who runs the service may have to know it.
                    tracing::info!(host.name = host, host.address = %ip, "a name resolves to a refused address");
                })?;
            }
            // Port 0 is replaced by the URL's port.
            let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
