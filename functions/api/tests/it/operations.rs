//! For every operation a request that succeeds, given the right credential. The list of operations is the documents':
//! a new one without a row here fails.

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use tidings_domain::ids::ApiKeyId;
use tidings_domain::job::Job;
use tidings_store::Store;

use crate::arrange;
use crate::documents::{Operation, operations};
use crate::support::organization;

/// What the requests are about: organization 1's.
pub(crate) struct Fixtures {
    pub(crate) failed: Job,
    pub(crate) key: ApiKeyId,
    /// What the key's holder sends.
    pub(crate) secret: String,
}

impl Fixtures {
    pub(crate) async fn arrange(store: &Store) -> Self {
        let (key, secret) = arrange::api_key(store, &organization(1), 1).await;
        Self { failed: arrange::failed(store, 1).await, key, secret }
    }

    /// Without a table that could hold them.
    pub(crate) fn imagined() -> Self {
        let secret = tidings_domain::api_key::ApiKeySecret::new([1; 32]).reveal().to_owned();
        Self { failed: arrange::job(1), key: ApiKeyId::new(crate::support::NOW, [1; 15]), secret }
    }

    /// A good request for an operation, with this credential.
    pub(crate) fn request(&self, operation: &Operation, bearer: Option<&str>) -> Request<Body> {
        let row = ROWS.iter().find(|(id, _)| *id == operation.id);
        let (_, make) = row.unwrap_or_else(|| panic!("{} needs a row in {}", operation.id, file!()));
        let (path, body) = make(self);
        assert!(operation.matches(&operation.method, &path), "{} is not at {path}", operation.id);
        let mut request = Request::builder().method(operation.method.as_str()).uri(path);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        request.body(body.into()).unwrap()
    }
}

type Make = fn(&Fixtures) -> (String, &'static str);

const JOB: &str = r#"{"providers":["gas"],"callbackUrl":"https://example.com/complete"}"#;

const ROWS: [(&str, Make); 13] = [
    ("api-key.create", |_| ("/api/v1/api-key".to_owned(), "{}")),
    ("api-key.list", |_| ("/api/v1/api-key".to_owned(), "")),
    ("api-key.revoke", |fixtures| (format!("/api/v1/api-key/{}", fixtures.key), "")),
    ("complete.create", |_| ("/complete".to_owned(), r#"{"jobId":"job_1","data":[]}"#)),
    ("docs.openapi", |_| ("/openapi.json".to_owned(), "")),
    ("docs.page", |_| ("/docs".to_owned(), "")),
    ("job.create", |_| ("/webhook".to_owned(), JOB)),
    ("job.get", |fixtures| (format!("/webhook/{}", fixtures.failed.id), "")),
    ("job.list", |_| ("/webhook".to_owned(), "")),
    ("job.retry", |fixtures| (format!("/webhook/{}/retry", fixtures.failed.id), "")),
    ("job.signing-secret", |_| ("/webhook/signing-secret".to_owned(), "")),
    ("provider.get", |_| ("/providers/gas".to_owned(), "")),
    ("v1.health.get", |_| ("/api/v1/health".to_owned(), "")),
];

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let described: BTreeSet<_> = operations().into_iter().map(|operation| operation.id).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(described, rows);
}
