//! The `OpenAPI` document: what every function says of its routes, in one.

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tidings",
        description = "A webhook service that runs in your own AWS account. Times are RFC 3339, in UTC; ids sort by time.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "Jobs", description = "Collect what providers hold, and be called back when all of it is there."),
        (name = "Clients", description = "URLs that get everything their organization broadcasts, each with a token of its own."),
        (name = "API keys", description = "Credentials that do not expire, and can be revoked."),
        (name = "Sources", description = "Who sends webhooks in, and how they are verified."),
        (name = "Inbound", description = "Webhooks that came in, what could not be accepted or computed, and what they come to."),
        (name = "Health", description = "Whether requests are taken."),
        (name = "Docs", description = "This description."),
        (name = "Mocks", description = "Stand-ins for other people's services, to try Tidings with."),
    ),
)]
struct Document;

/// The document.
pub(crate) fn document() -> OpenApi {
    let mut document = Document::openapi();
    for part in [
        intake::routes().into_openapi(),
        api::routes().into_openapi(),
        provider::routes().into_openapi(),
        complete::routes().into_openapi(),
    ] {
        document.merge(part);
    }
    tidings_http::openapi::complete(&mut document);
    document
}

/// Prints it.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
pub(crate) fn run() -> anyhow::Result<()> {
    println!("{}", document().to_pretty_json()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_document_is_what_the_routes_say() {
        let committed = include_str!("../../../docs/openapi.json").trim_end();
        let current = super::document().to_pretty_json().unwrap();
        assert!(committed == current, "adopt the change: cargo run -- openapi > docs/openapi.json");
    }
}
