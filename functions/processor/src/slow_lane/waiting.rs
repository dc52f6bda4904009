//! Entries that are due and wait for a place among the running ones: few enough to be kept in memory, and with room for
//! each destination, so that a crowd for one does not keep out what is for another.

use std::collections::{HashMap, VecDeque};

use tidings_domain::agenda::Entry;

use crate::destinations::Place;

/// Entries that wait in all.
const IN_ALL: usize = 1024;

/// Entries that wait for one destination.
const FOR_ONE: usize = 256;

/// The same, while it is unhealthy: they will wait long.
const FOR_AN_UNHEALTHY_ONE: usize = 4;

/// Whether an entry may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It does, or did already.
    Given,
    /// No, but others are about to leave.
    Soon,
    /// No, and it is not known when.
    Later,
}

/// The entries that wait, by their destination.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: HashMap<Option<String>, VecDeque<Entry>>,
    /// Destinations in the order of their turns; each has a queue that is not empty.
    turns: VecDeque<Option<String>>,
    len: usize,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets an entry wait, if there is room.
    pub(super) fn push(&mut self, entry: Entry, is_healthy: bool) -> Room {
        let queued = self.queues.get(&entry.destination).map_or(0, VecDeque::len);
        if !is_healthy && queued >= FOR_AN_UNHEALTHY_ONE {
            return Room::Later;
        }
        if queued >= FOR_ONE || self.len >= IN_ALL {
            return Room::Soon;
        }
        if queued == 0 {
            self.turns.push_back(entry.destination.clone());
        }
        self.queues.entry(entry.destination.clone()).or_default().push_back(entry);
        self.len += 1;
        Room::Given
    }

    /// The next entry that has a place: destinations take turns, and the entries of each keep their order.
    pub(super) fn pop(&mut self, enter: impl Fn(&str) -> Option<Place>) -> Option<(Entry, Option<Place>)> {
        for _ in 0..self.turns.len() {
            let destination = self.turns.pop_front()?;
            let place = destination.as_deref().map(&enter);
            if place.as_ref().is_some_and(Option::is_none) {
                self.turns.push_back(destination);
                continue;
            }
            let queue = self.queues.get_mut(&destination)?;
            let entry = queue.pop_front()?;
            self.len -= 1;
            if queue.is_empty() {
                self.queues.remove(&destination);
            } else {
                self.turns.push_back(destination);
            }
            return Some((entry, place.flatten()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use tidings_domain::Timestamp;
    use tidings_domain::agenda::{EntryKey, Kind, RecordName, Work};

    use super::*;
    use crate::destinations::Destinations;

    const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);

    fn entry(number: usize, destination: Option<&str>) -> Entry {
        let record = RecordName::try_from(format!("record_{number}")).unwrap();
        let key = EntryKey { due: NOW, work: Work { kind: Kind::Job, record } };
        Entry { key, tries: 0, destination: destination.map(str::to_owned), note: None }
    }

    #[test]
    fn destinations_take_turns_and_each_keeps_its_order() {
        let mut waiting = Waiting::default();
        for number in 0..4 {
            let destination = if number < 3 { "https://a.example.com" } else { "https://b.example.com" };
            assert_eq!(waiting.push(entry(number, Some(destination)), true), Room::Given);
        }
        let destinations = Destinations::default();
        let order = std::iter::from_fn(|| waiting.pop(|origin| destinations.enter(origin, NOW)));
        let order: Vec<_> = order.map(|(entry, _)| entry.key.work.record.to_string()).collect();
        assert_eq!(order, ["record_0", "record_3", "record_1", "record_2"]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn what_has_no_place_waits_and_what_is_behind_it_goes_on() {
        let mut waiting = Waiting::default();
        waiting.push(entry(0, Some("https://full.example.com")), true);
        waiting.push(entry(1, None), true);
        let (next, place) = waiting.pop(|_| None).unwrap();
        assert_eq!((next.key.work.record.as_str(), place.is_none()), ("record_1", true));
        assert!(waiting.pop(|_| None).is_none());
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn a_crowd_for_one_destination_leaves_room_for_others() {
        let mut waiting = Waiting::default();
        let crowd = (0..2 * FOR_ONE).map(|number| waiting.push(entry(number, Some("https://a.example.com")), true));
        assert_eq!(crowd.filter(|room| *room == Room::Soon).count(), FOR_ONE);
        let dead = (0..10).map(|number| waiting.push(entry(number, Some("https://dead.example.com")), false));
        assert_eq!(dead.filter(|room| *room == Room::Later).count(), 10 - FOR_AN_UNHEALTHY_ONE);
        assert_eq!(waiting.push(entry(0, Some("https://b.example.com")), true), Room::Given);
    }

    #[test]
    fn the_room_is_bounded_in_all() {
        let mut waiting = Waiting::default();
        for number in 0..2 * IN_ALL {
            waiting.push(entry(number, Some(&format!("https://{number}.example.com"))), true);
        }
        assert_eq!(waiting.len(), IN_ALL);
    }
}
