use std::fmt::Write as _;
use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::caller::{Caller, Role};
use tidings_http::credential::CACHE_FOR;

use crate::arrange;
use crate::support::{Answer, Service, application, organization, request, token};

const PATH: &str = "/api/v1/api-key";

async fn create(service: &Service, body: &Value) -> Answer {
    service.post_as(&token(&organization(1)), PATH, body).await
}

fn admin() -> Caller {
    Caller { role: Role::Admin, ..organization(1) }
}

fn member() -> Caller {
    Caller { organizations: vec!["acme".to_owned(), "other".to_owned()], ..organization(1) }
}

#[tokio::test]
async fn a_new_key_is_shown_with_its_place() {
    let service = Service::start().await;
    assert_snapshot!(create(&service, &json!({})).await.shown(), @r#"
    201
    location: /api/v1/api-key/key_[random]
    {"id":"key_[random]","description":"","application":null,"role":"user","organizations":[],"createdAt":"2027-01-15T08:00:00.000Z","key":"tdk_[random]"}
    "#);
    let application = "app_0ujsswThIGTUYm2K8FjOOfXtY1K";
    let body = json!({"description": "b\u{e4}ckup \"1\"", "application": application, "role": "user"});
    assert_snapshot!(create(&service, &body).await.shown(), @r#"
    201
    location: /api/v1/api-key/key_[random]
    {"id":"key_[random]","description":"bäckup \"1\"","application":"app_0ujsswThIGTUYm2K8FjOOfXtY1K","role":"user","organizations":[],"createdAt":"2027-01-15T08:00:00.000Z","key":"tdk_[random]"}
    "#);
}

#[tokio::test]
async fn a_key_is_shown_once_and_not_stored() {
    let service = Service::start().await;
    let created = create(&service, &json!({"description": "ci"})).await.json();
    let key = created["key"].as_str().unwrap();
    let listed = service.get(PATH).await;
    assert_eq!(listed.json()["data"][0]["id"], created["id"]);
    assert!(!listed.body.contains(key) && !listed.body.contains("tdk_"), "{listed:?}");
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    let table = service.store.client().scan().table_name("tidings").send().await.unwrap();
    assert_eq!(table.count(), 1);
    assert!(!format!("{table:?}").contains(key.strip_prefix("tdk_").unwrap()));
}

#[tokio::test]
async fn keys_are_listed_oldest_first_and_only_the_organizations() {
    let service = Service::start().await;
    for name in ["first", "second"] {
        create(&service, &json!({"description": name})).await;
        service.clock.advance(Duration::from_secs(1));
    }
    arrange::api_key(&service.store, &organization(2), 1).await;
    assert_snapshot!(service.get(PATH).await.shown(), @r#"
    200
    {"data":[{"id":"key_[random]","description":"first","application":null,"role":"user","organizations":[],"createdAt":"2027-01-15T08:00:00.000Z"},{"id":"key_[random]","description":"second","application":null,"role":"user","organizations":[],"createdAt":"2027-01-15T08:00:01.000Z"}]}
    "#);
}

#[tokio::test]
async fn a_key_is_a_credential_until_it_is_revoked() {
    let service = Service::start().await;
    let created = create(&service, &json!({})).await.json();
    let (key, path) = (created["key"].as_str().unwrap(), format!("{PATH}/{}", created["id"].as_str().unwrap()));
    let job = arrange::pending(&service.store, 1).await;
    let read = service.ask_as(key, Method::GET, &format!("/webhook/{}", job.id)).await;
    assert_eq!(read.status, 200, "it is organization 1's");
    assert_snapshot!(service.ask(Method::DELETE, &path).await.shown(), @"204");
    // Who has just seen it may take it a little longer.
    service.clock.advance(CACHE_FOR);
    assert_eq!(service.ask_as(key, Method::GET, "/webhook").await.status, 401);
    assert_eq!(service.ask(Method::DELETE, &path).await.status, 404);
    assert_eq!(service.get(PATH).await.json(), json!({"data": []}));
}

#[tokio::test]
async fn a_key_can_make_keys_and_revoke_itself() {
    let service = Service::start().await;
    let first = create(&service, &json!({})).await.json();
    let bearer = first["key"].as_str().unwrap();
    let second = service.post_as(bearer, PATH, &json!({})).await;
    assert_eq!(second.status, 201);
    let path = format!("{PATH}/{}", first["id"].as_str().unwrap());
    assert_eq!(service.ask_as(bearer, Method::DELETE, &path).await.status, 204);
    assert_eq!(service.get(PATH).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_applications_key_reaches_nothing_of_the_organization() {
    let service = Service::start().await;
    let body = json!({"application": "app_0ujsswThIGTUYm2K8FjOOfXtY1K"});
    let created = create(&service, &body).await.json();
    let key = created["key"].as_str().unwrap();
    for (method, path) in [(Method::GET, PATH), (Method::GET, "/webhook"), (Method::GET, "/webhook/signing-secret")] {
        assert_eq!(service.ask_as(key, method, path).await.status, 403, "{path}");
    }
    for (bearer, name) in [(key.to_owned(), "its key"), (token(&application()), "its token")] {
        assert_eq!(service.post_as(&bearer, PATH, &json!({})).await.status, 403, "{name}");
    }
}

#[tokio::test]
async fn nobody_makes_a_key_that_can_do_more_than_its_maker() {
    let service = Service::start().await;
    let mut answers = String::new();
    for (name, maker, body) in [
        ("a user, an admin's", organization(1), json!({"role": "admin"})),
        ("a user, an organization that it is not in", organization(1), json!({"organizations": ["acme"]})),
        ("a member, one of its organizations", member(), json!({"organizations": ["other"]})),
        ("a member, one more", member(), json!({"organizations": ["acme", "third"]})),
        ("a member, an admin's", member(), json!({"role": "admin", "organizations": ["acme"]})),
        ("an admin, an admin's", admin(), json!({"role": "admin"})),
        ("an admin, any organization", admin(), json!({"organizations": ["acme"]})),
        ("an application, its own", application(), json!({"application": "app_0ujsswThIGTUYm2K8FjOOfXtY1K"})),
    ] {
        let answer = service.post_as(&token(&maker), PATH, &body).await;
        writeln!(answers, "{name}: {}", answer.status).unwrap();
    }
    assert_snapshot!(answers, @"
    a user, an admin's: 403
    a user, an organization that it is not in: 403
    a member, one of its organizations: 201
    a member, one more: 403
    a member, an admin's: 403
    an admin, an admin's: 201
    an admin, any organization: 201
    an application, its own: 403
    ");
    assert_eq!(service.get(PATH).await.json()["data"].as_array().unwrap().len(), 3, "only those were written");
}

#[tokio::test]
async fn what_a_key_may_do_is_kept_with_it() {
    let service = Service::start().await;
    let body = json!({"role": "admin", "organizations": ["acme"]});
    let created = service.post_as(&token(&admin()), PATH, &body).await.json();
    let again = service.post_as(created["key"].as_str().unwrap(), PATH, &body).await;
    assert_eq!(again.status, 201, "an admin's key makes another admin's");
    let listed = service.get(PATH).await.json();
    assert_eq!((&listed["data"][0]["role"], &listed["data"][0]["organizations"]), (&json!("admin"), &json!(["acme"])));
}

#[tokio::test]
async fn a_bad_body_is_refused_with_every_fault() {
    let service = Service::start().await;
    let mut answers = String::new();
    for body in [
        json!([]),
        json!({"description": 1, "application": 2, "role": 3, "organizations": 4}),
        json!({"description": null, "application": null, "role": null, "organizations": null}),
        json!({"description": "x".repeat(201), "organizations": vec!["x"; 101]}),
        json!({"application": "app_1", "role": "root", "organizations": ["acme", 1]}),
        json!({"organization": "org_0ujsswThIGTUYm2K8FjOOfXtY1K", "key": "tdk_mine"}),
    ] {
        let answer = create(&service, &body).await;
        assert_eq!(answer.status, 422, "{body}");
        let text = body.to_string().chars().take(90).collect::<String>();
        writeln!(answers, "{text}").unwrap();
        for fault in answer.json()["detail"].as_array().unwrap() {
            writeln!(answers, "  {} {} {}", fault["loc"], fault["type"].as_str().unwrap(), fault["msg"]).unwrap();
        }
    }
    assert_snapshot!(answers, @r#"
    []
      ["body"] type_error "must be an object"
    {"description":1,"application":2,"role":3,"organizations":4}
      ["body","description"] type_error "must be a string"
      ["body","application"] type_error "must be a string"
      ["body","role"] type_error "must be a string"
      ["body","organizations"] type_error "must be a list"
    {"description":null,"application":null,"role":null,"organizations":null}
      ["body","description"] type_error "must be a string"
      ["body","application"] type_error "must be a string"
      ["body","role"] type_error "must be a string"
      ["body","organizations"] type_error "must be a list"
    {"description":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      ["body","description"] value_error "must be at most 200 characters long"
      ["body","organizations"] value_error "must name at most 100 organizations"
    {"application":"app_1","role":"root","organizations":["acme",1]}
      ["body","application"] value_error "must be `app_` followed by 27 letters or digits"
      ["body","role"] value_error "must be `user` or `admin`"
      ["body","organizations","1"] type_error "must be a string"
    {"organization":"org_0ujsswThIGTUYm2K8FjOOfXtY1K","key":"tdk_mine"}
      ["body","organization"] value_error.extra "is not known here"
      ["body","key"] value_error.extra "is not known here"
    "#);
    let characters = json!({"description": "\u{1f511}".repeat(200), "organizations": []});
    assert_eq!(create(&service, &characters).await.status, 201, "characters count, not bytes");
}

#[tokio::test]
async fn what_names_no_key_is_404() {
    let service = Service::start().await;
    let (theirs, _) = arrange::api_key(&service.store, &organization(2), 1).await;
    for id in [theirs.to_string(), "key_0ujsswThIGTUYm2K8FjOOfXtY1K".to_owned(), "key_".to_owned(), "x".to_owned()] {
        let answer = service.ask(Method::DELETE, &format!("{PATH}/{id}")).await;
        assert_eq!((answer.status, &*answer.body), (404, r#"{"code":"not_found","detail":"Not found."}"#), "{id}");
    }
    let theirs = service.ask_as(&token(&organization(2)), Method::GET, PATH).await.json();
    assert_eq!(theirs["data"].as_array().unwrap().len(), 1, "it is still there");
}

#[tokio::test]
async fn a_key_that_its_holder_writes_otherwise_is_no_credential() {
    let service = Service::start().await;
    let (_, key) = arrange::api_key(&service.store, &organization(1), 1).await;
    for bearer in [key.to_uppercase(), key.replace("tdk_", ""), format!("{key}="), key[..46].to_owned()] {
        assert_eq!(service.ask_as(&bearer, Method::GET, "/webhook").await.status, 401, "{bearer}");
    }
    let padded = request(&format!(" {key} "), Method::GET, "/webhook").body(axum::body::Body::empty()).unwrap();
    assert_eq!(service.send(padded).await.status, 200, "white space around it is not part of it");
}
