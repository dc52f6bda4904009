//! Cold starts: from a process's start to its first question for an event.
//!
//! That is what a function adds to a request that finds no warm environment, on top of what Lambda itself takes. A function
//! with a table has built its client and opened the connection by then.

use std::time::Duration;

use anyhow::Context as _;
use tidings_harness::{Function, Table};

use crate::report::{Grid, section};
use crate::sample::Sample;
use crate::{BASELINE, HTTP_FUNCTIONS, Options, function};

/// The aim for HTTP functions, as a multiple of the baseline.
const AIM: f64 = 1.5;

/// Starts of each binary in a full run.
const STARTS: usize = 30;

/// Measures every function.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let table = Table::start().await;
    let mut functions = vec![function(&options.binary(BASELINE)?, "http://127.0.0.1:9/").table(&table)];
    for name in crate::FUNCTIONS {
        functions.push(function(&options.binary(name)?, "http://127.0.0.1:9/").table(&table));
    }
    let starts = options.scaled(STARTS);
    let times = compare(&functions, starts).await?;
    let baseline = times.first().context("there is a baseline")?;
    let mut grid = Grid::new(&["binary", "ms", "to hello", "aim"]);
    for (function, sample) in functions.iter().zip(&times) {
        let is_http = HTTP_FUNCTIONS.contains(&function.name());
        grid.row([
            format!("`{}`", function.name()),
            sample.spread(1).to_string(),
            format!("{:.2}", sample.median() / baseline.median()),
            if is_http { format!("{AIM}") } else { String::new() },
        ]);
    }
    let before = format!(
        "Process start to the first `/next`, {starts} starts of each binary, in turns. `hello` is `lambda_runtime` and \
         nothing else, same profile, same kind of runtime. `intake`, `api` and `processor` have built the table's client \
         and opened its connection by then (to the embedded engine over HTTP on loopback: no TLS, no network). The files \
         are in the page cache."
    );
    Ok(section("Cold start", &before, &grid, ""))
}

/// Starts each function `starts` times, in turns, and tells how long each took, in milliseconds.
pub async fn compare(functions: &[Function], starts: usize) -> anyhow::Result<Vec<Sample>> {
    // Once for the page cache.
    for function in functions {
        once(function).await?;
    }
    let mut times = vec![Vec::new(); functions.len()];
    for _ in 0..starts {
        for (function, times) in functions.iter().zip(&mut times) {
            times.push(once(function).await?);
        }
    }
    Ok(times.into_iter().map(Sample::of_millis).collect())
}

async fn once(function: &Function) -> anyhow::Result<Duration> {
    let environment = function.start().await;
    let time = environment.time_to_first_next().await;
    environment.kill().await;
    time.with_context(|| format!("{} did not start: {}", function.name(), environment.logs().join("\n")))
}
