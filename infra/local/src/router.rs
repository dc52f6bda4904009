//! Every function's routes in one router.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tidings_egress::Egress;
use tidings_http::{ApiError, Credentials};
use tidings_runtime::settings::Secret;
use tidings_runtime::{Clock, Settings};
use tidings_store::Store;
use tidings_vault::Vault;

/// What the functions share.
pub(crate) struct Parts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) store: &'a Store,
    pub(crate) egress: &'a Egress,
    pub(crate) vault: &'a Vault,
    pub(crate) clock: &'a Clock,
    pub(crate) secret: &'a Secret,
}

/// The whole service.
pub(crate) fn router(parts: &Parts<'_>) -> anyhow::Result<Router> {
    let Parts { settings, store, egress, vault, clock, secret } = *parts;
    let credentials = Credentials::from_settings(settings, store, clock)?;
    let intake = intake::State {
        store: store.clone(),
        egress: egress.clone(),
        credentials: credentials.clone(),
        clock: clock.clone(),
        providers: settings.providers.clone().into(),
        grace: settings.grace,
    };
    let api = api::State {
        store: store.clone(),
        egress: egress.clone(),
        vault: vault.clone(),
        credentials,
        clock: clock.clone(),
        secret: secret.clone(),
        grace: settings.grace,
    };
    let provider = provider::State { failure_probability: settings.failure_probability };
    let routes =
        intake::router(intake).merge(api::router(api)).merge(provider::router(provider)).merge(complete::router());
    Ok(tidings_http::finish(routes.layer(from_fn(whole_body))))
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
