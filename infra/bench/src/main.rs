//! `cargo run --release -p bench -- <what>`: runs a benchmark and prints its section of Markdown.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use bench::{Options, Other, capacity, cold_start, cost, inbound, intake_path, local, machine, outbound, sizes};
use clap::{Parser, ValueEnum};

/// Measures Tidings. Build what is measured first: cargo build --release -p intake -p api -p processor -p provider -p
/// complete -p tidings -p bench
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// What to measure.
    what: What,
    /// The folder of the release binaries; that of this program if left out.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Divides all counts: with 100 it is soon seen whether everything works.
    #[arg(long, default_value_t = 1)]
    divisor: usize,
    /// For `outbound` and `isolation`: the address of another server of the same API, instead of `tidings serve`.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    server: Option<SocketAddr>,
    /// That server's organization token.
    #[arg(long, requires = "server")]
    token: Option<String>,
    /// Its processes, for CPU time and memory.
    #[arg(long, value_delimiter = ',', requires = "server")]
    pids: Vec<u32>,
    /// Where `all` writes to.
    #[arg(long, default_value = "docs/BENCHMARKS.md", value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Time from a function's start to its first question for an event.
    ColdStart,
    /// What accepting a job takes: time, CPU, calls, capacity.
    Intake,
    /// Jobs a second through `tidings serve`.
    Local,
    /// What an idle `tidings serve` uses.
    Idle,
    /// Messages a second through `tidings serve`.
    Outbound,
    /// What one bad endpoint does to the others.
    Isolation,
    /// Docebo's webhooks a second through `tidings serve`, and what one costs at the table.
    Inbound,
    /// What a message costs at the table, and in money.
    Cost,
    /// Sizes of the binaries.
    Sizes,
    /// Everything, into a file.
    All,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
async fn main() -> anyhow::Result<()> {
    let Arguments { what, binaries, rounds, divisor, server, token, pids, output } = Arguments::parse();
    let server = server.zip(token).map(|(address, token)| Other { address, token, pids });
    let binaries = match binaries {
        Some(folder) => folder,
        None => std::env::current_exe()?.parent().context("a program is in a folder")?.to_owned(),
    };
    let options = Options { binaries, rounds, divisor, server };
    match what {
        What::All => {
            tokio::fs::write(&output, all(&options).await?).await?;
            println!("wrote {}", output.display());
        }
        what => println!("{}", one(what, &options).await?),
    }
    Ok(())
}

async fn one(what: What, options: &Options) -> anyhow::Result<String> {
    match what {
        What::ColdStart => cold_start::run(options).await,
        What::Intake => Ok(format!("{}\n{}", intake_path::run(options).await?, capacity::run(options).await?)),
        What::Local => local::run(options).await,
        What::Idle => local::idle(options).await,
        What::Outbound => outbound::run(options).await,
        What::Isolation => outbound::isolation(options).await,
        What::Inbound => Ok(format!("{}\n{}", inbound::run(options).await?, capacity::run_inbound(options).await?)),
        What::Cost => Ok(format!("{}\n{}", capacity::run_messages(options).await?, cost::run(options).await?)),
        What::Sizes => sizes::run(options).await,
        What::All => Box::pin(all(options)).await,
    }
}

/// The whole document.
async fn all(options: &Options) -> anyhow::Result<String> {
    let mut sections = String::new();
    let mut loads = vec![machine::load()];
    for what in [
        What::ColdStart,
        What::Intake,
        What::Local,
        What::Outbound,
        What::Isolation,
        What::Inbound,
        What::Cost,
        What::Idle,
        What::Sizes,
    ] {
        sections.push('\n');
        sections.push_str(&one(what, options).await?);
        loads.push(machine::load());
    }
    let loads: Vec<_> = loads.into_iter().map(|load| format!("{load:.1}")).collect();
    Ok(format!(
        "# Benchmarks\n\n\
         Written by `cargo run --release -p bench -- all` on {date}; do not edit it by hand. Figures are medians, with the \
         least and the most in brackets. What is compared was measured in turns in one run, so ratios say more than \
         figures: they hold on other machines, too, where the figures do not.\n\n\
         {machine}\n\
         - Load average when it started and after each part: {loads}. The benchmark \
         keeps its machine's cores busy by itself in parts; what is above their number is other programs, which \
         widens the ranges.\n\
         {sections}",
        date = machine::today(),
        machine = machine::describe(&options.binaries),
        loads = loads.join(", "),
    ))
}
