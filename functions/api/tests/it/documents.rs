//! The functions' own OpenAPI documents.

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::support::Answer;

/// An operation of one of the documents.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Whether it needs a credential.
    pub(crate) guarded: bool,
    /// The statuses that it describes.
    pub(crate) statuses: BTreeSet<String>,
}

/// All functions' documents, with the errors that every operation has.
pub(crate) fn documents() -> Vec<Value> {
    let documents: [OpenApi; 4] = [
        api::routes().into_openapi(),
        intake::routes().into_openapi(),
        provider::routes().into_openapi(),
        complete::routes().into_openapi(),
    ];
    let completed = documents.into_iter().map(|mut document| {
        tidings_http::openapi::complete(&mut document);
        serde_json::to_value(document).unwrap()
    });
    completed.collect()
}

/// Every operation of every function, by id.
pub(crate) fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for document in documents() {
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                operations.push(Operation {
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    guarded: operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
                    statuses: operation["responses"].as_object().unwrap().keys().cloned().collect(),
                });
            }
        }
    }
    operations.sort_by(|left, right| left.id.cmp(&right.id));
    operations
}

impl Operation {
    /// Whether a request for this path is one for this operation.
    pub(crate) fn matches(&self, method: &str, path: &str) -> bool {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let (template, path): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let same = |(part, given): (&&str, &&str)| part.starts_with('{') || part == given;
        self.method == method && template.len() == path.len() && template.iter().zip(&path).all(same)
    }

    /// Holds that an answer is one of those that the document promises.
    pub(crate) fn promises(&self, answer: &Answer) {
        let described = self.statuses.contains(&answer.status.to_string());
        assert!(described, "{} answers {}, and its document says {:?}", self.id, answer.status, self.statuses);
    }
}

#[test]
fn every_operation_has_its_own_id_and_place() {
    let operations = operations();
    let ids: BTreeSet<_> = operations.iter().map(|operation| &operation.id).collect();
    assert_eq!(ids.len(), operations.len(), "an id is there twice");
    let places: BTreeSet<_> = operations.iter().map(|operation| (&operation.method, &operation.path)).collect();
    assert_eq!(places.len(), operations.len(), "two functions have the same operation");
}
