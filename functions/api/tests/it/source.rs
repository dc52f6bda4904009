use std::fmt::Write as _;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::source::{Source, SourceKey, SourceKeys};

use crate::application::id;
use crate::arrange;
use crate::support::{Service, application, organization, request, token, vault};

pub(crate) const SOURCES: &str = "/api/v1/source";

pub(crate) fn login(password: &str) -> SourceKey {
    SourceKey::Login { username: "docebo".to_owned(), password: password.to_owned() }
}

/// A source of organization 1.
pub(crate) async fn stored(service: &Service, name: &str) -> Source {
    let found = service.store.source(organization(1).organization, &name.parse().unwrap()).await;
    found.unwrap().unwrap()
}

/// What the requests of a source of organization 1 are verified with.
pub(crate) async fn keys(service: &Service, name: &str) -> Option<SourceKeys> {
    let source = stored(service, name).await;
    let opened = vault().open(source.organization, &source.keys_context(), source.keys.as_ref()?).unwrap();
    Some(SourceKeys::from_text(opened.as_text().unwrap()).unwrap())
}

#[tokio::test]
async fn a_source_is_created_and_read_by_every_name() {
    let service = Service::start().await;
    arrange::application(&service.store, 1, 1, Some("acme")).await;
    let body = json!({
        "name": "The learning platform", "uid": "docebo", "kind": "docebo", "username": "docebo",
        "password": "correct horse", "forwardTo": "acme",
        "retention": {"transactions": "3-M", "transactionErrors": "30-D", "computeErrors": "1-D", "enrollments": "10-Y"}
    });
    let created = service.post(SOURCES, &body).await;
    assert_snapshot!(created.masked(), @r#"
    201
    location: /api/v1/source/src_[random]
    {"id":"src_[random]","uid":"docebo","name":"The learning platform","kind":"docebo","path":"/in/src_[random]","signature":null,"idHeader":null,"eventHeader":null,"forwardTo":"acme","retention":{"transactions":"3-M","transactionErrors":"30-D","computeErrors":"1-D","enrollments":"10-Y"},"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    for name in ["docebo", id(&created.json())] {
        let read = service.get(&format!("{SOURCES}/{name}")).await;
        assert_eq!((read.status, &read.body), (200, &created.body));
    }
    assert_eq!(created.headers["location"], format!("{SOURCES}/{}", id(&created.json())));
    assert_eq!(keys(&service, "docebo").await, Some(SourceKeys::new(login("correct horse"))));
}

#[tokio::test]
async fn a_source_of_every_kind_needs_what_its_sender_verifies_with() {
    let service = Service::start().await;
    let mut answers = String::new();
    for body in [
        json!({"name": "a", "kind": "docebo", "username": "u", "password": "p", "secret": null}),
        json!({"name": "b", "kind": "generic", "secret": "s", "signature": {"header": "X-Signature"}}),
        json!({"name": "c", "kind": "generic", "secret": "s", "idHeader": "X-Id", "eventHeader": "X-Event", "signature":
            {"header": "x-sign", "algorithm": "sha512", "encoding": "base64", "prefix": "hmac "}}),
        json!({"name": "d", "kind": "github", "secret": "It's a Secret to Everybody"}),
        json!({"name": "e", "kind": "none", "idHeader": "X-Id"}),
        json!({"name": "f", "kind": "shopify", "secret": "s", "username": null, "idHeader": null}),
        json!({"name": "g", "kind": "slack", "secret": "8f742231b10e8888abcd99yyyzzz85a5", "retention": {}}),
        json!({"name": "h", "kind": "standard", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "retention": null}),
        json!({"name": "i", "kind": "stripe", "secret": "whsec_t3stS3cr3t", "forwardTo": null}),
    ] {
        let created = service.post(SOURCES, &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        let shown = created.json();
        let what =
            ["uid", "kind", "signature", "idHeader", "eventHeader"].map(|name| shown[name].to_string()).join(" ");
        writeln!(answers, "{what}").unwrap();
    }
    assert_snapshot!(answers, @r#"
    "a" "docebo" null null null
    "b" "generic" {"header":"x-signature","algorithm":"sha256","encoding":"hex","prefix":""} null null
    "c" "generic" {"header":"x-sign","algorithm":"sha512","encoding":"base64","prefix":"hmac "} "x-id" "x-event"
    "d" "github" null null null
    "e" "none" null "x-id" null
    "f" "shopify" null null null
    "g" "slack" null null null
    "h" "standard" null null null
    "i" "stripe" null null null
    "#);
    assert_eq!(
        keys(&service, "d").await,
        Some(SourceKeys::new(SourceKey::Secret("It's a Secret to Everybody".into())))
    );
    assert_eq!(keys(&service, "e").await, None);
}

#[tokio::test]
async fn a_bad_source_is_422_with_every_fault_and_no_secret() {
    let service = Service::start().await;
    let mut answers = String::new();
    for body in [
        json!({}),
        json!([]),
        json!({"name": "", "uid": "a b", "kind": "docebo", "password": "a\nhunter2", "secret": "hunter2"}),
        json!({"name": "x", "kind": "gitlab", "secret": "hunter2", "username": 1, "signature": 1, "idHeader": "a b"}),
        json!({"name": "x", "kind": "generic", "secret": " hunter2", "idHeader": "authorization", "eventHeader": 1}),
        json!({"name": "x", "kind": "generic", "secret": "", "signature": {"algorithm": "md5", "encoding": "base32",
            "prefix": " a", "key": "hunter2"}}),
        json!({"name": "x", "kind": "github", "username": "hunter2", "signature": {"header": "x"}, "idHeader": "x"}),
        json!({"name": "x", "kind": "standard", "secret": "not hunter2", "password": "hunter2"}),
        json!({"name": "x", "kind": "stripe", "secret": "sk_live_hunter2", "eventHeader": "x"}),
        json!({"name": "x", "kind": "slack", "secret": null, "forwardTo": "nobody"}),
        json!({"name": "x", "kind": "shopify", "secret": "s", "forwardTo": "a b"}),
        json!({"name": "x", "kind": "none", "secret": "hunter2", "username": "u", "password": "hunter2", "id": "src_1"}),
        json!({"name": 1, "kind": "none", "retention": {"transactions": "90", "transactionErrors": "0-D",
            "computeErrors": null, "enrollments": "11-Y", "jobs": "1-D"}}),
        json!({"name": "x", "kind": "docebo", "username": "hunter2:x", "password": "x".repeat(513)}),
    ] {
        let answer = service.post(SOURCES, &body).await;
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
        write!(answers, "{:.90}\n{}", body.to_string(), answer.faults()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    {}
      ["body","name"] value_error.missing "is required"
      ["body","kind"] value_error.missing "is required"
    []
      ["body"] type_error "must be an object"
    {"name":"","uid":"a b","kind":"docebo","password":"a\nhunter2","secret":"hunter2"}
      ["body","name"] value_error "must be 1 to 256 characters long"
      ["body","uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["body","secret"] value_error "is not for a source of kind `docebo`, which logs in"
      ["body","username"] value_error.missing "is required"
      ["body","password"] value_error "must not hold line breaks or other control characters"
    {"name":"x","kind":"gitlab","secret":"hunter2","username":1,"signature":1,"idHeader":"a b"
      ["body","kind"] value_error "must be one of docebo, generic, github, none, shopify, slack, standard, stripe"
      ["body","idHeader"] value_error "must be the name of a header: 1 to 100 letters, digits, `-` or `_`"
    {"name":"x","kind":"generic","secret":" hunter2","idHeader":"authorization","eventHeader":
      ["body","signature"] value_error.missing "is required"
      ["body","idHeader"] value_error "must be the name of a header: 1 to 100 letters, digits, `-` or `_`"
      ["body","eventHeader"] type_error "must be a string"
      ["body","secret"] value_error "must not begin or end with white space"
    {"name":"x","kind":"generic","secret":"","signature":{"algorithm":"md5","encoding":"base32
      ["body","signature","header"] value_error.missing "is required"
      ["body","signature","algorithm"] value_error "must be one of sha1, sha256, sha512"
      ["body","signature","encoding"] value_error "must be one of base64, hex"
      ["body","signature","prefix"] value_error "must be at most 100 visible ASCII characters; spaces only after the first one"
      ["body","signature","key"] value_error.extra "is not known here"
      ["body","secret"] value_error "must be 1 to 512 bytes long"
    {"name":"x","kind":"github","username":"hunter2","signature":{"header":"x"},"idHeader":"x"
      ["body","signature"] value_error "is not for a source of kind `github`"
      ["body","idHeader"] value_error "is not for a source of kind `github`, which has its own"
      ["body","username"] value_error "is not for a source of kind `github`, which signs with a secret"
      ["body","secret"] value_error.missing "is required"
    {"name":"x","kind":"standard","secret":"not hunter2","password":"hunter2"}
      ["body","password"] value_error "is not for a source of kind `standard`, which signs with a secret"
      ["body","secret"] value_error "must be base64, with or without `whsec_` before it, or `whpk_` and the base64 of an Ed25519 public key"
    {"name":"x","kind":"stripe","secret":"sk_live_hunter2","eventHeader":"x"}
      ["body","eventHeader"] value_error "is not for a source of kind `stripe`, which has its own"
      ["body","secret"] value_error "must be the endpoint's signing secret, which begins with `whsec_`"
    {"name":"x","kind":"slack","secret":null,"forwardTo":"nobody"}
      ["body","forwardTo"] value_error "there is no application with this id or uid"
      ["body","secret"] type_error "must be a string"
    {"name":"x","kind":"shopify","secret":"s","forwardTo":"a b"}
      ["body","forwardTo"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
    {"name":"x","kind":"none","secret":"hunter2","username":"u","password":"hunter2","id":"src
      ["body","username"] value_error "is not for a source of kind `none`, which verifies nothing"
      ["body","password"] value_error "is not for a source of kind `none`, which verifies nothing"
      ["body","secret"] value_error "is not for a source of kind `none`, which verifies nothing"
      ["body","id"] value_error.extra "is not known here"
    {"name":1,"kind":"none","retention":{"transactions":"90","transactionErrors":"0-D","comput
      ["body","name"] type_error "must be a string"
      ["body","retention","transactions"] value_error "must be a number and a unit, like `90-D`, `3-M` or `1-Y`: 1 day to 10 years"
      ["body","retention","transactionErrors"] value_error "must be a number and a unit, like `90-D`, `3-M` or `1-Y`: 1 day to 10 years"
      ["body","retention","computeErrors"] type_error "must be a string"
      ["body","retention","enrollments"] value_error "must be a number and a unit, like `90-D`, `3-M` or `1-Y`: 1 day to 10 years"
      ["body","retention","jobs"] value_error.extra "is not known here"
    {"name":"x","kind":"docebo","username":"hunter2:x","password":"xxxxxxxxxxxxxxxxxxxxxxxxxxx
      ["body","username"] value_error "must not hold a colon"
      ["body","password"] value_error "must be 1 to 512 bytes long"
    "#);
    assert_eq!(service.get(SOURCES).await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_new_source_that_is_given_no_uid_gets_its_name_if_that_can_be_one() {
    let service = Service::start().await;
    let create = |body: Value| {
        let service = &service;
        async move {
            let mut whole = json!({"kind": "none"});
            whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            service.post(SOURCES, &whole).await
        }
    };
    for (body, uid) in [
        (json!({"name": "docebo"}), json!("docebo")),
        (json!({"name": "Docebo of Acme"}), Value::Null),
        (json!({"name": "github", "uid": null}), Value::Null),
        (json!({"name": "github", "uid": "hub"}), json!("hub")),
        (json!({"name": "src_0ujsswThIGTUYm2K8FjOOfXtY1K"}), Value::Null),
    ] {
        let created = create(body.clone()).await;
        assert_eq!((created.status, &created.json()["uid"]), (201, &uid), "{body}");
    }
    assert_snapshot!(create(json!({"name": "docebo"})).await.shown(), @r#"
    409
    {"code":"conflict","detail":"Another source has this uid. A new source that is given none gets its name for one."}
    "#);
    assert_eq!(create(json!({"name": "other", "uid": "docebo"})).await.status, 409);
    assert_eq!(create(json!({"name": "docebo", "uid": null})).await.status, 201);
    let other = token(&organization(2));
    assert_eq!(service.post_as(&other, SOURCES, &json!({"name": "docebo", "kind": "none"})).await.status, 201);
}

#[tokio::test]
async fn sources_are_listed_in_pages_either_way() {
    let service = Service::start().await;
    for number in 1..=3 {
        arrange::source(&service.store, 1, number, None).await;
    }
    arrange::source(&service.store, 2, 4, None).await;
    let names = |body: &Value| -> Vec<String> {
        let name = |one: &Value| one["name"].as_str().unwrap().replace("source ", "");
        body["data"].as_array().unwrap().iter().map(name).collect()
    };
    let first = service.get(&format!("{SOURCES}?limit=2")).await.json();
    assert_eq!((names(&first), &first["done"]), (vec!["1".into(), "2".into()], &json!(false)));
    let path = format!("{SOURCES}?limit=2&iterator={}", first["iterator"].as_str().unwrap());
    assert_eq!(names(&service.get(&path).await.json()), ["3"]);
    assert_eq!(names(&service.get(&format!("{SOURCES}?order=descending")).await.json()), ["3", "2", "1"]);
    assert_snapshot!(service.get(&format!("{SOURCES}?limit=0&order=up&iterator=x")).await.faults(), @r#"
    ["query","order"] value_error "must be `ascending` or `descending`"
    ["query","limit"] value_error "must be a number from 1 to 250"
    ["query","iterator"] value_error "must be `src_` followed by 27 letters or digits"
    "#);
}

#[tokio::test]
async fn a_repetition_under_a_key_is_answered_the_same() {
    let service = Service::start().await;
    let send = |body: Value| {
        let request = request(&token(&organization(1)), Method::POST, SOURCES).header("idempotency-key", "one");
        service.send(request.body(body.to_string().into()).unwrap())
    };
    let body = json!({"name": "hub", "kind": "github", "secret": "hunter2"});
    let first = send(body.clone()).await;
    let again = send(body).await;
    assert_eq!((first.status, again.status, &again.body), (201, 201, &first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(send(json!({"name": "hub", "kind": "github", "secret": "another"})).await.status, 409);
    assert_eq!(service.get(SOURCES).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_deleted_source_is_gone_and_its_uid_is_free() {
    let service = Service::start().await;
    arrange::source(&service.store, 1, 1, Some("docebo")).await;
    let path = format!("{SOURCES}/docebo");
    assert_eq!(service.delete(&path).await.status, 204);
    assert_eq!((service.get(&path).await.status, service.delete(&path).await.status), (404, 404));
    assert_eq!(service.post(SOURCES, &json!({"name": "docebo", "kind": "none"})).await.status, 201);
}

/// Every operation on a source.
fn requests(name: &str) -> Vec<(Method, String, Value)> {
    let one = format!("{SOURCES}/{name}");
    vec![
        (Method::GET, one.clone(), json!(null)),
        (Method::PUT, one.clone(), json!({"name": "x", "kind": "docebo"})),
        (Method::PATCH, one.clone(), json!({"name": "x"})),
        (Method::POST, format!("{one}/secret/rotate"), json!({"password": "x"})),
        (Method::DELETE, one, json!(null)),
    ]
}

#[tokio::test]
async fn what_another_tenant_owns_is_not_there() {
    let service = Service::start().await;
    let theirs = arrange::source(&service.store, 2, 2, Some("theirs")).await;
    for name in [theirs.id.to_string(), "theirs".to_owned()] {
        for (method, path, body) in requests(&name) {
            if method == Method::PUT && name == "theirs" {
                continue; // It would be ours: see below.
            }
            let answer = service.call(method.clone(), &path, &body).await;
            assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{method} {path}");
        }
    }
    let ours = service.put(&format!("{SOURCES}/theirs"), &json!({"name": "x", "kind": "none"})).await;
    assert_eq!(ours.status, 201);
    let found = service.store.source(theirs.organization, &theirs.id.to_string().parse().unwrap()).await;
    assert_eq!(found.unwrap(), Some(theirs));
}

#[tokio::test]
async fn a_source_forwards_to_an_application_of_its_own_organization_only() {
    let service = Service::start().await;
    let theirs = arrange::application(&service.store, 2, 2, Some("theirs")).await;
    let ours = arrange::application(&service.store, 1, 1, Some("ours")).await;
    for (to, status) in
        [(theirs.id.to_string(), 422), ("theirs".to_owned(), 422), (ours.id.to_string(), 201), ("ours".to_owned(), 201)]
    {
        let body = json!({"name": "any source", "kind": "none", "forwardTo": to});
        let answer = service.post(SOURCES, &body).await;
        assert_eq!(answer.status, status, "{to}");
        if status == 201 {
            assert_eq!(answer.json()["forwardTo"], to);
        } else {
            assert!(answer.faults().contains("forwardTo"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn an_applications_credential_does_not_reach_sources() {
    let service = Service::start().await;
    arrange::application(&service.store, 1, 9, Some("own")).await;
    arrange::source(&service.store, 1, 1, Some("docebo")).await;
    let mut all = requests("docebo");
    all.push((Method::POST, SOURCES.to_owned(), json!({"name": "x", "kind": "none"})));
    all.push((Method::GET, SOURCES.to_owned(), json!(null)));
    for (method, path, body) in all {
        let answer = service.call_as(&token(&application()), method.clone(), &path, &body).await;
        assert_eq!(answer.status, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn the_table_does_not_hold_a_secret() {
    let service = Service::start().await;
    let send = request(&token(&organization(1)), Method::POST, SOURCES).header("idempotency-key", "one").body(
        json!({"name": "docebo", "kind": "docebo", "username": "jane7", "password": "hunter2"}).to_string().into(),
    );
    assert_eq!(service.send(send.unwrap()).await.status, 201);
    for (name, secret) in [("a", "hunter3"), ("b", "hunter4")] {
        let body = json!({"name": name, "kind": "github", "secret": secret});
        assert_eq!(service.put(&format!("{SOURCES}/{name}"), &body).await.status, 201);
    }
    let rotated = service.post(&format!("{SOURCES}/a/secret/rotate"), &json!({"secret": "hunter5"})).await;
    assert_eq!(rotated.status, 204);
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    let all = service.store.client().scan().table_name("tidings").send().await.unwrap();
    let all = format!("{:?}", all.items);
    assert!(all.contains("github") && !all.contains("hunter") && !all.contains("jane7"));
}
