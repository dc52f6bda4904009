//! A callback receiver.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Uri};
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_runtime::Clock;

use crate::server::Server;
use crate::{Arrival, Plan, lock, wait_until};

/// A server that takes deliveries, answers by a plan, and remembers all of it.
#[derive(Debug)]
pub struct Receiver {
    server: Server,
    shared: Arc<Shared>,
}

/// One delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its `webhook-id`; empty if it had none.
    pub id: String,
    /// Where it went.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it came, by the system's clock.
    pub arrived: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is being dealt with.
    Pending,
    /// It was answered with this status, then.
    Answered(u16, Timestamp),
    /// The sender went away before there was an answer.
    Abandoned(Timestamp),
}

impl Delivery {
    /// Its body as JSON; `Null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the receiver took it (2xx).
    pub fn is_taken(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(200..=299, _))
    }
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    plan: Mutex<Plan>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    deliveries: Vec<Delivery>,
    attempts: HashMap<String, usize>,
    in_flight: HashMap<String, usize>,
    most_at_once: usize,
    overlapped: BTreeSet<String>,
}

impl Receiver {
    /// Starts one.
    pub async fn start(plan: Plan) -> Self {
        let shared =
            Arc::new(Shared { clock: Clock::system(), plan: Mutex::new(plan), seen: Mutex::new(Seen::default()) });
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared }
    }

    /// A URL of it. Every path is served.
    pub fn url(&self) -> String {
        format!("{}/complete", self.server.url())
    }

    /// Answers by another plan from now on.
    pub fn set_plan(&self, plan: Plan) {
        *lock(&self.shared.plan) = plan;
    }

    /// Everything that came, in its order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.shared.seen).deliveries.clone()
    }

    /// How many came.
    pub fn count(&self) -> usize {
        lock(&self.shared.seen).deliveries.len()
    }

    /// What came under one `webhook-id`.
    pub fn deliveries_of(&self, id: &str) -> Vec<Delivery> {
        lock(&self.shared.seen).deliveries.iter().filter(|delivery| delivery.id == id).cloned().collect()
    }

    /// The most deliveries that were being dealt with at a time.
    pub fn most_at_once(&self) -> usize {
        lock(&self.shared.seen).most_at_once
    }

    /// The `webhook-id`s of which one delivery came while another was being dealt with.
    pub fn overlapped(&self) -> Vec<String> {
        lock(&self.shared.seen).overlapped.iter().cloned().collect()
    }

    /// Waits until so many came, ten seconds at most, and answers with all that came.
    pub async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        wait_until(&format!("{count} deliveries"), Duration::from_secs(10), async || self.count() >= count).await;
        self.deliveries()
    }
}

async fn take(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let mut ticket = Ticket::new(Arc::clone(&shared), &id, &uri, headers, body);
    let arrival = Arrival { subject: id, attempt: ticket.attempt, path: uri.path().to_owned() };
    let reply = lock(&shared.plan).choose(&arrival);
    let response = reply.respond().await;
    ticket.outcome = Some(response.status().as_u16());
    response
}

/// A delivery that is being dealt with. Dropping it without an outcome says that the sender went away.
struct Ticket {
    shared: Arc<Shared>,
    id: String,
    position: usize,
    attempt: usize,
    outcome: Option<u16>,
}

impl Ticket {
    fn new(shared: Arc<Shared>, id: &str, uri: &Uri, headers: HeaderMap, body: Bytes) -> Self {
        let (position, attempt) = {
            let mut seen = lock(&shared.seen);
            let seen = &mut *seen;
            let attempt = seen.attempts.entry(id.to_owned()).or_default();
            *attempt += 1;
            let in_flight = seen.in_flight.entry(id.to_owned()).or_default();
            *in_flight += 1;
            if *in_flight > 1 {
                seen.overlapped.insert(id.to_owned());
            }
            seen.most_at_once = seen.most_at_once.max(seen.in_flight.values().sum());
            seen.deliveries.push(Delivery {
                id: id.to_owned(),
                path: uri.path().to_owned(),
                headers,
                body,
                arrived: shared.clock.now(),
                outcome: Outcome::Pending,
            });
            (seen.deliveries.len() - 1, *attempt)
        };
        Self { shared, id: id.to_owned(), position, attempt, outcome: None }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        let mut seen = lock(&self.shared.seen);
        if let Some(in_flight) = seen.in_flight.get_mut(&self.id) {
            *in_flight -= 1;
            if *in_flight == 0 {
                seen.in_flight.remove(&self.id);
            }
        }
        if let Some(delivery) = seen.deliveries.get_mut(self.position) {
            delivery.outcome = self.outcome.map_or(Outcome::Abandoned(now), |status| Outcome::Answered(status, now));
        }
    }
}
