//! Metrics in CloudWatch's embedded format: a log line that CloudWatch turns into a metric.

use serde_json::{Value, json};
use tidings_domain::Timestamp;

/// Where a deployment's metrics go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    sink: Sink,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sink {
    Embedded { stage: String },
    Off,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
}

impl Metrics {
    /// Lines on standard output, for a function of this stage.
    pub fn embedded(stage: &str) -> Self {
        Self { sink: Sink::Embedded { stage: stage.to_owned() } }
    }

    /// Nowhere: nobody reads them outside AWS.
    pub const fn off() -> Self {
        Self { sink: Sink::Off }
    }

    /// Emits values of one moment.
    pub fn emit(&self, at: Timestamp, values: &[(&str, Unit, f64)]) {
        if let Sink::Embedded { stage } = &self.sink {
            #[expect(
                clippy::print_stdout,
                reason = "the embedded format is a line on standard output, outside the log"
            )]
            {
                println!("{}", line(stage, at, values));
            }
        }
    }
}

fn line(stage: &str, at: Timestamp, values: &[(&str, Unit, f64)]) -> Value {
    let metrics = values.iter().map(|(name, unit, _)| {
        let unit = match unit {
            Unit::Count => "Count",
            Unit::Seconds => "Seconds",
        };
        json!({"Name": name, "Unit": unit})
    });
    let mut line = json!({
        "_aws": {
            "Timestamp": at.as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": "Tidings",
                "Dimensions": [["Stage"]],
                "Metrics": metrics.collect::<Vec<_>>(),
            }],
        },
        "Stage": stage,
    });
    if let Some(fields) = line.as_object_mut() {
        fields.extend(values.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_what_it_carries() {
        let line = line("prod", Timestamp::from_millis(1), &[("OldestDueSeconds", Unit::Seconds, 2.5)]);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], "OldestDueSeconds");
        assert_eq!((&line["OldestDueSeconds"], &line["Stage"]), (&json!(2.5), &json!("prod")));
    }
}
