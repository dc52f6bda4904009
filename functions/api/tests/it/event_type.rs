use std::fmt::Write as _;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::caller::Caller;
use tidings_domain::event_type::EventType;

use crate::arrange;
use crate::support::{Service, application, organization, token};

const TYPES: &str = "/api/v1/event-type";

#[tokio::test]
async fn an_event_type_is_created_and_read() {
    let service = Service::start().await;
    let body = json!({
        "name": "user.signup", "description": "Somebody has signed up", "deprecated": true, "groupName": "users",
        "featureFlags": ["beta", "gamma"], "schemas": {"1": {"type": "object", "examples": [{"id": 1}]}}, "checkSchema": true
    });
    let created = service.post(TYPES, &body).await;
    assert_snapshot!(created.shown(), @r#"
    201
    location: /api/v1/event-type/user.signup
    {"name":"user.signup","description":"Somebody has signed up","archived":false,"deprecated":true,"schemas":{"1":{"type":"object","examples":[{"id":1}]}},"checkSchema":true,"featureFlag":"beta","featureFlags":["beta","gamma"],"groupName":"users","createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    let read = service.get("/api/v1/event-type/user.signup").await;
    assert_eq!((read.status, &read.body), (200, &created.body));
    let theirs = service.ask_as(&token(&organization(2)), Method::GET, "/api/v1/event-type/user.signup").await;
    assert_eq!(theirs.status, 404);
}

#[tokio::test]
async fn a_name_and_a_description_are_all_that_an_event_type_needs() {
    let service = Service::start().await;
    assert_snapshot!(service.post(TYPES, &json!({"name": "a", "description": ""})).await.shown(), @r#"
    201
    location: /api/v1/event-type/a
    {"name":"a","description":"","archived":false,"deprecated":false,"checkSchema":false,"featureFlag":null,"featureFlags":[],"groupName":null,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
}

#[tokio::test]
async fn a_name_is_taken_until_it_is_archived() {
    let service = Service::start().await;
    let body = json!({"name": "a", "description": "first", "schemas": {"1": {}}});
    assert_eq!(service.post(TYPES, &body).await.status, 201);
    assert_snapshot!(service.post(TYPES, &body).await.shown(), @r#"
    409
    {"code":"conflict","detail":"Another event type has this name."}
    "#);
    assert_eq!(service.delete("/api/v1/event-type/a").await.status, 204);
    let again = service.post(TYPES, &json!({"name": "a", "description": "second"})).await;
    assert_eq!(again.status, 201);
    let body = again.json();
    assert_eq!((&body["description"], &body["archived"], body.get("schemas")), (&json!("second"), &json!(false), None));
}

#[tokio::test]
async fn deleting_archives_or_removes() {
    let service = Service::start().await;
    service.post(TYPES, &json!({"name": "a", "description": ""})).await;
    let listed =
        async |query: &str| service.get(&format!("{TYPES}{query}")).await.json()["data"].as_array().unwrap().len();
    assert_eq!(service.delete("/api/v1/event-type/a").await.status, 204);
    assert_eq!(service.delete("/api/v1/event-type/a?expunge=false").await.status, 204);
    assert_eq!(service.get("/api/v1/event-type/a").await.json()["archived"], true);
    assert_eq!((listed("").await, listed("?include_archived=true").await), (0, 1));
    assert_eq!(service.delete("/api/v1/event-type/a?expunge=true").await.status, 204);
    for path in ["/api/v1/event-type/a", "/api/v1/event-type/a?expunge=true"] {
        assert_eq!(service.delete(path).await.status, 404, "{path}");
    }
    assert_eq!(service.get("/api/v1/event-type/a").await.status, 404);
    assert_snapshot!(service.delete("/api/v1/event-type/a?expunge=1").await.faults(), @r#"  ["query","expunge"] value_error "must be `true` or `false`""#);
}

#[tokio::test]
async fn put_creates_and_replaces() {
    let service = Service::start().await;
    let full =
        json!({"description": "x", "deprecated": true, "featureFlag": "beta", "schemas": {"1": {}}, "groupName": "g"});
    let created = service.put("/api/v1/event-type/a", &full).await;
    assert_eq!((created.status, &created.headers["location"]), (201, &"/api/v1/event-type/a".parse().unwrap()));
    assert_snapshot!(service.put("/api/v1/event-type/a", &json!({"description": "y"})).await.shown(), @r#"
    200
    {"name":"a","description":"y","archived":false,"deprecated":false,"checkSchema":false,"featureFlag":null,"featureFlags":[],"groupName":null,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.001Z"}
    "#);
    assert_snapshot!(service.put("/api/v1/event-type/a", &json!({"name": "a"})).await.faults(), @r#"
    ["body","description"] value_error.missing "is required"
    ["body","name"] value_error.extra "is not known here"
    "#);
}

#[tokio::test]
async fn patch_tells_absent_from_null() {
    let service = Service::start().await;
    let full = json!({"description": "x", "featureFlag": "beta", "schemas": {"1": {}}, "groupName": "g"});
    service.put("/api/v1/event-type/a", &full).await;
    let shown = |body: &Value| json!([body["featureFlag"], body["featureFlags"], body["schemas"], body["groupName"]]);
    for (change, expected) in [
        (json!({}), json!(["beta", ["beta"], {"1": {}}, "g"])),
        (json!({"featureFlags": ["b", "a"]}), json!(["b", ["b", "a"], {"1": {}}, "g"])),
        (json!({"featureFlag": "c"}), json!(["c", ["c"], {"1": {}}, "g"])),
        (json!({"featureFlags": []}), json!([null, [], {"1": {}}, "g"])),
        (json!({"featureFlag": "c", "featureFlags": ["b", "c"]}), json!(["b", ["b", "c"], {"1": {}}, "g"])),
        (json!({"featureFlag": null, "schemas": null, "groupName": null}), json!([null, [], null, null])),
    ] {
        let answer = service.patch("/api/v1/event-type/a", &change).await;
        assert_eq!((answer.status, shown(&answer.json())), (200, expected), "{change}");
    }
    assert_eq!(service.patch("/api/v1/event-type/b", &json!({})).await.status, 404);
    let bad =
        json!({"description": null, "archived": null, "checkSchema": null, "featureFlag": "x", "featureFlags": ["y"]});
    assert_snapshot!(service.patch("/api/v1/event-type/a", &bad).await.faults(), @r#"
    ["body","description"] type_error "must not be null"
    ["body","archived"] type_error "must not be null"
    ["body","checkSchema"] type_error "must not be null"
    ["body","featureFlag"] value_error "must be one of `featureFlags`, or left out"
    "#);
}

#[tokio::test]
async fn a_schema_must_be_one_only_when_payloads_are_checked_against_it() {
    let service = Service::start().await;
    let broken = json!({"1": {"type": "object"}, "2": {"type": "nonsense"}});
    let body = |check| json!({"name": "a", "description": "", "schemas": broken, "checkSchema": check});
    assert_snapshot!(service.post(TYPES, &body(true)).await.faults(), @r#"  ["body","schemas","2"] value_error "is not a JSON schema that can be checked against: value is not valid under any of the schemas listed in the 'anyOf' keyword""#);
    assert_eq!(service.post(TYPES, &body(false)).await.status, 201);
    let on = service.patch("/api/v1/event-type/a", &json!({"checkSchema": true})).await;
    assert_eq!((on.status, &on.json()["detail"][0]["loc"]), (422, &json!(["body", "schemas", "2"])));
    let mended = json!({"checkSchema": true, "schemas": {"2": {"type": "string"}}});
    assert_eq!(service.patch("/api/v1/event-type/a", &mended).await.status, 200);
    for elsewhere in ["https://example.com/schema.json", "file:///etc/passwd", "http://169.254.169.254/"] {
        let schema = json!({"checkSchema": true, "schemas": {"1": {"$ref": elsewhere}}});
        assert_eq!(service.patch("/api/v1/event-type/a", &schema).await.status, 422, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_bad_event_type_is_422_with_every_fault() {
    let service = Service::start().await;
    let mut answers = String::new();
    for body in [
        json!({}),
        json!({"name": "a b", "description": 1, "schemas": [], "featureFlags": ["x", "x"], "archived": "no"}),
        json!({"name": "a", "description": "", "schemas": {"1": 1, "2": true}, "featureFlags": [""], "groupName": ""}),
        json!({"name": "a", "description": "", "featureFlag": "x", "featureFlags": ["y"], "createdAt": "x"}),
        json!({"name": "x".repeat(257), "description": "x".repeat(4097)}),
    ] {
        write!(answers, "{:.60}\n{}", body.to_string(), service.post(TYPES, &body).await.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    {}
      ["body","name"] value_error.missing "is required"
      ["body","description"] value_error.missing "is required"
    {"name":"a b","description":1,"schemas":[],"featureFlags":["
      ["body","name"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","description"] type_error "must be a string"
      ["body","archived"] type_error "must be true or false"
      ["body","schemas"] type_error "must be an object"
      ["body","featureFlags","1"] value_error "is there twice"
    {"name":"a","description":"","schemas":{"1":1,"2":true},"fea
      ["body","schemas","1"] type_error "must be an object"
      ["body","schemas","2"] type_error "must be an object"
      ["body","featureFlags","0"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","groupName"] value_error "must be 1 to 256 characters long"
    {"name":"a","description":"","featureFlag":"x","featureFlags
      ["body","featureFlag"] value_error "must be one of `featureFlags`, or left out"
      ["body","createdAt"] value_error.extra "is not known here"
    {"name":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      ["body","name"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","description"] value_error "must be 0 to 4096 characters long"
    "#);
}

fn flagged(flags: &[&str]) -> Caller {
    Caller { feature_flags: flags.iter().map(|flag| flag.parse().unwrap()).collect(), ..application() }
}

/// Thirty event types, every third with a flag, every sixth with another.
async fn thirty(service: &Service) {
    for number in 0..30 {
        let flags = if number % 6 == 0 {
            vec!["other"]
        } else if number % 3 == 0 {
            vec!["beta"]
        } else {
            Vec::new()
        };
        let event_type = EventType {
            feature_flags: flags.iter().map(|flag| flag.parse().unwrap()).collect(),
            schemas: json!({"1": {}}).as_object().cloned(),
            ..arrange::imagined_event_type(&format!("t{number:02}"))
        };
        arrange::event_type(&service.store, &event_type).await;
    }
}

fn names(body: &Value) -> Vec<&str> {
    body["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_application_sees_what_its_flags_allow() {
    let service = Service::start().await;
    thirty(&service).await;
    arrange::application(&service.store, 1, 9, None).await;
    for (bearer, seen) in [
        (token(&organization(1)), [true, true, true]),
        (token(&flagged(&[])), [true, false, false]),
        (token(&flagged(&["beta"])), [true, true, false]),
        (token(&flagged(&["beta", "other"])), [true, true, true]),
    ] {
        for (name, seen) in ["t01", "t03", "t06"].iter().zip(seen) {
            let status = service.ask_as(&bearer, Method::GET, &format!("{TYPES}/{name}")).await.status;
            assert_eq!(status, if seen { 200 } else { 404 }, "{name}");
        }
        let listed = service.ask_as(&bearer, Method::GET, &format!("{TYPES}?limit=250")).await.json();
        let of = |name| names(&listed).contains(&name);
        assert_eq!(["t01", "t03", "t06"].map(of), seen);
    }
}

#[tokio::test]
async fn pages_of_what_an_application_sees_are_full_and_follow_one_another_either_way() {
    let service = Service::start().await;
    thirty(&service).await;
    arrange::application(&service.store, 1, 9, None).await;
    let bearer = token(&flagged(&["beta"]));
    let expected: Vec<String> =
        (0..30).filter(|number| number % 6 != 0).map(|number| format!("t{number:02}")).collect();
    for (order, iterator) in [("ascending", "iterator"), ("descending", "iterator"), ("ascending", "prevIterator")] {
        let mut found: Vec<String> = Vec::new();
        let mut path = format!("{TYPES}?limit=4&order={order}");
        if iterator == "prevIterator" {
            path += "&iterator=-t99";
        }
        loop {
            let body = service.ask_as(&bearer, Method::GET, &path).await.json();
            let page: Vec<String> = names(&body).into_iter().map(str::to_owned).collect();
            assert!(page.len() == 4 || body["done"] == true, "{body}");
            if iterator == "prevIterator" {
                found.splice(..0, page);
            } else {
                found.extend(page);
            }
            if body["done"] == true {
                break;
            }
            path = format!("{TYPES}?limit=4&order={order}&iterator={}", body[iterator].as_str().unwrap());
        }
        if order == "descending" {
            found.reverse();
        }
        assert_eq!(found, expected, "{order} {iterator}");
    }
}

#[tokio::test]
async fn schemas_are_listed_when_they_are_asked_for() {
    let service = Service::start().await;
    thirty(&service).await;
    let first = async |query: &str| service.get(&format!("{TYPES}?limit=1{query}")).await.json()["data"][0].clone();
    assert_eq!(first("").await.get("schemas"), None);
    assert_eq!(first("&with_content=true").await["schemas"], json!({"1": {}}));
    let bad = service.get(&format!("{TYPES}?with_content=yes&include_archived=&iterator=a%23b&limit=251")).await;
    assert_snapshot!(bad.faults(), @r#"
    ["query","include_archived"] value_error "must be `true` or `false`"
    ["query","with_content"] value_error "must be `true` or `false`"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
    "#);
}

#[tokio::test]
async fn an_application_changes_no_event_type() {
    let service = Service::start().await;
    arrange::application(&service.store, 1, 9, None).await;
    arrange::event_type(&service.store, &arrange::imagined_event_type("a")).await;
    let bearer = token(&application());
    for (method, path, body) in [
        (Method::POST, TYPES, json!({"name": "b", "description": ""})),
        (Method::PUT, "/api/v1/event-type/a", json!({"description": ""})),
        (Method::PATCH, "/api/v1/event-type/a", json!({})),
        (Method::DELETE, "/api/v1/event-type/a", json!(null)),
    ] {
        assert_eq!(service.call_as(&bearer, method, path, &body).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_repetition_under_a_key_is_answered_the_same() {
    let service = Service::start().await;
    let send = || {
        let request = crate::support::request(&token(&organization(1)), Method::POST, TYPES);
        let body = json!({"name": "a", "description": ""}).to_string();
        service.send(request.header("idempotency-key", "one").body(body.into()).unwrap())
    };
    let (first, again) = (send().await, send().await);
    assert_eq!((first.status, again.status, &again.body), (201, 201, &first.body));
}
