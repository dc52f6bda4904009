//! `engine`: the embedded database over HTTP, with `DynamoDB` Streams, for tests of the deployed stack.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dynoxide::{Database, server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves DynamoDB's protocol and DynamoDB Streams on 127.0.0.1 until it is asked to end.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Database file; in memory without it.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("engine: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Args { port, file }: Args) -> Result<(), Box<dyn std::error::Error>> {
    let database = match file {
        Some(file) => Database::new(file.to_str().ok_or("the path is not UTF-8")?)?,
        None => Database::memory()?,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    eprintln!("engine: listening on http://{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    server::serve_with_shutdown(listener, database, shutdown).await?;
    Ok(())
}
