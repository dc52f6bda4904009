//! Stopping: on SIGTERM or SIGINT the service finishes what it started.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// Pieces of work that may be on at once; more than the service ever starts.
const PLACES: u32 = 1024;

/// Counts work that was started, and lets none in any more once the service stops.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// Open.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(PLACES as usize)))
    }

    /// Lets a piece of work in, which lasts as long as the permit. `Err` when the service stops.
    pub(crate) async fn enter(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.0.acquire().await
    }

    /// Lets nothing in any more, and waits for what is on.
    pub(crate) async fn close(&self) {
        // Whoever asks from now on queues behind this, and is turned away by the closing.
        let all = self.0.acquire_many(PLACES).await;
        self.0.close();
        drop(all);
    }
}

/// Completes when somebody asks the process to stop.
pub(crate) async fn asked() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended,
        _ = terminate.recv() => Ok(()),
    }
}
