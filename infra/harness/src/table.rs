//! The table.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, HeaderValue, StatusCode};
use tidings_engine::{Engine, Storage};
use tidings_store::Store;
use tokio::sync::Mutex;

use crate::server::Server;
use crate::wire::Wire;
use crate::{Changes, Faults, Meter};

/// The service's table in an embedded engine, served over HTTP, too.
///
/// [`Table::store`] goes straight to the engine: to arrange and to assert. [`Table::faulty_store`] and the URL go by
/// the faults and the meter: they are for what is tested.
#[derive(Debug)]
pub struct Table {
    engine: Engine,
    store: Store,
    faulty: Store,
    faults: Faults,
    meter: Meter,
    wire: Wire,
    address: SocketAddr,
    server: Mutex<Option<Server>>,
}

impl Table {
    /// Its name.
    pub const NAME: &str = "tidings";

    /// A new one in memory.
    pub async fn start() -> Self {
        Self::start_on(Storage::Memory).await
    }

    /// One in a file, made if it is not there.
    pub async fn start_at(file: impl Into<PathBuf>) -> Self {
        Self::start_on(Storage::File(file.into())).await
    }

    async fn start_on(storage: Storage) -> Self {
        let engine = Engine::open(storage).expect("the engine opens");
        let (faults, meter) = (Faults::default(), Meter::default());
        let wire = Wire::new(engine.http_client(), faults.clone(), meter.clone());
        // The retries of the deployed service (`Store::connect`), with shorter waits.
        let retries = RetryConfig::standard()
            .with_max_attempts(4)
            .with_initial_backoff(Duration::from_millis(2))
            .with_max_backoff(Duration::from_millis(20));
        let config = engine.config().http_client(wire.clone()).retry_config(retries).build();
        let tested = Store::new(Client::from_conf(config), Self::NAME);
        // By this way, so that it has been used once.
        tested.ensure_table().await.expect("the table can be made");
        meter.reset();
        let server = Server::start(router(&wire)).await;
        Self {
            store: Store::new(engine.client(), Self::NAME),
            engine,
            faulty: tested,
            faults,
            meter,
            wire,
            address: server.address(),
            server: Mutex::new(Some(server)),
        }
    }

    /// The table without faults.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The table with its faults, counted by the meter.
    pub fn faulty_store(&self) -> &Store {
        &self.faulty
    }

    /// What goes wrong on the way.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What is asked.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The changes from now on that the deployed stream mapping would pass on.
    pub fn changes(&self) -> Changes {
        Changes::of(&self.engine)
    }

    /// Where it is served: an endpoint for processes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops serving over HTTP: connections are closed, and new ones refused.
    pub async fn unplug(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Serves again, at the same URL.
    pub async fn plug_in(&self) {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let started = Server::start_at(self.address, router(&self.wire)).await;
            *server = Some(started.expect("the port was ours a moment ago"));
        }
    }
}

fn router(wire: &Wire) -> Router {
    Router::new().route("/", post(answer)).layer(DefaultBodyLimit::disable()).with_state(wire.clone())
}

async fn answer(State(wire): State<Wire>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match wire.call(target, body.to_vec()).await {
        Ok((status, body)) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
            response.headers_mut().insert("content-type", content_type);
            response
        }
        // A body that breaks off is as near as a handler comes to a broken connection.
        Err(error) => Response::new(Body::from_stream(futures::stream::iter([Err::<Bytes, _>(error)]))),
    }
}
