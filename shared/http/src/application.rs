//! Applications as they are asked for: by who manages them, and by a message that brings its own.

use std::num::NonZeroU16;

use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::metadata::Metadata;
use tidings_domain::names::Uid;
use tidings_domain::patch::Patch;
use tidings_runtime::random;
use utoipa::ToSchema;

use crate::fault::{Fault, FaultKind};
use crate::from_json::{FromJson, Object, Text};

/// An application as it is to be.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ApplicationIn {
    /// For people.
    #[schema(min_length = 1, max_length = 1024)]
    name: String,
    /// The caller's own name for it, unique in the organization. It serves wherever the id does.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    uid: Patch<Uid>,
    /// Most attempts a second, over all of its endpoints. `rateLimit` is its older name.
    #[schema(value_type = Option<u16>, minimum = 1)]
    throttle_rate: Option<NonZeroU16>,
    /// Texts that the caller keeps here.
    #[schema(value_type = std::collections::BTreeMap<String, String>, required = false)]
    metadata: Metadata,
}

impl FromJson for ApplicationIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        object.alias("throttleRate", "rateLimit");
        let name = object.required::<Text<1, 1024>>("name");
        let uid = object.patch("uid");
        let throttle_rate = object.nullable("throttleRate");
        let metadata = object.optional("metadata").unwrap_or_default();
        object.finish(|| Some(Self { name: name?.0, uid, throttle_rate, metadata }))
    }
}

impl ApplicationIn {
    /// The caller's own name for it, if it is given one.
    pub fn uid(&self) -> Option<&Uid> {
        match &self.uid {
            Patch::Value(uid) => Some(uid),
            Patch::Absent | Patch::Null => None,
        }
    }

    /// The application that a path names by this uid.
    pub fn named(mut self, path: &Uid) -> Result<Self, Fault> {
        self.uid = Patch::Value(uid_of_path(&self.uid, path)?);
        Ok(self)
    }

    /// A new application, made now.
    pub fn make(self, organization: OrganizationId, now: Timestamp) -> Application {
        let Self { name, uid, throttle_rate, metadata } = self;
        Application {
            id: ApplicationId::new(now, random::bytes()),
            organization,
            uid: uid.or(None),
            name,
            throttle_rate,
            metadata,
            tokens_valid_after: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// In the place of what is there. A uid that is left out stays: whoever names an application by it would lose it.
    pub fn replace(self, application: &mut Application) {
        let Self { name, uid, throttle_rate, metadata } = self;
        uid.apply(&mut application.uid);
        application.name = name;
        application.throttle_rate = throttle_rate;
        application.metadata = metadata;
    }
}

/// The uid of what is made under a path: the path's. A body that asks for another one contradicts it.
pub fn uid_of_path(uid: &Patch<Uid>, path: &Uid) -> Result<Uid, Fault> {
    match uid {
        Patch::Value(uid) if uid != path => {
            Err(Fault::new(FaultKind::Value, "must be the uid in the path, or be left out").within("uid"))
        }
        Patch::Absent | Patch::Null | Patch::Value(_) => Ok(path.clone()),
    }
}
