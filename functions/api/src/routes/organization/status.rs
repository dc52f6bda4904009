//! Who delivers, and how that goes.

use axum::extract::State;
use serde::Serialize;
use tidings_http::{ApiError, Caller, Organization, Reply, ok};
use tidings_outbound::provider::Provider;
use utoipa::ToSchema;

/// Who delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// Tidings itself.
    Native,
    /// A Svix server.
    Svix,
}

/// The delivery provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookStatusOut {
    /// Whether messages are delivered: always, by one provider or another.
    #[schema(example = true)]
    enabled: bool,
    /// Who delivers.
    provider: ProviderName,
    /// Whether it answers. What is sent while it does not is delivered when it does again.
    healthy: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

/// Read who delivers, and whether that one answers
#[utoipa::path(
    get, path = "/api/webhooks/status", operation_id = "organization.get-status", tag = "Organizations",
    security(("HTTPBearer" = [])), responses((status = 200, body = WebhookStatusOut)),
)]
pub async fn get(State(state): State<crate::State>, _: Caller<Organization>) -> Result<Reply, ApiError> {
    let provider = match &state.provider {
        Provider::Native(_) => ProviderName::Native,
        Provider::Svix(_) => ProviderName::Svix,
    };
    let error = state.provider.health().await.err().map(|error| error.to_string());
    ok(&WebhookStatusOut { enabled: true, provider, healthy: error.is_none(), error })
}
