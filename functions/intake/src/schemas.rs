//! Checks payloads against the schemas of their event types. A schema is compiled once and kept: that costs far more than
//! a check.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tidings_domain::event_type::EventType;
use tidings_domain::ids::OrganizationId;
use tidings_domain::names::EventTypeName;
use tidings_http::{ApiError, Fault};
use tidings_schema::PayloadSchema;

/// Most schemas that are kept. Beyond that all are let go of: an organization does not have that many in use.
const MAX_KEPT: usize = 256;

/// Compiled schemas. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Schemas(Arc<Mutex<HashMap<(OrganizationId, EventTypeName), Kept>>>);

#[derive(Debug, Clone)]
struct Kept {
    /// What was compiled.
    event_type: Arc<EventType>,
    schema: Arc<PayloadSchema>,
}

impl Schemas {
    /// 422 with everything that is wrong, if the type has a schema that is checked and the payload breaks it.
    pub fn check(&self, event_type: &Arc<EventType>, payload: &[u8]) -> Result<(), ApiError> {
        self.check_at(event_type, payload, |fault| fault.within("payload"))
    }

    /// The same where the payload is somewhere else in the body: `place` says where.
    pub fn check_at(
        &self,
        event_type: &Arc<EventType>,
        payload: &[u8],
        place: fn(Fault) -> Fault,
    ) -> Result<(), ApiError> {
        if event_type.checked_schema().is_none() {
            return Ok(());
        }
        let schema = self.compiled(event_type)?;
        let payload = serde_json::from_slice(payload).map_err(ApiError::internal)?;
        let faults = schema.faults(&payload);
        if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid_body(faults.into_iter().map(place).collect())) }
    }

    fn compiled(&self, event_type: &Arc<EventType>) -> Result<Arc<PayloadSchema>, ApiError> {
        let key = (event_type.organization, event_type.name.clone());
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&key).cloned();
        // The same type is read anew every few seconds, mostly with the same schema.
        let is_same = |kept: &Kept| {
            Arc::ptr_eq(&kept.event_type, event_type) || kept.event_type.checked_schema() == event_type.checked_schema()
        };
        if let Some(Kept { schema, .. }) = known.filter(is_same) {
            return Ok(schema);
        }
        // It was compiled before it was stored, so this is no fault of the one who sends the message.
        let checked = event_type.checked_schema().ok_or_else(|| ApiError::internal("a schema went away"))?;
        let schema = Arc::new(PayloadSchema::compile(checked).map_err(ApiError::internal)?);
        let mut all = lock();
        if all.len() >= MAX_KEPT {
            all.clear();
        }
        all.insert(key, Kept { event_type: Arc::clone(event_type), schema: Arc::clone(&schema) });
        Ok(schema)
    }
}
