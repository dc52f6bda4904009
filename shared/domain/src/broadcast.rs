//! Broadcasts: messages whose deliveries somebody follows to their end. The small surfaces (clients, broker) send these.
//!
//! Nothing of a delivery is kept twice: where each one stands is said by its newest attempt. What a broadcast adds is whom it
//! was for, and whether all of that has ended, so that counting reads the open ones only.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::application::{ids, work};
use crate::attempt::{Attempt, AttemptStatus};
use crate::endpoint::Endpoint;
use crate::ids::{ApplicationId, EndpointId, MessageId, OrganizationId};
use crate::message::Message;

/// Most receivers of a broadcast: what fits into one item of the table, many times over.
pub const MAX_RECEIVERS: usize = 1000;

/// How long after a broadcast's message is due it is looked at first.
pub const FOLLOWED_AFTER: Duration = Duration::from_secs(5);

/// A message, and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose message and endpoints they are.
    pub application: ApplicationId,
    /// The message.
    pub message: MessageId,
    /// What it is about, in its sender's words.
    pub subject: String,
    /// The endpoints that wanted it when it was accepted, oldest first.
    pub receivers: Vec<EndpointId>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// How it ended, once the last delivery did.
    pub ended: Option<Ended>,
}

/// How a broadcast ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When that was noticed.
    pub at: Timestamp,
    /// Its deliveries; none of them is under way.
    pub tally: Tally,
}

impl Broadcast {
    /// Of a message, to those of its application's endpoints (oldest first) that want it.
    pub fn of(message: &Message, subject: String, endpoints: &[Endpoint]) -> Self {
        let &Message { organization, application, id, created_at, .. } = message;
        let receivers =
            endpoints.iter().filter(|endpoint| endpoint.wants(message)).map(|endpoint| endpoint.id).collect();
        Self { organization, application, message: id, subject, receivers, created_at, ended: None }
    }

    /// What it owes: to be followed.
    pub fn work(&self) -> Work {
        let ids = [self.organization.to_string(), self.application.to_string(), self.message.to_string()];
        work(Kind::Broadcast, &ids.each_ref().map(String::as_str))
    }

    /// Counts its deliveries. `newest` is the newest attempt at each receiver, `gone` are receivers that exist no more, or are
    /// disabled.
    pub fn tally(
        &self,
        newest: &BTreeMap<EndpointId, Attempt>,
        gone: &[EndpointId],
        main_attempts: u32,
        now: Timestamp,
    ) -> Tally {
        let mut tally = Tally::default();
        for receiver in &self.receivers {
            tally.add(newest.get(receiver), gone.contains(receiver), main_attempts, now);
        }
        tally
    }
}

/// The broadcast that work of the kind `broadcast` is for.
pub fn parse_record(record: &RecordName) -> Option<(OrganizationId, ApplicationId, MessageId)> {
    let [organization, application, message] = ids(record)?;
    Some((organization.parse().ok()?, application.parse().ok()?, message.parse().ok()?))
}

/// Deliveries by where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Nothing was tried yet.
    pub waiting: u64,
    /// The next attempt's time has come: it is being made, or about to be.
    pub active: u64,
    /// Another attempt follows later.
    pub delayed: u64,
    /// Nobody tries any more.
    pub failed: u64,
    /// The receiver took it.
    pub completed: u64,
}

impl Counts {
    /// Those that have not ended.
    pub fn open(&self) -> u64 {
        self.waiting + self.active + self.delayed
    }
}

/// The deliveries of a broadcast, or of many: those of the first attempts, and those of them that failed and became dead
/// letters. Every dead letter counts as failed in `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The first attempts.
    pub main: Counts,
    /// What follows where they failed.
    pub dead_letters: Counts,
}

impl Tally {
    /// Whether nothing of it is under way.
    pub fn has_ended(&self) -> bool {
        self.main.open() + self.dead_letters.open() == 0
    }

    /// One delivery, by its newest attempt. `gone` says that its receiver is, or is disabled.
    pub fn of(newest: Option<&Attempt>, gone: bool, main_attempts: u32, now: Timestamp) -> Self {
        let mut tally = Self::default();
        tally.add(newest, gone, main_attempts, now);
        tally
    }

    fn add(&mut self, newest: Option<&Attempt>, gone: bool, main_attempts: u32, now: Timestamp) {
        let Some(attempt) = newest else {
            let counter = if gone { &mut self.main.failed } else { &mut self.main.waiting };
            *counter += 1;
            self.dead_letters.failed += u64::from(gone);
            return;
        };
        // The attempt with this number is the last of the first ones: if it fails, the delivery is a dead letter.
        let is_dead = attempt.number > main_attempts
            || (attempt.status == AttemptStatus::Fail
                && (attempt.number == main_attempts || gone || attempt.next_attempt.is_none()));
        let counts = if is_dead {
            self.main.failed += 1;
            &mut self.dead_letters
        } else {
            &mut self.main
        };
        let counter = match (attempt.status, attempt.next_attempt) {
            (AttemptStatus::Success, _) => &mut counts.completed,
            (AttemptStatus::Fail, Some(next)) if !gone && next > now => &mut counts.delayed,
            (AttemptStatus::Fail, Some(_)) if !gone => &mut counts.active,
            (AttemptStatus::Fail, _) => &mut counts.failed,
        };
        *counter += 1;
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { waiting, active, delayed, failed, completed } = other;
        self.waiting += waiting;
        self.active += active;
        self.delayed += delayed;
        self.failed += failed;
        self.completed += completed;
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self { main, dead_letters } = other;
        self.main += main;
        self.dead_letters += dead_letters;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Delivery, Trigger};
    use crate::ids::AttemptId;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);

    fn broadcast() -> Broadcast {
        Broadcast {
            organization: OrganizationId::least_at(NOW),
            application: ApplicationId::least_at(NOW),
            message: MessageId::least_at(NOW),
            subject: "upload_image".to_owned(),
            receivers: vec![EndpointId::least_at(NOW)],
            created_at: NOW,
            ended: None,
        }
    }

    fn tally(number: u32, status: AttemptStatus, next: Option<i64>, gone: bool) -> Tally {
        let broadcast = broadcast();
        let endpoint = EndpointId::least_at(NOW);
        let Broadcast { organization, application, message, .. } = broadcast;
        let attempt = Attempt {
            id: AttemptId::least_at(NOW),
            delivery: Delivery { organization, application, endpoint, message },
            url: "https://example.com/".to_owned().try_into().unwrap(),
            event_type: "a".parse().unwrap(),
            channels: Vec::new(),
            status,
            response_status: 500,
            response: None,
            duration: Duration::ZERO,
            trigger: Trigger::Scheduled,
            number,
            next_attempt: next.map(|millis| Timestamp::from_millis(NOW.as_millis() + millis)),
            made_at: NOW,
        };
        let gone = if gone { vec![endpoint] } else { Vec::new() };
        broadcast.tally(&BTreeMap::from([(endpoint, attempt)]), &gone, 5, NOW)
    }

    #[test]
    fn a_broadcast_is_for_those_that_want_its_message() {
        use crate::endpoint::tests::endpoint;

        let message = crate::message::tests::message("a", &[]);
        let id = |number| EndpointId::new(NOW, [number; crate::ids::RANDOM_BYTES]);
        let endpoints = [
            Endpoint { id: id(1), ..endpoint() },
            Endpoint { id: id(2), disabled: true, ..endpoint() },
            Endpoint { id: id(3), event_types: Some(vec!["b".parse().unwrap()]), ..endpoint() },
            Endpoint { id: id(4), event_types: Some(vec!["a".parse().unwrap()]), ..endpoint() },
        ];
        assert_eq!(Broadcast::of(&message, "a".to_owned(), &endpoints).receivers, [id(1), id(4)]);
    }

    #[test]
    fn the_record_of_a_broadcast_round_trips() {
        let broadcast = broadcast();
        let parsed = Some((broadcast.organization, broadcast.application, broadcast.message));
        assert_eq!(parse_record(&broadcast.work().record), parsed);
    }

    #[test]
    fn a_delivery_is_counted_by_its_newest_attempt() {
        let main = |main| Tally { main, ..Tally::default() };
        let dead = |dead_letters| Tally { main: Counts { failed: 1, ..Counts::default() }, dead_letters };
        let none = Counts::default();
        assert_eq!(broadcast().tally(&BTreeMap::new(), &[], 5, NOW), main(Counts { waiting: 1, ..none }));
        assert_eq!(tally(5, AttemptStatus::Success, None, false), main(Counts { completed: 1, ..none }));
        assert_eq!(tally(4, AttemptStatus::Fail, Some(10), false), main(Counts { delayed: 1, ..none }));
        assert_eq!(tally(4, AttemptStatus::Fail, Some(0), false), main(Counts { active: 1, ..none }));
        assert_eq!(tally(5, AttemptStatus::Fail, Some(10), false), dead(Counts { delayed: 1, ..none }));
        assert_eq!(tally(6, AttemptStatus::Fail, Some(0), false), dead(Counts { active: 1, ..none }));
        assert_eq!(tally(6, AttemptStatus::Success, None, false), dead(Counts { completed: 1, ..none }));
        assert_eq!(tally(7, AttemptStatus::Fail, None, false), dead(Counts { failed: 1, ..none }));
        // A final answer to the first attempt.
        assert_eq!(tally(1, AttemptStatus::Fail, None, false), dead(Counts { failed: 1, ..none }));
    }

    #[test]
    fn what_waits_for_a_receiver_that_is_gone_has_ended() {
        let gone = [EndpointId::least_at(NOW)];
        assert!(!broadcast().tally(&BTreeMap::new(), &[], 5, NOW).has_ended());
        assert!(broadcast().tally(&BTreeMap::new(), &gone, 5, NOW).has_ended());
        assert!(tally(2, AttemptStatus::Fail, Some(10), true).has_ended());
        assert!(!tally(2, AttemptStatus::Fail, Some(10), false).has_ended());
    }
}
