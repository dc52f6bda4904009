//! Takes deliveries, and notes when each came.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A receiver on loopback. Its path says how it behaves.
pub(crate) struct Receiver {
    address: SocketAddr,
    arrivals: Arc<Mutex<Arrivals>>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers 200.
    Takes,
    /// Answers 500.
    Refuses,
    /// Accepts the request and never answers.
    Hangs,
}

/// When each thing first came to each place that takes it, and how many were repeats.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    first: HashMap<String, Vec<(String, Instant)>>,
    count: usize,
    pub(crate) repeated: usize,
}

impl Behaviour {
    const fn path(self) -> &'static str {
        match self {
            Self::Takes => "/takes/",
            Self::Refuses => "/refuses/",
            Self::Hangs => "/hangs/",
        }
    }
}

impl Arrivals {
    /// When something came, place by place.
    pub(crate) fn of(&self, id: &str) -> Vec<Instant> {
        self.first.get(id).map(|places| places.iter().map(|(_, at)| *at).collect()).unwrap_or_default()
    }

    fn note(&mut self, id: String, place: &str, now: Instant) {
        let places = match self.first.entry(id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Vec::new()),
        };
        if places.iter().any(|(other, _)| other == place) {
            self.repeated += 1;
        } else {
            places.push((place.to_owned(), now));
            self.count += 1;
        }
    }
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let arrivals = Arc::<Mutex<Arrivals>>::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&arrivals));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, arrivals, serving })
    }

    /// A place of this receiver.
    pub(crate) fn url(&self, behaviour: Behaviour, number: usize) -> String {
        format!("http://{}{}{number}", self.address, behaviour.path())
    }

    /// How many deliveries came, repeats left out.
    pub(crate) fn count(&self) -> usize {
        lock(&self.arrivals).count
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> Arrivals {
        std::mem::take(&mut lock(&self.arrivals))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(arrivals): State<Arc<Mutex<Arrivals>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = Instant::now();
    drop(body);
    if uri.path().starts_with(Behaviour::Refuses.path()) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if uri.path().starts_with(Behaviour::Hangs.path()) {
        std::future::pending::<()>().await;
    }
    // Servers of this API send one of the two families, or both.
    let id = ["webhook-id", "svix-id"].iter().find_map(|name| headers.get(*name)?.to_str().ok());
    lock(&arrivals).note(id.unwrap_or_default().to_owned(), uri.path(), now);
    StatusCode::OK
}

fn lock(arrivals: &Mutex<Arrivals>) -> MutexGuard<'_, Arrivals> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner)
}
