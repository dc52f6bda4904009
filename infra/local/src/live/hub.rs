//! The open sockets of this process, and what waits for each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use realtime::{Connections, PostError, Posted, Realtime};
use tidings_domain::connection::ConnectionId;
use tidings_runtime::random;
use tidings_telemetry::ignore;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;

/// Connections at once.
const MOST: usize = 10_000;

/// Of them, those that have not said who they are.
const MOST_UNKNOWN: usize = 2_000;

/// Frames that may wait for a reader. One that falls further behind is dropped, so that it holds up nobody else.
const QUEUE: usize = 256;

/// How long connections may take to end when the service stops.
const CLOSING: Duration = Duration::from_secs(5);

/// What a socket is to do.
#[derive(Debug)]
pub(crate) enum Order {
    Say(Utf8Bytes),
    End,
}

/// All sockets.
#[derive(Debug)]
pub(crate) struct Hub {
    open: Mutex<HashMap<ConnectionId, Slot>>,
    places: Arc<Semaphore>,
    unknown: Arc<Semaphore>,
    is_closing: AtomicBool,
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Slot {
    orders: mpsc::Sender<Order>,
    cut: Arc<Notify>,
}

/// A place for one connection, from before its handshake is answered until it is gone.
pub(crate) struct Seat {
    id: ConnectionId,
    hub: Arc<Hub>,
    realtime: Realtime,
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Whoever drops a slow reader rings here.
    pub(crate) cut: Arc<Notify>,
    unknown: Option<OwnedSemaphorePermit>,
    has_left: bool,
    _place: OwnedSemaphorePermit,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            open: Mutex::default(),
            places: Arc::new(Semaphore::new(MOST)),
            unknown: Arc::new(Semaphore::new(MOST_UNKNOWN)),
            is_closing: AtomicBool::new(false),
            count: watch::Sender::new(0),
        }
    }

    /// A place, if there is one.
    pub(crate) fn seat(self: &Arc<Self>, realtime: &Realtime) -> Option<Seat> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let unknown = Arc::clone(&self.unknown).try_acquire_owned().ok()?;
        let id = new_id()?;
        let (sender, orders) = mpsc::channel(QUEUE);
        let cut = Arc::new(Notify::new());
        let mut open = self.lock();
        if self.is_closing.load(Ordering::SeqCst) {
            return None;
        }
        open.insert(id.clone(), Slot { orders: sender, cut: Arc::clone(&cut) });
        self.count.send_replace(open.len());
        drop(open);
        Some(Seat {
            id,
            hub: Arc::clone(self),
            realtime: realtime.clone(),
            orders,
            cut,
            unknown: Some(unknown),
            has_left: false,
            _place: place,
        })
    }

    /// Ends all connections, takes no more, and waits for their end as long as that is worth it.
    pub(crate) async fn close(&self) {
        {
            let open = self.lock();
            self.is_closing.store(true, Ordering::SeqCst);
            for slot in open.values() {
                slot.end();
            }
        }
        let mut count = self.count.subscribe();
        ignore(timeout(CLOSING, count.wait_for(|count| *count == 0)).await, "the process ends, and they with it");
    }

    fn remove(&self, id: &ConnectionId) {
        let mut open = self.lock();
        open.remove(id);
        self.count.send_replace(open.len());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Slot>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Whether there was room for it. A reader that is too slow is cut off.
    fn say(&self, text: &str) -> bool {
        let is_sent = self.orders.try_send(Order::Say(text.into())).is_ok();
        if !is_sent {
            self.cut.notify_one();
        }
        is_sent
    }

    fn end(&self) {
        if self.orders.try_send(Order::End).is_err() {
            self.cut.notify_one();
        }
    }
}

impl Connections for Hub {
    fn post<'a>(&'a self, connection: &'a ConnectionId, text: &'a str) -> BoxFuture<'a, Result<Posted, PostError>> {
        let is_sent = self.lock().get(connection).is_some_and(|slot| slot.say(text));
        let posted = if is_sent { Posted::Sent } else { Posted::Gone };
        std::future::ready(Ok(posted)).boxed()
    }

    fn delete<'a>(&'a self, connection: &'a ConnectionId) -> BoxFuture<'a, Result<(), PostError>> {
        if let Some(slot) = self.lock().get(connection) {
            slot.end();
        }
        std::future::ready(Ok(())).boxed()
    }
}

impl Seat {
    pub(crate) fn id(&self) -> &ConnectionId {
        &self.id
    }

    pub(crate) fn realtime(&self) -> &Realtime {
        &self.realtime
    }

    /// It has said who it is.
    pub(crate) fn is_known(&mut self) {
        self.unknown = None;
    }

    /// The connection is gone.
    pub(crate) async fn leave(mut self) {
        self.has_left = true;
        ignore(self.realtime.closed(&self.id).await, "whoever tells it something finds it gone");
        self.hub.remove(&self.id);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        self.hub.remove(&self.id);
        // The handshake was never finished: its item may have been written.
        if let Ok(runtime) = Handle::try_current() {
            let (realtime, id) = (self.realtime.clone(), self.id.clone());
            runtime.spawn(async move {
                ignore(realtime.closed(&id).await, "whoever tells it something finds it gone");
            });
        }
    }
}

fn new_id() -> Option<ConnectionId> {
    random::bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat().parse().ok()
}
