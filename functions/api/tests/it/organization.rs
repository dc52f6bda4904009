//! The organizations of a platform: endpoints, messages and attempts, and who may do what with them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::caller::Caller;
use tidings_domain::names::Reference;
use tidings_harness::{Plan, Receiver, Table};

use crate::outbound;
use crate::support::{Answer, Service, admin, application, member, organization, token};

pub(crate) const PLATFORM: &str = "/api/webhooks";
pub(crate) const ACME: &str = "/api/webhooks/organizations/acme";

impl Service {
    /// As the admin of organization 1's platform.
    pub(crate) async fn rule(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.call_as(&token(&admin(1)), method, path, body).await
    }

    async fn as_member(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.call_as(&token(&member(1, "acme")), method, path, body).await
    }

    /// Deliveries are made by a Svix server that is at this address.
    pub(crate) async fn with_svix(url: &str) -> Self {
        let variables = [("SVIX_AUTH_TOKEN", "sk_test.eu"), ("SVIX_SERVER_URL", url)];
        Self::with(Table::start().await.store().clone(), &variables)
    }
}

pub(crate) const NONE: Value = Value::Null;

/// Texts of a list.
pub(crate) fn each<'a>(answer: &'a Value, name: &str) -> Vec<&'a str> {
    answer.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

fn by_id(list: &Value) -> BTreeMap<&str, &Value> {
    list.as_array().unwrap().iter().map(|item| (item["id"].as_str().unwrap(), item)).collect()
}

#[tokio::test]
async fn an_endpoint_is_made_listed_and_deleted() {
    let service = Service::start().await;
    let path = format!("{ACME}/endpoints");
    assert_snapshot!(service.as_member(Method::GET, &path, &NONE).await.shown(), @"
    200
    []
    ");
    let body = json!({"url": "https://example.com/a", "description": "mine", "eventTypes": ["sandbox.created"]});
    let made = service.as_member(Method::POST, &path, &body).await;
    assert_snapshot!(made.masked(), @r#"
    201
    location: /api/webhooks/organizations/acme/endpoints/ep_[random]
    {"id":"ep_[random]","url":"https://example.com/a","description":"mine","eventTypes":["sandbox.created"],"disabled":false,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    service.clock.advance(Duration::from_secs(1));
    let other = json!({"url": "https://example.com/a", "description": null, "eventTypes": null});
    assert_snapshot!(service.as_member(Method::POST, &path, &other).await.masked(), @r#"
    201
    location: /api/webhooks/organizations/acme/endpoints/ep_[random]
    {"id":"ep_[random]","url":"https://example.com/a","description":"","eventTypes":null,"disabled":false,"createdAt":"2027-01-15T08:00:01.000Z","updatedAt":"2027-01-15T08:00:01.000Z"}
    "#);
    let list = service.as_member(Method::GET, &path, &NONE).await;
    assert_snapshot!(list.masked(), @r#"
    200
    [{"id":"ep_[random]","url":"https://example.com/a","description":"mine","eventTypes":["sandbox.created"],"disabled":false,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"},{"id":"ep_[random]","url":"https://example.com/a","description":"","eventTypes":null,"disabled":false,"createdAt":"2027-01-15T08:00:01.000Z","updatedAt":"2027-01-15T08:00:01.000Z"}]
    "#);
    let one = made.headers["location"].to_str().unwrap();
    assert_eq!(service.as_member(Method::DELETE, one, &NONE).await.shown(), "204\n");
    assert_eq!(service.as_member(Method::DELETE, one, &NONE).await.status, 404);
    let left = service.as_member(Method::GET, &path, &NONE).await.json();
    assert_eq!((each(&left, "id").len(), &left[0]), (1, &list.json()[1]));
}

#[tokio::test]
async fn an_organizations_endpoints_are_those_of_an_application() {
    let service = Service::start().await;
    let body = json!({"url": "https://example.com/a"});
    let made = service.as_member(Method::POST, &format!("{ACME}/endpoints"), &body).await.json();
    let listed = service.get("/api/v1/app/acme/endpoint").await.json();
    assert_eq!(listed["data"][0]["id"], made["id"]);
    let secret = format!("/api/v1/app/acme/endpoint/{}/secret", made["id"].as_str().unwrap());
    assert_eq!(service.get(&secret).await.status, 200);
    assert_snapshot!(service.get("/api/v1/app/acme").await.masked(), @r#"
    200
    {"id":"app_[random]","uid":"acme","name":"acme","throttleRate":null,"rateLimit":null,"metadata":{},"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
}

#[tokio::test]
async fn a_bad_endpoint_is_refused_with_every_fault() {
    let service = Service::start().await;
    let path = format!("{ACME}/endpoints");
    let mut table = String::new();
    let cases = [
        json!([]),
        json!({}),
        json!({"url": "ftp://example.com", "description": 1, "eventTypes": [], "uid": "x"}),
        json!({"url": "http://10.0.0.7/", "description": "x".repeat(4097), "eventTypes": ["a b", 7, "c"]}),
        json!({"url": "http://localhost/", "eventTypes": ["a", "a"]}),
    ];
    for body in cases {
        writeln!(table, "---\n{}", service.as_member(Method::POST, &path, &body).await.faults()).unwrap();
    }
    assert_snapshot!(table, @r#"
    ---
      ["body"] type_error "must be an object"

    ---
      ["body","url"] value_error.missing "is required"

    ---
      ["body","url"] value_error "must start with http:// or https://"
      ["body","description"] type_error "must be a string"
      ["body","eventTypes"] value_error "must have 1 to 500 items"
      ["body","uid"] value_error.extra "is not known here"

    ---
      ["body","description"] value_error "must be 0 to 4096 characters long"
      ["body","eventTypes","0"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","eventTypes","1"] type_error "must be a string"
      ["body","url"] value_error "the host is not a public address"

    ---
      ["body","eventTypes","1"] value_error "is there twice"
      ["body","url"] value_error "the host is a name for the local machine"
    "#);
    assert_eq!(service.as_member(Method::GET, &path, &NONE).await.body, "[]");
    assert_eq!(service.get("/api/v1/app/acme").await.status, 404, "an application was made");
}

/// Every route of the organizations, with a body that it takes.
fn routes() -> Vec<(Method, String, Value)> {
    let endpoint = json!({"url": "https://example.com/"});
    let send = json!({"eventType": "a", "payload": {}});
    let event = json!({"event": "organization.created", "organizationId": "acme"});
    let message = "msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz";
    vec![
        (Method::POST, format!("{ACME}/endpoints"), endpoint),
        (Method::GET, format!("{ACME}/endpoints"), NONE),
        (Method::DELETE, format!("{ACME}/endpoints/x"), NONE),
        (Method::POST, format!("{ACME}/send"), send),
        (Method::GET, format!("{ACME}/messages/{message}/attempts"), NONE),
        (Method::POST, format!("{ACME}/preconfigured-endpoints"), NONE),
        (Method::GET, format!("{PLATFORM}/preconfigured-endpoints"), NONE),
        (Method::POST, format!("{ACME}/initialize"), NONE),
        (Method::GET, format!("{ACME}/initialization-status"), NONE),
        (Method::GET, format!("{PLATFORM}/initialization-stats"), NONE),
        (Method::POST, format!("{PLATFORM}/retry-failed-initializations"), NONE),
        (Method::POST, format!("{PLATFORM}/update-all-endpoints"), NONE),
        (Method::GET, format!("{PLATFORM}/status"), NONE),
        (Method::POST, format!("{PLATFORM}/events"), event),
    ]
}

#[tokio::test]
async fn who_may_do_what_with_an_organization() {
    let askers: [(&str, Option<Caller>); 6] = [
        ("nobody", None),
        ("application", Some(application())),
        ("user", Some(organization(1))),
        ("member", Some(member(1, "acme"))),
        ("of another", Some(member(1, "other"))),
        ("admin", Some(admin(1))),
    ];
    let mut table = format!("{:70}", "");
    for (name, _) in &askers {
        write!(table, "{name:>21}").unwrap();
    }
    for (method, path, body) in routes() {
        write!(table, "\n{:70}", format!("{method} {path}")).unwrap();
        for (_, caller) in &askers {
            let service = Service::start().await;
            let bearer = caller.as_ref().map_or_else(|| "x".to_owned(), token);
            let answer = service.call_as(&bearer, method.clone(), &path, &body).await;
            write!(table, "{:>21}", answer.status).unwrap();
        }
    }
    assert_snapshot!(table, @"
                                                                                         nobody          application                 user               member           of another                admin
    POST /api/webhooks/organizations/acme/endpoints                                         401                  403                  404                  201                  404                  201
    GET /api/webhooks/organizations/acme/endpoints                                          401                  403                  404                  200                  404                  200
    DELETE /api/webhooks/organizations/acme/endpoints/x                                     401                  403                  404                  404                  404                  404
    POST /api/webhooks/organizations/acme/send                                              401                  403                  403                  403                  403                  200
    GET /api/webhooks/organizations/acme/messages/msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz/attempts                  401                  403                  403                  403                  403                  404
    POST /api/webhooks/organizations/acme/preconfigured-endpoints                           401                  403                  403                  403                  403                  201
    GET /api/webhooks/preconfigured-endpoints                                               401                  403                  200                  200                  200                  200
    POST /api/webhooks/organizations/acme/initialize                                        401                  403                  403                  403                  403                  201
    GET /api/webhooks/organizations/acme/initialization-status                              401                  403                  404                  404                  404                  404
    GET /api/webhooks/initialization-stats                                                  401                  403                  403                  403                  403                  200
    POST /api/webhooks/retry-failed-initializations                                         401                  403                  403                  403                  403                  200
    POST /api/webhooks/update-all-endpoints                                                 401                  403                  403                  403                  403                  200
    GET /api/webhooks/status                                                                401                  403                  200                  200                  200                  200
    POST /api/webhooks/events                                                               401                  403                  403                  403                  403                  202
    ");
}

#[tokio::test]
async fn the_same_name_is_another_organization_for_another_tenant() {
    let service = Service::start().await;
    let path = format!("{ACME}/endpoints");
    let made = service.rule(Method::POST, &path, &json!({"url": "https://example.com/"})).await;
    let one = made.headers["location"].to_str().unwrap();
    let other = token(&admin(2));
    assert_eq!(service.call_as(&other, Method::GET, &path, &NONE).await.body, "[]");
    assert_eq!(service.call_as(&other, Method::DELETE, one, &NONE).await.status, 404);
    let sent = service.rule(Method::POST, &format!("{ACME}/send"), &json!({"eventType": "a", "payload": {}})).await;
    let attempts = format!("{ACME}/messages/{}/attempts", sent.json()["id"].as_str().unwrap());
    assert_eq!(service.call_as(&other, Method::GET, &attempts, &NONE).await.status, 404);
    assert_eq!(service.rule(Method::GET, &attempts, &NONE).await.shown(), "200\n[]");
    service.rule(Method::POST, &format!("{ACME}/initialize"), &NONE).await;
    let standing = format!("{ACME}/initialization-status");
    assert_eq!(service.call_as(&other, Method::GET, &standing, &NONE).await.status, 404);
    let stats = service.call_as(&other, Method::GET, &format!("{PLATFORM}/initialization-stats"), &NONE).await;
    assert_eq!(stats.json()["totalOrganizations"], 0);
}

#[tokio::test]
async fn attempts_are_listed_as_they_were_made() {
    let service = Service::start().await;
    let body = json!({"eventType": "user.signup", "payload": {}});
    let sent = service.rule(Method::POST, &format!("{ACME}/send"), &body).await;
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    let (store, tenant) = (&service.store, organization(1).organization);
    let acme = store.application(tenant, &Reference::Uid("acme".parse().unwrap())).await.unwrap().unwrap();
    let message = store.message(tenant, acme.id, id.parse().unwrap(), service.clock.now()).await.unwrap().unwrap();
    let endpoint = crate::arrange::endpoint(store, &acme, 1, None).await;
    for number in [1, 2] {
        outbound::attempt(store, &outbound::failed(&endpoint, &message, number)).await;
    }
    let answer = service.rule(Method::GET, &format!("{ACME}/messages/{id}/attempts"), &NONE).await;
    assert_snapshot!(answer.shown().replace(&id, "msg_[random]"), @r#"
    200
    [{"id":"atmpt_3OuWq7qrzHWC2zn2D9EyDYojcNW","msgId":"msg_[random]","endpointId":"ep_3Ouil37bUl7hcUKmdpkRNDMl2Uj","url":"https://example.com/1","status":2,"statusText":"fail","responseStatusCode":500,"response":"no, says 2","responseDurationMs":42,"triggerType":0,"timestamp":"2027-01-15T06:22:00.000Z"},{"id":"atmpt_3OuWiaMxO05UjYUYPdeRUeSGRUH","msgId":"msg_[random]","endpointId":"ep_3Ouil37bUl7hcUKmdpkRNDMl2Uj","url":"https://example.com/1","status":2,"statusText":"fail","responseStatusCode":500,"response":"no, says 1","responseDurationMs":42,"triggerType":0,"timestamp":"2027-01-15T06:21:00.000Z"}]
    "#);
    for unknown in ["msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz", "x", "%2e%2e"] {
        let answer = service.rule(Method::GET, &format!("{ACME}/messages/{unknown}/attempts"), &NONE).await;
        assert_eq!(answer.status, 404, "{unknown}");
    }
}

#[tokio::test]
async fn the_five_preconfigured_endpoints_are_made_once() {
    let service = Service::start().await;
    let path = format!("{ACME}/preconfigured-endpoints");
    let first = service.rule(Method::POST, &path, &NONE).await;
    assert_snapshot!(first.masked(), @r#"
    201
    location: /api/webhooks/organizations/acme/endpoints
    [{"id":"ep_[random]","url":"https://webhook.daytona.io/acme/sandbox-events","description":"Dedicated endpoint for sandbox lifecycle events","eventTypes":["sandbox.created","sandbox.state.updated","sandbox.desired-state.updated"],"disabled":false,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"},{"id":"ep_[random]","url":"https://webhook.daytona.io/acme/snapshot-events","description":"Dedicated endpoint for snapshot management events","eventTypes":["snapshot.created","snapshot.state.updated","snapshot.removed"],"disabled":false,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"},{"id":"ep_[random]","url":"https://webhook.daytona.io/acme/volume-events","description":"Dedicated endpoint for volume lifecycle events","eventTypes":["volume.created","volume.state.updated","volume.lastUsedAt.updated"],"disabled":false,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"},{"id":"ep_[random]","url":"https://webhook.daytona.io/acme/audit-events","description":"Dedicated endpoint for audit and compliance events","eventTypes":["audit-log.created","audit-log.updated"],"disabled":false,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"},{"id":"ep_[random]","url":"https://webhook.daytona.io/acme/all-events","description":"Comprehensive endpoint for all event types","eventTypes":["sandbox.created","sandbox.state.updated","sandbox.desired-state.updated","snapshot.created","snapshot.state.updated","snapshot.removed","volume.created","volume.state.updated","volume.lastUsedAt.updated","audit-log.created","audit-log.updated"],"disabled":false,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}]
    "#);
    let again = service.rule(Method::POST, &path, &NONE).await;
    assert_eq!((again.status, again.json()), (201, first.json()));
    let endpoints = format!("{ACME}/endpoints");
    let listed = service.rule(Method::GET, &endpoints, &NONE).await.json();
    assert_eq!(by_id(&listed), by_id(&first.json()));
    // What is missing comes back, and nothing else changes.
    let audit = first.json()[3]["id"].as_str().unwrap().to_owned();
    assert_eq!(service.rule(Method::DELETE, &format!("{endpoints}/{audit}"), &NONE).await.status, 204);
    let third = service.rule(Method::POST, &path, &NONE).await.json();
    let (before, after) = (first.json(), third.clone());
    assert_eq!(each(&after, "url"), each(&before, "url"));
    let changed = |number: usize| before[number]["id"] != after[number]["id"];
    assert_eq!((0..5).filter(|number| changed(*number)).collect::<Vec<_>>(), [3]);
    assert_eq!(service.rule(Method::GET, &endpoints, &NONE).await.json().as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn two_who_make_the_preconfigured_endpoints_at_once_make_five() {
    let service = Service::start().await;
    let path = format!("{ACME}/preconfigured-endpoints");
    let (one, other) = tokio::join!(service.rule(Method::POST, &path, &NONE), service.rule(Method::POST, &path, &NONE));
    assert_eq!((one.status, other.status), (201, 201));
    let there = service.rule(Method::GET, &format!("{ACME}/endpoints"), &NONE).await.json();
    assert_eq!(each(&there, "url").len(), 5);
}

#[tokio::test]
async fn the_preconfigured_endpoints_are_shown_for_any_organization() {
    let service = Service::start().await;
    assert_snapshot!(service.get(&format!("{PLATFORM}/preconfigured-endpoints")).await.shown(), @r#"
    200
    [{"url":"https://webhook.daytona.io/{organizationId}/sandbox-events","description":"Dedicated endpoint for sandbox lifecycle events","eventTypes":["sandbox.created","sandbox.state.updated","sandbox.desired-state.updated"]},{"url":"https://webhook.daytona.io/{organizationId}/snapshot-events","description":"Dedicated endpoint for snapshot management events","eventTypes":["snapshot.created","snapshot.state.updated","snapshot.removed"]},{"url":"https://webhook.daytona.io/{organizationId}/volume-events","description":"Dedicated endpoint for volume lifecycle events","eventTypes":["volume.created","volume.state.updated","volume.lastUsedAt.updated"]},{"url":"https://webhook.daytona.io/{organizationId}/audit-events","description":"Dedicated endpoint for audit and compliance events","eventTypes":["audit-log.created","audit-log.updated"]},{"url":"https://webhook.daytona.io/{organizationId}/all-events","description":"Comprehensive endpoint for all event types","eventTypes":["sandbox.created","sandbox.state.updated","sandbox.desired-state.updated","snapshot.created","snapshot.state.updated","snapshot.removed","volume.created","volume.state.updated","volume.lastUsedAt.updated","audit-log.created","audit-log.updated"]}]
    "#);
    let table = r#"[{"suffix": "all", "description": "All of it", "eventTypes": ["a.b"]}]"#;
    let variables = [("PRECONFIGURED_ENDPOINTS", table), ("PRECONFIGURED_BASE_URL", "https://example.com/hooks/")];
    let service = Service::with(Table::start().await.store().clone(), &variables);
    assert_snapshot!(service.get(&format!("{PLATFORM}/preconfigured-endpoints")).await.shown(), @r#"
    200
    [{"url":"https://example.com/hooks/{organizationId}/all","description":"All of it","eventTypes":["a.b"]}]
    "#);
}

#[tokio::test]
async fn the_status_says_who_delivers_and_whether_that_one_answers() {
    let path = format!("{PLATFORM}/status");
    assert_snapshot!(Service::start().await.get(&path).await.shown(), @r#"
    200
    {"enabled":true,"provider":"native","healthy":true}
    "#);
    let broken = Service::over(crate::store_faults::THROTTLED.store());
    assert_snapshot!(broken.get(&path).await.shown(), @r#"
    200
    {"enabled":true,"provider":"native","healthy":false,"error":"the table is throttled"}
    "#);
    let refused = Service::over(crate::store_faults::REFUSED.store());
    assert_snapshot!(refused.get(&path).await.shown(), @r#"
    200
    {"enabled":true,"provider":"native","healthy":false,"error":"the table refused the request"}
    "#);
    let server = Receiver::start(Plan::status(204)).await;
    let there = Service::with_svix(&server.url()).await;
    assert_snapshot!(there.get(&path).await.shown(), @r#"
    200
    {"enabled":true,"provider":"svix","healthy":true}
    "#);
    server.set_plan(Plan::status(500));
    assert_snapshot!(there.get(&path).await.shown(), @r#"
    200
    {"enabled":true,"provider":"svix","healthy":false,"error":"the delivery provider answered with status 500"}
    "#);
    // Nobody listens there.
    let away = Service::with_svix("http://127.0.0.1:9").await;
    assert_snapshot!(away.get(&path).await.shown(), @r#"
    200
    {"enabled":true,"provider":"svix","healthy":false,"error":"the delivery provider refused the connection"}
    "#);
}

#[tokio::test]
async fn another_server_that_does_not_answer_is_503_and_what_is_sent_is_accepted() {
    let service = Service::with_svix("http://127.0.0.1:9").await;
    let mut table = String::new();
    for (method, path, body) in routes() {
        let answer = service.rule(method.clone(), &path, &body).await;
        writeln!(table, "{} {method} {path}", answer.status).unwrap();
        assert!(!answer.body.contains("sk_test"), "{answer:?}");
    }
    assert_snapshot!(table, @"
    503 POST /api/webhooks/organizations/acme/endpoints
    503 GET /api/webhooks/organizations/acme/endpoints
    503 DELETE /api/webhooks/organizations/acme/endpoints/x
    200 POST /api/webhooks/organizations/acme/send
    404 GET /api/webhooks/organizations/acme/messages/msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz/attempts
    503 POST /api/webhooks/organizations/acme/preconfigured-endpoints
    200 GET /api/webhooks/preconfigured-endpoints
    201 POST /api/webhooks/organizations/acme/initialize
    200 GET /api/webhooks/organizations/acme/initialization-status
    200 GET /api/webhooks/initialization-stats
    200 POST /api/webhooks/retry-failed-initializations
    200 POST /api/webhooks/update-all-endpoints
    200 GET /api/webhooks/status
    202 POST /api/webhooks/events
    ");
}

#[tokio::test]
async fn what_another_server_refuses_is_said_if_it_is_the_callers_to_mend() {
    let server = Receiver::start(Plan::status(422)).await;
    let service = Service::with_svix(&server.url()).await;
    let (path, body) = (format!("{ACME}/endpoints"), json!({"url": "https://example.com/"}));
    let mut table = String::new();
    for status in [400, 401, 402, 404, 409, 422, 429, 500] {
        server.set_plan(Plan::status(status));
        writeln!(table, "--- {status}\n{}", service.rule(Method::POST, &path, &body).await.shown()).unwrap();
    }
    assert_snapshot!(table, @r#"
    --- 400
    400
    {"code":"generic_error","detail":"The delivery provider does not accept it: no reason given"}
    --- 401
    503
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    --- 402
    500
    {"code":"server_error","detail":"Internal error."}
    --- 404
    404
    {"code":"not_found","detail":"Not found."}
    --- 409
    409
    {"code":"conflict","detail":"no reason given"}
    --- 422
    400
    {"code":"generic_error","detail":"The delivery provider does not accept it: "}
    --- 429
    503
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    --- 500
    503
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    "#);
}
