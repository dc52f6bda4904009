//! Tokens of applications: made for their users, and taken back.

mod console;

use std::time::Duration;

use axum::extract::{OriginalUri, State};
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use tidings_domain::application::Application;
use tidings_domain::caller::{self, Role, Scope};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::names::{FeatureFlag, Reference};
use tidings_http::credential::{MintOptions, mint};
use tidings_http::{
    AnyScope, ApiError, ApplicationIn, Caller, Fault, FromJson, Idempotency, Json, Object, Organization, Path, Reply,
    Set, Whole, no_content, ok,
};
use tidings_store::Created;
use utoipa::ToSchema;

use crate::change::{TRIES, contended};
use crate::reach;
use crate::routes::application::change;

/// For how long a token is good unless somebody says otherwise, which is also the longest: 28 days.
const GOOD_FOR_SECONDS: u64 = 28 * 24 * 3600;

type Flags = Set<FeatureFlag, 0, 50>;
type Expiry = Whole<3600, GOOD_FOR_SECONDS>;

/// What a token is to be good for.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct AppPortalAccessIn {
    /// The application, if it may be new: it is made when nothing has the uid in the path.
    application: Option<ApplicationIn>,
    /// Event types with one of these flags are shown, beside those without a flag.
    #[schema(value_type = Vec<String>, required = false, max_items = 50)]
    feature_flags: Vec<FeatureFlag>,
    /// Seconds until the token ends; 28 days if not given.
    #[schema(value_type = Option<u64>, minimum = 3600, maximum = 2_419_200)]
    expiry: Option<u64>,
}

/// A token, and where it is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppPortalAccessOut {
    /// The console, with the token in it. What follows `#` never leaves the browser.
    #[schema(format = "uri")]
    url: String,
    /// The token: it reads and manages its one application.
    token: String,
}

/// Which tokens are taken back: all.
#[derive(Debug, ToSchema)]
pub struct ApplicationTokenExpireIn {
    /// 0, if given: tokens are taken back at once.
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 0)]
    #[expect(dead_code, reason = "a schema only: there is one value that it can have")]
    expiry: Option<u64>,
}

impl FromJson for AppPortalAccessIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let application = object.nullable("application");
        let feature_flags = object.nullable::<Flags>("featureFlags").map(|Set(flags)| flags).unwrap_or_default();
        let expiry = object.nullable::<Expiry>("expiry").map(|Whole(seconds)| seconds);
        object.finish(|| Some(Self { application, feature_flags, expiry }))
    }
}

impl FromJson for ApplicationTokenExpireIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let expiry = object.nullable::<u64>("expiry");
        if expiry.is_some_and(|seconds| seconds > 0) {
            object.refuse("expiry", "must be 0: tokens are taken back at once");
        }
        object.finish(|| Some(Self { expiry }))
    }
}

/// The application that a token is for, made if it is not there and may be.
async fn find_or_make(
    state: &crate::State,
    organization: OrganizationId,
    reference: &Reference<ApplicationId>,
    request: Option<&ApplicationIn>,
) -> Result<Application, ApiError> {
    for _ in 0..TRIES {
        if let Some(there) = state.store.application(organization, reference).await? {
            return Ok(there);
        }
        let request = request.cloned().ok_or_else(ApiError::not_found)?;
        let Reference::Uid(uid) = reference else { return Err(ApiError::not_found()) };
        let contradicts = |fault: Fault| ApiError::invalid_body(vec![fault.within("application")]);
        let application = request.named(uid).map_err(contradicts)?.make(organization, state.clock.now());
        match state.store.create_application(&application, None).await? {
            Created::Written => return Ok(application),
            // Somebody else was first: then it is there.
            Created::UidTaken | Created::Repeated(_) => {}
        }
    }
    Err(contended())
}

/// Make a token for an application's users
///
/// It is for somebody who manages the application's endpoints in the console, and reaches nothing else. An idempotency
/// key is accepted and has no effect: the answer holds a token, which is not kept.
#[utoipa::path(
    post, path = "/api/v1/auth/app-portal-access/{app_id}", operation_id = "v1.authentication.app-portal-access",
    tag = "Authentication", security(("HTTPBearer" = [])),
    params(("app_id" = String, Path, description = "The application's id or uid."), Idempotency),
    request_body = AppPortalAccessIn, responses((status = 200, body = AppPortalAccessOut)),
)]
pub async fn app_portal_access(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<ApplicationId>>,
    OriginalUri(uri): OriginalUri,
    _key: Idempotency,
    headers: HeaderMap,
    Json { value: request, .. }: Json<AppPortalAccessIn>,
) -> Result<Reply, ApiError> {
    let AppPortalAccessIn { application, feature_flags, expiry } = request;
    let base = console::base_url(&headers, &uri).ok_or_else(|| ApiError::malformed("The request names no host."))?;
    let application = find_or_make(&state, caller.organization, &reference, application.as_ref()).await?;
    let holder = caller::Caller {
        organization: caller.organization,
        scope: Scope::Application(application.id),
        role: Role::User,
        organizations: Vec::new(),
        feature_flags,
    };
    let expires_in = Duration::from_secs(expiry.unwrap_or(GOOD_FOR_SECONDS));
    let options = MintOptions { caller: &holder, now: state.clock.now(), expires_in };
    let token = mint(state.secret.as_bytes(), options).map_err(ApiError::internal)?;
    ok(&AppPortalAccessOut { url: console::url(&base, application.id, &token), token })
}

/// Take back the token of this request
///
/// Of an application; other credentials cannot be taken back by it. Functions that have just seen the token may take it
/// for five seconds more.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", operation_id = "logout_api_v1_auth_logout__post", tag = "Authentication",
    security(("HTTPBearer" = [])), params(Idempotency), responses((status = 204, description = "Taken back")),
)]
pub async fn logout(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    _key: Idempotency,
) -> Result<Reply, ApiError> {
    let token = caller.token().ok_or_else(ApiError::insufficient_access)?;
    state.store.revoke_token(&token.hash, token.good_until).await?;
    state.credentials.forget(&token.hash);
    Ok(no_content())
}

/// Take back all tokens of an application
///
/// All that were made before. Functions that have just seen one may take it for five seconds more.
#[utoipa::path(
    post, path = "/api/v1/auth/app/{app_id}/expire-all", operation_id = "v1.authentication.expire-all",
    tag = "Authentication", security(("HTTPBearer" = [])),
    params(("app_id" = String, Path, description = "The application's id or uid."), Idempotency),
    request_body = ApplicationTokenExpireIn, responses((status = 204, description = "Taken back")),
)]
pub async fn expire_all(
    State(state): State<crate::State>,
    caller: Caller<Organization>,
    Path(reference): Path<Reference<ApplicationId>>,
    _key: Idempotency,
    Json { .. }: Json<ApplicationTokenExpireIn>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES {
        let before = reach::application(&state, &caller, &reference).await?;
        let now = state.clock.now();
        let after = change(&state, before, |application| application.tokens_valid_after = Some(now)).await?;
        if after.is_some() {
            return Ok(no_content());
        }
    }
    Err(contended())
}
