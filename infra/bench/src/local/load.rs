//! Clients that ask for jobs, and what they see.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::receiver::Receiver;
use super::service::Service;
use crate::process_time;
use crate::sample::Sample;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Time between two looks at the service's memory, and at what came.
const LOOK: Duration = Duration::from_millis(20);

/// Time for the results that follow the last callback.
const SETTLE: Duration = Duration::from_millis(500);

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) clients: usize,
    pub(super) count: usize,
    pub(super) token: &'a str,
    pub(super) body: &'a str,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) accepted_per_second: f64,
    pub(super) completed_per_second: f64,
    /// Milliseconds.
    pub(super) accept: Sample,
    /// Milliseconds.
    pub(super) callback: Sample,
    /// Seconds.
    pub(super) cpu_per_job: f64,
    pub(super) most_mb: f64,
    pub(super) repeated: usize,
}

/// A job that was accepted.
struct Accepted {
    id: String,
    sent: Instant,
    answered: Instant,
}

impl Load<'_> {
    pub(super) async fn run(self, service: &Service, receiver: &Receiver) -> anyhow::Result<Figures> {
        let request = self.request(service.address());
        let cpu_before = process_time::cpu(service.pid())?;
        let memory = watch_memory(service.pid());
        let started = Instant::now();
        let accepted =
            timeout(LIMIT, self.ask(service.address(), request)).await.context("accepting took too long")??;
        let callbacks = async {
            while receiver.count() < accepted.len() {
                sleep(LOOK).await;
            }
        };
        timeout(LIMIT, callbacks).await.with_context(|| format!("only {} called back", receiver.count()))?;
        sleep(SETTLE).await;
        let cpu = process_time::cpu(service.pid())?.saturating_sub(cpu_before);
        let most_mb = memory.stop().await?;

        let arrivals = receiver.take();
        let arrived =
            |job: &Accepted| arrivals.first.get(&job.id).copied().context("a job called back under another id");
        let mut callback = Vec::with_capacity(accepted.len());
        let mut last_answer = started;
        let mut last_callback = started;
        for job in &accepted {
            let arrived = arrived(job)?;
            callback.push(arrived.saturating_duration_since(job.sent));
            last_answer = last_answer.max(job.answered);
            last_callback = last_callback.max(arrived);
        }
        let count = f64::from(u32::try_from(accepted.len())?);
        Ok(Figures {
            accepted_per_second: count / (last_answer - started).as_secs_f64(),
            completed_per_second: count / (last_callback - started).as_secs_f64(),
            accept: Sample::of_millis(accepted.iter().map(|job| job.answered - job.sent)),
            callback: Sample::of_millis(callback),
            cpu_per_job: cpu.as_secs_f64() / count,
            most_mb,
            repeated: arrivals.repeated,
        })
    }

    fn request(self, address: SocketAddr) -> Arc<[u8]> {
        let Self { token, body, .. } = self;
        let length = body.len();
        let request = format!(
            "POST /webhook HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        request.into_bytes().into()
    }

    async fn ask(self, address: SocketAddr, request: Arc<[u8]>) -> anyhow::Result<Vec<Accepted>> {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (asked, request) = (Arc::clone(&asked), Arc::clone(&request));
            let mut connection = Connection::open(address).await?;
            clients.spawn(async move {
                let mut accepted = Vec::new();
                while asked.fetch_add(1, Ordering::Relaxed) < self.count {
                    accepted.push(accept(&mut connection, &request).await?);
                }
                anyhow::Ok(accepted)
            });
        }
        let mut accepted = Vec::with_capacity(self.count);
        while let Some(client) = clients.join_next().await {
            accepted.append(&mut client??);
        }
        Ok(accepted)
    }
}

async fn accept(connection: &mut Connection, request: &[u8]) -> anyhow::Result<Accepted> {
    let sent = Instant::now();
    let (status, body) = connection.send(request).await?;
    let answered = Instant::now();
    anyhow::ensure!(status == 201, "{status}: {}", String::from_utf8_lossy(body));
    let body: Value = serde_json::from_slice(body)?;
    let id = body.get("jobId").and_then(Value::as_str).context("no job id")?.to_owned();
    Ok(Accepted { id, sent, answered })
}

struct Memory {
    most: JoinHandle<anyhow::Result<f64>>,
    stop: tokio::sync::oneshot::Sender<()>,
}

fn watch_memory(pid: u32) -> Memory {
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let most = tokio::spawn(async move {
        let mut most = process_time::memory_mb(pid)?;
        while timeout(LOOK, &mut stopped).await.is_err() {
            most = most.max(process_time::memory_mb(pid)?);
        }
        Ok(most)
    });
    Memory { most, stop }
}

impl Memory {
    async fn stop(self) -> anyhow::Result<f64> {
        drop(self.stop);
        self.most.await?
    }
}
