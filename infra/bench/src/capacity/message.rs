//! What a message costs at the table.

use anyhow::Context as _;
use serde_json::{Value, json};
use tidings_harness::events::share;
use tidings_harness::{Calls, Plan};

use super::{Service, add, grid, sum};
use crate::Options;
use crate::outbound::message;
use crate::report::section;

/// Measures every step of a message's life, with the real functions.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let service = Service::start(options).await?;
    let one = service.application(1).await?;
    let four = service.application(4).await?;
    let mut grid = grid();
    let mut row = |name: &str, calls: Calls| add(&mut grid, name, calls);

    // What comes first fills the caches, and a first batch is checked.
    row("accept a message, the first of an application", service.message(&one, None).await?);
    row("fast lane: one endpoint, the first batch of an environment", service.deliver(1, 1).await?);
    let accepted = row("accept a message", service.message(&one, None).await?);
    let delivered = row("fast lane: one healthy endpoint", service.deliver(1, 1).await?);
    row("**a message to one healthy endpoint, all its life**", sum(accepted, delivered));
    for _ in 0..10 {
        service.message(&one, None).await?;
    }
    row("fast lane: 10 such messages in one batch", service.deliver(10, 10).await?);
    row("accept a message with an idempotency key", service.message(&one, Some("key")).await?);
    row("the same again: its repetition", service.message(&one, Some("key")).await?);
    service.deliver(1, 1).await?;
    service.message(&four, None).await?;
    service.deliver(1, 4).await?;
    service.message(&four, None).await?;
    row("fast lane: four healthy endpoints", service.deliver(1, 4).await?);

    service.receiver.set_plan(Plan::status(500));
    service.message(&one, None).await?;
    row("fast lane: an attempt that fails", service.deliver(1, 1).await?);
    service.receiver.set_plan(Plan::status(200));
    service.table.meter().reset();
    service.processor.invoke(&share(0, 1)).await?;
    row("slow lane: a run with its retry, which succeeds", service.table.meter().total());

    let before = "The real functions against the embedded engine, asked for `ReturnConsumedCapacity`: messages with 1 KB of \
                  payload. Writes to the index are in the sums. Endpoints and applications are kept in the execution \
                  environment for some seconds, and read again after that.";
    Ok(section("Capacity for a message", before, &grid, ""))
}

impl Service {
    /// Makes an application with so many endpoints; its id.
    pub(crate) async fn application(&self, endpoints: usize) -> anyhow::Result<String> {
        let answer = self.post(&self.api, 201, "/api/v1/app", None, json!({"name": "bench"}).to_string()).await?;
        let id = answer.get("id").and_then(Value::as_str).context("an application has an id")?.to_owned();
        for _ in 0..endpoints {
            let body = json!({"url": self.receiver.url()}).to_string();
            self.post(&self.api, 201, &format!("/api/v1/app/{id}/endpoint"), None, body).await?;
        }
        Ok(id)
    }

    async fn message(&self, application: &str, key: Option<&str>) -> anyhow::Result<Calls> {
        self.post(&self.intake, 202, &format!("/api/v1/app/{application}/msg"), key, message()).await?;
        Ok(self.table.meter().total())
    }

    /// Hands the changes of so many messages to the fast lane, which is to make so many attempts.
    async fn deliver(&self, messages: usize, attempts: usize) -> anyhow::Result<Calls> {
        let before = self.receiver.count();
        let event = self.changes.event(messages).await;
        self.table.meter().reset();
        let answer = self.processor.invoke(&event).await?;
        let failures = answer.get("batchItemFailures").and_then(Value::as_array);
        anyhow::ensure!(failures.is_some_and(Vec::is_empty), "the fast lane failed: {answer}");
        let calls = self.table.meter().total();
        anyhow::ensure!(self.receiver.count() == before + attempts, "the fast lane did not finish");
        Ok(calls)
    }
}
