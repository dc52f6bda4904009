//! What a job and a message cost at the table: calls, and capacity units from `ReturnConsumedCapacity`.

mod inbound;
mod message;

use anyhow::Context as _;
use serde_json::Value;
use tidings_harness::events::{HttpAnswer, HttpRequest, share};
use tidings_harness::{Calls, Changes, Environment, Plan, Providers, Receiver, Reply, Table};

use crate::report::{Grid, section};
use crate::{Options, function, job, token};

pub use self::inbound::run as run_inbound;
pub use self::message::run as run_messages;

const TWO: [&str; 2] = ["gas", "internet"];

/// Measures every step of a job's life, with the real functions.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let service = Service::start(options).await?;
    let mut grid = grid();
    let mut row = |name: &str, calls: Calls| add(&mut grid, name, calls);

    row("accept a job of 1 provider", service.accept(&["gas"], None).await?);
    row("accept a job of 2 providers", service.accept(&TWO, None).await?);
    row("the same with an idempotency key", service.accept(&TWO, Some("key")).await?);
    row("the same again: its repetition", service.accept(&TWO, Some("key")).await?);
    // The first batch that an environment gets may be a repetition, and is checked.
    row("fast lane: the 3 jobs, the first batch of an environment", service.fast_lane(3).await?);

    let accepted = service.accept(&TWO, None).await?;
    let worked = row("fast lane: a healthy job of 2 providers, any later batch", service.fast_lane(1).await?);
    row("**a healthy job of 2 providers, all its life**", sum(accepted, worked));

    row("slow lane: a run that finds nothing (all 16 shards)", service.slow_lane().await?);
    let ask = |reply: Reply| Plan::always(reply);
    service.providers.set_plan(ask(Providers::failure()));
    service.accept(&TWO, None).await?;
    row("fast lane: a try of which both providers fail", service.fast_lane_failing().await?);
    service.providers.set_plan(ask(Providers::data("any")));
    row("slow lane: a run with its retry, which succeeds", service.slow_lane().await?);
    service.receiver.wait_for(5).await;

    let before = "The real functions against the embedded engine, asked for `ReturnConsumedCapacity`. A transaction's writes \
                  cost twice those of single ones; writes to the index are in the sums. Read units of a run of the \
                  schedule are those of all its targets together, in one minute.";
    let after = "A run of the schedule with work to wait for looks at its shards again, which is what its read units beyond \
                 those of an idle run are.";
    Ok(section("Capacity for a job", before, &grid, after))
}

fn grid() -> Grid {
    Grid::new(&["step", "calls", "write units", "read units"])
}

fn add(grid: &mut Grid, name: &str, calls: Calls) -> Calls {
    let Calls { count, read_units, write_units } = calls;
    grid.row([name.to_owned(), count.to_string(), write_units.to_string(), read_units.to_string()]);
    calls
}

fn sum(left: Calls, right: Calls) -> Calls {
    Calls {
        count: left.count + right.count,
        read_units: left.read_units + right.read_units,
        write_units: left.write_units + right.write_units,
    }
}

struct Service {
    table: Table,
    changes: Changes,
    intake: Environment,
    api: Environment,
    processor: Environment,
    providers: Providers,
    receiver: Receiver,
    token: String,
}

impl Service {
    async fn start(options: &Options) -> anyhow::Result<Self> {
        let table = Table::start().await;
        let (providers, receiver) = (Providers::healthy().await, Receiver::start(Plan::status(200)).await);
        let start = async |name| {
            let function = function(&options.binary(name)?, &providers.endpoint()).table(&table);
            let environment = function.env("JOB_RETRY_SCHEDULE", "1,1,1").start().await;
            environment.time_to_first_next().await?;
            anyhow::Ok(environment)
        };
        let (intake, api, processor) = (start("intake").await?, start("api").await?, start("processor").await?);
        table.meter().measure(true);
        Ok(Self { changes: table.changes(), token: token()?, table, intake, api, processor, providers, receiver })
    }

    /// A POST to a function, answered with this status; the answer's body.
    async fn post(
        &self,
        function: &Environment,
        status: u16,
        path: &str,
        key: Option<&str>,
        body: String,
    ) -> anyhow::Result<Value> {
        let mut request =
            HttpRequest::new("POST", path).bearer(&self.token).header("content-type", "application/json").body(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.table.meter().reset();
        let answer = function.invoke(&request.http_api()).await?;
        let answer = HttpAnswer::read(&answer).context("no answer of an HTTP function")?;
        anyhow::ensure!(answer.status == status, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(serde_json::from_slice(&answer.body)?)
    }

    async fn accept(&self, providers: &[&str], key: Option<&str>) -> anyhow::Result<Calls> {
        self.post(&self.intake, 201, "/webhook", key, job(providers, &self.receiver.url())).await?;
        Ok(self.table.meter().total())
    }

    /// Hands the changes of so many accepted jobs to the fast lane, which is to finish them.
    async fn fast_lane(&self, jobs: usize) -> anyhow::Result<Calls> {
        let done = self.receiver.count();
        let calls = self.send_changes(jobs).await?;
        anyhow::ensure!(self.receiver.count() == done + jobs, "the fast lane did not finish");
        Ok(calls)
    }

    async fn fast_lane_failing(&self) -> anyhow::Result<Calls> {
        self.send_changes(1).await
    }

    async fn send_changes(&self, count: usize) -> anyhow::Result<Calls> {
        let event = self.changes.event(count).await;
        self.table.meter().reset();
        let answer = self.processor.invoke(&event).await?;
        let failures = answer.get("batchItemFailures").and_then(Value::as_array);
        anyhow::ensure!(failures.is_some_and(Vec::is_empty), "the fast lane failed: {answer}");
        let calls = self.table.meter().total();
        anyhow::ensure!(self.changes.take_all().is_empty(), "the result of a try started another");
        Ok(calls)
    }

    async fn slow_lane(&self) -> anyhow::Result<Calls> {
        self.table.meter().reset();
        self.processor.invoke(&share(0, 1)).await?;
        Ok(self.table.meter().total())
    }
}
