use http::Method;
use insta::assert_snapshot;
use tidings_domain::signature::SigningSecret;

use crate::support::{SECRET, Service, organization, token};

const PATH: &str = "/webhook/signing-secret";

#[tokio::test]
async fn the_signing_secret_is_the_one_that_callbacks_are_signed_with() {
    let answer = Service::start().await.get(PATH).await;
    assert_snapshot!(answer.shown(), @r#"
    200
    {"key":"whsec_HNfVQsKqI2AeQdpoQ/cfg2KvAbiIsFzmo5Ng9YevFl4="}
    "#);
    let shown = answer.json()["key"].as_str().unwrap().to_owned();
    let callbacks = SigningSecret::for_job_callbacks(SECRET.as_bytes(), organization(1).organization);
    assert!(SigningSecret::try_from(&*shown).unwrap() == callbacks);
}

#[tokio::test]
async fn every_organization_has_its_own() {
    let service = Service::start().await;
    let theirs = service.ask_as(&token(&organization(2)), Method::GET, PATH).await;
    assert_ne!(service.get(PATH).await.body, theirs.body);
    assert_eq!(service.get(PATH).await.body, Service::start().await.get(PATH).await.body, "and keeps it");
}
