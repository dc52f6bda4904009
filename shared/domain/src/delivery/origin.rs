//! Why a delivery stands on the agenda: what its entry's note says.

use super::Trigger;
use crate::agenda::Entry;
use crate::attempt::Attempt;
use crate::ids::AttemptId;

const MANUAL: &str = "manual";
const AGAIN: &str = "again:";

/// Who wants a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The message, or the schedule after a failure.
    Schedule,
    /// Somebody, once: it is not tried again by itself.
    Manual,
    /// A background task: its schedule starts anew after this attempt.
    Again(AttemptId),
}

impl Origin {
    /// What an entry says. A note that this version does not know is none.
    pub fn of(entry: &Entry) -> Self {
        match entry.note.as_deref() {
            Some(MANUAL) => Self::Manual,
            Some(note) => note.strip_prefix(AGAIN).and_then(|id| id.parse().ok()).map_or(Self::Schedule, Self::Again),
            None => Self::Schedule,
        }
    }

    /// The note that says it.
    pub fn note(self) -> Option<String> {
        match self {
            Self::Schedule => None,
            Self::Manual => Some(MANUAL.to_owned()),
            Self::Again(after) => Some(format!("{AGAIN}{after}")),
        }
    }

    /// What an attempt says about it.
    pub fn trigger(self) -> Trigger {
        match self {
            Self::Manual => Trigger::Manual,
            Self::Schedule | Self::Again(_) => Trigger::Scheduled,
        }
    }

    /// An attempt's number: its try's. One that somebody asked for stands outside the schedule, and has the number of the
    /// one before it.
    pub fn number(self, entry: &Entry, newest: Option<&Attempt>) -> u32 {
        match self {
            Self::Manual => newest.map_or(0, |newest| newest.number),
            Self::Schedule | Self::Again(_) => entry.tries,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Timestamp;
    use crate::agenda::{EntryKey, Kind, RecordName, Work};

    use super::*;

    #[test]
    fn an_origin_is_read_from_its_note() {
        let work = Work { kind: Kind::Delivery, record: RecordName::try_from("a".to_owned()).unwrap() };
        let key = EntryKey { due: Timestamp::default(), work };
        let read = |note: Option<String>| Origin::of(&Entry { key: key.clone(), tries: 0, destination: None, note });
        let after = AttemptId::least_at(Timestamp::from_millis(1_710_341_906_007));
        for origin in [Origin::Schedule, Origin::Manual, Origin::Again(after)] {
            assert_eq!(read(origin.note()), origin);
        }
        assert_eq!(read(Some("again:nobody".to_owned())), Origin::Schedule);
    }
}
