//! Every function's routes in one router.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tidings_domain::ids::OrganizationId;
use tidings_domain::preconfigured::Preconfigured;
use tidings_egress::Egress;
use tidings_http::{ApiError, Credentials};
use tidings_outbound::provider::Provider;
use tidings_runtime::settings::Secret;
use tidings_runtime::{Clock, Settings};
use tidings_store::Store;
use tidings_vault::Vault;

use crate::live::Live;

/// What the functions share.
pub(crate) struct Parts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) store: &'a Store,
    pub(crate) credentials: &'a Credentials,
    pub(crate) egress: &'a Egress,
    pub(crate) vault: &'a Vault,
    pub(crate) clock: &'a Clock,
    pub(crate) secret: &'a Secret,
    pub(crate) provider: &'a Provider,
    pub(crate) preconfigured: &'a Preconfigured,
    /// Whose sources the open doors know by their uids.
    pub(crate) inbound_organization: OrganizationId,
    /// Not without a stream.
    pub(crate) live: Option<&'a Live>,
}

/// The whole service.
pub(crate) fn router(parts: &Parts<'_>) -> Router {
    let Parts {
        settings,
        store,
        credentials,
        egress,
        vault,
        clock,
        secret,
        provider,
        preconfigured,
        inbound_organization,
        live,
    } = *parts;
    let intake = intake::State {
        store: store.clone(),
        egress: egress.clone(),
        vault: vault.clone(),
        credentials: credentials.clone(),
        clock: clock.clone(),
        providers: settings.providers.clone().into(),
        grace: settings.grace,
        route: provider.route(),
        inbound_organization: Some(inbound_organization),
    };
    let api = api::State {
        store: store.clone(),
        egress: egress.clone(),
        vault: vault.clone(),
        credentials: credentials.clone(),
        clock: clock.clone(),
        secret: secret.clone(),
        grace: settings.grace,
        provider: provider.clone(),
        preconfigured: Arc::new(preconfigured.clone()),
    };
    let mock = provider::State { failure_probability: settings.failure_probability };
    let routes = intake::router(intake).merge(api::router(api)).merge(provider::router(mock)).merge(complete::router());
    let routes = routes.layer(from_fn(whole_body));
    tidings_http::finish(match live {
        Some(live) => routes.merge(live.routes()),
        None => routes,
    })
}

/// Most bytes of a body that are read before its route is asked: more than any route takes.
const BODY_BYTES: usize = 1024 * 1024;

/// Reads the body first, as API Gateway does. What is refused unread closes its connection, and clients that keep theirs
/// open would lose the next request on it.
async fn whole_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match Limited::new(body, BODY_BYTES).collect().await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body.to_bytes()))).await,
        Err(error) if error.is::<LengthLimitError>() => ApiError::payload_too_large(BODY_BYTES).into_response(),
        Err(_) => ApiError::malformed("The body ended before its time.").into_response(),
    }
}
