//! Cold starts: from a process's start to its first question for an event.
//!
//! That is what a function adds to a request that finds no warm environment, on top of what Lambda itself takes. A function
//! with a table has built its client and opened the connection by then.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tidings_harness::{Function, Table};

use crate::report::{Grid, section};
use crate::sample::Sample;
use crate::{BASELINE, FUNCTIONS, HTTP_FUNCTIONS, Options, function};

/// The aim for HTTP functions, as a multiple of the baseline.
const AIM: f64 = 1.5;

/// Starts of each binary in a full run.
const STARTS: usize = 30;

/// Functions that build a TLS client while they start.
const WITH_TLS: [&str; 3] = ["intake", "api", "processor"];

/// Where Linux distributions keep all certificate roots in one file.
const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Measures every function.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let table = Table::start().await;
    let plain = |name| anyhow::Ok(function(&options.binary(name)?, "http://127.0.0.1:9/").table(&table));
    let mut labels = vec![format!("`{BASELINE}`")];
    let mut functions = vec![plain(BASELINE)?];
    for name in FUNCTIONS {
        labels.push(format!("`{name}`"));
        functions.push(plain(name)?);
    }
    if let Some(bundle) = BUNDLES.iter().find(|file| Path::new(file).is_file()) {
        for name in WITH_TLS {
            labels.push(format!("`{name}`, roots from one file"));
            functions.push(plain(name)?.env("SSL_CERT_FILE", *bundle));
        }
    }
    let starts = options.scaled(STARTS);
    let times = compare(&functions, starts).await?;
    let baseline = times.first().context("there is a baseline")?;
    let mut grid = Grid::new(&["binary", "ms", "to hello", "aim"]);
    let mut over = Vec::new();
    for ((label, function), sample) in labels.into_iter().zip(&functions).zip(&times) {
        let ratio = sample.median() / baseline.median();
        let has_aim = HTTP_FUNCTIONS.contains(&function.name());
        let aim = if has_aim { format!("{AIM}") } else { String::new() };
        grid.row([label.clone(), sample.spread(1).to_string(), format!("{ratio:.2}"), aim]);
        if has_aim && ratio > AIM {
            over.push(label);
        }
    }
    let before = format!(
        "Process start to the first `/next`, {starts} starts of each binary, in turns. `hello` is `lambda_runtime` and \
         nothing else, same profile, same kind of runtime. `intake`, `api` and `processor` have built the table's client \
         and opened its connection by then (to the embedded engine over HTTP on loopback: no TLS, no network). The files \
         are in the page cache."
    );
    let mut after = "Building a TLS client reads the machine's certificate roots: the bundle, and every file of the folder \
                     beside it, unless `SSL_CERT_FILE` names one file. The table's client does so once, and the way out \
                     of `processor` once more. How many files there are is the machine's matter."
        .to_owned();
    if !over.is_empty() {
        after.push_str(
            "\n\nWhat is left is the SDK: its configuration and its client, and above all the first request, which \
             opens the connection. Without a table a function is close to `hello`. Over the aim: ",
        );
        after.push_str(&over.join("; "));
        after.push('.');
    }
    Ok(section("Cold start", &before, &grid, &after))
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
