//! Whether a request that ran out of time had a connection yet.
//!
//! The client tells only that it was too slow. A destination that cannot be reached and one that accepts and never
//! answers are different findings for who owns the endpoint, so the connector leaves a note in the task of the
//! request that it connects for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tower::{Layer, Service};

tokio::task_local! {
    static CONNECTING: Arc<AtomicBool>;
}

/// One request's note. Clones share it.
///
/// When the request is served by a connection that another one gave back in the meantime, its own keeps opening in
/// the background, and until it is open the note still says so. That can only misname the phase of a time-out.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicBool>);

impl Progress {
    /// Runs `work`, and hears of the connections that are opened in it.
    pub(crate) async fn watch<F: Future>(&self, work: F) -> F::Output {
        CONNECTING.scope(Arc::clone(&self.0), work).await
    }

    /// Whether a connection was asked for and is not there yet.
    pub(crate) fn is_connecting(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Wraps the client's connector.
#[derive(Clone)]
pub(crate) struct WatchLayer;

impl<S> Layer<S> for WatchLayer {
    type Service = Watch<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Watch { inner }
    }
}

/// A connector that leaves the note.
#[derive(Clone)]
pub(crate) struct Watch<S> {
    inner: S,
}

impl<S, D> Service<D> for Watch<S>
where
    S: Service<D>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, destination: D) -> Self::Future {
        let note = CONNECTING.try_with(Arc::clone).unwrap_or_default();
        note.store(true, Ordering::Relaxed);
        let connect = self.inner.call(destination);
        Box::pin(async move {
            let connected = connect.await;
            note.store(false, Ordering::Relaxed);
            connected
        })
    }
}
