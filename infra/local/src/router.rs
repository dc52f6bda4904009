//! Every function's routes in one router.

use axum::Router;
use tidings_egress::Egress;
use tidings_http::Credentials;
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
    Ok(tidings_http::finish(
        intake::router(intake).merge(api::router(api)).merge(provider::router(provider)).merge(complete::router()),
    ))
}
