//! The agenda: which work is owed on which record, and when it is due.
//!
//! Whatever Tidings accepts is written together with an [`Entry`]. Until the entry is due, the table's stream owns the
//! work; from then on the schedule does. Finished work takes its entry off.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::Timestamp;

/// The agenda's shards: a partition each, so that no key is hot, and the unit in which the runs of one schedule tick
/// divide the agenda. A smaller number in a later version would strand the entries of the shards that went.
pub const SHARDS: u8 = 16;

/// Kinds of work, in alphabetical order. The processor's lanes know them only by its table of handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Follow a broadcast to the end of its deliveries.
    Broadcast,
    /// Make one more attempt to deliver a message to an endpoint.
    Delivery,
    /// Remove a message's payload: its retention is over.
    Expunge,
    /// Hand a message over to the platform's delivery provider.
    Forward,
    /// Prepare an organization of a platform.
    Initialization,
    /// Collect a job's data from its providers and call back.
    Job,
    /// Send a message to every endpoint that wants it.
    Message,
    /// Remove what a deleted application owned.
    Purge,
    /// Give what a source keeps the end that its retention says, or remove it with its source.
    Retention,
    /// Go on with a background task.
    Task,
    /// Compute what an inbound webhook means.
    Transaction,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Broadcast,
        Self::Delivery,
        Self::Expunge,
        Self::Forward,
        Self::Initialization,
        Self::Job,
        Self::Message,
        Self::Purge,
        Self::Retention,
        Self::Task,
        Self::Transaction,
    ];

    /// What the table calls it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Delivery => "delivery",
            Self::Expunge => "expunge",
            Self::Forward => "forward",
            Self::Initialization => "initialization",
            Self::Job => "job",
            Self::Message => "message",
            Self::Purge => "purge",
            Self::Retention => "retention",
            Self::Task => "task",
            Self::Transaction => "transaction",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A text names no kind of work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of work")]
pub struct KindError;

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(code: &str) -> Result<Self, KindError> {
        Self::ALL.into_iter().find(|kind| kind.code() == code).ok_or(KindError)
    }
}

/// A record's name among those of its kind: ids joined by `/`, the tenant's first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName(String);

/// A text is no record's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record's name is made of letters, digits, `_`, `-`, `.` and `/`")]
pub struct RecordNameError;

impl RecordName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RecordName {
    type Error = RecordNameError;

    fn try_from(text: String) -> Result<Self, RecordNameError> {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
        if fits { Ok(Self(text)) } else { Err(RecordNameError) }
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is owed: a kind of work on a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Work {
    /// What to do.
    pub kind: Kind,
    /// With what.
    pub record: RecordName,
}

impl Work {
    /// The shard that the work's entries stand in, whatever their time: 0 to [`SHARDS`] - 1.
    pub fn shard(&self) -> u8 {
        // Part of the key of what is stored: stable for ever.
        let hash = Sha256::digest(format!("{}#{}", self.kind, self.record));
        hash.first().copied().unwrap_or_default() % SHARDS
    }
}

/// Where an entry stands. Moving an entry in time is deleting it at one key and writing it at another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntryKey {
    /// When the schedule may take it.
    pub due: Timestamp,
    /// What is owed.
    pub work: Work,
}

/// One entry of the agenda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub key: EntryKey,
    /// Tries that were started. It counts those that never ended, too, so that a record that kills its
    /// processor comes to an end by its schedule like any other.
    pub tries: u32,
    /// The origin that the work sends to: known without reading the record, so that a dead destination
    /// cannot hold up a run.
    pub destination: Option<String>,
    /// What a kind of work has to remember from one try to the next: where it stopped, or who asked for it.
    pub note: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kinds_round_trip_through_their_codes() {
        for kind in Kind::ALL {
            assert_eq!(kind.code().parse(), Ok(kind));
        }
        assert_eq!("?".parse::<Kind>(), Err(KindError));
    }

    #[test]
    fn shards_are_used_evenly() {
        let mut counts = [0_u32; SHARDS as usize];
        for number in 0..16_000 {
            let record = RecordName::try_from(format!("org_x/job_{number}")).unwrap();
            counts[usize::from(Work { kind: Kind::Job, record }.shard())] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_record_name_never_holds_a_keys_separator(text in ".{0,20}") {
            if let Ok(name) = RecordName::try_from(text) {
                prop_assert!(!name.as_str().contains('#') && !name.as_str().is_empty());
            }
        }
    }
}
