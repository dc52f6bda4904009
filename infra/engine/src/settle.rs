//! The thread that makes writes durable, many by one sync, and only then answers them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use crate::executor::Executed;
use crate::feeds::Feeds;
use crate::operation::Refusal;
use crate::wal::Wal;

/// How many writes were executed, and how many of them were answered.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    written: AtomicU64,
    settled: AtomicU64,
}

impl Progress {
    /// Asked by the executing thread only, which alone adds to what is written.
    pub(crate) fn nothing_waits(&self) -> bool {
        self.settled.load(Ordering::Acquire) == self.written.load(Ordering::Relaxed)
    }

    pub(crate) fn wrote(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers executed requests in their order, after a sync where there is a disk.
pub(crate) struct Settler {
    /// Absent in memory.
    pub(crate) wal: Option<Wal>,
    pub(crate) feeds: Arc<Feeds>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) broken: Arc<AtomicBool>,
    pub(crate) syncs: Arc<AtomicU64>,
}

impl Settler {
    /// Works until the executing thread is gone.
    pub(crate) fn run(mut self, executed: &Receiver<Executed>) {
        while let Ok(first) = executed.recv() {
            // Everything that was executed while the last sync ran shares the next one.
            let group = std::iter::once(first).chain(executed.try_iter()).collect();
            self.settle(group);
        }
    }

    pub(crate) fn settle(&mut self, mut group: Vec<Executed>) {
        let writes = group.iter().filter(|executed| executed.wrote).count() as u64;
        let durable = writes == 0 || self.sync();
        self.progress.settled.fetch_add(writes, Ordering::Release);
        // Passed on before it is answered, so that who was answered finds the change in the feed's queue.
        for executed in &mut group {
            let changes = std::mem::take(&mut executed.changes);
            if durable {
                self.feeds.publish(changes);
            }
        }
        for Executed { answer, reply, .. } in group {
            // Who only read is here because of what the others wrote.
            let reply = if durable { reply } else { Err(Refusal::internal("the disk failed")) };
            // A caller that went away needs no answer; what it wrote stays written.
            let _ = answer.send(reply);
        }
    }

    /// After a failed sync the pages count as clean although they are not on the disk, so that a later sync would
    /// succeed and prove nothing. Hence one failure ends all writing.
    fn sync(&mut self) -> bool {
        let Some(wal) = &mut self.wal else {
            return true;
        };
        if self.broken.load(Ordering::Acquire) {
            return false;
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        match wal.sync() {
            Ok(()) => true,
            Err(error) => {
                self.broken.store(true, Ordering::Release);
                tracing::error!(%error, "the database's log cannot be synced: no further writes are taken");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;
    use crate::executor::Reply;
    use crate::operation::Outcome;

    fn settler(wal: Wal) -> Settler {
        Settler {
            wal: Some(wal),
            feeds: Arc::new(Feeds::new()),
            progress: Arc::default(),
            broken: Arc::default(),
            syncs: Arc::default(),
        }
    }

    fn executed(wrote: bool) -> (Executed, oneshot::Receiver<Reply>) {
        let (answer, answered) = oneshot::channel();
        let reply = Ok(Outcome::PutItem(Box::default()));
        (Executed { answer, reply, changes: Vec::new(), wrote }, answered)
    }

    #[test]
    fn everything_that_waits_shares_one_sync() {
        let folder = tempfile::tempdir().unwrap();
        let settler = settler(Wal::new(folder.path().join("log")));
        let syncs = Arc::clone(&settler.syncs);
        let (sender, receiver) = channel();
        let mut waiting = Vec::new();
        for _ in 0..64 {
            let (executed, answered) = executed(true);
            sender.send(executed).unwrap();
            waiting.push(answered);
        }
        drop(sender);
        settler.run(&receiver);
        assert_eq!(syncs.load(Ordering::Relaxed), 1);
        assert!(waiting.iter_mut().all(|answered| matches!(answered.try_recv(), Ok(Ok(_)))));
    }

    #[test]
    fn what_wrote_nothing_needs_no_sync() {
        let mut settler = settler(Wal::new("/".into()));
        let (executed, mut answered) = executed(false);
        settler.settle(vec![executed]);
        assert_eq!(settler.syncs.load(Ordering::Relaxed), 0);
        assert!(matches!(answered.try_recv(), Ok(Ok(_))));
    }

    #[test]
    fn a_failed_sync_fails_its_group_and_every_write_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        // A path below a file: neither there nor absent.
        let mut settler = settler(Wal::new(file.join("log")));
        let (write, mut first) = executed(true);
        let (read, mut second) = executed(false);
        settler.settle(vec![write, read]);
        for answered in [&mut first, &mut second] {
            assert!(matches!(answered.try_recv(), Ok(Err(refusal)) if refusal.status() == 500));
        }
        assert!(settler.broken.load(Ordering::Relaxed));

        settler.wal = Some(Wal::new(folder.path().join("log")));
        let (write, mut third) = executed(true);
        assert!(matches!(third.try_recv(), Err(TryRecvError::Empty)));
        settler.settle(vec![write]);
        assert!(matches!(third.try_recv(), Ok(Err(_))));
    }
}
