//! A providers API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;

use crate::server::Server;
use crate::{Arrival, Plan, Reply, lock};

/// A server of `GET /providers/{id}` that answers by a plan and counts.
#[derive(Debug)]
pub struct Providers {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    plan: Mutex<Plan>,
    counts: Mutex<BTreeMap<String, usize>>,
}

impl Providers {
    /// One that answers by a plan. The subject of an arrival is the provider's id.
    pub async fn start(plan: Plan) -> Self {
        let shared = Arc::new(Shared { plan: Mutex::new(plan), counts: Mutex::default() });
        let router = Router::new().route("/providers/{id}", get(answer)).with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared }
    }

    /// One that always answers with [`Providers::data`].
    pub async fn healthy() -> Self {
        Self::start(Plan::by(|arrival| Self::data(&arrival.subject))).await
    }

    /// One that fails this share of its requests as the mock does, and else answers with [`Providers::data`].
    pub async fn failing(seed: u64, share: f64) -> Self {
        Self::start(Self::failing_plan(seed, share)).await
    }

    /// The plan of [`Providers::failing`].
    pub fn failing_plan(seed: u64, share: f64) -> Plan {
        Plan::by_chance(seed, [(share, Self::failure())], Reply::Status(200)).map(|arrival, reply| match reply {
            Reply::Status(200) => Self::data(&arrival.subject),
            failure => failure,
        })
    }

    /// What a provider has: a list of bills, different for each, in a spelling that must not be changed on the way.
    pub fn data(provider: &str) -> Reply {
        let bills =
            format!("[{{\"billedOn\": \"2020-04-07T15:03:14.257Z\", \"amount\": 22.270, \"of\": \"{provider}\"}}]");
        Reply::Body(200, Bytes::from(bills))
    }

    /// How the mock fails on purpose.
    pub fn failure() -> Reply {
        Reply::Body(500, Bytes::from_static(b"#fail"))
    }

    /// What `SERVICE_ENDPOINT` is set to.
    pub fn endpoint(&self) -> String {
        format!("{}/providers/", self.server.url())
    }

    /// Answers by another plan from now on.
    pub fn set_plan(&self, plan: Plan) {
        *lock(&self.shared.plan) = plan;
    }

    /// Requests for one provider so far.
    pub fn count(&self, provider: &str) -> usize {
        lock(&self.shared.counts).get(provider).copied().unwrap_or_default()
    }

    /// Requests so far.
    pub fn total(&self) -> usize {
        lock(&self.shared.counts).values().sum()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let attempt = {
        let mut counts = lock(&shared.counts);
        let count = counts.entry(id.clone()).or_default();
        *count += 1;
        *count
    };
    let arrival = Arrival { path: format!("/providers/{id}"), subject: id, attempt };
    let reply = lock(&shared.plan).choose(&arrival);
    reply.respond().await
}
