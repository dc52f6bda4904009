//! The slow lane: the agenda's due entries, in pages, on a schedule.
//!
//! A run goes through its shards, claims what is due and works on a bounded number of entries at once; a destination has
//! a bounded share of them, so that a dead one cannot hold up the others. When something falls due within the coming
//! minute the run stays and does it at its time; when nothing does, it ends at once. It stops starting work when a
//! try could not end before its function does.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use futures::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_store::StoreError;
use tidings_store::agenda::Claim;
use tidings_telemetry::chain;
use tidings_telemetry::metric::Unit;
use tracing::{Instrument as _, error, info, info_span, warn};

use crate::Context;
use crate::destinations::Place;
use crate::event::Share;
use crate::work::{self, Done, Task};

/// Entries worked on at once, in one run.
const AT_ONCE: usize = 64;

/// Entries asked for at once.
const PAGE: u16 = 50;

/// Time between two looks at the agenda, so that a crowd of entries that must wait is not read all the time.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Time that a claim outlasts its try, and that a function outlasts its last try.
const MARGIN: Duration = Duration::from_secs(5);

/// How long an entry that nobody can work on stays out of the way.
const SET_ASIDE: Duration = Duration::from_hours(1);

/// What a run did: counts of entries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Finished, well or for good.
    pub finished: usize,
    /// Failed, to be tried again.
    pub postponed: usize,
    /// Taken by another run, or done meanwhile.
    pub lost: usize,
    /// Without a record.
    pub dropped: usize,
    /// That could not be read or worked on.
    pub set_aside: usize,
}

impl Summary {
    fn count(&mut self, done: Option<Done>) {
        match done {
            Some(Done::Finished) => self.finished += 1,
            Some(Done::Postponed) => self.postponed += 1,
            Some(Done::Lost) => self.lost += 1,
            Some(Done::Dropped) => self.dropped += 1,
            Some(Done::Left) | None => {}
        }
    }
}

struct Run<'a> {
    context: &'a Context,
    shards: Vec<u8>,
    deadline: Timestamp,
    running: FuturesUnordered<BoxFuture<'a, Option<Done>>>,
    summary: Summary,
}

/// Goes through a share of the agenda until nothing is due soon, or until time is up.
pub(crate) async fn run(context: &Context, share: Share, deadline: Timestamp) -> Result<Summary, StoreError> {
    let started = context.options.clock.now();
    let mut run = Run {
        context,
        shards: share.shards().collect(),
        deadline,
        running: FuturesUnordered::new(),
        summary: Summary::default(),
    };
    report_age(context, started, run.oldest_due(started).await?);
    let stay_until = started + context.options.stay;
    loop {
        let looked = context.options.clock.now();
        let worked = run.look(looked).await;
        if let Err(error) = worked {
            // What was claimed is finished first: it must not wait for its claim to run out.
            run.drain().await;
            return Err(error);
        }
        let now = context.options.clock.now();
        let Some(next) = run.next_look(now, stay_until).await? else { break };
        run.work_until(next.max(looked + BETWEEN_LOOKS)).await;
    }
    run.drain().await;
    if run.summary != Summary::default() {
        let Summary { finished, postponed, lost, dropped, set_aside } = run.summary;
        info!(finished, postponed, lost, dropped, set_aside, "worked on the agenda");
    }
    Ok(run.summary)
}

// `&mut self` where `&self` would do: what is running can move between threads, and not be shared by them.
impl Run<'_> {
    fn now(&self) -> Timestamp {
        self.context.options.clock.now()
    }

    /// Starts everything that is due at `now`, as far as time and places allow.
    async fn look(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for shard in self.shards.clone() {
            let mut next = None;
            loop {
                let page = self.context.options.store.due(shard, now, next.as_ref(), PAGE).await?;
                for key in &page.unreadable {
                    error!(pk = key.pk, sk = key.sk, "set an unreadable entry of the agenda aside");
                    self.context.options.store.set_aside(key, now + SET_ASIDE).await?;
                    self.summary.set_aside += 1;
                }
                for entry in page.entries {
                    if !self.start(entry).await {
                        return Ok(());
                    }
                }
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Starts one entry, when there is room for it. `false` when time is up.
    async fn start(&mut self, entry: Entry) -> bool {
        let place = match &entry.destination {
            // Its turn comes when others to the same destination have ended.
            Some(origin) => match self.context.destinations.enter(origin, self.now()) {
                Some(place) => Some(place),
                None => return true,
            },
            None => None,
        };
        if self.running.len() >= AT_ONCE {
            let done = self.running.next().await.flatten();
            self.summary.count(done);
        }
        let end = self.now() + work::longest_try(entry.key.work.kind, self.context.options.request_timeout);
        if end + MARGIN > self.deadline {
            return false;
        }
        let span = info_span!("task", lane = "slow", kind = %entry.key.work.kind, record = %entry.key.work.record);
        self.running.push(one(self.context, entry, end, place).instrument(span).boxed());
        true
    }

    /// When to look again: `None` when nothing is due by `stay_until`, or time is up.
    async fn next_look(&mut self, now: Timestamp, stay_until: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let until = stay_until.min(self.deadline - MARGIN);
        if now >= until {
            return Ok(None);
        }
        let store = &self.context.options.store;
        let next = try_join_all(self.shards.iter().map(|shard| store.next_due(*shard, now, until))).await?;
        let next = next.into_iter().flatten().min();
        // While something is running, what waits for its destination may be started when it ends.
        Ok(if self.running.is_empty() { next } else { Some(next.unwrap_or(until).min(now + BETWEEN_LOOKS)) })
    }

    /// Goes on with what is running, until a time.
    async fn work_until(&mut self, until: Timestamp) {
        let mut timer = std::pin::pin!(tokio::time::sleep(until.since(self.now())));
        loop {
            tokio::select! {
                () = &mut timer => return,
                Some(done) = self.running.next() => self.summary.count(done),
            }
        }
    }

    async fn drain(&mut self) {
        while let Some(done) = self.running.next().await {
            self.summary.count(done);
        }
    }

    async fn oldest_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let store = &self.context.options.store;
        let pages = try_join_all(self.shards.iter().map(|shard| store.due(*shard, now, None, 1))).await?;
        Ok(pages.into_iter().filter_map(|page| page.entries.first().map(|entry| entry.key.due)).min())
    }
}

fn report_age(context: &Context, now: Timestamp, oldest: Option<Timestamp>) {
    let age = oldest.map_or(Duration::ZERO, |due| now.since(due));
    context.options.metrics.emit(now, &[("OldestDueSeconds", Unit::Seconds, age.as_secs_f64())]);
}

/// Claims one entry and works on it. `None` if it could not be claimed, or not be worked on.
async fn one(context: &Context, entry: Entry, end: Timestamp, _place: Option<Place>) -> Option<Done> {
    let claim = match context.options.store.claim(&entry, end + MARGIN).await {
        Ok(Some(claim)) => claim,
        Ok(None) => return Some(Done::Lost),
        Err(error) => {
            warn!(error = chain(&error), "could not claim an entry; it stays due");
            return None;
        }
    };
    let patience = context.options.request_timeout;
    let task = Task { claim: claim.clone(), image: None, patience, deadline: end };
    match work::run(context, task).await {
        Ok(done) => Some(done),
        Err(error) if error.retryable() => {
            warn!(error = chain(&error), "a try ended without a result; the entry is due again when its claim ends");
            None
        }
        Err(error) => {
            error!(error = chain(&error), "set an entry aside: its record cannot be worked on");
            put_aside(context, claim).await;
            None
        }
    }
}

async fn put_aside(context: &Context, claim: Claim) {
    let until = context.options.clock.now() + SET_ASIDE;
    let key = tidings_store::keys::agenda(&claim.entry.key);
    let moved = context.options.store.set_aside(&key, until).await;
    tidings_telemetry::ignore(moved, "the entry is due again when its claim ends, and is set aside then");
}
