//! Applications as they are sent and answered.

use std::num::NonZeroU16;

use serde::Serialize;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::ids::ApplicationId;
use tidings_domain::metadata::Metadata;
use tidings_domain::names::Uid;
use tidings_domain::patch::Patch;
use tidings_http::{Fault, FromJson, Object, Text};
use utoipa::ToSchema;

use crate::body::{set, throttle_rate_patch};

/// An application's name.
type Name = Text<1, 1024>;

/// A change of an application: what is left out stays.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ApplicationPatch {
    /// For people.
    #[schema(min_length = 1, max_length = 1024, nullable = false)]
    name: Option<String>,
    /// The caller's own name for it; `null` takes it off.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    uid: Patch<Uid>,
    /// Most attempts a second; `null` and 0 are no limit. `rateLimit` is its older name.
    #[schema(value_type = Option<u16>, minimum = 0)]
    throttle_rate: Patch<NonZeroU16>,
    /// Replaces all of the texts that are kept here.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>, nullable = false)]
    metadata: Option<Metadata>,
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationOut {
    /// Its id.
    #[schema(value_type = String, example = "app_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: ApplicationId,
    /// The caller's own name for it.
    #[schema(value_type = Option<String>, example = "acme")]
    uid: Option<Uid>,
    /// For people.
    #[schema(example = "Acme Ltd.")]
    name: String,
    /// Most attempts a second, over all of its endpoints.
    #[schema(value_type = Option<u16>)]
    throttle_rate: Option<NonZeroU16>,
    /// The same by its older name.
    #[schema(value_type = Option<u16>)]
    rate_limit: Option<NonZeroU16>,
    /// Texts that the caller keeps here.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: Metadata,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl FromJson for ApplicationPatch {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        object.alias("throttleRate", "rateLimit");
        let name = object.patch_required::<Name>("name").map(|Text(name)| name);
        let uid = object.patch("uid");
        let throttle_rate = throttle_rate_patch(&mut object);
        let metadata = object.patch_required("metadata");
        object.finish(|| Some(Self { name, uid, throttle_rate, metadata }))
    }
}

impl ApplicationPatch {
    pub(super) fn apply(self, application: &mut Application) {
        let Self { name, uid, throttle_rate, metadata } = self;
        uid.apply(&mut application.uid);
        throttle_rate.apply(&mut application.throttle_rate);
        set(name, &mut application.name);
        set(metadata, &mut application.metadata);
    }
}

impl From<Application> for ApplicationOut {
    fn from(application: Application) -> Self {
        let Application {
            id,
            organization: _,
            uid,
            name,
            throttle_rate,
            metadata,
            tokens_valid_after: _,
            created_at,
            updated_at,
        } = application;
        Self { id, uid, name, throttle_rate, rate_limit: throttle_rate, metadata, created_at, updated_at }
    }
}
