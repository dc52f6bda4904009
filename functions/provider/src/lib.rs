//! A mock of somebody else's providers API, slow work's counterpart: it fails a share of its requests on purpose.

use axum::Router;
use axum::extract::State as FromState;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tidings_domain::job::ProviderId;
use tidings_http::{ApiError, Path, ok};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the route works with.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// The share of requests that fail on purpose, 0 to 1.
    pub failure_probability: f64,
}

/// A bill.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BillOut {
    /// When it was written.
    #[schema(format = "date-time", example = "2020-04-07T15:03:14.257Z")]
    billed_on: &'static str,
    /// In whole currency units.
    #[schema(value_type = f64, example = 22.27)]
    amount: Amount,
}

/// An amount as its provider writes it: 30 is not 30.0.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Amount {
    Whole(u32),
    Parts(f64),
}

const GAS: [BillOut; 2] = [
    BillOut { billed_on: "2020-04-07T15:03:14.257Z", amount: Amount::Parts(22.27) },
    BillOut { billed_on: "2020-05-07T15:03:14.257Z", amount: Amount::Whole(30) },
];

const INTERNET: [BillOut; 2] = [
    BillOut { billed_on: "2020-02-07T15:03:14.257Z", amount: Amount::Parts(15.12) },
    BillOut { billed_on: "2020-03-07T15:03:14.257Z", amount: Amount::Parts(15.12) },
];

/// Read what a provider has
///
/// A mock. A share of all requests fails on purpose.
#[utoipa::path(
    get, path = "/providers/{id}", operation_id = "provider.get", tag = "Mocks",
    params(("id" = String, Path, description = "The provider: `gas` or `internet`.")),
    responses(
        (status = 200, body = Vec<BillOut>),
        (status = 500, content_type = "text/plain", body = String, description = "It failed on purpose: `#fail`"),
    ),
)]
async fn get(FromState(state): FromState<State>, Path(id): Path<ProviderId>) -> Result<Response, ApiError> {
    if fastrand::f64() < state.failure_probability {
        return Ok((axum::http::StatusCode::INTERNAL_SERVER_ERROR, "#fail").into_response());
    }
    match id.as_str() {
        "gas" => ok(&GAS).map(axum::response::IntoResponse::into_response),
        "internet" => ok(&INTERNET).map(axum::response::IntoResponse::into_response),
        _ => Err(ApiError::not_found()),
    }
}

/// The route with its OpenAPI description.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(get))
}

/// The function's route, to be finished by `tidings_http::finish`.
pub fn router(state: State) -> Router {
    Router::from(routes()).with_state(state)
}
