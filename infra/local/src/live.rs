//! Live updates on one machine: this process holds the sockets that API Gateway holds on AWS.

mod hub;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::Event as Changes;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use realtime::{Opening, Realtime, Refusal};
use serde::Deserialize;
use tidings_engine::{Feed, FeedOptions};
use tidings_http::{ApiError, Credentials};
use tidings_runtime::Clock;
use tidings_store::Store;

pub(crate) use self::hub::Hub;
use self::socket::{Socket, limits};
use crate::stop::Gate;

/// Where connections are opened, with the slash that clients of Socket.IO add and without.
const PATHS: [&str; 2] = ["/api/webhook-socket.io/", "/api/webhook-socket.io"];

/// How long to wait where there are too many connections.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Live updates. Clones share everything.
#[derive(Clone)]
pub(crate) struct Live {
    hub: Arc<Hub>,
    realtime: Realtime,
    clock: Clock,
}

impl Live {
    /// Without connections yet.
    pub(crate) fn new(store: &Store, credentials: &Credentials, clock: &Clock) -> Self {
        let hub = Arc::new(Hub::new());
        let realtime = Realtime::new(realtime::Options {
            store: store.clone(),
            credentials: credentials.clone(),
            clock: clock.clone(),
            connections: Arc::<Hub>::clone(&hub),
            greetings: 1,
        });
        Self { hub, realtime, clock: clock.clone() }
    }

    /// Where connections are opened.
    pub(crate) fn routes(&self) -> Router {
        let [with_slash, without] = PATHS;
        Router::new().route(with_slash, get(open)).route(without, get(open)).with_state(self.clone())
    }

    /// The feed's options: the filter of the function's stream mapping in template.yaml.
    pub(crate) fn feed_options() -> FeedOptions {
        FeedOptions { filter: Arc::new(realtime::wants), ..FeedOptions::default() }
    }

    /// Tells of the engine's changes.
    pub(crate) async fn follow(self, feed: Feed, gate: Gate) {
        feed.run(move |changes: Changes| {
            let (realtime, gate) = (self.realtime.clone(), gate.clone());
            async move {
                let Ok(_permit) = gate.enter().await else { return Vec::new() };
                realtime.announce(changes.records.into_iter().map(Into::into).collect()).await
            }
        })
        .await;
    }

    /// Ends all connections, and takes no more.
    pub(crate) async fn close(&self) {
        self.hub.close().await;
    }
}

/// What a handshake's query says of the protocol.
#[derive(Deserialize)]
struct Handshake {
    #[serde(rename = "EIO")]
    engine: Option<String>,
    transport: Option<String>,
}

async fn open(
    State(live): State<Live>,
    query: Result<Query<Handshake>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let Query(Handshake { engine, transport }) = query.map_err(|_| ApiError::malformed("The query cannot be read."))?;
    let seat = live.hub.seat(&live.realtime).ok_or_else(|| ApiError::too_many_requests(RETRY_AFTER))?;
    let opening = Opening {
        id: seat.id().clone(),
        at: live.clock.now(),
        engine: engine.as_deref(),
        transport: transport.as_deref(),
        sub_protocols: headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok()),
    };
    // A client that polls is told so before it is told that this is no WebSocket.
    opening.check().map_err(refused)?;
    let upgrade = upgrade.map_err(|_| ApiError::malformed("Connect with a WebSocket."))?;
    let accepted = live.realtime.open(opening).await.map_err(refused)?;
    let socket = Socket::new(seat, live.clock.clone(), engine.is_none(), accepted.standing);
    let upgrade = limits(upgrade).protocols(accepted.sub_protocol);
    Ok(upgrade.on_upgrade(move |upgraded| socket.run(upgraded)).into_response())
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Malformed(detail) => ApiError::malformed(detail),
        Refusal::Credential => ApiError::authentication_failed(),
        Refusal::Lookup(error) => error.into(),
        Refusal::Store(error) => error.into(),
    }
}
