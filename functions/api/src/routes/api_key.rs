//! API keys: credentials that do not expire, and can be revoked.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::api_key::{ApiKey, ApiKeySecret};
use tidings_domain::caller::{self, Role, Scope};
use tidings_domain::ids::{ApiKeyId, ApplicationId};
use tidings_http::{
    ApiError, Caller, Fault, FromJson, Json, Object, Organization, Path, Reply, created, no_content, ok, text,
};
use tidings_runtime::random;
use utoipa::ToSchema;

/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 200;

/// Most organizations that a key may name.
const MAX_ORGANIZATIONS: usize = 100;

/// What a new key may do. It never gets more than who makes it has.
#[derive(Debug, ToSchema)]
pub struct ApiKeyIn {
    /// To tell it from others.
    #[schema(max_length = 200, nullable = false)]
    description: Option<String>,
    /// Reaches this application only, if given.
    #[schema(value_type = Option<String>, nullable = false)]
    application: Option<ApplicationId>,
    /// Its holder's role on a platform: `user`, if not given.
    #[schema(value_type = Option<RoleOut>, nullable = false)]
    role: Option<Role>,
    /// The platform's organizations that its holder belongs to.
    #[schema(max_items = 100, nullable = false)]
    organizations: Option<Vec<String>>,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyOut {
    /// Its public name.
    #[schema(value_type = String, example = "key_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: ApiKeyId,
    /// What tells it from others.
    description: String,
    /// The application that it reaches; `null` for the whole organization.
    #[schema(value_type = Option<String>)]
    application: Option<ApplicationId>,
    /// Its holder's role on a platform.
    #[schema(value_type = RoleOut)]
    role: Role,
    /// The platform's organizations that its holder belongs to.
    organizations: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
}

/// A new key, with the secret that is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewApiKeyOut {
    /// About it.
    #[serde(flatten)]
    about: ApiKeyOut,
    /// The key itself: a bearer token. It cannot be shown again.
    #[schema(example = "tdk_...")]
    key: String,
}

/// An organization's keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeysOut {
    /// Oldest first.
    data: Vec<ApiKeyOut>,
}

/// A person's role on a platform.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "a schema only: the domain's own type is what is answered")]
enum RoleOut {
    User,
    Admin,
}

impl FromJson for ApiKeyIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let description = object.optional::<String>("description");
        let application = object.optional("application");
        let role = object.optional::<RoleIn>("role").map(|RoleIn(role)| role);
        let organizations = object.optional::<Vec<String>>("organizations");
        if description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
            object.refuse("description", format_args!("must be at most {MAX_DESCRIPTION} characters long"));
        }
        if organizations.as_ref().is_some_and(|list| list.len() > MAX_ORGANIZATIONS) {
            object.refuse("organizations", format_args!("must name at most {MAX_ORGANIZATIONS} organizations"));
        }
        object.finish(|| Some(Self { description, application, role, organizations }))
    }
}

struct RoleIn(Role);

impl FromJson for RoleIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let read = |name: String| match name.as_str() {
            "user" => Ok(Self(Role::User)),
            "admin" => Ok(Self(Role::Admin)),
            _ => Err("must be `user` or `admin`"),
        };
        text(value, read)
    }
}

impl From<ApiKey> for ApiKeyOut {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, description, caller, hash: _, created_at } = key;
        let caller::Caller { organization: _, scope, role, organizations, feature_flags: _ } = caller;
        let application = match scope {
            Scope::Organization => None,
            Scope::Application(application) => Some(application),
        };
        Self { id, description, application, role, organizations, created_at }
    }
}

/// Make an API key
///
/// The key is shown this once.
#[utoipa::path(
    post, path = "/api/v1/api-key", operation_id = "api-key.create", tag = "API keys", security(("HTTPBearer" = [])),
    request_body = ApiKeyIn, responses((status = 201, body = NewApiKeyOut)),
)]
pub async fn create(
    State(state): State<crate::State>,
    maker: Caller<Organization>,
    Json { value: request, .. }: Json<ApiKeyIn>,
) -> Result<Reply, ApiError> {
    let ApiKeyIn { description, application, role, organizations } = request;
    let caller = caller::Caller {
        organization: maker.organization,
        scope: application.map_or(Scope::Organization, Scope::Application),
        role: role.unwrap_or_default(),
        organizations: organizations.unwrap_or_default(),
        feature_flags: Vec::new(),
    };
    if !maker.may_grant(&caller) {
        return Err(ApiError::insufficient_access());
    }
    let secret = ApiKeySecret::new(random::bytes());
    let now = state.clock.now();
    let key = ApiKey {
        id: ApiKeyId::new(now, random::bytes()),
        description: description.unwrap_or_default(),
        caller,
        hash: secret.hash(),
        created_at: now,
    };
    state.store.create_api_key(&key).await?;
    let location = format!("/api/v1/api-key/{}", key.id);
    created(location, &NewApiKeyOut { about: key.into(), key: secret.reveal().to_owned() })
}

/// List API keys
///
/// Without the keys themselves: nobody knows them but their holders.
#[utoipa::path(
    get, path = "/api/v1/api-key", operation_id = "api-key.list", tag = "API keys", security(("HTTPBearer" = [])),
    responses((status = 200, body = ApiKeysOut)),
)]
pub async fn list(State(state): State<crate::State>, caller: Caller<Organization>) -> Result<Reply, ApiError> {
    let keys = state.store.api_keys(caller.organization).await?;
    ok(&ApiKeysOut { data: keys.into_iter().map(Into::into).collect() })
}

/// Revoke an API key
///
/// Functions that have just seen it may take it for five seconds more.
#[utoipa::path(
    delete, path = "/api/v1/api-key/{keyId}", operation_id = "api-key.revoke", tag = "API keys",
    security(("HTTPBearer" = [])), params(("keyId" = String, Path, description = "The key's id.")),
    responses((status = 204, description = "Revoked")),
)]
pub async fn revoke(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(id): Path<ApiKeyId>,
) -> Result<Reply, ApiError> {
    if state.store.revoke_api_key(caller.organization, id).await? {
        Ok(no_content())
    } else {
        Err(ApiError::not_found())
    }
}
