//! Counts what is asked of the table, and what it would cost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::lock;

/// Counts calls, and capacity units while [`Meter::measure`] is on. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    measuring: Arc<AtomicBool>,
    calls: Arc<Mutex<BTreeMap<String, Calls>>>,
}

/// The calls of one operation, or of several together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Calls {
    /// How many, those included that failed.
    pub count: usize,
    /// Read capacity units.
    pub read_units: f64,
    /// Write capacity units.
    pub write_units: f64,
}

impl Meter {
    /// Asks for `ReturnConsumedCapacity` with every call, or stops to. It costs time, so it is off at first.
    pub fn measure(&self, on: bool) {
        self.measuring.store(on, Ordering::Relaxed);
    }

    /// Starts from nothing.
    pub fn reset(&self) {
        lock(&self.calls).clear();
    }

    /// By operation.
    pub fn calls(&self) -> BTreeMap<String, Calls> {
        lock(&self.calls).clone()
    }

    /// Calls of one operation.
    pub fn count(&self, operation: &str) -> usize {
        lock(&self.calls).get(operation).map_or(0, |calls| calls.count)
    }

    /// All together.
    pub fn total(&self) -> Calls {
        lock(&self.calls).values().fold(Calls::default(), |sum, calls| Calls {
            count: sum.count + calls.count,
            read_units: sum.read_units + calls.read_units,
            write_units: sum.write_units + calls.write_units,
        })
    }

    pub(crate) fn called(&self, operation: &str) {
        lock(&self.calls).entry(operation.to_owned()).or_default().count += 1;
    }

    /// The request with the question for its capacity, while measuring; `None` if it is to stay as it is.
    pub(crate) fn ask(&self, operation: &str, request: &[u8]) -> Option<Vec<u8>> {
        const ASKABLE: [&str; 9] = [
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        ];
        if !self.measuring.load(Ordering::Relaxed) || !ASKABLE.contains(&operation) {
            return None;
        }
        let mut request: Value = serde_json::from_slice(request).ok()?;
        request.as_object_mut()?.insert("ReturnConsumedCapacity".to_owned(), "INDEXES".into());
        Some(request.to_string().into_bytes())
    }

    /// Adds what an answer says of its capacity.
    pub(crate) fn add(&self, operation: &str, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let units: f64 = match answer.get("ConsumedCapacity") {
            Some(Value::Array(tables)) => tables.iter().map(capacity_units).sum(),
            Some(table) => capacity_units(table),
            None => return,
        };
        let reads = matches!(operation, "BatchGetItem" | "GetItem" | "Query" | "TransactGetItems");
        let mut calls = lock(&self.calls);
        let calls = calls.entry(operation.to_owned()).or_default();
        *(if reads { &mut calls.read_units } else { &mut calls.write_units }) += units;
    }
}

fn capacity_units(table: &Value) -> f64 {
    table.get("CapacityUnits").and_then(Value::as_f64).unwrap_or_default()
}
