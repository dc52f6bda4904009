//! Event types as they are sent and answered.

use serde::Serialize;
use serde_json::{Map, Value};
use tidings_domain::Timestamp;
use tidings_domain::event_type::{EventType, MAX_SCHEMA_BYTES};
use tidings_domain::ids::OrganizationId;
use tidings_domain::names::{EventTypeName, FeatureFlag};
use tidings_domain::patch::Patch;
use tidings_http::{ApiError, Fault, FaultKind, FromJson, Object, Set, Text};
use tidings_schema::PayloadSchema;
use utoipa::ToSchema;

use crate::body::set;

type Description = Text<0, 4096>;
type GroupName = Text<1, 256>;
type Flags = Set<FeatureFlag, 0, 50>;

/// A new event type.
#[derive(Debug, Clone, ToSchema)]
pub struct EventTypeIn {
    /// Its name, unique in the organization.
    #[schema(value_type = String, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$", example = "user.signup")]
    pub(super) name: EventTypeName,
    /// What can be changed later by the same names.
    #[serde(flatten)]
    pub(super) settings: EventTypeUpdate,
}

/// An event type as it is to be.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EventTypeUpdate {
    /// For people.
    #[schema(max_length = 4096)]
    description: String,
    /// No longer offered; messages of it are still accepted.
    #[schema(required = false, default = false)]
    archived: bool,
    /// Not to be used for anything new.
    #[schema(required = false, default = false)]
    deprecated: bool,
    /// JSON schemas of its payload by version (`1`, `2`, ...). The highest one counts.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Object>>)]
    schemas: Option<Schemas>,
    /// Refuses payloads that break the newest schema, with 422.
    #[schema(required = false, default = false)]
    check_schema: bool,
    /// Seen by application tokens that have this flag. The same as a list of one in `featureFlags`.
    #[schema(value_type = Option<String>)]
    feature_flag: Option<FeatureFlag>,
    /// Seen by application tokens that have one of these flags; by all if there is none.
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    feature_flags: Option<Vec<FeatureFlag>>,
    /// What it is listed under.
    #[schema(min_length = 1, max_length = 256)]
    group_name: Option<String>,
}

/// A change of an event type: what is left out stays.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EventTypePatch {
    /// For people.
    #[schema(nullable = false, max_length = 4096)]
    description: Option<String>,
    /// No longer offered; messages of it are still accepted.
    #[schema(nullable = false)]
    archived: Option<bool>,
    /// Not to be used for anything new.
    #[schema(nullable = false)]
    deprecated: Option<bool>,
    /// Replaces all JSON schemas of its payload; `null` takes them off.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Object>>)]
    schemas: Patch<Schemas>,
    /// Refuses payloads that break the newest schema, with 422.
    #[schema(nullable = false)]
    check_schema: Option<bool>,
    /// Replaces all flags by this one; `null` takes them off.
    #[schema(value_type = Option<String>)]
    feature_flag: Patch<FeatureFlag>,
    /// Replaces all flags; `null` takes them off.
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    feature_flags: Patch<Vec<FeatureFlag>>,
    /// What it is listed under; `null` takes it off.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    group_name: Patch<String>,
}

/// JSON schemas by version.
#[derive(Debug, Clone)]
struct Schemas(Map<String, Value>);

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventTypeOut {
    /// Its name.
    #[schema(value_type = String, example = "user.signup")]
    name: EventTypeName,
    /// For people.
    description: String,
    /// No longer offered.
    archived: bool,
    /// Not to be used for anything new.
    deprecated: bool,
    /// JSON schemas of its payload by version; left out of lists unless `with_content` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, Object>>)]
    schemas: Option<Map<String, Value>>,
    /// Whether payloads that break the newest schema are refused.
    check_schema: bool,
    /// The first of `featureFlags`.
    #[schema(value_type = Option<String>)]
    feature_flag: Option<FeatureFlag>,
    /// Seen by application tokens that have one of these flags; by all if there is none.
    #[schema(value_type = Vec<String>)]
    feature_flags: Vec<FeatureFlag>,
    /// What it is listed under.
    group_name: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl FromJson for Schemas {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let size = value.to_string().len();
        let schemas = Map::from_json(value)?;
        let faults: Vec<_> = schemas
            .iter()
            .filter(|(_, schema)| !schema.is_object())
            .map(|(version, _)| Fault::new(FaultKind::Type, "must be an object").within(version.as_str()))
            .collect();
        if !faults.is_empty() {
            Err(faults)
        } else if size > MAX_SCHEMA_BYTES {
            Err(vec![Fault::new(FaultKind::Value, format!("must be at most {MAX_SCHEMA_BYTES} bytes long as JSON"))])
        } else {
            Ok(Self(schemas))
        }
    }
}

impl FromJson for EventTypeIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let name = object.required("name");
        let settings = EventTypeUpdate::take(&mut object);
        object.finish(|| Some(Self { name: name?, settings: settings? }))
    }
}

impl FromJson for EventTypeUpdate {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let settings = Self::take(&mut object);
        object.finish(|| settings)
    }
}

impl EventTypeUpdate {
    /// `None` is a fault that is recorded.
    fn take(object: &mut Object) -> Option<Self> {
        let description = object.required::<Description>("description");
        let update = Self {
            description: String::new(),
            archived: object.optional("archived").unwrap_or_default(),
            deprecated: object.optional("deprecated").unwrap_or_default(),
            schemas: object.nullable("schemas"),
            check_schema: object.optional("checkSchema").unwrap_or_default(),
            feature_flag: object.nullable("featureFlag"),
            feature_flags: object.nullable::<Flags>("featureFlags").map(|Set(flags)| flags),
            group_name: object.nullable::<GroupName>("groupName").map(|Text(name)| name),
        };
        check_flags(object, update.feature_flag.as_ref(), update.feature_flags.as_deref());
        let Text(description) = description?;
        Some(Self { description, ..update })
    }

    /// A new event type, made now.
    pub(super) fn make(self, organization: OrganizationId, name: EventTypeName, now: Timestamp) -> EventType {
        let mut event_type = EventType {
            organization,
            name,
            description: String::new(),
            archived: false,
            deprecated: false,
            schemas: None,
            check_schema: false,
            feature_flags: Vec::new(),
            group_name: None,
            created_at: now,
            updated_at: now,
        };
        self.replace(&mut event_type);
        event_type
    }

    /// In the place of what is there.
    pub(super) fn replace(self, event_type: &mut EventType) {
        let Self { description, archived, deprecated, schemas, check_schema, feature_flag, feature_flags, group_name } =
            self;
        event_type.description = description;
        event_type.archived = archived;
        event_type.deprecated = deprecated;
        event_type.schemas = schemas.map(|Schemas(schemas)| schemas);
        event_type.check_schema = check_schema;
        event_type.feature_flags = feature_flags.unwrap_or_else(|| feature_flag.into_iter().collect());
        event_type.group_name = group_name;
    }
}

/// Both spellings together must not contradict one another.
fn check_flags(object: &mut Object, one: Option<&FeatureFlag>, all: Option<&[FeatureFlag]>) {
    if let (Some(one), Some(all)) = (one, all)
        && !all.contains(one)
    {
        object.refuse("featureFlag", "must be one of `featureFlags`, or left out");
    }
}

impl FromJson for EventTypePatch {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let patch = Self {
            description: object.patch_required::<Description>("description").map(|Text(text)| text),
            archived: object.patch_required("archived"),
            deprecated: object.patch_required("deprecated"),
            schemas: object.patch("schemas"),
            check_schema: object.patch_required("checkSchema"),
            feature_flag: object.patch("featureFlag"),
            feature_flags: object.patch::<Flags>("featureFlags").map(|Set(flags)| flags),
            group_name: object.patch::<GroupName>("groupName").map(|Text(name)| name),
        };
        if let (Patch::Value(one), Patch::Value(all)) = (&patch.feature_flag, &patch.feature_flags) {
            check_flags(&mut object, Some(one), Some(all));
        }
        object.finish(|| Some(patch))
    }
}

impl EventTypePatch {
    pub(super) fn apply(self, event_type: &mut EventType) {
        let Self { description, archived, deprecated, schemas, check_schema, feature_flag, feature_flags, group_name } =
            self;
        let flags = match feature_flags {
            Patch::Absent => feature_flag.map(|flag| vec![flag]),
            given @ (Patch::Null | Patch::Value(_)) => given,
        };
        let mut flagged = Some(std::mem::take(&mut event_type.feature_flags));
        flags.apply(&mut flagged);
        event_type.feature_flags = flagged.unwrap_or_default();
        schemas.map(|Schemas(schemas)| schemas).apply(&mut event_type.schemas);
        group_name.apply(&mut event_type.group_name);
        set(description, &mut event_type.description);
        set(archived, &mut event_type.archived);
        set(deprecated, &mut event_type.deprecated);
        set(check_schema, &mut event_type.check_schema);
    }
}

/// 422 if payloads are to be checked against a schema that they cannot be checked against.
pub(super) fn check_schemas(event_type: &EventType) -> Result<(), ApiError> {
    let schemas = event_type.schemas.iter().filter(|_| event_type.check_schema).flatten();
    let faults: Vec<Fault> = schemas
        .filter_map(|(version, schema)| {
            let error = PayloadSchema::compile(schema).err()?;
            Some(Fault::new(FaultKind::Value, error.to_string()).within(version.as_str()).within("schemas"))
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid_body(faults)) }
}

impl From<EventType> for EventTypeOut {
    fn from(event_type: EventType) -> Self {
        let EventType {
            organization: _,
            name,
            description,
            archived,
            deprecated,
            schemas,
            check_schema,
            feature_flags,
            group_name,
            created_at,
            updated_at,
        } = event_type;
        Self {
            name,
            description,
            archived,
            deprecated,
            schemas,
            check_schema,
            feature_flag: feature_flags.first().cloned(),
            feature_flags,
            group_name,
            created_at,
            updated_at,
        }
    }
}
