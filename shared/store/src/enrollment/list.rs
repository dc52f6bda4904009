//! Lists of enrollments.

use tidings_domain::Timestamp;
use tidings_domain::enrollment::{Enrollment, EnrollmentKey, Field, Value};
use tidings_domain::page::Position;
use tidings_domain::source::Source;

use super::end;
use super::item::{Versioned, decode};
use crate::expression::Item;
use crate::list::FILTERED;
use crate::query::{Direction, Range, just_below, key_of};
use crate::{Store, StoreError, keys};

/// Queries that one page may take, of [`FILTERED`] enrollments each. What few enrollments fit is not looked for in all of
/// them at once.
const MAX_QUERIES: usize = 20;

/// Which enrollments to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrollmentFilter {
    /// Of this user.
    pub user: Option<u64>,
    /// In this course or one of its sessions.
    pub course: Option<u64>,
    /// With this status.
    pub status: Option<String>,
    /// That are deleted, or that are not.
    pub deleted: Option<bool>,
}

/// Some enrollments, and between which places they were looked for. There may be fewer than were asked for, and yet more
/// behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentPage {
    /// By user, course and session.
    pub data: Vec<Enrollment>,
    /// The first one looked at: the page before stands before it.
    pub first: Option<EnrollmentKey>,
    /// The last one looked at: the next page stands after it.
    pub last: Option<EnrollmentKey>,
    /// Whether there are no more in the direction that was gone.
    pub done: bool,
}

impl EnrollmentFilter {
    fn takes(&self, enrollment: &Enrollment) -> bool {
        let has = |status: &String| matches!(enrollment.get(Field::Status), Some(Value::Text(told)) if told == status);
        self.user.is_none_or(|user| enrollment.key.user == user)
            && self.course.is_none_or(|course| enrollment.key.course == course)
            && self.status.as_ref().is_none_or(has)
            && self.deleted.is_none_or(|deleted| enrollment.deleted_at().is_some() == deleted)
    }

    /// Where the enrollments of this user, this course, or both stand side by side, and whether that is the index.
    fn range(&self, source: &Source) -> (Range, bool) {
        let Source { organization, id, .. } = *source;
        let (partition, prefix) = match (self.user, self.course) {
            (None, Some(course)) => {
                let partition = keys::enrollment_index_partition(organization, id, course);
                // A key cannot be empty; no number starts with a character this low.
                return (Range { partition, from: "!".to_owned(), to: keys::END.to_owned() }, true);
            }
            (None, None) => (keys::enrollment_partition(organization, id), String::new()),
            (Some(user), None) => (keys::enrollment_partition(organization, id), keys::enrollments_of(user)),
            (Some(user), Some(course)) => {
                let prefix = format!("{}{}", keys::enrollments_of(user), keys::enrollments_in(course));
                (keys::enrollment_partition(organization, id), prefix)
            }
        };
        let from = if prefix.is_empty() { "!".to_owned() } else { prefix.clone() };
        (Range { partition, from, to: format!("{prefix}{}", keys::END) }, false)
    }
}

/// A walk over enrollments, the nearest to its beginning first.
#[derive(Debug)]
struct Walk {
    range: Range,
    is_index: bool,
    direction: Direction,
    next: Option<Item>,
    is_over: bool,
}

impl Walk {
    fn new(source: &Source, filter: &EnrollmentFilter, position: Option<Position<EnrollmentKey>>) -> Self {
        let (mut range, is_index) = filter.range(source);
        let place = |key: &EnrollmentKey| {
            if is_index {
                keys::enrollment_index(source.organization, source.id, key).sk
            } else {
                keys::enrollment(source.organization, source.id, key).sk
            }
        };
        let direction = match &position {
            None => Direction::OldestFirst,
            Some(Position::After(key)) => {
                // The least text above it.
                range.from = range.from.max(format!("{}\0", place(key)));
                Direction::OldestFirst
            }
            Some(Position::Before(key)) => {
                range.to = range.to.min(just_below(&place(key)));
                Direction::NewestFirst
            }
        };
        let is_over = range.is_empty();
        Self { range, is_index, direction, next: None, is_over }
    }

    /// The next enrollments, at most so many.
    async fn next(&mut self, store: &Store, most: usize) -> Result<Vec<Versioned>, StoreError> {
        let query = if self.is_index {
            store.query_index(&self.range, self.direction)
        } else {
            store.query(&self.range, self.direction).consistent_read(true)
        };
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let answer = query.set_exclusive_start_key(self.next.take()).limit(most).send().await?;
        self.is_over = answer.last_evaluated_key.is_none();
        self.next = answer.last_evaluated_key;
        let mut found = answer.items.unwrap_or_default();
        if self.is_index {
            let wanted: Vec<keys::Key> = found.iter().filter_map(key_of).collect();
            let mut stored = store.read_latest(&wanted).await?;
            // What the table deleted a moment ago can still be in the index.
            found = wanted.iter().filter_map(|key| stored.remove(key)).collect();
        }
        Ok(found.into_iter().map(decode).collect::<Result<_, _>>()?)
    }
}

impl Store {
    /// A source's enrollments, by user, course and session; of one course, by user and session. At most [`MAX_QUERIES`]
    /// queries, of the index where a course is asked for and no user, with batches of reads then. A page that is not the
    /// last may be short, or empty, and says where to go on.
    pub async fn enrollments(
        &self,
        source: &Source,
        now: Timestamp,
        filter: &EnrollmentFilter,
        position: Option<Position<EnrollmentKey>>,
        limit: usize,
    ) -> Result<EnrollmentPage, StoreError> {
        let mut walk = Walk::new(source, filter, position);
        let (mut data, mut looked_at): (Vec<Enrollment>, Option<(EnrollmentKey, EnrollmentKey)>) = (Vec::new(), None);
        let (mut queries, mut is_full) = (0, false);
        // One more than asked for tells that there are more.
        while !walk.is_over && !is_full && queries < MAX_QUERIES {
            queries += 1;
            for stored in walk.next(self, FILTERED.min(limit + 1)).await? {
                let is_listed = filter.takes(&stored.enrollment) && now < end(&stored, source);
                let enrollment = stored.enrollment;
                if is_listed && data.len() == limit {
                    is_full = true;
                    break;
                }
                let first = looked_at.map_or(enrollment.key, |(first, _)| first);
                looked_at = Some((first, enrollment.key));
                data.extend(is_listed.then_some(enrollment));
            }
        }
        let done = walk.is_over && !is_full;
        let (mut first, mut last) = looked_at.unzip();
        if walk.direction == Direction::NewestFirst {
            data.reverse();
            std::mem::swap(&mut first, &mut last);
        }
        Ok(EnrollmentPage { data, first, last, done })
    }
}
