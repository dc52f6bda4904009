//! Enrollments as they are stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::enrollment::{Enrollment, Field, Rank, Register, Stamp, Value};

use crate::expression::{Item, item};
use crate::{DecodeError, keys};

/// An enrollment, and which of its writes this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versioned {
    pub(super) enrollment: Enrollment,
    /// A number that no other write of it has: who finds its own wrote it, though the answer was lost.
    pub(super) version: i64,
    /// When that was: from then on it is kept for its source's retention.
    pub(super) written_at: Timestamp,
}

/// What one event told that still holds: most fields come from the same few events, so their stamps are kept once.
type Told = Vec<(i64, Rank, BTreeMap<Field, Value>)>;

#[derive(Debug, Serialize, Deserialize)]
struct EnrollmentItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    version: i64,
    written_at: i64,
    /// [`Told`] as JSON.
    told: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    present_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    present_rank: Option<Rank>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    deleted_at: Option<i64>,
    gsi1pk: String,
    gsi1sk: String,
    expires_at: i64,
}

fn stored_fields(fields: &BTreeMap<Field, Register>) -> String {
    let mut by_stamp: BTreeMap<Stamp, BTreeMap<Field, Value>> = BTreeMap::new();
    for (field, Register { value, stamp }) in fields {
        by_stamp.entry(*stamp).or_default().insert(*field, value.clone());
    }
    let told: Told = by_stamp.into_iter().map(|(Stamp { at, rank }, fields)| (at.as_millis(), rank, fields)).collect();
    serde_json::to_string(&told).expect("numbers and texts are always JSON")
}

fn read_fields(told: &str) -> Result<BTreeMap<Field, Register>, serde_json::Error> {
    let told: Told = serde_json::from_str(told)?;
    let registers = told.into_iter().flat_map(|(at, rank, fields)| {
        let stamp = Stamp { at: Timestamp::from_millis(at), rank };
        fields.into_iter().map(move |(field, value)| (field, Register { value, stamp }))
    });
    Ok(registers.collect())
}

/// An enrollment as it is stored, kept until `until`.
pub(super) fn enrollment_item(versioned: &Versioned, until: Timestamp) -> Item {
    let Versioned { enrollment, version, written_at } = versioned;
    let Enrollment { organization, source, key, fields, present, deleted } = enrollment;
    let keys::Key { pk, sk } = keys::enrollment(*organization, *source, key);
    let index = keys::enrollment_index(*organization, *source, key);
    item(&EnrollmentItem {
        pk,
        sk,
        entity: "enrollment".to_owned(),
        v: 1,
        version: *version,
        written_at: written_at.as_millis(),
        told: stored_fields(fields),
        present_at: present.map(|stamp| stamp.at.as_millis()),
        present_rank: present.map(|stamp| stamp.rank),
        deleted_at: deleted.map(|stamp| stamp.at.as_millis()),
        gsi1pk: index.pk,
        gsi1sk: index.sk,
        expires_at: until.as_secs(),
    })
}

/// An enrollment as it was read from the table.
pub(super) fn decode(stored: Item) -> Result<Versioned, DecodeError> {
    let EnrollmentItem {
        pk,
        sk,
        entity: _,
        v: _,
        version,
        written_at,
        told,
        present_at,
        present_rank,
        deleted_at,
        gsi1pk: _,
        gsi1sk: _,
        expires_at: _,
    } = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of an enrollment", error))?;
    let name = || format!("{pk} | {sk}");
    let ids = keys::parse_source(&pk).zip(keys::parse_enrollment(&sk));
    let ((organization, source, _), key) =
        ids.ok_or_else(|| DecodeError::new(name(), "its key names no enrollment"))?;
    let stamp = |at: i64, rank| Stamp { at: Timestamp::from_millis(at), rank };
    let enrollment = Enrollment {
        organization,
        source,
        key,
        fields: read_fields(&told).map_err(|error| DecodeError::new(name(), error))?,
        present: present_at.zip(present_rank).map(|(at, rank)| stamp(at, rank)),
        deleted: deleted_at.map(|at| stamp(at, Rank::Deleted)),
    };
    Ok(Versioned { enrollment, version, written_at: Timestamp::from_millis(written_at) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidings_domain::enrollment::{EnrollmentChange, EnrollmentKey};
    use tidings_domain::ids::{OrganizationId, SourceId};

    use super::*;

    const FIELDS: [Field; 3] = [Field::Username, Field::SubscribedById, Field::CompletionDate];
    const RANKS: [Rank; 5] = [Rank::Imported, Rank::Created, Rank::Updated, Rank::Completed, Rank::Deleted];

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<u64>().prop_map(Value::Number),
            // Texts that look like numbers or like nothing stay texts.
            prop_oneof!["[0-9]{1,5}", Just("null".to_owned()), ".{0,20}"].prop_map(Value::Text),
        ]
    }

    fn change(key: EnrollmentKey) -> impl Strategy<Value = EnrollmentChange> {
        let fields = prop::collection::btree_map(prop::sample::select(&FIELDS[..]), value(), 0..4);
        (0_i64..5_000_000_000_000, prop::sample::select(&RANKS[..]), fields).prop_map(move |(at, rank, fields)| {
            let stamp = Stamp { at: Timestamp::from_millis(at), rank };
            EnrollmentChange { key, stamp, fields: if rank == Rank::Deleted { BTreeMap::new() } else { fields } }
        })
    }

    proptest! {
        #[test]
        fn whatever_events_made_is_read_back_as_it_was(
            changes in (0..1_u64 << 53, 0..1_u64 << 53, prop::option::of(0..1_u64 << 53)).prop_flat_map(
                |(user, course, session)| prop::collection::vec(change(EnrollmentKey { user, course, session }), 1..8),
            ),
            version in any::<i64>(),
        ) {
            let at = Timestamp::from_millis(1_710_341_906_007);
            let mut enrollment =
                Enrollment::unknown(OrganizationId::least_at(at), SourceId::least_at(at), changes[0].key);
            for change in &changes {
                enrollment.merge(change);
            }
            let versioned = Versioned { enrollment, version, written_at: at };
            prop_assert_eq!(decode(enrollment_item(&versioned, at)).unwrap(), versioned);
        }
    }
}
