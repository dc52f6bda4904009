//! An embedded `DynamoDB` engine behind the real AWS SDK.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tidings_engine::{Engine, Storage};
//!
//! let engine = Engine::open(Storage::File("data/tidings.db".into()))?;
//! let tables = engine.client().list_tables().send().await?;
//! engine.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! The SDK's client is given an HTTP client that opens no socket: it hands each request to one thread, which owns the
//! engine (`dynoxide-rs`, `SQLite` underneath) and executes requests one after the other, each in a transaction of its
//! own. What it changed is passed on by a [`Feed`], in the form in which Lambda gets it from a table's stream.
//!
//! # Durability: one sync for many writes
//!
//! `SQLite` runs in WAL mode with `synchronous=NORMAL`: a commit appends to the log and does not wait for the disk.
//! The results of writes go to a second thread. It takes all that wait, calls `fdatasync` on the log once, and only
//! then passes their changes on and answers them, while the first thread executes the next group. So an acknowledged
//! write survives a power cut, and concurrent writes share a sync. It holds because:
//!
//! - a commit is in the log, written by `pwrite`, before its result reaches the second thread; `fdatasync` covers
//!   all of a file's written pages and its length, whichever descriptor wrote them;
//! - a commit leaves the log only by checkpoints: with `synchronous=NORMAL` each syncs the log before it copies from
//!   it, and the one that reaches the log's end syncs the database before it says so; only then is the log written
//!   from its start again. So what a sync does not find in the log any more is in the database, synced;
//! - a log that starts anew gets a header with a new salt, which is synced before frames follow it, together with
//!   the folder when the file was just made. Old frames behind new ones do not match the salt;
//! - frames carry checksums that build on one another, so that a torn log ends at the last whole transaction. Only
//!   transactions that nobody was told of can be behind it;
//! - the log is opened apart from `SQLite`, which takes no locks on it. (Its locks are on the database and the index:
//!   nothing here opens those, because closing any descriptor of a file drops the process's locks on it.)
//!
//! A failed sync cannot be repeated, because the kernel counts the pages as clean afterwards: it fails its group, and
//! every write from then on, until the engine is opened again.
//!
//! Consistent reads and refused conditions are answered after the syncs of the writes that they have seen: nobody is
//! told of something that a power cut could take back. Eventually consistent reads are answered at once.
//!
//! In memory there is nothing to wait for.
//!
//! # What differs from AWS
//!
//! One writer: it never throttles, and transactions never conflict. Requests are not signed, and signatures not
//! looked at. Every read sees the latest write. Idempotency tokens end with the process. A write that changes nothing
//! still makes a record in the feed; items that expired and are swept make none. Nothing sweeps by itself: see [`Engine::sweep_ttl`]. After a panic inside the engine, which
//! fails its request with a 500, the engine may go on refusing requests until it is opened again.

mod capture;
mod connector;
mod executor;
mod existence;
mod feed;
mod feeds;
mod held;
mod look;
mod operation;
mod record;
mod schema;
#[cfg(feature = "server")]
mod server;
mod settle;
mod tokens;
mod wal;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::oneshot;

pub use crate::feed::{Feed, FeedOptions, FeedStats, Filter};
pub use crate::held::OpenError;
#[cfg(feature = "server")]
pub use crate::server::serve;

use crate::connector::Answer;
use crate::executor::{Executor, Job, Output, Task};
use crate::feeds::Feeds;
use crate::held::{Held, beside};
use crate::operation::{Operation, Outcome, Refusal};
use crate::schema::Schemas;
use crate::settle::{Progress, Settler};
use crate::tokens::{Token, Tokens};
use crate::wal::Wal;

/// Where an engine keeps its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: they end with the engine.
    Memory,
    /// In a `SQLite` file, with its log and a lock file beside it. The folder is made when it is missing.
    File(PathBuf),
}

/// Why expired items were not deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
    /// The engine refused.
    #[error("expired items cannot be deleted: {0}")]
    Engine(String),
}

/// A running engine. Clones are handles to the same one; it ends when the last of them and of its clients is dropped,
/// or by [`Engine::close`].
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    jobs: Sender<Job>,
    feeds: Arc<Feeds>,
    held: Weak<Held>,
    syncs: Arc<AtomicU64>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the storage and starts the engine's threads.
    ///
    /// # Errors
    /// When the folder cannot be written, the file is no database, or another process has it open.
    pub fn open(storage: Storage) -> Result<Self, OpenError> {
        let (held, wal) = match storage {
            Storage::Memory => (Held::memory()?, None),
            Storage::File(path) => (Held::file(&path)?, Some(Wal::new(beside(&path, "-wal")))),
        };
        let held = Arc::new(held);
        let feeds = Arc::new(Feeds::new());
        let progress = Arc::<Progress>::default();
        let broken = Arc::default();
        let syncs = Arc::default();
        let on_disk = wal.is_some();
        let settler = Settler {
            wal,
            feeds: Arc::clone(&feeds),
            progress: Arc::clone(&progress),
            broken: Arc::clone(&broken),
            syncs: Arc::clone(&syncs),
        };
        let output = if on_disk {
            let (sender, executed) = channel();
            let settling = thread::Builder::new()
                .name("engine-sync".to_owned())
                .spawn(move || settler.run(&executed))
                .map_err(OpenError::Thread)?;
            Output::Thread(sender, settling)
        } else {
            Output::Direct(settler)
        };
        let (jobs, queue) = channel();
        let executor = Executor {
            held: Arc::clone(&held),
            jobs: queue,
            output,
            feeds: Arc::clone(&feeds),
            progress,
            broken,
            schemas: Schemas::default(),
            tokens: Tokens::default(),
        };
        thread::Builder::new().name("engine".to_owned()).spawn(move || executor.run()).map_err(OpenError::Thread)?;
        let held = Arc::downgrade(&held);
        Ok(Self { shared: Arc::new(Shared { jobs, feeds, held, syncs }) })
    }

    /// A client that is ready to use.
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(self.config().build())
    }

    /// What [`Engine::client`] is built from, for whoever wraps or changes a part of it.
    pub fn config(&self) -> aws_sdk_dynamodb::config::Builder {
        connector::config(self.clone())
    }

    /// The HTTP client that hands the SDK's requests to this engine.
    pub fn http_client(&self) -> SharedHttpClient {
        connector::http_client(self.clone())
    }

    /// The changes that are acknowledged from now on.
    pub fn feed(&self, options: FeedOptions) -> Feed {
        Feed::new(&self.shared.feeds, options)
    }

    /// Deletes the items whose time to live is over, and tells how many. It blocks; requests go on in between.
    ///
    /// # Errors
    /// When the engine is closed or fails.
    pub fn sweep_ttl(&self) -> Result<usize, SweepError> {
        let held = self.shared.held.upgrade().ok_or(SweepError::Closed)?;
        held.database.sweep_ttl().map_err(|error| SweepError::Engine(error.to_string()))
    }

    /// How often the log was synced.
    pub fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }

    /// Answers everything that was asked before, writes the log into the database and lets go of the file. What is
    /// asked later fails.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.shared.jobs.send(Job::Close(done)).is_ok() {
            // An error says that somebody else closed it meanwhile.
            let _ = closed.await;
        }
    }

    /// One request of `DynamoDB`'s protocol.
    pub(crate) async fn answer(&self, target: &str, body: &[u8]) -> Answer {
        let reply = self
            .reply(target, body)
            .await
            .and_then(|outcome| outcome.encode().map_err(|error| Refusal::internal(error.to_string())));
        match reply {
            Ok(body) => Answer { status: 200, body },
            Err(refusal) => Answer { status: refusal.status(), body: refusal.body().into_bytes() },
        }
    }

    async fn reply(&self, target: &str, body: &[u8]) -> Result<Outcome, Refusal> {
        let mut operation = Operation::decode(target, body)?;
        let token = Token::take(&mut operation, body);
        let (answer, answered) = oneshot::channel();
        let task = Task { operation, token, answer };
        self.shared.jobs.send(Job::Run(task)).map_err(|_| Refusal::internal("the engine is closed"))?;
        answered.await.unwrap_or_else(|_| Err(Refusal::internal("the engine is closed")))
    }
}
