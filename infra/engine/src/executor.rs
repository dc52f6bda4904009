//! The thread that owns the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;

use dynoxide::Database;
use tokio::sync::oneshot;

use crate::capture::Capture;
use crate::feeds::{Change, Feeds};
use crate::held::Held;
use crate::operation::{Kind, Operation, Outcome, Refusal};
use crate::schema::Schemas;
use crate::settle::{Progress, Settler};
use crate::tokens::{Token, Tokens};

/// What a caller gets.
pub(crate) type Reply = Result<Outcome, Refusal>;

/// What the executing thread is asked to do.
pub(crate) enum Job {
    Run(Task),
    /// Ends the thread; the sender is used when everything is closed.
    Close(oneshot::Sender<()>),
}

/// One request and who waits for it.
pub(crate) struct Task {
    pub(crate) operation: Operation,
    pub(crate) token: Option<Token>,
    pub(crate) answer: oneshot::Sender<Reply>,
}

/// One request that was executed.
pub(crate) struct Executed {
    pub(crate) answer: oneshot::Sender<Reply>,
    pub(crate) reply: Reply,
    pub(crate) changes: Vec<Change>,
    /// Whether the disk has to be waited for.
    pub(crate) wrote: bool,
}

/// Where executed requests go.
pub(crate) enum Output {
    /// Nothing to wait for: answered by this thread.
    Direct(Settler),
    /// To the thread that syncs.
    Thread(Sender<Executed>, JoinHandle<()>),
}

pub(crate) struct Executor {
    pub(crate) held: Arc<Held>,
    pub(crate) jobs: Receiver<Job>,
    pub(crate) output: Output,
    pub(crate) feeds: Arc<Feeds>,
    pub(crate) progress: Arc<Progress>,
    /// Set for good when a sync failed.
    pub(crate) broken: Arc<AtomicBool>,
    pub(crate) schemas: Schemas,
    pub(crate) tokens: Tokens,
}

impl Executor {
    /// Works until the last engine handle is gone or one of them closes it.
    pub(crate) fn run(mut self) {
        let mut closing = None;
        while let Ok(job) = self.jobs.recv() {
            match job {
                Job::Run(task) => self.execute(task),
                Job::Close(done) => {
                    closing = Some(done);
                    break;
                }
            }
        }
        let Self { held, jobs, output, feeds, .. } = self;
        if let Output::Thread(sender, thread) = output {
            drop(sender);
            if thread.join().is_err() {
                tracing::error!("the thread that syncs the database panicked");
            }
        }
        feeds.close();
        // Closes SQLite, which writes the log into the database, and then lets go of the lock file.
        drop(held);
        if let Some(done) = closing {
            // The one who closes may have stopped waiting.
            let _ = done.send(());
        }
        // Last: whoever is still in the queue learns that the engine is closed when it really is.
        drop(jobs);
    }

    fn execute(&mut self, task: Task) {
        let Task { operation, token, answer } = task;
        // A caller that went away while it queued gets nothing done.
        if answer.is_closed() {
            return;
        }
        let kind = operation.kind();
        let alters = operation.changes_tables();
        let batch = matches!(operation, Operation::BatchWriteItem(_));
        if kind == Kind::Write && self.broken.load(Ordering::Acquire) {
            let refusal = Refusal::internal("the database's disk failed: restart the service");
            // Nobody waits: nothing to tell.
            let _ = answer.send(Err(refusal));
            return;
        }
        let (reply, changes) = match self.guarded(operation, token) {
            Ok((outcome, changes)) => (Ok(outcome), changes),
            Err(refusal) => (Err(refusal), Vec::new()),
        };
        if alters {
            self.schemas.forget();
        }
        let wrote = kind == Kind::Write && may_have_written(&reply, batch);
        self.hand_on(kind, Executed { answer, reply, changes, wrote });
    }

    /// Executes the operation; a panic in it is its failure only.
    fn guarded(&mut self, operation: Operation, token: Option<Token>) -> Result<(Outcome, Vec<Change>), Refusal> {
        let Self { held, feeds, schemas, tokens, .. } = self;
        caught(|| run(&held.database, feeds, schemas, tokens, operation, token))
    }

    fn hand_on(&mut self, kind: Kind, executed: Executed) {
        match &mut self.output {
            Output::Direct(settler) => settler.settle(vec![executed]),
            Output::Thread(sender, _) => {
                if !executed.wrote && (kind == Kind::Read || self.progress.nothing_waits()) {
                    // The caller may have gone away.
                    let _ = executed.answer.send(executed.reply);
                    return;
                }
                if executed.wrote {
                    self.progress.wrote();
                }
                if let Err(lost) = sender.send(executed) {
                    tracing::error!("the thread that syncs the database is gone");
                    self.broken.store(true, Ordering::Release);
                    let refusal = Refusal::internal("the database cannot be synced");
                    let _ = lost.0.answer.send(Err(refusal));
                }
            }
        }
    }
}

fn run(
    database: &Database,
    feeds: &Feeds,
    schemas: &mut Schemas,
    tokens: &mut Tokens,
    mut operation: Operation,
    token: Option<Token>,
) -> Result<(Outcome, Vec<Change>), Refusal> {
    if let Some(token) = &token
        && let Some(earlier) = tokens.recall(token)?
    {
        return Ok((earlier, Vec::new()));
    }
    let subscribers = feeds.subscribers();
    let capture = if subscribers.is_empty() {
        Capture::nothing()
    } else {
        Capture::before(database, schemas, &subscribers, &mut operation)
    };
    let mut outcome = operation.run(database)?;
    let changes = capture.after(database, feeds, &mut outcome);
    if let Some(token) = token {
        tokens.remember(token, &outcome);
    }
    Ok((outcome, changes))
}

/// What is refused with a 400 was rolled back, or never begun; but a batch writes item by item until it fails.
fn may_have_written(reply: &Reply, batch: bool) -> bool {
    reply.as_ref().err().is_none_or(|refusal| batch || refusal.status() >= 500)
}

fn caught<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("the engine panicked: the request failed");
        Err(Refusal::internal("the engine failed"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[test]
    fn a_panic_in_the_engine_fails_its_request_with_500() {
        let reply: Result<(), Refusal> = caught(|| panic!("a bug"));
        let Err(refusal) = reply else {
            panic!("succeeded");
        };
        assert_eq!(refusal.status(), 500);
        assert!(refusal.body().contains("#InternalServerError"));
        assert!(!refusal.body().contains("a bug"));
    }

    fn ask(executor: &mut Executor, operation: &str, body: &str) -> oneshot::Receiver<Reply> {
        let operation = Operation::decode(&format!("DynamoDB_20120810.{operation}"), body.as_bytes()).unwrap();
        let (answer, answered) = oneshot::channel();
        executor.execute(Task { operation, token: None, answer });
        answered
    }

    #[test]
    fn nothing_is_told_of_a_write_before_it_is_durable() {
        let (sender, executed) = channel();
        let mut executor = Executor {
            held: Arc::new(Held::memory().unwrap()),
            jobs: channel().1,
            output: Output::Thread(sender, std::thread::spawn(|| {})),
            feeds: Arc::new(Feeds::new()),
            progress: Arc::default(),
            broken: Arc::default(),
            schemas: Schemas::default(),
            tokens: Tokens::default(),
        };
        let table = r#"{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
            "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
            "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}"#;
        let put = r#"{"TableName":"things","Item":{"pk":{"S":"a"}},"ConditionExpression":"attribute_not_exists(pk)"}"#;
        let read = r#"{"TableName":"things","Key":{"pk":{"S":"a"}}}"#;
        let consistent = r#"{"TableName":"things","Key":{"pk":{"S":"a"}},"ConsistentRead":true}"#;

        let mut waiting = [
            ask(&mut executor, "CreateTable", table),
            ask(&mut executor, "PutItem", put),
            ask(&mut executor, "PutItem", put),
            ask(&mut executor, "GetItem", consistent),
        ];
        for answered in &mut waiting {
            assert!(matches!(answered.try_recv(), Err(TryRecvError::Empty)));
        }
        assert!(matches!(ask(&mut executor, "GetItem", read).try_recv(), Ok(Ok(_))));

        let mut settler = Settler {
            wal: None,
            feeds: Arc::clone(&executor.feeds),
            progress: Arc::clone(&executor.progress),
            broken: Arc::default(),
            syncs: Arc::default(),
        };
        settler.settle(executed.try_iter().collect());
        let statuses = waiting.map(|mut answered| match answered.try_recv().unwrap() {
            Ok(_) => 200,
            Err(refusal) => refusal.status(),
        });
        assert_eq!(statuses, [200, 200, 400, 200]);
        assert!(matches!(ask(&mut executor, "GetItem", consistent).try_recv(), Ok(Ok(_))));
    }
}
