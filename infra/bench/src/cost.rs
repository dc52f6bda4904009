//! What a million delivered messages cost: the CPU that the functions' binaries need, the table's units, and AWS's prices.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tidings_harness::events::{HttpAnswer, HttpRequest, stream};
use tidings_harness::{Changes, Environment, Plan, Receiver, Table};

use crate::outbound::message;
use crate::report::{Grid, section};
use crate::sample::Sample;
use crate::{Options, function, process_time, token};

/// AWS's public prices in dollars, us-east-1, on demand, without free tier. Look them up before relying on a sum.
mod price {
    pub(super) const MILLION_WRITE_UNITS: f64 = 0.625;
    pub(super) const MILLION_HTTP_API_REQUESTS: f64 = 1.00;
    pub(super) const MILLION_LAMBDA_REQUESTS: f64 = 0.20;
    /// For `x86_64`; arm64 is a fifth less.
    pub(super) const GB_SECOND_X86: f64 = 0.000_016_666_7;
}

/// Write units of a message to one healthy endpoint: what the section on capacity measures.
const WRITE_UNITS: f64 = 6.0;

/// Memory of the functions in `template.yaml`, in MB.
const INTAKE_MB: f64 = 256.0;
const PROCESSOR_MB: f64 = 512.0;

/// Lambda gives a function a whole core at this size, and a share of it below.
const CORE_MB: f64 = 1769.0;

/// Assumed: a call to the table, and a receiver's answer.
const TABLE_CALL_MS: f64 = 5.0;
const RECEIVER_MS: f64 = 100.0;

/// Messages of a round.
const MESSAGES: usize = 2_000;

/// Messages of a batch of the stream, when there is little to do and when there is much.
const BATCHES: [usize; 3] = [1, 10, 100];

/// Measures, and computes.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let bench = Bench::start(options).await?;
    let count = options.scaled(MESSAGES).next_multiple_of(100);
    let (mut intake, mut processor) = (Vec::new(), vec![Vec::new(); BATCHES.len()]);
    for _ in 0..options.rounds {
        for (batch, cpu) in BATCHES.iter().zip(&mut processor) {
            intake.push(bench.accept(count).await?);
            cpu.push(bench.deliver(count, *batch).await?);
        }
    }
    let intake = Sample::of(intake);
    let mut grid = Grid::new(&[
        "messages in a batch",
        "intake, µs CPU",
        "processor, µs CPU a message",
        "$ a million, function URL",
        "$ a million, HTTP API",
    ]);
    for (batch, cpu) in BATCHES.iter().zip(processor) {
        let cpu = Sample::of(cpu);
        let dollars = dollars(intake.median(), cpu.median(), *batch)?;
        grid.row([
            batch.to_string(),
            intake.spread(0).to_string(),
            cpu.spread(0).to_string(),
            format!("{dollars:.2}"),
            format!("{:.2}", dollars + price::MILLION_HTTP_API_REQUESTS),
        ]);
    }
    let before = format!(
        "The release binaries behind a Lambda Runtime API, {count} messages of 1 KB to one endpoint in a round, {} rounds. CPU is \
         what the kernel counts for the process. The sum: {WRITE_UNITS} write units, a request of intake and a share of one of \
         processor, and their time: CPU at the share of a core that {INTAKE_MB} and {PROCESSOR_MB} MB get, {TABLE_CALL_MS} ms for \
         each call to the table and {RECEIVER_MS} ms for the receiver (assumed), at x86_64's price. Logs, storage and data out \
         are not in it.",
        options.rounds,
    );
    Ok(section("Cost of a million messages delivered", &before, &grid, ""))
}

/// Of a million messages, behind a function URL.
fn dollars(intake_us: f64, processor_us: f64, batch: usize) -> anyhow::Result<f64> {
    let batch = f64::from(u32::try_from(batch)?);
    let seconds = |cpu_us: f64, memory_mb: f64, waits_ms: f64| cpu_us / 1e6 * CORE_MB / memory_mb + waits_ms / 1e3;
    let intake = seconds(intake_us, INTAKE_MB, TABLE_CALL_MS) * INTAKE_MB / 1024.0;
    // A batch's messages are delivered side by side; attempts are written before entries are taken off.
    let processor =
        seconds(processor_us * batch, PROCESSOR_MB, RECEIVER_MS + 2.0 * TABLE_CALL_MS) * PROCESSOR_MB / 1024.0 / batch;
    let time = (intake + processor) * 1e6 * price::GB_SECOND_X86;
    let requests = price::MILLION_LAMBDA_REQUESTS * (1.0 + 1.0 / batch);
    Ok(WRITE_UNITS * price::MILLION_WRITE_UNITS + requests + time)
}

struct Bench {
    /// The functions write into it.
    _table: Table,
    changes: Changes,
    intake: Environment,
    processor: Environment,
    receiver: Receiver,
    post: Value,
}

impl Bench {
    async fn start(options: &Options) -> anyhow::Result<Self> {
        let table = Table::start().await;
        let changes = table.changes();
        let receiver = Receiver::start(Plan::status(200)).await;
        let token = token()?;
        let start = async |name| {
            let environment = function(&options.binary(name)?, "http://127.0.0.1:9/").table(&table).start().await;
            environment.time_to_first_next().await?;
            anyhow::Ok(environment)
        };
        let (api, intake, processor) = (start("api").await?, start("intake").await?, start("processor").await?);
        let post = |path: &str, body: String| {
            HttpRequest::new("POST", path).bearer(&token).header("content-type", "application/json").body(body)
        };
        let made = async |path: &str, body: Value| {
            let answer = api.invoke(&post(path, body.to_string()).http_api()).await?;
            let answer = HttpAnswer::read(&answer).context("no answer of an HTTP function")?;
            anyhow::ensure!(answer.status == 201, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
            anyhow::Ok(serde_json::from_slice::<Value>(&answer.body)?)
        };
        let application = made("/api/v1/app", json!({"name": "bench"})).await?;
        let id = application.get("id").and_then(Value::as_str).context("an application has an id")?;
        made(&format!("/api/v1/app/{id}/endpoint"), json!({"url": receiver.url()})).await?;
        let post = post(&format!("/api/v1/app/{id}/msg"), message()).http_api();
        Ok(Self { changes, _table: table, intake, processor, receiver, post })
    }

    /// Microseconds of CPU for each message.
    async fn accept(&self, count: usize) -> anyhow::Result<f64> {
        let (pid, event) = (self.intake.pid().context("the process runs")?, self.post.to_string());
        let before = process_time::cpu(pid)?;
        for _ in 0..count {
            self.intake.invoke_bytes(event.clone().into()).await?;
        }
        each(process_time::cpu(pid)?.saturating_sub(before), count)
    }

    /// The same for delivering what was accepted.
    async fn deliver(&self, count: usize, batch: usize) -> anyhow::Result<f64> {
        let pid = self.processor.pid().context("the process runs")?;
        let (expected, limit) = (self.receiver.count() + count, Instant::now() + Duration::from_secs(120));
        let changes = self.changes.take(count).await;
        let before = process_time::cpu(pid)?;
        for batch in changes.chunks(batch) {
            self.processor.invoke(&stream(batch)).await?;
            anyhow::ensure!(Instant::now() < limit, "the deliveries took too long");
        }
        let cpu = process_time::cpu(pid)?.saturating_sub(before);
        anyhow::ensure!(self.receiver.count() == expected, "{} of {expected} came", self.receiver.count());
        each(cpu, count)
    }
}

fn each(cpu: Duration, count: usize) -> anyhow::Result<f64> {
    Ok(cpu.as_secs_f64() * 1e6 / f64::from(u32::try_from(count)?))
}
