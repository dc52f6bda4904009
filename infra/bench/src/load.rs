//! Load on a server: clients that each send a request, wait for its answer and send the next, and what came of it.

mod connection;
pub(crate) mod memory;
mod receiver;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

pub(crate) use self::connection::Connection;
pub(crate) use self::receiver::{Behaviour, Receiver};
use crate::process_time;
use crate::sample::Sample;

/// How long all of it may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// Time between two looks at what came.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Time for the results that follow the last delivery.
const SETTLE: Duration = Duration::from_millis(500);

/// A server under load.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// Processes whose CPU time and memory count as its own.
    pub(crate) pids: Vec<u32>,
}

/// The request that is sent again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) path: &'a str,
    pub(crate) body: &'a str,
    /// The status that an accepted one is answered with.
    pub(crate) status: u16,
    /// Where the answer names what was accepted: what its deliveries carry as `webhook-id`.
    pub(crate) id: &'a str,
}

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) clients: usize,
    /// Requests in all.
    pub(crate) count: usize,
    /// Requests a second, evenly; as many as there are answers if unset.
    pub(crate) rate: Option<u32>,
    /// Deliveries of each that are waited for, at paths of the receiver that answer.
    pub(crate) deliveries: usize,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) accepted_per_second: f64,
    pub(crate) delivered_per_second: f64,
    /// Milliseconds.
    pub(crate) accept: Sample,
    /// Milliseconds, from sending the request.
    pub(crate) delivery: Sample,
    /// Seconds of CPU for each accepted request.
    pub(crate) cpu: f64,
    pub(crate) most_mb: f64,
    pub(crate) repeated: usize,
}

/// A request that was accepted.
struct Accepted {
    id: String,
    sent: Instant,
    answered: Instant,
}

impl Server {
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        self.pids.iter().map(|pid| process_time::cpu(*pid)).sum()
    }

    /// The bytes of a POST with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &str) -> Vec<u8> {
        self.request("POST", path, &format!("Bearer {}", self.token), body)
    }

    /// The bytes of a request with a credential of its own.
    pub(crate) fn request(&self, method: &str, path: &str, authorization: &str, body: &str) -> Vec<u8> {
        let Self { address, token: _, pids: _ } = self;
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\naccept: application/json\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

impl Load<'_> {
    pub(crate) async fn run(self, server: &Server, receiver: &Receiver) -> anyhow::Result<Figures> {
        drop(receiver.take());
        let cpu_before = server.cpu()?;
        let memory = memory::watch(server.pids.clone());
        let started = Instant::now();
        let accepted = timeout(LIMIT, self.ask(server)).await.context("accepting took too long")??;
        let expected = accepted.len() * self.deliveries;
        let all = async {
            while receiver.count() < expected {
                sleep(LOOK).await;
            }
        };
        timeout(LIMIT, all).await.with_context(|| format!("{} of {expected} were delivered", receiver.count()))?;
        sleep(SETTLE).await;
        let cpu = server.cpu()?.saturating_sub(cpu_before);
        let most_mb = memory.stop().await?;

        let arrivals = receiver.take();
        let mut delivery = Vec::with_capacity(expected);
        let mut last_answer = started;
        let mut last_delivery = started;
        for Accepted { id, sent, answered } in &accepted {
            let arrived = arrivals.of(id);
            anyhow::ensure!(arrived.len() == self.deliveries, "{id} came to {} places", arrived.len());
            delivery.extend(arrived.iter().map(|at| at.saturating_duration_since(*sent)));
            last_answer = last_answer.max(*answered);
            last_delivery = arrived.into_iter().fold(last_delivery, Instant::max);
        }
        let count = f64::from(u32::try_from(accepted.len())?);
        let delivered = f64::from(u32::try_from(expected)?);
        Ok(Figures {
            accepted_per_second: count / (last_answer - started).as_secs_f64(),
            delivered_per_second: delivered / (last_delivery - started).as_secs_f64(),
            accept: Sample::of_millis(accepted.iter().map(|one| one.answered - one.sent)),
            delivery: Sample::of_millis(delivery),
            cpu: cpu.as_secs_f64() / count,
            most_mb,
            repeated: arrivals.repeated,
        })
    }

    async fn ask(self, server: &Server) -> anyhow::Result<Vec<Accepted>> {
        let asked = Arc::new(AtomicUsize::new(0));
        let bytes: Arc<[u8]> = server.post(self.request.path, self.request.body).into();
        let started = Instant::now();
        let (status, field): (u16, Arc<str>) = (self.request.status, self.request.id.into());
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (asked, bytes, field) = (Arc::clone(&asked), Arc::clone(&bytes), Arc::clone(&field));
            let mut connection = Connection::open(server.address).await?;
            clients.spawn(async move {
                let mut accepted = Vec::new();
                loop {
                    let number = asked.fetch_add(1, Ordering::Relaxed);
                    if number >= self.count {
                        return anyhow::Ok(accepted);
                    }
                    if let Some(rate) = self.rate {
                        let due = Duration::from_secs_f64(f64::from(u32::try_from(number)?) / f64::from(rate));
                        sleep_until((started + due).into()).await;
                    }
                    accepted.push(accept(&mut connection, &bytes, status, &field).await?);
                }
            });
        }
        let mut accepted = Vec::with_capacity(self.count);
        while let Some(client) = clients.join_next().await {
            accepted.append(&mut client??);
        }
        Ok(accepted)
    }
}

async fn accept(connection: &mut Connection, request: &[u8], expected: u16, id: &str) -> anyhow::Result<Accepted> {
    let sent = Instant::now();
    let (status, body) = connection.send(request).await?;
    let answered = Instant::now();
    anyhow::ensure!(status == expected, "{status}: {}", String::from_utf8_lossy(body));
    let body: Value = serde_json::from_slice(body)?;
    let id = body.get(id).and_then(Value::as_str).context("the answer names nothing")?.to_owned();
    Ok(Accepted { id, sent, answered })
}
