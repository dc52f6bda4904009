//! Makes orders up: an `OrderReceived` event for an organization's clients, again and again.
//!
//! A function cannot stay and wait, so a tick of the schedule writes the events of a whole minute, each with the time at
//! which it is due. What an event is called and what it says follow from its organization and its time, so a tick that is
//! delivered twice makes nothing twice.

mod order;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::broadcast::{Broadcast, FOLLOWED_AFTER};
use tidings_domain::client;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{OrganizationId, RANDOM_BYTES};
use tidings_domain::message::Message;
use tidings_runtime::{Clock, random};
use tidings_store::agenda::Starts;
use tidings_store::broadcast::NewBroadcast;
use tidings_store::{DecodeError, Store, StoreError};
use tracing::warn;

pub use self::order::{DeliveryDetails, Order, orders};

/// What a tick makes events for.
const MINUTE: Duration = Duration::from_mins(1);

/// A tick that comes later than this is passed over: its events would come all at once.
const STALE: Duration = Duration::from_mins(2);

/// Events written side by side.
const AT_ONCE: usize = 8;

/// What the generator works with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The table.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Whose clients get the events.
    pub organization: OrganizationId,
    /// Time between two events.
    pub frequency: Duration,
    /// How long the fast lane owns a new record.
    pub grace: Duration,
}

/// Makes events. Clones share everything.
#[derive(Debug, Clone)]
pub struct Generator(Options);

/// An event of the schedule.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Tick {
    /// When it was due: the same each time that it is delivered.
    pub time: Timestamp,
}

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Events that were written.
    pub written: usize,
    /// Events that were there already.
    pub known: usize,
}

/// Those that events are for, as they are at the moment.
struct Clients {
    application: Arc<Application>,
    endpoints: Vec<Endpoint>,
}

impl Generator {
    /// Ready to make events.
    pub fn new(options: Options) -> Self {
        Self(options)
    }

    /// Writes the events of the minute that a tick begins, at the multiples of the frequency in it, for their times.
    pub async fn minute(&self, Tick { time }: Tick) -> Result<Summary, StoreError> {
        let late = self.0.clock.now().since(time);
        if late > STALE {
            warn!(late_s = late.as_secs(), "passed over a tick that came too late");
            return Ok(Summary::default());
        }
        let clients = &self.clients().await?;
        let writes = times(time, self.0.frequency).map(|at| self.write(clients, at, Starts::WhenDue));
        let written: Vec<bool> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await?;
        let known = written.iter().filter(|written| !**written).count();
        Ok(Summary { written: written.len() - known, known })
    }

    /// Writes an event for now.
    pub async fn event(&self) -> Result<(), StoreError> {
        let clients = self.clients().await?;
        self.write(&clients, self.0.clock.now(), Starts::AtOnce).await?;
        Ok(())
    }

    async fn clients(&self) -> Result<Clients, StoreError> {
        let Options { store, clock, organization, .. } = &self.0;
        let (uid, name) = (client::application_uid(), client::APPLICATION_NAME);
        let application = store.ensure_application(*organization, &uid, name, clock.now(), random::bytes()).await?;
        let endpoints = store.endpoints_of(*organization, application.id).await?;
        Ok(Clients { application, endpoints })
    }

    /// `false` if it was there already.
    async fn write(&self, clients: &Clients, at: Timestamp, starts: Starts) -> Result<bool, StoreError> {
        let Options { store, organization, grace, .. } = &self.0;
        let (random, seed) = identity(*organization, at);
        let orders = orders(&mut fastrand::Rng::with_seed(seed), at);
        let payload = serde_json::to_vec(&orders)
            .map_err(|error| DecodeError { key: "of made-up orders".to_owned(), problem: error.to_string() })?;
        let message = Message::plain(&clients.application, client::order_event(), payload.into(), at, random);
        let broadcast = Broadcast::of(&message, client::order_event().to_string(), &clients.endpoints);
        // Where nobody starts on it before, it is due at its time.
        let due = match starts {
            Starts::AtOnce => at + *grace,
            Starts::WhenDue => at,
        };
        let follow_due = at + FOLLOWED_AFTER;
        store
            .create_broadcast(&NewBroadcast { message: &message, broadcast: &broadcast, due, follow_due, starts })
            .await
    }
}

/// The multiples of the frequency in the minute from a time on. Those of the next minute follow without a gap, also where
/// the frequency does not divide it.
fn times(from: Timestamp, frequency: Duration) -> impl Iterator<Item = Timestamp> {
    let step = i64::try_from(frequency.as_millis()).unwrap_or(i64::MAX).max(1);
    let (from, end) = (from.as_millis(), (from + MINUTE).as_millis());
    // The least multiple that is not before `from`.
    let first = from + (-from).rem_euclid(step);
    std::iter::successors(Some(first), move |at| at.checked_add(step))
        .take_while(move |at| *at < end)
        .map(Timestamp::from_millis)
}

/// What the id of an event is made of beside its time, and what its orders are drawn from.
fn identity(organization: OrganizationId, at: Timestamp) -> ([u8; RANDOM_BYTES], u64) {
    let digest: [u8; 32] = Sha256::digest(format!("{organization}/{}", at.as_millis())).into();
    let (id, rest) = digest.split_first_chunk().expect("a hash is longer than what an id takes");
    let (seed, _) = rest.split_first_chunk().expect("a hash is longer than what an id and a number take");
    (*id, u64::from_be_bytes(*seed))
}
