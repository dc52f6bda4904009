//! The API's own description.

use axum::response::{Html, IntoResponse};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// The committed document. It describes every function, so it is made where all of them meet (`tidings openapi`);
/// a test compares the two.
pub const OPENAPI: &str = include_str!("../../../../docs/openapi.json");

const PAGE: &str = include_str!("docs.html");

/// The page brings its own script and style, and asks nobody else for anything.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";

/// Read the `OpenAPI` document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "docs.openapi", tag = "Docs",
    responses((status = 200, content_type = "application/json", description = "This document")),
)]
pub async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}

/// Read about the API in a browser
#[utoipa::path(
    get, path = "/docs", operation_id = "docs.page", tag = "Docs",
    responses((status = 200, content_type = "text/html", description = "A page made from the OpenAPI document")),
)]
pub async fn page() -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}
