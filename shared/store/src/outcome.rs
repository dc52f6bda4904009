use tidings_domain::idempotency::KeptAnswer;

use crate::transact::{Outcome, Refusal};
use crate::{DecodeError, Repetition, StoreError};

/// What became of a request to make something.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It was written.
    Written,
    /// Its name is another's in the same place; nothing was written.
    UidTaken,
    /// Its idempotency key was used before; nothing was written.
    Repeated(Repetition),
}

/// What became of a request to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Replaced {
    /// It is as it was to be.
    Written,
    /// Its new name is another's in the same place; nothing was written.
    UidTaken,
    /// It is gone, or was changed meanwhile: who wants to change it reads it again.
    Changed,
}

/// What a transaction says that makes something: `uid` is the position of the action that takes its name, and the last
/// action keeps the answer, if there is one to keep.
pub(crate) fn created(outcome: Outcome, uid: Option<usize>, kept: Option<&KeptAnswer>) -> Result<Created, StoreError> {
    let Outcome::Refused(mut refusals) = outcome else { return Ok(Created::Written) };
    // The idempotency key is looked at first: what a repetition would make has the name already. Of what is made, only
    // the kept answer shows the item that is in its place.
    if let (Some(kept), Some(Refusal { item: Some(stored), .. })) = (kept, refusals.last_mut()) {
        return Ok(Created::Repeated(Repetition::of(std::mem::take(stored), kept)?));
    }
    if refusals.iter().any(|refusal| Some(refusal.action) == uid) {
        return Ok(Created::UidTaken);
    }
    Err(DecodeError::new("of something new", "the id is in use").into())
}

/// What a transaction says whose first action changes something: `uid` is the position of the one that takes a name.
pub(crate) fn replaced(outcome: &Outcome, uid: Option<usize>) -> Replaced {
    match outcome {
        Outcome::Written => Replaced::Written,
        Outcome::Refused(refusals) => {
            let refused = |action| refusals.iter().any(|refusal| refusal.action == action);
            if !refused(0) && uid.is_some_and(refused) { Replaced::UidTaken } else { Replaced::Changed }
        }
    }
}
