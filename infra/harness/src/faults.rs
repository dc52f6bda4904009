//! Faults of the table that the embedded engine never has: they are put on the way to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::lock;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Over the capacity: `ProvisionedThroughputExceededException`, or for a transaction one that is cancelled by
    /// `ThrottlingError`.
    Throttled,
    /// Another transaction was on the same item.
    Conflict,
    /// A 500 of the service.
    InternalError,
    /// A 503 without a word of DynamoDB's, as something in between gives it.
    Gateway,
    /// Not permitted.
    Refused,
    /// There is no connection.
    Unreachable,
    /// It is done, but nobody is told.
    AnswerLost,
    /// Half of a batch is not done.
    Unprocessed,
    /// It is done, after a time.
    Slow(Duration),
}

/// Faults to come. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    rules: Arc<Mutex<Vec<Rule>>>,
}

/// When a fault happens: to calls of an operation, so many, after so many, with a text in them.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    operation: Option<&'static str>,
    containing: Option<String>,
    skip: usize,
    times: usize,
}

impl Rule {
    /// A fault of every call.
    pub fn new(fault: Fault) -> Self {
        Self { fault, operation: None, containing: None, skip: 0, times: usize::MAX }
    }

    /// Only of calls of this operation, such as `Query`.
    #[must_use]
    pub fn on(mut self, operation: &'static str) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only of calls whose request contains a text.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.containing = Some(text.to_owned());
        self
    }

    /// Only after so many such calls.
    #[must_use]
    pub fn after(mut self, calls: usize) -> Self {
        self.skip = calls;
        self
    }

    /// Only so often. The SDK's own retries count, too: it calls four times before it gives up.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, operation: &str, body: &[u8]) -> bool {
        let contains = |text: &String| body.windows(text.len()).any(|part| part == text.as_bytes());
        self.operation.is_none_or(|known| known == operation) && self.containing.as_ref().is_none_or(contains)
    }
}

impl Faults {
    /// Adds a rule. The first that fits a call decides.
    pub fn inject(&self, rule: Rule) {
        lock(&self.rules).push(rule);
    }

    /// Nothing goes wrong from now on.
    pub fn clear(&self) {
        lock(&self.rules).clear();
    }

    pub(crate) fn next(&self, operation: &str, body: &[u8]) -> Option<Fault> {
        for rule in lock(&self.rules).iter_mut().filter(|rule| rule.matches(operation, body)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                return Some(rule.fault);
            }
        }
        None
    }
}

impl Fault {
    /// The answer (status and body) of a call that this fault keeps from the engine; `None` where there is none.
    pub(crate) fn answer(self, operation: &str, request: &[u8]) -> Option<(u16, Vec<u8>)> {
        let transaction = operation == "TransactWriteItems";
        let (status, body) = match self {
            Self::Throttled if transaction => (400, cancelled(request, "ThrottlingError")),
            Self::Throttled => (400, exception("ProvisionedThroughputExceededException")),
            Self::Conflict if transaction => (400, cancelled(request, "TransactionConflict")),
            Self::Conflict => (400, exception("TransactionConflictException")),
            Self::InternalError => (500, exception("InternalServerError")),
            Self::Gateway => return Some((503, b"<html>Service Unavailable</html>".to_vec())),
            Self::Refused => (400, exception("AccessDeniedException")),
            Self::Unreachable | Self::AnswerLost | Self::Unprocessed | Self::Slow(_) => return None,
        };
        Some((status, body.to_string().into_bytes()))
    }
}

fn exception(name: &str) -> Value {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": "injected"})
}

/// A transaction whose first action is the reason.
fn cancelled(request: &[u8], code: &str) -> Value {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    let actions = request.get("TransactItems").and_then(Value::as_array).map_or(1, Vec::len);
    let reasons: Vec<_> = (0..actions)
        .map(|action| json!({"Code": if action == 0 { code } else { "None" }, "Message": "injected"}))
        .collect();
    let mut body = exception("TransactionCanceledException");
    if let Some(fields) = body.as_object_mut() {
        fields.insert("CancellationReasons".to_owned(), reasons.into());
    }
    body
}
