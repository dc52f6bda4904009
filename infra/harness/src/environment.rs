//! An execution environment: one process of a function, and the Runtime API that it asks for events.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Mutex as AsyncMutex;

use crate::process::Lines;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::{Function, InvokeError, Process, lock};

/// How long a process may take until it asks for its first event. Lambda gives ten seconds; a test's machine is slower.
const INIT_TIMEOUT: Duration = Duration::from_secs(60);

/// One environment. It takes one event at a time; others wait for their turn.
#[derive(Debug)]
pub struct Environment {
    function: Function,
    turn: AsyncMutex<()>,
    running: Mutex<Option<Arc<Running>>>,
    lines: Lines,
}

#[derive(Debug)]
struct Running {
    process: Process,
    api: RuntimeApi,
    spawned: Instant,
}

impl Environment {
    /// Starts a process; it does not wait until it is ready.
    pub(crate) async fn start(function: Function) -> Self {
        let environment =
            Self { function, turn: AsyncMutex::default(), running: Mutex::default(), lines: Lines::default() };
        environment.restart().await;
        environment
    }

    /// Sends an event and waits for the answer.
    pub async fn invoke(&self, event: &Value) -> Result<Value, InvokeError> {
        let answer = self.invoke_bytes(event.to_string().into()).await?;
        serde_json::from_slice(&answer).map_err(|error| InvokeError::new("Runtime.InvalidAnswer", error.to_string()))
    }

    /// The same with the event and the answer as they are.
    pub async fn invoke_bytes(&self, event: Bytes) -> Answer {
        let _turn = self.turn.lock().await;
        let running = match self.running() {
            Some(running) if running.process.is_running() => running,
            _ => self.restart().await,
        };
        running.ready().await?;
        let limit = self.function.time_limit();
        let answered = running.api.push(event, limit);
        tokio::select! {
            biased;
            Ok(answer) = answered => answer,
            () = running.process_ended() => Err(running.why_it_ended()),
            () = tokio::time::sleep(limit) => {
                running.process.kill().await;
                let text = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
                Err(InvokeError::new("Sandbox.Timedout", text))
            }
        }
    }

    /// Waits until the process asks for its first event, and tells how long that took from its start: what Lambda
    /// calls the init duration.
    pub async fn time_to_first_next(&self) -> Result<Duration, InvokeError> {
        match self.running() {
            Some(running) => running.ready().await,
            None => Err(InvokeError::new("Runtime.ExitError", "no process was started")),
        }
    }

    /// Ends the process on the spot (SIGKILL). An event that it works on fails. The next one starts another process.
    pub async fn kill(&self) {
        if let Some(running) = self.running() {
            running.process.kill().await;
        }
    }

    /// Starts a new process, and ends the one that runs.
    pub async fn start_anew(&self) {
        self.kill().await;
        self.restart().await;
    }

    /// What its processes wrote so far, line by line.
    pub fn logs(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    /// The log lines that contain a text.
    pub fn logs_with(&self, text: &str) -> Vec<String> {
        lock(&self.lines).iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// The process's id.
    pub fn pid(&self) -> Option<u32> {
        self.running().map(|running| running.process.pid())
    }

    /// The most memory that the process had at a time.
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        self.running()?.process.peak_memory_bytes()
    }

    fn running(&self) -> Option<Arc<Running>> {
        lock(&self.running).clone()
    }

    async fn restart(&self) -> Arc<Running> {
        let api = RuntimeApi::start(self.function.name()).await;
        let command = self.function.command(&api.address());
        let spawned = Instant::now();
        let process = Process::spawn_into(command, Arc::clone(&self.lines)).expect("the binary was built");
        let running = Arc::new(Running { process, api, spawned });
        *lock(&self.running) = Some(Arc::clone(&running));
        running
    }
}

impl Running {
    async fn ready(&self) -> Result<Duration, InvokeError> {
        tokio::select! {
            biased;
            ready = self.api.ready() => ready.map(|at| at.duration_since(self.spawned)),
            () = self.process_ended() => Err(self.why_it_ended()),
            () = tokio::time::sleep(INIT_TIMEOUT) => {
                self.process.kill().await;
                Err(InvokeError::new("Sandbox.Timedout", "the process never asked for an event"))
            }
        }
    }

    async fn process_ended(&self) {
        self.process.exited().await;
    }

    fn why_it_ended(&self) -> InvokeError {
        self.api.init_error().unwrap_or_else(|| InvokeError::new("Runtime.ExitError", "the process ended"))
    }
}
