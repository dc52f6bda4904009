use std::fmt::Write as _;

use bytes::Bytes;
use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::page::PageLimit;
use tidings_store::Store;
use tidings_store::message::MessageFilter;

use crate::application::id;
use crate::arrange;
use crate::support::{NOW, Service, application, organization, token};

const ENDPOINTS: &str = "/api/v1/app/acme/endpoint";

/// A service with the application `acme`.
pub(crate) async fn service() -> Service {
    let service = Service::start().await;
    assert_eq!(service.put("/api/v1/app/acme", &json!({"name": "Acme"})).await.status, 201);
    service
}

/// With its endpoint `hook`, too.
pub(crate) async fn service_with_endpoint() -> Service {
    let service = service().await;
    let body = json!({"url": "https://example.com/hook", "uid": "hook"});
    assert_eq!(service.post(ENDPOINTS, &body).await.status, 201);
    service
}

#[tokio::test]
async fn an_endpoint_is_created_and_read_by_every_name() {
    let service = service().await;
    let body = json!({
        "url": "https://example.com/hook", "uid": "hook", "description": "their bus", "eventTypes": ["user.signup"],
        "channels": ["eu", "us"], "throttleRate": 5, "metadata": {"team": "a"}, "disabled": true,
        "retrySchedule": [5, 5, 172_800], "timeoutSeconds": 30, "headers": {"X-Team": "a"}
    });
    let created = service.post(ENDPOINTS, &body).await;
    assert_snapshot!(created.masked(), @r#"
    201
    location: /api/v1/app/app_[random]/endpoint/ep_[random]
    {"id":"ep_[random]","uid":"hook","url":"https://example.com/hook","description":"their bus","version":1,"eventTypes":["user.signup"],"filterTypes":["user.signup"],"channels":["eu","us"],"disabled":true,"throttleRate":5,"rateLimit":5,"metadata":{"team":"a"},"retrySchedule":[5,5,172800],"timeoutSeconds":30,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    let application = service.get("/api/v1/app/acme").await.json();
    let endpoint = created.json();
    for (application, endpoint) in [("acme", "hook"), (id(&application), id(&endpoint)), ("acme", id(&endpoint))] {
        let read = service.get(&format!("/api/v1/app/{application}/endpoint/{endpoint}")).await;
        assert_eq!((read.status, &read.body), (200, &created.body));
    }
    assert_eq!(created.headers["location"], format!("/api/v1/app/{}/endpoint/{}", id(&application), id(&endpoint)));
}

#[tokio::test]
async fn a_url_is_all_that_an_endpoint_needs() {
    let service = service().await;
    assert_snapshot!(service.post(ENDPOINTS, &json!({"url": "https://example.com/"})).await.masked(), @r#"
    201
    location: /api/v1/app/app_[random]/endpoint/ep_[random]
    {"id":"ep_[random]","uid":null,"url":"https://example.com/","description":"","version":1,"eventTypes":null,"filterTypes":null,"channels":null,"disabled":false,"throttleRate":null,"rateLimit":null,"metadata":{},"retrySchedule":null,"timeoutSeconds":null,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
}

#[tokio::test]
async fn what_the_older_generation_of_clients_sends_is_understood() {
    let service = service().await;
    let body = json!({
        "url": "https://example.com/", "version": 1, "filterTypes": ["a", "b"], "rateLimit": 3, "uid": null,
        "channels": null, "secret": null
    });
    let created = service.post(ENDPOINTS, &body).await.json();
    assert_eq!(created["eventTypes"], json!(["a", "b"]));
    assert_eq!((&created["throttleRate"], &created["version"]), (&json!(3), &json!(1)));
    let contradicting = json!({"url": "https://example.com/", "filterTypes": ["a"], "eventTypes": ["b"]});
    assert_snapshot!(service.post(ENDPOINTS, &contradicting).await.faults(), @r#"  ["body","filterTypes"] value_error "must be the same as `eventTypes`, or left out""#);
}

#[tokio::test]
async fn a_bad_endpoint_is_422_with_every_fault() {
    let service = service().await;
    let mut answers = String::new();
    for body in [
        json!({}),
        json!("https://example.com/"),
        json!({"url": "example.com", "eventTypes": [], "channels": [], "retrySchedule": [0], "timeoutSeconds": 31}),
        json!({"url": "ftp://example.com", "eventTypes": ["a", "a"], "channels": ["a b"], "throttleRate": 0}),
        json!({"url": "https://user:hunter2@example.com/", "retrySchedule": [172_801, -1, "x"], "timeoutSeconds": 0}),
        json!({"url": "https://example.com/", "retrySchedule": vec![1; 21], "channels": (0..11).map(|n| n.to_string()).collect::<Vec<_>>()}),
        json!({"url": "https://example.com/", "secret": "whsec_c2hvcnQ=", "disabled": "no", "description": null}),
        json!({"url": "https://example.com/", "id": "ep_1", "createdAt": "x", "version": "1", "metadata": {"a": null}}),
    ] {
        let answer = service.post(ENDPOINTS, &body).await;
        assert!(!answer.body.contains("hunter2") && !answer.body.contains("c2hvcnQ"), "{answer:?}");
        write!(answers, "{:.90}\n{}", body.to_string(), answer.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    {}
      ["body","url"] value_error.missing "is required"
    "https://example.com/"
      ["body"] type_error "must be an object"
    {"url":"example.com","eventTypes":[],"channels":[],"retrySchedule":[0],"timeoutSeconds":31
      ["body","url"] value_error "must be an absolute URL"
      ["body","eventTypes"] value_error "must have 1 to 500 items"
      ["body","channels"] value_error "must have 1 to 10 items"
      ["body","retrySchedule","0"] value_error "must be 1 to 172800"
      ["body","timeoutSeconds"] value_error "must be 1 to 30"
    {"url":"ftp://example.com","eventTypes":["a","a"],"channels":["a b"],"throttleRate":0}
      ["body","url"] value_error "must start with http:// or https://"
      ["body","eventTypes","1"] value_error "is there twice"
      ["body","channels","0"] value_error "must be 1 to 128 letters, digits, `-`, `_` or `.`"
      ["body","throttleRate"] value_error "must be 1 to 65535"
    {"url":"https://user:hunter2@example.com/","retrySchedule":[172801,-1,"x"],"timeoutSeconds
      ["body","url"] value_error "a user name or password in the URL is not accepted"
      ["body","retrySchedule","0"] value_error "must be 1 to 172800"
      ["body","retrySchedule","1"] type_error "must be a whole number, not negative"
      ["body","retrySchedule","2"] type_error "must be a whole number, not negative"
      ["body","timeoutSeconds"] value_error "must be 1 to 30"
    {"url":"https://example.com/","retrySchedule":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],
      ["body","channels"] value_error "must have 1 to 10 items"
      ["body","retrySchedule"] value_error "must have at most 20 items"
    {"url":"https://example.com/","secret":"whsec_c2hvcnQ=","disabled":"no","description":null
      ["body","description"] type_error "must not be null"
      ["body","disabled"] type_error "must be true or false"
      ["body","secret"] value_error "must be the base64 of 24 to 75 bytes, with or without `whsec_` before it"
    {"url":"https://example.com/","id":"ep_1","createdAt":"x","version":"1","metadata":{"a":nu
      ["body","version"] type_error "must be a whole number, not negative"
      ["body","metadata","a"] type_error "must be a string"
      ["body","id"] value_error.extra "is not known here"
      ["body","createdAt"] value_error.extra "is not known here"
    "#);
}

#[tokio::test]
async fn a_private_address_is_refused_wherever_a_url_is_given() {
    let service = service_with_endpoint().await;
    for url in [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.7/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.7]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[fd00:ec2::254]/",
        "http://metadata.localhost/",
    ] {
        let body = json!({"url": url});
        for (method, path) in [
            (Method::POST, ENDPOINTS.to_owned()),
            (Method::PUT, format!("{ENDPOINTS}/hook")),
            (Method::PUT, format!("{ENDPOINTS}/new")),
            (Method::PATCH, format!("{ENDPOINTS}/hook")),
        ] {
            let answer = service.call(method.clone(), &path, &body).await;
            assert_eq!(
                (answer.status, &answer.json()["detail"][0]["loc"]),
                (422, &json!(["body", "url"])),
                "{method} {url}"
            );
        }
    }
    assert_eq!(service.get(ENDPOINTS).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_uid_names_one_endpoint_of_an_application() {
    let service = service_with_endpoint().await;
    let body = json!({"url": "https://example.com/", "uid": "hook"});
    assert_snapshot!(service.post(ENDPOINTS, &body).await.shown(), @r#"
    409
    {"code":"conflict","detail":"Another endpoint of this application has this uid."}
    "#);
    let other = service.post(ENDPOINTS, &json!({"url": "https://example.com/"})).await.json();
    for (method, body) in [(Method::PATCH, json!({"uid": "hook"})), (Method::PUT, body.clone())] {
        assert_eq!(service.call(method, &format!("{ENDPOINTS}/{}", id(&other)), &body).await.status, 409);
    }
    service.put("/api/v1/app/other", &json!({"name": "Other"})).await;
    assert_eq!(service.post("/api/v1/app/other/endpoint", &body).await.status, 201);
}

#[tokio::test]
async fn put_replaces_what_clients_know_and_never_touches_the_secret() {
    let service = service().await;
    let body = json!({
        "url": "https://example.com/hook", "uid": "hook", "description": "x", "eventTypes": ["a"], "channels": ["eu"],
        "throttleRate": 5, "metadata": {"team": "a"}, "disabled": true, "retrySchedule": [60], "timeoutSeconds": 3,
        "headers": {"X-Team": "a"}
    });
    service.post(ENDPOINTS, &body).await;
    let path = format!("{ENDPOINTS}/hook");
    let secret = service.get(&format!("{path}/secret")).await.body;
    assert_snapshot!(service.put(&path, &json!({"url": "https://example.com/2"})).await.masked(), @r#"
    200
    {"id":"ep_[random]","uid":"hook","url":"https://example.com/2","description":"","version":1,"eventTypes":null,"filterTypes":null,"channels":null,"disabled":false,"throttleRate":null,"rateLimit":null,"metadata":{},"retrySchedule":[60],"timeoutSeconds":3,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.001Z"}
    "#);
    assert_eq!(service.get(&format!("{path}/secret")).await.body, secret);
    assert_eq!(service.get(&format!("{path}/headers")).await.json()["headers"], json!({"X-Team": "a"}));
    let refused =
        json!({"url": "https://example.com/", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "headers": {}});
    assert_snapshot!(service.put(&path, &refused).await.faults(), @r#"
    ["body","secret"] value_error.extra "is not known here"
    ["body","headers"] value_error.extra "is not known here"
    "#);
    assert_snapshot!(service.patch(&path, &json!({"secret": null, "headers": {}})).await.faults(), @r#"
    ["body","secret"] value_error.extra "is not known here"
    ["body","headers"] value_error.extra "is not known here"
    "#);
}

#[tokio::test]
async fn put_of_an_unknown_uid_creates_and_of_an_unknown_id_is_404() {
    let service = service().await;
    let body = json!({"url": "https://example.com/"});
    let path = format!("{ENDPOINTS}/hook");
    let first = service.put(&path, &body).await;
    assert_eq!((first.status, first.json()["uid"].as_str()), (201, Some("hook")));
    assert!(first.headers.contains_key("location"));
    assert_eq!(service.put(&path, &body).await.status, 200);
    assert!(service.get(&format!("{path}/secret")).await.json()["key"].as_str().unwrap().starts_with("whsec_"));
    let unknown = "ep_0ujsswThIGTUYm2K8FjOOfXtY1K";
    assert_eq!(service.put(&format!("{ENDPOINTS}/{unknown}"), &body).await.status, 404);
    let contradicting =
        service.put(&format!("{ENDPOINTS}/a"), &json!({"url": "https://example.com/", "uid": "b"})).await;
    assert_eq!(contradicting.status, 422);
    assert_eq!(service.put("/api/v1/app/nobody/endpoint/hook", &body).await.status, 404);
}

#[tokio::test]
async fn patch_tells_absent_from_null() {
    let service = service_with_endpoint().await;
    let path = format!("{ENDPOINTS}/hook");
    let shown = |body: &Value| {
        json!([
            body["uid"],
            body["eventTypes"],
            body["channels"],
            body["throttleRate"],
            body["retrySchedule"],
            body["timeoutSeconds"]
        ])
    };
    for (change, expected) in [
        (
            json!({"filterTypes": ["a"], "channels": ["eu"], "rateLimit": 7}),
            json!(["hook", ["a"], ["eu"], 7, null, null]),
        ),
        (json!({"retrySchedule": [], "timeoutSeconds": 4}), json!(["hook", ["a"], ["eu"], 7, [], 4])),
        (json!({}), json!(["hook", ["a"], ["eu"], 7, [], 4])),
        (json!({"eventTypes": null, "channels": null}), json!(["hook", null, null, 7, [], 4])),
        (
            json!({"throttleRate": null, "retrySchedule": null, "timeoutSeconds": null}),
            json!(["hook", null, null, null, null, null]),
        ),
        (json!({"uid": null}), json!([null, null, null, null, null, null])),
    ] {
        let answer = service.patch(&path, &change).await;
        assert_eq!((answer.status, shown(&answer.json())), (200, expected), "{change}");
    }
    let bad =
        json!({"url": null, "description": null, "disabled": null, "metadata": null, "eventTypes": [], "channels": []});
    service.put(&path, &json!({"url": "https://example.com/"})).await;
    assert_snapshot!(service.patch(&path, &bad).await.faults(), @r#"
    ["body","url"] type_error "must not be null"
    ["body","description"] type_error "must not be null"
    ["body","eventTypes"] value_error "must have 1 to 500 items"
    ["body","channels"] value_error "must have 1 to 10 items"
    ["body","disabled"] type_error "must not be null"
    ["body","metadata"] type_error "must not be null"
    "#);
}

#[tokio::test]
async fn an_endpoint_that_is_enabled_again_has_not_been_failing() {
    let service = Service::start().await;
    let application = arrange::application(&service.store, 1, 9, Some("acme")).await;
    let endpoint = arrange::endpoint(&service.store, &application, 1, Some("hook")).await;
    let failing = async || {
        let found = service.store.endpoint(endpoint.organization, application.id, &"hook".parse().unwrap()).await;
        found.unwrap().unwrap().failing_since
    };
    service.store.endpoint_failed(&endpoint, NOW).await.unwrap();
    service.patch(&format!("{ENDPOINTS}/hook"), &json!({"disabled": true})).await;
    assert_eq!(failing().await, Some(NOW));
    service.patch(&format!("{ENDPOINTS}/hook"), &json!({"disabled": false})).await;
    assert_eq!(failing().await, None);
    service.store.endpoint_failed(&endpoint, NOW).await.unwrap();
    service.patch(&format!("{ENDPOINTS}/hook"), &json!({"url": "https://example.com/new"})).await;
    assert_eq!(failing().await, None);
}

#[tokio::test]
async fn a_deleted_endpoint_is_gone() {
    let service = service_with_endpoint().await;
    let path = format!("{ENDPOINTS}/hook");
    assert_eq!(service.delete(&path).await.status, 204);
    for rest in ["", "/headers", "/secret"] {
        assert_eq!(service.get(&format!("{path}{rest}")).await.status, 404, "{rest}");
    }
    assert_eq!(service.delete(&path).await.status, 404);
    assert_eq!(service.put(&path, &json!({"url": "https://example.com/"})).await.status, 201);
}

#[tokio::test]
async fn endpoints_are_listed_in_pages_either_way() {
    let service = Service::start().await;
    let application = arrange::application(&service.store, 1, 1, Some("acme")).await;
    for number in 1..=3 {
        arrange::endpoint(&service.store, &application, number, None).await;
    }
    let urls = |body: &Value| -> Vec<String> {
        let url = |one: &Value| one["url"].as_str().unwrap().replace("https://example.com/", "");
        body["data"].as_array().unwrap().iter().map(url).collect()
    };
    let first = service.get(&format!("{ENDPOINTS}?limit=2")).await.json();
    let path = format!("{ENDPOINTS}?limit=2&iterator={}", first["iterator"].as_str().unwrap());
    assert_eq!(
        (urls(&first), urls(&service.get(&path).await.json())),
        (vec!["1".into(), "2".into()], vec!["3".into()])
    );
    assert_eq!(urls(&service.get(&format!("{ENDPOINTS}?order=descending")).await.json()), ["3", "2", "1"]);
    assert_snapshot!(service.get(&format!("{ENDPOINTS}?limit=0&order=up&iterator=x")).await.faults(), @r#"
    ["query","order"] value_error "must be `ascending` or `descending`"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be `ep_` followed by 27 letters or digits"
    "#);
}

#[tokio::test]
async fn a_repetition_under_a_key_is_answered_the_same() {
    let service = service().await;
    let send = |url: &str| {
        let request = crate::support::request(&token(&organization(1)), Method::POST, ENDPOINTS);
        let body = json!({"url": url}).to_string();
        service.send(request.header("idempotency-key", "one").body(body.into()).unwrap())
    };
    let first = send("https://example.com/").await;
    let again = send("https://example.com/").await;
    assert_eq!((first.status, again.status, &again.body), (201, 201, &first.body));
    assert_eq!(send("https://example.com/other").await.status, 409);
    assert_eq!(service.get(ENDPOINTS).await.json()["data"].as_array().unwrap().len(), 1);
}

/// Every request that names an endpoint.
fn requests(application: &str, endpoint: &str) -> Vec<(Method, String, Value)> {
    let path = format!("/api/v1/app/{application}/endpoint");
    let url = json!({"url": "https://example.com/"});
    let headers = json!({"headers": {"X-A": "1"}});
    let one = |rest: &str| format!("{path}/{endpoint}{rest}");
    vec![
        (Method::GET, one(""), json!(null)),
        (Method::PUT, one(""), url),
        (Method::PATCH, one(""), json!({})),
        (Method::GET, one("/headers"), json!(null)),
        (Method::PUT, one("/headers"), headers.clone()),
        (Method::PATCH, one("/headers"), headers),
        (Method::GET, one("/secret"), json!(null)),
        (Method::POST, one("/secret/rotate"), json!({})),
        (Method::DELETE, one(""), json!(null)),
    ]
}

#[tokio::test]
async fn what_another_tenant_or_application_owns_is_not_there() {
    let service = Service::start().await;
    let own = arrange::application(&service.store, 1, 9, Some("own")).await;
    let sister = arrange::application(&service.store, 1, 2, Some("sister")).await;
    let foreign = arrange::application(&service.store, 2, 3, Some("foreign")).await;
    let mine = arrange::endpoint(&service.store, &own, 1, Some("mine")).await;
    let hers = arrange::endpoint(&service.store, &sister, 2, Some("hers")).await;
    let theirs = arrange::endpoint(&service.store, &foreign, 3, Some("theirs")).await;
    let ids = [own.id.to_string(), sister.id.to_string(), foreign.id.to_string()];
    let endpoints = [mine.id.to_string(), hers.id.to_string(), theirs.id.to_string()];
    let both = [token(&organization(1)), token(&application())];
    // Of the organization and of its application: another tenant's names, and an endpoint below the wrong application.
    let mut asked = vec![
        (&both[..], &*ids[2], &*endpoints[2]),
        (&both, "foreign", "theirs"),
        (&both, &ids[0], &endpoints[1]),
        (&both, &ids[0], &endpoints[2]),
        (&both, "own", &endpoints[1]),
    ];
    // Of the application: its sister's.
    asked.extend([
        (&both[1..], &*ids[1], &*endpoints[1]),
        (&both[1..], "sister", "hers"),
        (&both[1..], &ids[1], &endpoints[0]),
    ]);
    for (bearers, application, endpoint) in asked {
        for bearer in bearers {
            for (method, path, body) in requests(application, endpoint) {
                let answer = service.call_as(bearer, method.clone(), &path, &body).await;
                assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{method} {path}");
            }
            if application != "own" && application != ids[0] {
                let path = format!("/api/v1/app/{application}/endpoint");
                let body = json!({"url": "https://example.com/"});
                assert_eq!(service.ask_as(bearer, Method::GET, &path).await.status, 404, "{path}");
                assert_eq!(service.call_as(bearer, Method::POST, &path, &body).await.status, 404, "{path}");
            }
        }
    }
    // And all is as it was.
    for endpoint in [mine, hers, theirs] {
        let name = endpoint.id.to_string().parse().unwrap();
        let found = service.store.endpoint(endpoint.organization, endpoint.application, &name).await;
        assert_eq!(found.unwrap(), Some(endpoint));
    }
}

#[tokio::test]
async fn an_application_manages_its_own_endpoints() {
    let service = Service::start().await;
    let own = arrange::application(&service.store, 1, 9, Some("own")).await;
    arrange::endpoint(&service.store, &own, 1, Some("hook")).await;
    let bearer = token(&application());
    for (method, path, body) in requests("own", "hook") {
        let answer = service.call_as(&bearer, method.clone(), &path, &body).await;
        assert!(answer.status < 300, "{method} {path} {answer:?}");
    }
    let body = json!({"url": "https://example.com/"});
    assert_eq!(service.call_as(&bearer, Method::POST, "/api/v1/app/own/endpoint", &body).await.status, 201);
    assert_eq!(service.ask_as(&bearer, Method::GET, "/api/v1/app/own/endpoint").await.status, 200);
}

/// What organization 1's own application was told, oldest first.
async fn told(store: &Store, recipient: &tidings_domain::application::Application) -> Vec<Value> {
    let filter = MessageFilter { with_payload: true, ..MessageFilter::default() };
    let page =
        store.messages(recipient.organization, recipient.id, &filter, None, PageLimit::default(), NOW).await.unwrap();
    let payload = |bytes: Bytes| serde_json::from_slice::<Value>(&bytes).unwrap();
    page.data.into_iter().rev().map(|message| payload(message.payload.unwrap())).collect()
}

#[tokio::test]
async fn the_organizations_own_application_is_told_of_changes() {
    let service = Service::start().await;
    let uid = organization(1).organization.to_string();
    let recipient = arrange::application(&service.store, 1, 1, Some(&uid)).await;
    service.put("/api/v1/app/acme", &json!({"name": "Acme"})).await;
    let path = format!("{ENDPOINTS}/hook");
    let endpoint = service.put(&path, &json!({"url": "https://example.com/"})).await.json();
    let tick = || service.clock.advance(std::time::Duration::from_millis(8));
    tick();
    service.patch(&path, &json!({"description": "x"})).await;
    // Changes nothing.
    service.patch(&path, &json!({"description": "x"})).await;
    tick();
    service.delete(&path).await;
    let told = told(&service.store, &recipient).await;
    let types: Vec<_> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["endpoint.created", "endpoint.updated", "endpoint.deleted"]);
    let application = service.get("/api/v1/app/acme").await.json();
    let data = json!({
        "appId": application["id"], "appUid": "acme", "endpointId": endpoint["id"], "endpointUid": "hook"
    });
    assert!(told.iter().all(|event| event["data"] == data), "{told:?}");
}

#[tokio::test]
async fn nobody_is_told_of_the_endpoints_of_the_one_that_is_told() {
    let service = Service::start().await;
    let uid = organization(1).organization.to_string();
    let recipient = arrange::application(&service.store, 1, 1, Some(&uid)).await;
    let path = format!("/api/v1/app/{uid}/endpoint/hook");
    assert_eq!(service.put(&path, &json!({"url": "https://example.com/"})).await.status, 201);
    assert_eq!(told(&service.store, &recipient).await, Vec::<Value>::new());
}
