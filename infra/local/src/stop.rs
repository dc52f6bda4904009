//! Stopping: on SIGTERM or SIGINT the service finishes what it started.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
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

/// Requests to stop: SIGTERM, or Ctrl-C. From its making on, they do not end the process by themselves.
pub(crate) struct Requests {
    terminate: Signal,
    interrupt: Signal,
}

impl Requests {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Completes when somebody asks the process to stop.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
