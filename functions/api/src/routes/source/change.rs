//! Making and changing sources.

use std::time::Duration;

use serde_json::Value;
use tidings_domain::caller::Caller;
use tidings_domain::endpoint::Sealed;
use tidings_domain::ids::{ApplicationId, SourceId};
use tidings_domain::names::{Reference, Uid};
use tidings_domain::patch::Patch;
use tidings_domain::retention::Retention;
use tidings_domain::source::{Scheme, Source, SourceKeys, SourceKind};
use tidings_http::{ApiError, Fault, FromJson, Object, text};
use tidings_runtime::random;
use tidings_store::Replaced;

use super::key::SourceKeyIn;
use crate::State;
use crate::change::later_than;

/// How long after a change of its retention a source's records are gone through. Whoever writes one by then knows the
/// change: nobody keeps a source in memory for as long.
pub(super) const RETENTION_DELAY: Duration = Duration::from_secs(15);

/// A source as a body asks for it.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) uid: Patch<Uid>,
    pub(super) scheme: Scheme,
    pub(super) key: SourceKeyIn,
    pub(super) forward_to: Option<Reference<ApplicationId>>,
    pub(super) retention: Retention,
}

impl Wanted {
    /// The one that a path names by this uid.
    pub(super) fn named(self, uid: Uid) -> Self {
        Self { uid: Patch::Value(uid), ..self }
    }
}

struct ApplicationRef(Reference<ApplicationId>);

impl FromJson for ApplicationRef {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |text| text.parse().map(Self))
    }
}

/// A body, and the application that it names, looked for: that it is missing is a fault among the others.
pub(super) async fn read(
    state: &State,
    caller: &Caller,
    body: Value,
) -> Result<(Object, Patch<Reference<ApplicationId>>), ApiError> {
    let mut object = Object::from_json(body).map_err(ApiError::invalid_body)?;
    let forward_to = object.patch("forwardTo").map(|ApplicationRef(reference)| reference);
    if let Patch::Value(reference) = &forward_to
        && state.store.application(caller.organization, reference).await?.is_none()
    {
        object.refuse("forwardTo", "there is no application with this id or uid");
    }
    Ok((object, forward_to))
}

/// A new source, made now and not written yet.
pub(super) fn build(state: &State, caller: &Caller, wanted: Wanted) -> Source {
    let Wanted { name, uid, scheme, key, forward_to, retention } = wanted;
    let now = state.clock.now();
    let uid = match uid {
        Patch::Value(uid) => Some(uid),
        Patch::Null => None,
        Patch::Absent => named(&name),
    };
    let mut source = Source {
        id: SourceId::new(now, random::bytes()),
        organization: caller.organization,
        uid,
        name,
        scheme,
        keys: None,
        forward_to,
        retention,
        created_at: now,
        updated_at: now,
    };
    source.keys = key.over(None).map(|key| seal(state, &source, &SourceKeys::new(key)));
    source
}

/// The uid of a source that is given a name only. What has the form of an id is none: it could be taken for one.
fn named(name: &str) -> Option<Uid> {
    match name.parse() {
        Ok(Reference::<SourceId>::Uid(uid)) => Some(uid),
        Ok(Reference::Id(_)) | Err(_) => None,
    }
}

/// A source as it is to be after a change.
pub(super) fn apply(state: &State, before: &Source, wanted: Wanted) -> Result<Source, ApiError> {
    let Wanted { name, uid, scheme, key, forward_to, retention } = wanted;
    let mut after = before.clone();
    uid.apply(&mut after.uid);
    after.name = name;
    after.scheme = scheme;
    after.forward_to = forward_to;
    after.retention = retention;
    if after.scheme.kind() == SourceKind::None {
        after.keys = None;
    } else if key.is_given() {
        let keys = if before.scheme.kind() == after.scheme.kind() { open(state, before)? } else { None };
        let current = keys.as_ref().map(SourceKeys::current);
        let new = key.over(current);
        // The one that is there already stays, and with it those that it replaced.
        if new.as_ref() != current {
            after.keys = new.map(|key| seal(state, &after, &SourceKeys::new(key)));
        }
    }
    Ok(after)
}

/// Writes a change, unless it changes nothing. `None`: somebody else has changed the source meanwhile.
pub(super) async fn change(state: &State, before: Source, mut after: Source) -> Result<Option<Source>, ApiError> {
    if after == before {
        return Ok(Some(before));
    }
    let now = state.clock.now();
    after.updated_at = later_than(before.updated_at, now);
    match state.store.replace_source(&before, &after, now + RETENTION_DELAY).await? {
        Replaced::Written => Ok(Some(after)),
        Replaced::UidTaken => Err(uid_taken()),
        Replaced::Changed => Ok(None),
    }
}

/// What a source's requests are verified with, for the table.
pub(super) fn seal(state: &State, source: &Source, keys: &SourceKeys) -> Sealed {
    state.vault.seal_source_keys(source, keys)
}

/// What a source's requests are verified with.
pub(super) fn open(state: &State, source: &Source) -> Result<Option<SourceKeys>, ApiError> {
    state.vault.open_source_keys(source).map_err(ApiError::internal)
}

pub(super) fn uid_taken() -> ApiError {
    ApiError::conflict("Another source has this uid. A new source that is given none gets its name for one.")
}
