//! The slow lane: the agenda's due entries, in pages, on a schedule.
//!
//! A run goes through its shards, claims what is due and works on a bounded number of entries at once; a destination has
//! a bounded share of them, so that a dead one cannot hold up the others. What is due and finds no place waits in
//! memory, again in bounded numbers, so that a place that becomes free is taken at once. When something falls due
//! within the coming minute the run stays and does it at its time; when nothing does, it ends at once. It stops
//! starting work when a try could not end before its function does.

mod waiting;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_store::StoreError;
use tidings_store::agenda::Claim;
use tidings_telemetry::chain;
use tidings_telemetry::metric::Unit;
use tokio::task::{JoinError, JoinSet};
use tracing::{Instrument as _, error, info, info_span, warn};

use crate::Context;
use crate::destinations::Place;
use crate::event::Share;
use crate::slow_lane::waiting::{Room, Waiting};
use crate::work::{self, Done, Task};

/// Entries worked on at once, in one run.
const AT_ONCE: usize = 64;

/// Entries asked for at once.
const PAGE: u16 = 50;

/// Time between two looks at the agenda, so that a crowd of entries that must wait is not read all the time.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// A look that takes long is followed by so many times as long without one: crowds for dead destinations are read again
/// at each look, and must not keep the table busy.
const LOOK_SHARE: u32 = 20;

/// With fewer entries waiting than this, and more on the agenda, the next look does not wait.
const FEW: usize = 64;

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
            Some(Done::SetAside) => self.set_aside += 1,
            Some(Done::Left) | None => {}
        }
    }
}

struct Run<'a> {
    context: &'a Arc<Context>,
    shards: Vec<u8>,
    deadline: Timestamp,
    waiting: Waiting,
    running: JoinSet<(EntryKey, Option<Done>)>,
    /// What waits or runs: a look finds it on the agenda until it is claimed.
    taken: HashSet<EntryKey>,
    time_is_up: bool,
    summary: Summary,
}

/// Goes through a share of the agenda until nothing is due soon, or until time is up.
pub(crate) async fn run(context: &Arc<Context>, share: Share, deadline: Timestamp) -> Result<Summary, StoreError> {
    let started = context.options.clock.now();
    let mut run = Run {
        context,
        shards: share.shards().collect(),
        deadline,
        waiting: Waiting::default(),
        running: JoinSet::new(),
        taken: HashSet::new(),
        time_is_up: false,
        summary: Summary::default(),
    };
    report_age(context, started, run.oldest_due(started).await?);
    let worked = run.work(started + context.options.stay).await;
    // What was claimed is finished in any case: it must not wait for its claim to run out.
    run.drain().await;
    if run.summary != Summary::default() {
        let Summary { finished, postponed, lost, dropped, set_aside } = run.summary;
        info!(finished, postponed, lost, dropped, set_aside, "worked on the agenda");
    }
    worked.map(|()| run.summary)
}

impl Run<'_> {
    fn now(&self) -> Timestamp {
        self.context.options.clock.now()
    }

    async fn work(&mut self, stay_until: Timestamp) -> Result<(), StoreError> {
        let until = stay_until.min(self.deadline - MARGIN);
        loop {
            let looked = self.now();
            let more = self.look(looked).await?;
            let now = self.now();
            let next_look = looked + BETWEEN_LOOKS.max(LOOK_SHARE * now.since(looked));
            let has_work = more || !self.waiting.is_empty();
            // Past its time a run still works off what is due, and waits for nothing else.
            if self.time_is_up || (now >= until && !has_work) {
                return Ok(());
            }
            let due = if now < until { self.next_due(now, until).await? } else { None };
            if due.is_none() && !has_work && self.running.is_empty() {
                return Ok(());
            }
            let next = due.unwrap_or(until).max(next_look);
            // While something is running, what found no room may find it when that ends.
            let next = if self.is_idle() { next } else { next.min(next_look.max(now + BETWEEN_LOOKS)) };
            self.work_until(next, more).await;
        }
    }

    /// Takes everything that is due at `now`, as far as there is room. Whether something found none that will
    /// have some soon.
    async fn look(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let mut more = false;
        // No shard is always the last.
        if !self.shards.is_empty() {
            self.shards.rotate_left(1);
        }
        for shard in self.shards.clone() {
            let mut next = None;
            loop {
                let page = self.context.options.store.due(shard, now, next.as_ref(), PAGE).await?;
                for key in &page.unreadable {
                    error!(pk = key.pk, sk = key.sk, "set an unreadable entry of the agenda aside");
                    self.context.options.store.set_aside(key, now + SET_ASIDE).await?;
                    self.summary.set_aside += 1;
                }
                let rooms: Vec<Room> = page.entries.into_iter().map(|entry| self.take(entry)).collect();
                self.start();
                if self.time_is_up {
                    return Ok(false);
                }
                more |= rooms.contains(&Room::Soon);
                next = page.next;
                // A page of nothing but entries that wait for others is not worth a look behind it.
                if next.is_none() || (!rooms.is_empty() && rooms.iter().all(|room| *room == Room::Soon)) {
                    break;
                }
            }
        }
        Ok(more)
    }

    fn take(&mut self, entry: Entry) -> Room {
        if self.taken.contains(&entry.key) {
            return Room::Given;
        }
        let now = self.now();
        let destinations = &self.context.destinations;
        let is_healthy = entry.destination.as_ref().is_none_or(|origin| destinations.is_healthy(origin, now));
        let key = entry.key.clone();
        let room = self.waiting.push(entry, is_healthy);
        if room == Room::Given {
            self.taken.insert(key);
        }
        room
    }

    /// Starts what waits and has a place.
    fn start(&mut self) {
        while self.running.len() < AT_ONCE && !self.time_is_up {
            let now = self.now();
            let destinations = &self.context.destinations;
            let Some((entry, place)) = self.waiting.pop(|origin| destinations.enter(origin, now)) else { return };
            let end = now + work::longest_try(entry.key.work.kind, self.context.options.request_timeout);
            if end + MARGIN > self.deadline {
                self.time_is_up = true;
                return;
            }
            let latest = self.deadline - MARGIN;
            let span = info_span!("task", lane = "slow", kind = %entry.key.work.kind, record = %entry.key.work.record);
            let context = Arc::clone(self.context);
            let key = entry.key.clone();
            let task = async move { (key, one(&context, entry, end, latest, place).await) };
            self.running.spawn(task.instrument(span));
        }
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// When the next entry falls due, if that is by `until`.
    async fn next_due(&self, now: Timestamp, until: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let store = &self.context.options.store;
        let next = try_join_all(self.shards.iter().map(|shard| store.next_due(*shard, now, until))).await?;
        Ok(next.into_iter().flatten().min())
    }

    /// Goes on with what is running and waiting: until a time, until all of it is done, or until there is room again
    /// for `more`.
    async fn work_until(&mut self, until: Timestamp, more: bool) {
        let was_idle = self.is_idle();
        let mut timer = std::pin::pin!(tokio::time::sleep(until.since(self.now())));
        loop {
            self.start();
            if self.time_is_up || (more && self.waiting.len() < FEW) || (self.is_idle() && !was_idle) {
                return;
            }
            tokio::select! {
                () = &mut timer => return,
                Some(ended) = self.running.join_next() => self.ended(ended),
            }
        }
    }

    async fn drain(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            self.ended(ended);
        }
    }

    fn ended(&mut self, task: Result<(EntryKey, Option<Done>), JoinError>) {
        match task {
            Ok((key, done)) => {
                self.taken.remove(&key);
                self.summary.count(done);
            }
            Err(error) => error!(%error, "a try broke off; its entry is due again when its claim ends"),
        }
    }

    async fn oldest_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
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
async fn one(
    context: &Context,
    entry: Entry,
    end: Timestamp,
    latest: Timestamp,
    _place: Option<Place>,
) -> Option<Done> {
    let claim = match context.options.store.claim(&entry, end + MARGIN).await {
        Ok(Some(claim)) => claim,
        Ok(None) => return Some(Done::Lost),
        Err(error) => {
            warn!(error = chain(&error), "could not claim an entry; it stays due");
            return None;
        }
    };
    let patience = context.options.request_timeout;
    let task = Task { claim: claim.clone(), image: None, only_if_healthy: false, patience, deadline: end, latest };
    match work::run(context, task).await {
        Ok(done) => Some(done),
        Err(error) if error.retryable() => {
            warn!(error = chain(&error), "a try ended without a result; the entry is due again when its claim ends");
            None
        }
        Err(error) => {
            error!(error = chain(&error), "set an entry aside: its record cannot be worked on");
            put_aside(context, claim).await;
            Some(Done::SetAside)
        }
    }
}

async fn put_aside(context: &Context, claim: Claim) {
    let until = context.options.clock.now() + SET_ASIDE;
    let key = tidings_store::keys::agenda(&claim.entry.key);
    let moved = context.options.store.set_aside(&key, until).await;
    tidings_telemetry::ignore(moved, "the entry is due again when its claim ends, and is set aside then");
}
