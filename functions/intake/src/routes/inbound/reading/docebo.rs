//! What a request of Docebo has. What is in a payload is judged when it is computed, so that one that is wrong fails by
//! itself, and not the others of its group.

use serde_json::{Map, Value};
use tidings_domain::transaction::{MAX_EVENT_CHARS, MAX_MESSAGE_ID_CHARS};
use tidings_http::{Fault, FaultKind, FromJson, MAX_FAULTS, Object, Text};

use super::Named;

/// Most payloads of a group.
const MAX_PAYLOADS: usize = 25;

/// What is looked at. The rest is kept with the body: a sender that learns to say more must not be refused for it.
const KNOWN: [&str; 5] = ["event", "fired_by_batch_action", "message_id", PAYLOAD, PAYLOADS];

const PAYLOAD: &str = "payload";
const PAYLOADS: &str = "payloads";

/// The id and the event of a request, or everything that is wrong with it.
pub(super) fn read(body: Value) -> Result<Named, Vec<Fault>> {
    let mut members = Map::from_json(body)?;
    members.retain(|name, _| KNOWN.contains(&name.as_str()));
    let (one, group) = (members.contains_key(PAYLOAD), members.contains_key(PAYLOADS));
    let mut object = Object::from(members);
    let message_id = object.required::<Text<1, MAX_MESSAGE_ID_CHARS>>("message_id");
    let event = object.required::<Text<1, MAX_EVENT_CHARS>>("event");
    let by_batch = object.required::<bool>("fired_by_batch_action");
    let payload = object.optional::<Map<String, Value>>(PAYLOAD);
    let payloads = object.optional::<Payloads>(PAYLOADS);
    if one && group {
        object.refuse(PAYLOADS, "must not be there beside `payload`");
    }
    if !one && !group {
        object.fault(Fault::new(FaultKind::Missing, "is required, or `payloads`").within(PAYLOAD));
    }
    object.finish(|| {
        by_batch?;
        payload.map(drop).or(payloads.map(drop))?;
        Some(Named { message_id: Some(message_id?.0), event: event?.0 })
    })
}

/// A group: a list of objects.
struct Payloads;

impl FromJson for Payloads {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let Value::Array(payloads) = value else {
            return Err(vec![Fault::new(FaultKind::Type, "must be a list")]);
        };
        let mut faults = Vec::new();
        if !(1..=MAX_PAYLOADS).contains(&payloads.len()) {
            faults.push(Fault::new(FaultKind::Value, format!("must have 1 to {MAX_PAYLOADS} items")));
        }
        let wrong = payloads.iter().enumerate().filter(|(_, payload)| !payload.is_object()).take(MAX_FAULTS);
        faults
            .extend(wrong.map(|(place, _)| Fault::new(FaultKind::Type, "must be an object").within(place.to_string())));
        if faults.is_empty() { Ok(Self) } else { Err(faults) }
    }
}
