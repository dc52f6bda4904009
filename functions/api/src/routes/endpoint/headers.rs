//! Headers that requests to an endpoint get.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::endpoint_headers::{EndpointHeaders, Redacted};
use tidings_domain::ids::{ApplicationId, EndpointId};
use tidings_domain::names::Reference;
use tidings_http::{AnyScope, ApiError, Caller, Fault, FaultKind, FromJson, Json, Object, Path, Reply, no_content, ok};
use utoipa::ToSchema;

use super::change::change;
use crate::change::{TRIES, contended};
use crate::reach;

/// Names and values, in the order given.
#[derive(Debug)]
pub(super) struct HeadersIn(pub(super) EndpointHeaders);

/// Headers as they are to be.
#[derive(Debug, ToSchema)]
pub struct EndpointHeadersIn {
    /// All of them, by name.
    #[schema(value_type = BTreeMap<String, String>)]
    headers: EndpointHeaders,
}

/// A change of headers: what is not mentioned stays.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EndpointHeadersPatchIn {
    /// By name; `null` takes one off.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    headers: Vec<(String, Option<String>)>,
    /// Names of those that are taken off.
    #[schema(value_type = Vec<String>, required = false)]
    delete_headers: Vec<String>,
}

/// Headers as they may be shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointHeadersOut {
    /// Those that are not sensitive, by name.
    headers: BTreeMap<String, String>,
    /// The names of those that are. Their values cannot be read back.
    sensitive: BTreeSet<String>,
}

fn fault(error: impl std::fmt::Display) -> Vec<Fault> {
    vec![Fault::new(FaultKind::Value, error.to_string())]
}

impl FromJson for HeadersIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let headers = list::<String>(value)?;
        EndpointHeaders::new(headers).map(Self).map_err(fault)
    }
}

/// An object's members in their order, which a map of ours would not keep.
fn list<T: FromJson>(value: Value) -> Result<Vec<(String, T)>, Vec<Fault>> {
    let members = Map::from_json(value)?;
    let (good, bad): (Vec<_>, Vec<_>) = members
        .into_iter()
        .map(|(name, value)| match T::from_json(value) {
            Ok(value) => Ok((name, value)),
            Err(faults) => Err(faults.into_iter().map(|fault| fault.within(name.as_str())).collect::<Vec<_>>()),
        })
        .partition(Result::is_ok);
    if bad.is_empty() {
        Ok(good.into_iter().flatten().collect())
    } else {
        Err(bad.into_iter().filter_map(Result::err).flatten().collect())
    }
}

struct Changes(Vec<(String, Option<String>)>);

impl FromJson for Changes {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        list(value).map(Self)
    }
}

impl FromJson for EndpointHeadersIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let headers = object.required("headers");
        object.finish(|| headers.map(|HeadersIn(headers)| Self { headers }))
    }
}

impl FromJson for EndpointHeadersPatchIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let headers = object.required("headers");
        let delete_headers = object.nullable("deleteHeaders").unwrap_or_default();
        object.finish(|| headers.map(|Changes(headers)| Self { headers, delete_headers }))
    }
}

impl EndpointHeadersPatchIn {
    fn apply(&self, headers: EndpointHeaders) -> Result<EndpointHeaders, ApiError> {
        let deleted = self.delete_headers.iter().map(|name| (name.clone(), None));
        let changes = deleted.chain(self.headers.iter().cloned());
        let refuse = |error| fault(error).into_iter().map(|fault| fault.within("headers")).collect();
        headers.patch(changes).map_err(|error| ApiError::invalid_body(refuse(error)))
    }
}

impl From<EndpointHeaders> for EndpointHeadersOut {
    fn from(headers: EndpointHeaders) -> Self {
        let Redacted { headers, sensitive } = headers.redacted();
        Self { headers, sensitive }
    }
}

fn open(state: &crate::State, endpoint: &Endpoint) -> Result<EndpointHeaders, ApiError> {
    state.endpoints().open_headers(endpoint).map_err(ApiError::internal)
}

/// Read an endpoint's headers
///
/// Values that look like credentials by the name of their header are left out.
#[utoipa::path(
    get, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers", operation_id = "v1.endpoint.get-headers",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    responses((status = 200, body = EndpointHeadersOut)),
)]
pub async fn get(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    let endpoint = reach::endpoint(&state, &application, &endpoint).await?;
    ok(&EndpointHeadersOut::from(open(&state, &endpoint)?))
}

/// Put an endpoint's headers
///
/// All of them: those that are not named are gone.
#[utoipa::path(
    put, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers", operation_id = "v1.endpoint.update-headers",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    request_body = EndpointHeadersIn, responses((status = 204, description = "Replaced")),
)]
pub async fn update(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Json { value: EndpointHeadersIn { headers }, .. }: Json<EndpointHeadersIn>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    for _ in 0..TRIES {
        let before = reach::endpoint(&state, &application, &endpoint).await?;
        let sealed = state.endpoints().seal_headers(&before, &headers);
        if change(&state, &application, before, |endpoint| endpoint.headers = sealed).await?.is_some() {
            return Ok(no_content());
        }
    }
    Err(contended())
}

/// Change an endpoint's headers
///
/// Those that are not named stay.
#[utoipa::path(
    patch, path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers", operation_id = "v1.endpoint.patch-headers",
    tag = "Endpoints", security(("HTTPBearer" = [])),
    params(
        ("app_id" = String, Path, description = "The application's id or uid."),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid.")
    ),
    request_body = EndpointHeadersPatchIn, responses((status = 204, description = "Changed")),
)]
pub async fn patch(
    State(state): State<crate::State>,
    caller: Caller<AnyScope>,
    Path((application, endpoint)): Path<(Reference<ApplicationId>, Reference<EndpointId>)>,
    Json { value: request, .. }: Json<EndpointHeadersPatchIn>,
) -> Result<Reply, ApiError> {
    let application = reach::application(&state, &caller, &application).await?;
    for _ in 0..TRIES {
        let before = reach::endpoint(&state, &application, &endpoint).await?;
        let headers = request.apply(open(&state, &before)?)?;
        let sealed = state.endpoints().seal_headers(&before, &headers);
        if change(&state, &application, before, |endpoint| endpoint.headers = sealed).await?.is_some() {
            return Ok(no_content());
        }
    }
    Err(contended())
}
