use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::arrange;
use crate::documents::documents;
use crate::store_faults::{REFUSED, THROTTLED};
use crate::support::{Service, application, organization, request, token};

/// Codes that no operation answers with yet: nothing limits rates. It only shrinks.
const UNREACHED: [&str; 1] = ["too_many_requests"];

fn published() -> BTreeSet<String> {
    let documents = documents();
    let codes = documents.iter().map(|document| {
        let codes = document["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
        codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    });
    let mut codes: Vec<_> = codes.collect();
    codes.dedup();
    assert_eq!(codes.len(), 1, "the documents differ");
    codes.remove(0)
}

/// For every code a request that gets it, and from which service.
async fn answers() -> BTreeMap<String, Value> {
    let service = Service::start().await;
    let pending = arrange::pending(&service.store, 1).await;
    let (throttled, refused) = (Service::over(THROTTLED.store()), Service::over(REFUSED.store()));
    let bearer = token(&organization(1));
    let ask =
        |method, path: &str, body: &str| request(&bearer, method, path).body(Body::from(body.to_owned())).unwrap();
    let retry = format!("/webhook/{}/retry", pending.id);
    let large = " ".repeat(300_000);
    let owner = arrange::application(&service.store, 1, 1, None).await;
    let endpoint = arrange::endpoint(&service.store, &owner, 1, None).await;
    let rotate = format!("/api/v1/app/{}/endpoint/{}/secret/rotate", owner.id, endpoint.id);
    for _ in 0..tidings_domain::signature::MAX_OLD_KEYS {
        assert_eq!(service.send(ask(Method::POST, &rotate, "{}")).await.status, 204);
    }
    let requests = [
        (&service, ask(Method::POST, &rotate, "{}")),
        (&service, Request::get("/webhook").body(Body::empty()).unwrap()),
        (&service, ask(Method::POST, &retry, "")),
        (&service, ask(Method::POST, "/webhook", "{")),
        (&service, request(&token(&application()), Method::GET, "/webhook").body(Body::empty()).unwrap()),
        (&service, ask(Method::PATCH, "/webhook", "")),
        (&service, ask(Method::GET, "/nowhere", "")),
        (&service, ask(Method::POST, "/webhook", &large)),
        (&service, {
            let request = request(&bearer, Method::POST, "/webhook").header("content-type", "text/plain");
            request.body(Body::from("{}")).unwrap()
        }),
        (&refused, ask(Method::GET, "/webhook", "")),
        (&throttled, ask(Method::GET, "/webhook", "")),
    ];
    let mut answers = BTreeMap::new();
    for (service, request) in requests {
        let answer = service.send(request).await;
        let body = answer.json();
        assert_eq!(answer.headers["content-type"], "application/json");
        let members: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["code", "detail"]);
        answers.insert(body["code"].as_str().unwrap().to_owned(), json!([answer.status, body["detail"]]));
    }
    answers
}

#[tokio::test]
async fn every_code_is_answered_by_some_request_with_one_status() {
    let answers = answers().await;
    insta::assert_json_snapshot!(answers, @r#"
    {
      "authentication_failed": [
        401,
        "A valid bearer token or API key is needed."
      ],
      "conflict": [
        409,
        "Only a failed job can be tried again; this one is pending."
      ],
      "generic_error": [
        400,
        "The body is not acceptable JSON: EOF while parsing an object at line 1 column 1."
      ],
      "insufficient access": [
        403,
        "This credential does not reach this operation."
      ],
      "limit_reached": [
        400,
        "Ten old secrets are still good: wait until one is not, or rotate with a grace of 0."
      ],
      "method_not_allowed": [
        405,
        "This path does not take this method."
      ],
      "not_found": [
        404,
        "Not found."
      ],
      "payload_too_large": [
        413,
        "The body is larger than 262144 bytes."
      ],
      "server_error": [
        500,
        "Internal error."
      ],
      "unavailable": [
        503,
        "The service cannot answer right now."
      ],
      "unsupported_media_type": [
        415,
        "The body must be JSON: `content-type: application/json`."
      ]
    }
    "#);
    let reached: BTreeSet<_> = answers.into_keys().collect();
    let unreached: BTreeSet<_> = UNREACHED.map(str::to_owned).into();
    assert!(reached.is_disjoint(&unreached), "take what is reached off the list: {reached:?}");
    assert_eq!(&reached | &unreached, published());
}
