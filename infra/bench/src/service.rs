//! A running `tidings serve`.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::load::Server;
use crate::{ENCRYPTION_KEY, Options, SECRET, new_organization, token_of};

/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// Where the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Disk,
    Memory,
}

impl Storage {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }
}

/// The process. It is killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    server: Server,
    /// Its data and its log, deleted with it.
    folder: TempDir,
}

impl Service {
    pub(crate) async fn start(options: &Options, storage: Storage) -> anyhow::Result<Self> {
        // Beside the binaries: the usual folder for temporary files may be in memory.
        let folder = tempfile::tempdir_in(&options.binaries)?;
        let mut command = Command::new(options.binary("tidings")?);
        command.args(["serve", "--port", "0"]);
        match storage {
            Storage::Disk => command.arg("--data").arg(folder.path().join("data")),
            Storage::Memory => command.arg("--memory"),
        };
        let log = File::create(folder.path().join("log"))?;
        let organization = new_organization();
        command
            .env_clear()
            .env("TIDINGS_JWT_SECRET", SECRET)
            .env("TIDINGS_ENCRYPTION_KEY", ENCRYPTION_KEY)
            .env("FAILURE_PROBABILITY", "0")
            .env("INBOUND_ORGANIZATION", organization.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let banner = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        let address = timeout(START, address(banner)).await.context("it did not start in time")??;
        let server = Server { address, token: token_of(organization)?, pids: child.id().into_iter().collect() };
        Ok(Self { child, server, folder })
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Ends it, and deletes what it wrote.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        self.folder.close()?;
        Ok(())
    }
}

/// Where it listens, by its banner. It goes on reading, so that the pipe never fills.
async fn address(banner: BufReader<tokio::process::ChildStdout>) -> anyhow::Result<SocketAddr> {
    let mut lines = banner.lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, address)) = line.split_once("listening on http://") {
            let address = address.trim().parse()?;
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address);
        }
    }
    anyhow::bail!("it ended without a banner")
}
