use std::fmt::Write as _;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::arrange;
use crate::support::{Service, application, organization, token};

/// The id in an answer.
pub(crate) fn id(body: &Value) -> &str {
    body["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_application_is_created_and_read_by_its_id_and_its_uid() {
    let service = Service::start().await;
    let body = json!({"name": "Acme Ltd.", "uid": "acme", "throttleRate": 7, "metadata": {"plan": "gold"}});
    let created = service.post("/api/v1/app", &body).await;
    assert_snapshot!(created.masked(), @r#"
    201
    location: /api/v1/app/app_[random]
    {"id":"app_[random]","uid":"acme","name":"Acme Ltd.","throttleRate":7,"rateLimit":7,"metadata":{"plan":"gold"},"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    let location = created.headers["location"].to_str().unwrap();
    let by_id = service.get(location).await;
    assert_eq!((by_id.status, &by_id.body), (200, &created.body));
    assert_eq!(service.get("/api/v1/app/acme").await.body, created.body);
}

#[tokio::test]
async fn a_name_is_all_that_an_application_needs() {
    let service = Service::start().await;
    assert_snapshot!(service.post("/api/v1/app", &json!({"name": "x"})).await.masked(), @r#"
    201
    location: /api/v1/app/app_[random]
    {"id":"app_[random]","uid":null,"name":"x","throttleRate":null,"rateLimit":null,"metadata":{},"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
}

#[tokio::test]
async fn what_the_older_generation_of_clients_sends_is_understood() {
    let service = Service::start().await;
    let created = service.post("/api/v1/app", &json!({"name": "x", "rateLimit": 3, "uid": null})).await;
    assert_eq!((created.status, created.json()["throttleRate"].as_u64()), (201, Some(3)));
    let both = service.post("/api/v1/app", &json!({"name": "x", "rateLimit": 3, "throttleRate": 3})).await;
    assert_eq!(both.status, 201);
    let differing = service.post("/api/v1/app", &json!({"name": "x", "rateLimit": 3, "throttleRate": 4})).await;
    assert_snapshot!(differing.faults(), @r#"  ["body","rateLimit"] value_error "must be the same as `throttleRate`, or left out""#);
}

#[tokio::test]
async fn a_uid_names_one_application_of_an_organization() {
    let service = Service::start().await;
    let body = json!({"name": "first", "uid": "acme"});
    assert_eq!(service.post("/api/v1/app", &body).await.status, 201);
    let other = service.post("/api/v1/app", &json!({"name": "second"})).await.json();
    assert_snapshot!(service.post("/api/v1/app", &body).await.shown(), @r#"
    409
    {"code":"conflict","detail":"Another application has this uid."}
    "#);
    for (method, body) in [(Method::PATCH, json!({"uid": "acme"})), (Method::PUT, json!({"name": "x", "uid": "acme"}))]
    {
        let answer = service.call(method.clone(), &format!("/api/v1/app/{}", id(&other)), &body).await;
        assert_eq!(answer.status, 409, "{method}");
    }
    let theirs = service.call_as(&token(&organization(2)), Method::POST, "/api/v1/app", &body).await;
    assert_eq!(theirs.status, 201);
}

#[tokio::test]
async fn get_if_exists_answers_the_application_that_is_there() {
    let service = Service::start().await;
    let path = "/api/v1/app?get_if_exists=true";
    let first = service.post(path, &json!({"name": "first", "uid": "acme"})).await;
    let again = service.post(path, &json!({"name": "second", "uid": "acme"})).await;
    assert_eq!((first.status, again.status, &again.body), (201, 200, &first.body));
    assert_eq!(again.headers.get("location"), None);
    // Without a uid there is nothing that could be there.
    assert_eq!(service.post(path, &json!({"name": "first"})).await.status, 201);
    let refused = service.post("/api/v1/app?get_if_exists=maybe", &json!({"name": "x"})).await;
    assert_snapshot!(refused.faults(), @r#"  ["query","get_if_exists"] value_error "must be `true` or `false`""#);
}

#[tokio::test]
async fn two_that_get_or_create_the_same_at_once_get_the_same() {
    let service = Service::start().await;
    let body = json!({"name": "x", "uid": "acme"});
    let asked = (0..8).map(|_| service.post("/api/v1/app?get_if_exists=true", &body));
    let answers = futures::future::join_all(asked).await;
    let first = answers[0].json()["id"].clone();
    assert!(answers.iter().all(|answer| answer.status < 300 && answer.json()["id"] == first), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
}

#[tokio::test]
async fn a_repetition_under_a_key_is_answered_the_same() {
    let service = Service::start().await;
    let send = |body: Value| {
        let request = crate::support::request(&token(&organization(1)), Method::POST, "/api/v1/app");
        service.send(request.header("idempotency-key", "one").body(body.to_string().into()).unwrap())
    };
    let first = send(json!({"name": "x", "uid": "acme"})).await;
    let again = send(json!({"name": "x", "uid": "acme"})).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(send(json!({"name": "y"})).await.status, 409);
    assert_eq!(service.get("/api/v1/app").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn put_replaces_what_is_there_but_for_a_uid_that_is_left_out() {
    let service = Service::start().await;
    let body = json!({"name": "Acme", "uid": "acme", "throttleRate": 7, "metadata": {"plan": "gold"}});
    service.post("/api/v1/app", &body).await;
    service.clock.advance(std::time::Duration::from_secs(1));
    assert_snapshot!(service.put("/api/v1/app/acme", &json!({"name": "Other"})).await.masked(), @r#"
    200
    {"id":"app_[random]","uid":"acme","name":"Other","throttleRate":null,"rateLimit":null,"metadata":{},"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:01.000Z"}
    "#);
    let without = service.put("/api/v1/app/acme", &json!({"name": "Other", "uid": null})).await;
    assert_eq!((without.status, &without.json()["uid"]), (200, &Value::Null));
    assert_eq!(service.get("/api/v1/app/acme").await.status, 404);
}

#[tokio::test]
async fn put_of_an_unknown_uid_creates_and_of_an_unknown_id_is_404() {
    let service = Service::start().await;
    let first = service.put("/api/v1/app/acme", &json!({"name": "x"})).await;
    assert_eq!((first.status, first.json()["uid"].as_str()), (201, Some("acme")));
    assert_eq!(first.headers["location"], format!("/api/v1/app/{}", id(&first.json())));
    let again = service.put("/api/v1/app/acme", &json!({"name": "y"})).await;
    assert_eq!((again.status, id(&again.json())), (200, id(&first.json())));
    let contradicting = service.put("/api/v1/app/other", &json!({"name": "x", "uid": "another"})).await;
    assert_snapshot!(contradicting.faults(), @r#"  ["body","uid"] value_error "must be the uid in the path, or be left out""#);
    let unknown = arrange::imagined_application(1, 3, None).id;
    assert_eq!(service.put(&format!("/api/v1/app/{unknown}"), &json!({"name": "x"})).await.status, 404);
}

#[tokio::test]
async fn an_update_can_give_a_new_uid_and_the_old_one_is_free() {
    let service = Service::start().await;
    let first = service.put("/api/v1/app/acme", &json!({"name": "x"})).await.json();
    let moved = service.put("/api/v1/app/acme", &json!({"name": "x", "uid": "acme2"})).await;
    assert_eq!((moved.status, id(&moved.json())), (200, id(&first)));
    assert_eq!(service.get("/api/v1/app/acme").await.status, 404);
    assert_eq!(service.post("/api/v1/app", &json!({"name": "y", "uid": "acme"})).await.status, 201);
}

#[tokio::test]
async fn patch_tells_absent_from_null() {
    let service = Service::start().await;
    let body = json!({"name": "Acme", "uid": "acme", "throttleRate": 7, "metadata": {"plan": "gold"}});
    service.post("/api/v1/app", &body).await;
    let path = "/api/v1/app/acme";
    for (change, expected) in [
        (json!({}), json!(["Acme", "acme", 7, {"plan": "gold"}])),
        (json!({"name": "A"}), json!(["A", "acme", 7, {"plan": "gold"}])),
        (json!({"metadata": {}}), json!(["A", "acme", 7, {}])),
        (json!({"throttleRate": null}), json!(["A", "acme", null, {}])),
        (json!({"rateLimit": 9}), json!(["A", "acme", 9, {}])),
        (json!({"throttleRate": 0}), json!(["A", "acme", null, {}])),
        (json!({"uid": null}), json!(["A", null, null, {}])),
    ] {
        let answer = service.patch(path, &change).await;
        assert_eq!(answer.status, 200, "{change}");
        let body = answer.json();
        assert_eq!(json!([body["name"], body["uid"], body["throttleRate"], body["metadata"]]), expected, "{change}");
        assert_eq!(body["rateLimit"], body["throttleRate"]);
    }
}

#[tokio::test]
async fn a_change_is_later_than_the_one_before_and_what_changes_nothing_is_none() {
    let service = Service::start().await;
    let created = service.put("/api/v1/app/acme", &json!({"name": "x"})).await.json();
    let same = service.patch("/api/v1/app/acme", &json!({"name": "x"})).await.json();
    assert_eq!(same["updatedAt"], created["updatedAt"]);
    // The clock stands still.
    let changed = service.patch("/api/v1/app/acme", &json!({"name": "y"})).await.json();
    assert_eq!(changed["updatedAt"], "2027-01-15T08:00:00.001Z");
    assert_eq!(changed["createdAt"], created["createdAt"]);
}

#[tokio::test]
async fn many_changes_at_once_all_happen_or_say_that_they_did_not() {
    let service = Service::start().await;
    service.put("/api/v1/app/acme", &json!({"name": "x"})).await;
    let changes = (0..6).map(|number| {
        let service = &service;
        async move { service.patch("/api/v1/app/acme", &json!({"metadata": {"n": number.to_string()}})).await }
    });
    for answer in futures::future::join_all(changes).await {
        assert!(
            answer.status == 200 || (answer.status == 409 && answer.headers.contains_key("retry-after")),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_deleted_application_is_gone_with_its_endpoints_and_its_uid() {
    let service = Service::start().await;
    service.put("/api/v1/app/acme", &json!({"name": "x"})).await;
    service.put("/api/v1/app/acme/endpoint/hook", &json!({"url": "https://example.com/"})).await;
    let deleted = service.delete("/api/v1/app/acme").await;
    assert_eq!((deleted.status, &*deleted.body), (204, ""));
    for path in ["/api/v1/app/acme", "/api/v1/app/acme/endpoint", "/api/v1/app/acme/endpoint/hook"] {
        assert_eq!(service.get(path).await.status, 404, "{path}");
    }
    assert_eq!(service.delete("/api/v1/app/acme").await.status, 404);
    assert_eq!(service.put("/api/v1/app/acme", &json!({"name": "y"})).await.status, 201);
    assert_eq!(service.get("/api/v1/app/acme/endpoint").await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_bad_application_is_422_with_every_fault() {
    let service = Service::start().await;
    let mut answers = String::new();
    for body in [
        json!({}),
        json!([]),
        json!({"name": "", "uid": "", "throttleRate": 0, "metadata": {"a": 1}, "color": "red"}),
        json!({"name": "x".repeat(1025), "uid": "a b", "throttleRate": 65536, "metadata": []}),
        json!({"name": null, "uid": "a#b", "throttleRate": "7", "metadata": null}),
        json!({"name": "x", "uid": "u".repeat(257), "throttleRate": 1.5, "metadata": {"k".repeat(129): "v"}}),
    ] {
        let answer = service.post("/api/v1/app", &body).await;
        write!(answers, "{:.60}\n{}", body.to_string(), answer.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    {}
      ["body","name"] value_error.missing "is required"
    []
      ["body"] type_error "must be an object"
    {"name":"","uid":"","throttleRate":0,"metadata":{"a":1},"col
      ["body","name"] value_error "must be 1 to 1024 characters long"
      ["body","uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","throttleRate"] value_error "must be 1 to 65535"
      ["body","metadata","a"] type_error "must be a string"
      ["body","color"] value_error.extra "is not known here"
    {"name":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      ["body","name"] value_error "must be 1 to 1024 characters long"
      ["body","uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","throttleRate"] value_error "must be 1 to 65535"
      ["body","metadata"] type_error "must be an object"
    {"name":null,"uid":"a#b","throttleRate":"7","metadata":null}
      ["body","name"] type_error "must be a string"
      ["body","uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","throttleRate"] type_error "must be a whole number, not negative"
      ["body","metadata"] type_error "must be an object"
    {"name":"x","uid":"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu
      ["body","uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","throttleRate"] type_error "must be a whole number, not negative"
      ["body","metadata","kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"] value_error "its name must be at most 128 characters long"
    "#);
    let patch = json!({"name": null, "uid": "a/b", "metadata": null, "throttleRate": -1, "id": "x"});
    service.put("/api/v1/app/acme", &json!({"name": "x"})).await;
    assert_snapshot!(service.patch("/api/v1/app/acme", &patch).await.faults(), @r#"
    ["body","name"] type_error "must not be null"
    ["body","uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
    ["body","throttleRate"] type_error "must be a whole number, not negative"
    ["body","metadata"] type_error "must not be null"
    ["body","id"] value_error.extra "is not known here"
    "#);
}

#[tokio::test]
async fn applications_are_listed_either_way_and_back() {
    let service = Service::start().await;
    for number in 1..=5 {
        arrange::application(&service.store, 1, number, None).await;
    }
    arrange::application(&service.store, 2, 6, None).await;
    let names = |body: &Value| -> Vec<u64> {
        let number = |one: &Value| one["name"].as_str().unwrap()["application ".len()..].parse().unwrap();
        body["data"].as_array().unwrap().iter().map(number).collect()
    };
    let list = async |query: &str| {
        let answer = service.get(&format!("/api/v1/app?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    assert_eq!(names(&list("").await), [1, 2, 3, 4, 5]);
    assert_eq!(names(&list("order=descending").await), [5, 4, 3, 2, 1]);
    let first = list("limit=2").await;
    let second = list(&format!("limit=2&iterator={}", first["iterator"].as_str().unwrap())).await;
    assert_eq!((names(&first), names(&second), &second["done"]), (vec![1, 2], vec![3, 4], &json!(false)));
    let back = list(&format!("limit=2&iterator={}", second["prevIterator"].as_str().unwrap())).await;
    assert_eq!((names(&back), &back["done"]), (vec![1, 2], &json!(true)));
    let third = list(&format!("limit=2&iterator={}", second["iterator"].as_str().unwrap())).await;
    assert_eq!((names(&third), &third["done"]), (vec![5], &json!(true)));
}

#[tokio::test]
async fn an_iterator_that_was_tampered_with_shows_nothing_of_anybody_else() {
    let service = Service::start().await;
    arrange::application(&service.store, 1, 1, None).await;
    let theirs = arrange::application(&service.store, 2, 2, None).await;
    let mut answers = String::new();
    for iterator in ["x", "-", "app_", "--app_0ujsswThIGTUYm2K8FjOOfXtY1K", "ep_0ujsswThIGTUYm2K8FjOOfXtY1K", "app_%23"]
    {
        write!(answers, "{iterator}\n{}", service.get(&format!("/api/v1/app?iterator={iterator}")).await.faults())
            .unwrap();
    }
    assert_snapshot!(answers, @r#"
    x
      ["query","iterator"] value_error "must be `app_` followed by 27 letters or digits"
    -
      ["query","iterator"] value_error "must be `app_` followed by 27 letters or digits"
    app_
      ["query","iterator"] value_error "must be `app_` followed by 27 letters or digits"
    --app_0ujsswThIGTUYm2K8FjOOfXtY1K
      ["query","iterator"] value_error "must be `app_` followed by 27 letters or digits"
    ep_0ujsswThIGTUYm2K8FjOOfXtY1K
      ["query","iterator"] value_error "must be `app_` followed by 27 letters or digits"
    app_%23
      ["query","iterator"] value_error "must be `app_` followed by 27 letters or digits"
    "#);
    for iterator in [theirs.id.to_string(), format!("-{}", theirs.id)] {
        let answer = service.get(&format!("/api/v1/app?iterator={iterator}")).await;
        assert!(answer.status == 200 && !answer.body.contains("application 2"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_application_reads_itself_by_every_name_and_no_other() {
    let service = Service::start().await;
    let own = arrange::application(&service.store, 1, 9, Some("own")).await;
    let other = arrange::application(&service.store, 1, 2, Some("other")).await;
    let bearer = token(&application());
    for (name, status) in
        [(own.id.to_string(), 200), ("own".to_owned(), 200), (other.id.to_string(), 404), ("other".to_owned(), 404)]
    {
        let answer = service.ask_as(&bearer, Method::GET, &format!("/api/v1/app/{name}")).await;
        assert_eq!(answer.status, status, "{name}");
    }
}
