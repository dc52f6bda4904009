//! Docebo's webhooks through `tidings serve`: how soon they are answered, and how soon computed.

mod reader;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use tidings_domain::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use self::reader::Reader;
use self::webhook::webhook;
pub(crate) use self::webhook::{fired_at, login, message_id, payload, source};
use crate::load::{Connection, LIMIT, Server, memory};
use crate::report::{Grid, section};
use crate::sample::Sample;
use crate::service::{Service, Storage};
use crate::{Options, REST};

/// Senders at once, each of which waits for its answer.
const SENDERS: usize = 50;

/// What is measured.
const CASES: [Case; 2] = [
    Case { name: "100 a second", count: 1_000, rate: Some(100) },
    Case { name: "as many as are answered", count: 6_000, rate: None },
];

struct Case {
    name: &'static str,
    count: usize,
    /// Webhooks a second, evenly; as many as there are answers if unset.
    rate: Option<u32>,
}

struct Figures {
    answered_per_second: f64,
    computed_per_second: f64,
    /// Milliseconds.
    answer: Sample,
    /// Milliseconds, by the service's clock.
    computed: Sample,
    /// Seconds of CPU for each.
    cpu: f64,
    most_mb: f64,
}

/// Measures.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        for storage in [Storage::Disk, Storage::Memory] {
            rounds.push((storage, round(options, storage).await?));
        }
    }
    let mut grid = Grid::new(&[
        "load, storage",
        "webhooks/s",
        "computed/s",
        "answer p50, ms",
        "answer p95, ms",
        "answer p99, ms",
        "computed p50, ms",
        "computed p99, ms",
        "CPU, ms a webhook",
        "memory, MB",
    ]);
    for (position, case) in CASES.iter().enumerate() {
        for storage in [Storage::Disk, Storage::Memory] {
            let of_storage = rounds.iter().filter(|(other, _)| *other == storage);
            let figures: Vec<&Figures> = of_storage.filter_map(|(_, figures)| figures.get(position)).collect();
            let spread = |value: fn(&Figures) -> f64, digits| {
                Sample::of(figures.iter().copied().map(value)).spread(digits).to_string()
            };
            grid.row([
                format!("{}, {}", case.name, storage.name()),
                spread(|figures| figures.answered_per_second, 0),
                spread(|figures| figures.computed_per_second, 0),
                spread(|figures| figures.answer.median(), 1),
                spread(|figures| figures.answer.percentile(95), 1),
                spread(|figures| figures.answer.percentile(99), 1),
                spread(|figures| figures.computed.median(), 0),
                spread(|figures| figures.computed.percentile(99), 0),
                spread(|figures| figures.cpu * 1e3, 2),
                spread(|figures| figures.most_mb, 0),
            ]);
        }
    }
    let bytes = webhook(1, &fired_at()).len();
    let [few, many] = CASES.map(|case| options.scaled(case.count));
    let before = format!(
        "`POST /transaction` of `tidings serve`, on disk and with `--memory`, in turns, {} rounds, a new service in each. \
         {SENDERS} senders at once: each sends a webhook of Docebo ({bytes} bytes, an enrollment of its own), waits for the \
         answer, and sends the next; at \"100 a second\" they are sent evenly. There are {few} webhooks of the first kind and {many} \
         of the second. Senders and service share the machine's cores. \"Answer\" is from sending the request to having its answer, \"computed\" from the service's \
         receiving it to its having computed the enrollment, by its own clock. Memory is the most that was seen.",
        options.rounds,
    );
    let after = "Every webhook that was answered was computed, and there was an enrollment of each.";
    Ok(section("One machine: inbound webhooks a second", &before, &grid, after))
}

async fn round(options: &Options, storage: Storage) -> anyhow::Result<Vec<Figures>> {
    let service = Service::start(options, storage).await?;
    sleep(REST).await;
    let server = service.server();
    let mut reader = Reader::open(server).await?;
    let source = source("docebo", None).to_string();
    let (status, answer) = reader.connection.send(&server.post("/api/v1/source", &source)).await?;
    anyhow::ensure!(status == 201, "{status}: {}", String::from_utf8_lossy(answer));
    let mut all = Vec::new();
    let mut sent = 0;
    for Case { name: _, count, rate } in CASES {
        let load = Load { first: sent, count: options.scaled(count), rate };
        sent += load.count;
        all.push(load.run(server, &mut reader).await?);
    }
    let enrollments = reader.all("/in/docebo/enrollments", usize::MAX).await?.len();
    anyhow::ensure!(enrollments == sent, "there are {enrollments} enrollments of {sent} users");
    service.stop().await?;
    Ok(all)
}

/// Webhooks that are sent together.
#[derive(Clone, Copy)]
struct Load {
    /// The number of the first: none is sent twice.
    first: usize,
    count: usize,
    rate: Option<u32>,
}

/// A webhook that was answered.
struct Answered {
    id: String,
    sent: Instant,
    at: Instant,
}

impl Load {
    async fn run(self, server: &Server, reader: &mut Reader<'_>) -> anyhow::Result<Figures> {
        let cpu_before = server.cpu()?;
        let memory = memory::watch(server.pids.clone());
        let started = Instant::now();
        let answered = timeout(LIMIT, self.send(server)).await.context("answering took too long")??;
        let last = answered.iter().max_by_key(|one| one.at).context("nothing was sent")?;
        timeout(LIMIT, reader.wait_for(&last.id)).await.context("computing took too long")??;
        let times = timeout(LIMIT, reader.computed(answered.len())).await.context("computing took too long")??;
        // Reading the lists is in it, which is a call for each 250.
        let cpu = server.cpu()?.saturating_sub(cpu_before);
        let most_mb = memory.stop().await?;

        let mut computed = Vec::with_capacity(answered.len());
        let mut ends = (Timestamp::from_millis(i64::MAX), Timestamp::default());
        for one in &answered {
            let (received_at, computed_at) = times.get(&one.id).with_context(|| format!("{} is not kept", one.id))?;
            computed.push(computed_at.since(*received_at));
            ends = (ends.0.min(*received_at), ends.1.max(*computed_at));
        }
        let count = f64::from(u32::try_from(answered.len())?);
        Ok(Figures {
            answered_per_second: count / (last.at - started).as_secs_f64(),
            computed_per_second: count / ends.1.since(ends.0).as_secs_f64(),
            answer: Sample::of_millis(answered.iter().map(|one| one.at - one.sent)),
            computed: Sample::of_millis(computed),
            cpu: cpu.as_secs_f64() / count,
            most_mb,
        })
    }

    async fn send(self, server: &Server) -> anyhow::Result<Vec<Answered>> {
        let Self { first, count, rate } = self;
        let next = Arc::new(AtomicUsize::new(0));
        let fired_at: Arc<str> = fired_at().into();
        let mut connections = Vec::new();
        for _ in 0..SENDERS {
            connections.push(Connection::open(server.address).await?);
        }
        let started = Instant::now();
        let mut senders = JoinSet::new();
        for mut connection in connections {
            let (next, fired_at, server) = (Arc::clone(&next), Arc::clone(&fired_at), server.clone());
            senders.spawn(async move {
                let mut answered = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return anyhow::Ok(answered);
                    }
                    let body = webhook(first + number, &fired_at);
                    let request = server.request("POST", "/transaction", &login(), &body);
                    if let Some(rate) = rate {
                        let due = Duration::from_secs_f64(f64::from(u32::try_from(number)?) / f64::from(rate));
                        sleep_until((started + due).into()).await;
                    }
                    answered.push(send(&mut connection, &request).await?);
                }
            });
        }
        let mut answered = Vec::with_capacity(count);
        while let Some(sender) = senders.join_next().await {
            answered.append(&mut sender??);
        }
        Ok(answered)
    }
}

async fn send(connection: &mut Connection, request: &[u8]) -> anyhow::Result<Answered> {
    let sent = Instant::now();
    let (status, body) = connection.send(request).await?;
    let at = Instant::now();
    anyhow::ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(body));
    let body: Value = serde_json::from_slice(body)?;
    let id = body.pointer("/newTransaction/id").and_then(Value::as_str);
    Ok(Answered { id: id.context("the answer names nothing")?.to_owned(), sent, at })
}
