//! A process under test.

use std::fs;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use crate::lock;

/// The lines that processes wrote, in the order in which they came.
pub(crate) type Lines = Arc<Mutex<Vec<String>>>;

/// A running process. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    killer: mpsc::UnboundedSender<()>,
    exited: watch::Receiver<Option<ExitStatus>>,
    lines: Lines,
}

impl Process {
    /// Starts a command; what it writes is kept.
    pub fn spawn(command: Command) -> io::Result<Self> {
        Self::spawn_into(command, Lines::default())
    }

    pub(crate) fn spawn_into(mut command: Command, lines: Lines) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        keep(child.stdout.take(), &lines);
        keep(child.stderr.take(), &lines);
        let pid = child.id().unwrap_or_default();
        let (killer, requests) = mpsc::unbounded_channel();
        let (ended, exited) = watch::channel(None);
        tokio::spawn(watch_over(child, requests, ended));
        Ok(Self { pid, killer, exited, lines })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it on the spot (SIGKILL), and waits until it is gone.
    pub async fn kill(&self) {
        // It fails when the process ended by itself.
        let _ = self.killer.send(());
        self.exited().await;
    }

    /// Asks it to end (SIGTERM). `exited` waits for it.
    pub async fn terminate(&self) -> io::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        if status.success() { Ok(()) } else { Err(io::Error::other("the process is gone")) }
    }

    /// Waits for its end.
    pub async fn exited(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        let status = exited.wait_for(Option::is_some).await.map(|status| *status);
        status.ok().flatten().unwrap_or_default()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        self.exited.borrow().is_none()
    }

    /// What it wrote so far, to both outputs.
    pub fn logs(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    /// The most memory that it had at a time, while it runs.
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    /// The memory that it has now.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }
}

async fn watch_over(
    mut child: Child,
    mut requests: mpsc::UnboundedReceiver<()>,
    ended: watch::Sender<Option<ExitStatus>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        // Asked to, or nobody holds the process any more.
        _ = requests.recv() => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    ended.send_replace(Some(status.unwrap_or_default()));
}

fn keep(output: Option<impl AsyncRead + Unpin + Send + 'static>, lines: &Lines) {
    let Some(output) = output else { return };
    let kept = Arc::clone(lines);
    tokio::spawn(async move {
        let mut written = BufReader::new(output).lines();
        while let Ok(Some(line)) = written.next_line().await {
            lock(&kept).push(line);
        }
    });
}
