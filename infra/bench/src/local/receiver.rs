//! Takes callbacks, and notes when each came.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A callback receiver on loopback.
pub(super) struct Receiver {
    address: SocketAddr,
    arrivals: Arc<Mutex<Arrivals>>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// When the first callback of each job came, and how many were repeats.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub(super) first: HashMap<String, Instant>,
    pub(super) repeated: usize,
}

impl Receiver {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let arrivals = Arc::<Mutex<Arrivals>>::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&arrivals));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, arrivals, serving })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/complete", self.address)
    }

    /// How many jobs called back.
    pub(super) fn count(&self) -> usize {
        lock(&self.arrivals).first.len()
    }

    /// What came since the last time.
    pub(super) fn take(&self) -> Arrivals {
        std::mem::take(&mut lock(&self.arrivals))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(arrivals): State<Arc<Mutex<Arrivals>>>, headers: HeaderMap, body: Bytes) {
    let now = Instant::now();
    drop(body);
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let mut arrivals = lock(&arrivals);
    let arrivals = &mut *arrivals;
    match arrivals.first.entry(id) {
        Entry::Occupied(_) => arrivals.repeated += 1,
        Entry::Vacant(first) => {
            first.insert(now);
        }
    }
}

fn lock(arrivals: &Mutex<Arrivals>) -> MutexGuard<'_, Arrivals> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner)
}
