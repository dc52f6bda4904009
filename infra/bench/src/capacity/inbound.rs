//! What an inbound webhook costs at the table.

use anyhow::Context as _;
use serde_json::{Value, json};
use tidings_harness::Calls;
use tidings_harness::events::{HttpAnswer, HttpRequest};

use super::{Service, add, grid, sum};
use crate::Options;
use crate::inbound::{fired_at, login, message_id, payload, source};
use crate::report::section;

/// Payloads of the largest group that Docebo sends.
const GROUP: usize = 25;

/// Measures every step of a webhook's life, with the real functions.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let service = Service::start(options).await?;
    let door = service.door(source("docebo", None)).await?;
    let application = service.application(1).await?;
    let forwarding = service.door(source("forwarding", Some(&application))).await?;
    let mut grid = grid();
    let mut row = |name: &str, calls: Calls| add(&mut grid, name, calls);
    let at = fired_at();
    let created = |number| webhook(number, "course.enrollment.created", &[payload(number, &at)]);

    // What comes first fills the caches, and a first batch is checked.
    row("accept a webhook, the first of a source", service.webhook(&door, created(0)).await?);
    row("fast lane: the first batch of an environment", service.compute(1).await?);
    let accepted = row("accept a webhook", service.webhook(&door, created(1)).await?);
    row("the same again: its redelivery", service.webhook(&door, created(1)).await?);
    let computed = row("fast lane: a new enrollment", service.compute(1).await?);
    row("**a webhook that makes an enrollment, all its life**", sum(accepted, computed));
    let completed = json!({"fired_at": at, "user_id": 2, "course_id": 37, "status": "completed"});
    service.webhook(&door, webhook(2, "course.enrollment.completed", &[completed])).await?;
    row("fast lane: an enrollment that changes", service.compute(1).await?);
    service.webhook(&door, webhook(3, "user.updated", &[json!({"fired_at": at})])).await?;
    row("fast lane: an event of another kind", service.compute(1).await?);
    let group: Vec<_> = (10..10 + GROUP).map(|number| payload(number, &at)).collect();
    row("accept a group of 25", service.webhook(&door, webhook(4, "course.enrollment.created", &group)).await?);
    row("fast lane: its 25 new enrollments", service.compute(1).await?);
    for number in 40..50 {
        service.webhook(&door, created(number)).await?;
    }
    row("fast lane: 10 webhooks in one batch, a new enrollment each", service.compute(10).await?);
    service.webhook(&forwarding, created(0)).await?;
    service.compute(1).await?;
    service.deliver_forwarded(1).await?;
    service.webhook(&forwarding, created(1)).await?;
    row("fast lane: a new enrollment, forwarded", service.compute(1).await?);
    row("fast lane: its message to one healthy endpoint", service.deliver_forwarded(1).await?);

    let before = "The real functions against the embedded engine, asked for `ReturnConsumedCapacity`: webhooks of Docebo with about \
                  500 bytes. Writes to the index are in the sums. Sources are kept in the execution environment for some \
                  seconds, and read again after that.";
    Ok(section("Capacity for an inbound webhook", before, &grid, ""))
}

fn webhook(number: usize, event: &str, payloads: &[Value]) -> String {
    let (name, payload) = match payloads {
        [payload] => ("payload", payload.clone()),
        payloads => ("payloads", payloads.into()),
    };
    let message_id = message_id(number);
    json!({"event": event, "fired_by_batch_action": false, "message_id": message_id, name: payload}).to_string()
}

impl Service {
    /// Makes a source; its door.
    async fn door(&self, source: Value) -> anyhow::Result<String> {
        let made = self.post(&self.api, 201, "/api/v1/source", None, source.to_string()).await?;
        Ok(made.get("path").and_then(Value::as_str).context("a source has a path")?.to_owned())
    }

    async fn webhook(&self, door: &str, body: String) -> anyhow::Result<Calls> {
        let request = HttpRequest::new("POST", door)
            .header("authorization", login())
            .header("content-type", "application/json")
            .body(body);
        self.table.meter().reset();
        let answer = self.intake.invoke(&request.http_api()).await?;
        let answer = HttpAnswer::read(&answer).context("no answer of an HTTP function")?;
        anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(self.table.meter().total())
    }

    /// Hands the changes of so many webhooks to the fast lane.
    async fn compute(&self, webhooks: usize) -> anyhow::Result<Calls> {
        let event = self.changes.event(webhooks).await;
        self.table.meter().reset();
        let answer = self.processor.invoke(&event).await?;
        let failures = answer.get("batchItemFailures").and_then(Value::as_array);
        anyhow::ensure!(failures.is_some_and(Vec::is_empty), "the fast lane failed: {answer}");
        Ok(self.table.meter().total())
    }

    /// Hands the changes of so many messages, which webhooks were forwarded as, to the fast lane.
    async fn deliver_forwarded(&self, messages: usize) -> anyhow::Result<Calls> {
        let before = self.receiver.count();
        let calls = self.compute(messages).await?;
        anyhow::ensure!(self.receiver.count() == before + messages, "the fast lane did not finish");
        Ok(calls)
    }
}
