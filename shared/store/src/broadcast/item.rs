//! Broadcasts as they are stored, and what is counted of those that ended.

use aws_sdk_dynamodb::types::Update;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use serde::{Deserialize, Serialize};
use tidings_domain::Timestamp;
use tidings_domain::broadcast::{Broadcast, Counts, Ended, Tally};
use tidings_domain::ids::{ApplicationId, EndpointId, MessageId, OrganizationId};
use tidings_domain::message::RETENTION;

use crate::expression::{Item, item, n, s};
use crate::{DecodeError, keys};

/// The attribute that only a broadcast has that ended.
pub(super) const ENDED_AT: &str = "ended_at";

#[derive(Debug, Serialize, Deserialize)]
struct BroadcastItem {
    pk: String,
    sk: String,
    entity: String,
    v: u32,
    subject: String,
    receivers: Vec<EndpointId>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ended_at: Option<i64>,
    #[serde(flatten)]
    tally: TallyItem,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    gsi1pk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    gsi1sk: Option<String>,
    expires_at: i64,
}

/// Of deliveries that have ended. Where a number is zero it is not stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct TallyItem {
    #[serde(skip_serializing_if = "is_zero", default)]
    main_completed: u64,
    #[serde(skip_serializing_if = "is_zero", default)]
    main_failed: u64,
    #[serde(skip_serializing_if = "is_zero", default)]
    dead_completed: u64,
    #[serde(skip_serializing_if = "is_zero", default)]
    dead_failed: u64,
}

pub(super) fn broadcast_item(broadcast: &Broadcast) -> Item {
    let Broadcast { organization, application, message, subject, receivers, created_at, ended } = broadcast;
    let keys::Key { pk, sk } = keys::broadcast(*organization, *application, *message);
    let index = keys::open_broadcast_index(*organization, *application, *message);
    let index = ended.is_none().then_some(index);
    item(&BroadcastItem {
        pk,
        sk,
        entity: "broadcast".to_owned(),
        v: 1,
        subject: subject.clone(),
        receivers: receivers.clone(),
        created_at: created_at.as_millis(),
        ended_at: ended.map(|ended| ended.at.as_millis()),
        tally: ended.map(|ended| TallyItem::of(&ended.tally)).unwrap_or_default(),
        gsi1pk: index.as_ref().map(|index| index.pk.clone()),
        gsi1sk: index.map(|index| index.sk),
        expires_at: (*created_at + RETENTION).as_secs(),
    })
}

pub(super) fn decode_broadcast(stored: Item) -> Result<Broadcast, DecodeError> {
    let BroadcastItem {
        pk,
        sk,
        entity: _,
        v: _,
        subject,
        receivers,
        created_at,
        ended_at,
        tally,
        gsi1pk: _,
        gsi1sk: _,
        expires_at: _,
    } = serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a broadcast", error))?;
    let ids = || -> Option<(OrganizationId, ApplicationId, MessageId)> {
        let (organization, application) = pk.strip_suffix("#BROADCAST")?.split_once('/')?;
        Some((organization.parse().ok()?, application.parse().ok()?, sk.strip_prefix(keys::MESSAGE)?.parse().ok()?))
    };
    let (organization, application, message) =
        ids().ok_or_else(|| DecodeError::new(format!("{pk} | {sk}"), "its key names no broadcast"))?;
    Ok(Broadcast {
        organization,
        application,
        message,
        subject,
        receivers,
        created_at: Timestamp::from_millis(created_at),
        ended: ended_at.map(|at| Ended { at: Timestamp::from_millis(at), tally: tally.into_tally() }),
    })
}

/// Adds a tally to the item that counts, or takes it out; table and key are the caller's.
pub(super) fn total_change(tally: &Tally, sign: i64) -> UpdateBuilder {
    let TallyItem { main_completed, main_failed, dead_completed, dead_failed } = TallyItem::of(tally);
    let numbers = [
        ("main_completed", main_completed),
        ("main_failed", main_failed),
        ("dead_completed", dead_completed),
        ("dead_failed", dead_failed),
    ];
    let adds = numbers.map(|(name, _)| format!("#{name} :{name}")).join(", ");
    let mut update = Update::builder()
        .update_expression(format!("ADD {adds} SET #entity = :entity, #v = :v"))
        .expression_attribute_names("#entity", "entity")
        .expression_attribute_names("#v", "v")
        .expression_attribute_values(":entity", s("broadcast_total"))
        .expression_attribute_values(":v", n(1));
    for (name, number) in numbers {
        let number = i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(sign);
        update = update
            .expression_attribute_names(format!("#{name}"), name)
            .expression_attribute_values(format!(":{name}"), n(number));
    }
    update
}

pub(super) fn decode_total(stored: Item) -> Result<Tally, DecodeError> {
    let stored: TallyItem =
        serde_dynamo::from_item(stored).map_err(|error| DecodeError::new("of a broadcasts' total", error))?;
    Ok(stored.into_tally())
}

impl TallyItem {
    fn of(tally: &Tally) -> Self {
        // What is under way counts in no total.
        let Counts { waiting: _, active: _, delayed: _, failed: main_failed, completed: main_completed } = tally.main;
        let dead_letters = tally.dead_letters;
        let Counts { waiting: _, active: _, delayed: _, failed: dead_failed, completed: dead_completed } = dead_letters;
        Self { main_completed, main_failed, dead_completed, dead_failed }
    }

    fn into_tally(self) -> Tally {
        let Self { main_completed, main_failed, dead_completed, dead_failed } = self;
        Tally {
            main: Counts { completed: main_completed, failed: main_failed, ..Counts::default() },
            dead_letters: Counts { completed: dead_completed, failed: dead_failed, ..Counts::default() },
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
