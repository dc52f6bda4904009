use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use insta::assert_snapshot;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tidings_domain::caller::Caller;
use tidings_http::credential::{
    CredentialOptions, JwksDocument, KeyError, LEEWAY, MintError, MintOptions, PublicKey, mint,
};
use tidings_http::{AnyScope, Credentials};

use crate::support::{
    ED25519, ED25519_PUBLIC, RSA, RSA_PUBLIC, SECRET, TestClock, admin, application, get_as, options, organization,
};

fn now() -> i64 {
    TestClock::new().now().as_secs()
}

fn claims() -> Value {
    json!({"sub": organization().organization, "exp": now() + 3600})
}

fn with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().shift_remove(name);
    claims
}

fn hs256(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn signed(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, &claims(), key).unwrap()
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap()
}

fn ed25519() -> EncodingKey {
    EncodingKey::from_ed_pem(ED25519.as_bytes()).unwrap()
}

/// A token of hand-made parts, signed with nothing.
fn unsigned(header: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(&claims()))
}

async fn holder(options: CredentialOptions, token: &str) -> Option<Caller> {
    Credentials::new(options).authenticate(token).await.ok().map(|holder| holder.caller)
}

#[tokio::test]
async fn a_bad_token_is_refused_whatever_is_wrong_with_it() {
    let application = application();
    let tidings_domain::caller::Scope::Application(app) = application.scope else { panic!("an application") };
    let public_key_as_secret = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    let good = hs256(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let crit = Header { crit: Some(vec!["b64".to_owned()]), ..Header::default() };
    let bad = [
        ("empty", String::new()),
        ("no token at all", "hello".to_owned()),
        ("two parts", message.to_owned()),
        ("four parts", format!("{good}.x")),
        ("cut signature", format!("{message}.{}", &signature[..signature.len() - 2])),
        ("no signature", format!("{message}.")),
        ("claims exchanged", {
            let other = hs256(&with(&json!({"role": "admin"})));
            format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
        }),
        ("wrong secret", encode(&Header::default(), &claims(), &EncodingKey::from_secret(b"other")).unwrap()),
        ("expired", hs256(&with(&json!({"exp": now() - 61})))),
        ("not yet", hs256(&with(&json!({"nbf": now() + 61})))),
        ("no exp", hs256(&without("exp"))),
        ("exp is null", hs256(&with(&json!({"exp": null})))),
        ("exp is a text", hs256(&with(&json!({"exp": "2100-01-01"})))),
        ("no sub", hs256(&without("sub"))),
        ("sub is no id", hs256(&with(&json!({"sub": "somebody"})))),
        ("sub is an application, and no org", hs256(&with(&json!({"sub": app})))),
        ("org and sub are organizations", hs256(&with(&json!({"org": organization().organization})))),
        ("org is no id", hs256(&with(&json!({"org": "acme", "sub": app})))),
        ("unknown role", hs256(&with(&json!({"role": "root"})))),
        ("organizations is a text", hs256(&with(&json!({"organizations": "acme"})))),
        ("alg none", unsigned(&json!({"alg": "none", "typ": "JWT"}))),
        ("alg None", unsigned(&json!({"alg": "None"}))),
        ("no alg", unsigned(&json!({"typ": "JWT"}))),
        ("HS512 with the right secret", signed(Algorithm::HS512, None, &EncodingKey::from_secret(SECRET))),
        ("public key used as secret", signed(Algorithm::HS256, None, &public_key_as_secret)),
        ("PS256 with the RSA key", signed(Algorithm::PS256, None, &rsa())),
        ("RS512 with the RSA key", signed(Algorithm::RS512, None, &rsa())),
        ("unknown critical header", encode(&crit, &claims(), &EncodingKey::from_secret(SECRET)).unwrap()),
        ("too long", hs256(&with(&json!({"padding": "x".repeat(9000)})))),
    ];
    for (name, token) in bad {
        assert_eq!(holder(options(&TestClock::new()), &token).await, None, "{name}");
    }
    assert_eq!(holder(options(&TestClock::new()), &good).await, Some(organization()));
}

#[tokio::test]
async fn a_good_token_tells_who_its_holder_is() {
    let application = application();
    let tidings_domain::caller::Scope::Application(app) = application.scope else { panic!("an application") };
    let org = organization().organization;
    let flagged = Caller { feature_flags: vec!["a".parse().unwrap()], ..application.clone() };
    let good = [
        ("organization", hs256(&claims()), organization()),
        ("organization with flags", hs256(&with(&json!({"feature_flags": ["a"]}))), organization()),
        ("other claims", hs256(&with(&json!({"iss": "svix-server", "aud": ["a"], "x": {"y": 1}}))), organization()),
        ("fraction of a second", hs256(&with(&json!({"exp": 1_800_003_600.5, "nbf": 0.25}))), organization()),
        ("admin", hs256(&with(&json!({"role": "admin", "organizations": ["acme"]}))), admin()),
        ("application", hs256(&with(&json!({"org": org, "sub": app}))), application.clone()),
        ("flags", hs256(&with(&json!({"org": org, "sub": app, "feature_flags": ["a", "no flag"]}))), flagged),
        ("application with a role", hs256(&with(&json!({"org": org, "sub": app, "role": "admin"}))), application),
        ("RS256", signed(Algorithm::RS256, None, &rsa()), organization()),
        ("EdDSA", signed(Algorithm::EdDSA, None, &ed25519()), organization()),
        ("a kid that nobody knows", signed(Algorithm::EdDSA, Some("other"), &ed25519()), organization()),
    ];
    for (name, token, expected) in good {
        assert_eq!(holder(options(&TestClock::new()), &token).await, Some(expected), "{name}");
    }
}

#[tokio::test]
async fn a_token_is_good_until_the_leeway_after_its_end_and_from_the_leeway_before_its_start() {
    let clock = TestClock::new();
    let credentials = Credentials::new(options(&clock));
    let token = hs256(&with(&json!({"nbf": now() + 60, "exp": now() + 100})));
    assert!(credentials.authenticate(&token).await.is_ok());
    clock.advance_ms(-1000);
    assert!(credentials.authenticate(&token).await.is_err());
    clock.advance_ms(1000 + 100_000 + i64::try_from(LEEWAY.as_millis()).unwrap() - 1);
    assert!(credentials.authenticate(&token).await.is_ok());
    clock.advance_ms(1);
    assert!(credentials.authenticate(&token).await.is_err());
}

#[tokio::test]
async fn without_a_secret_no_hs256_token_is_accepted() {
    let keyless = || CredentialOptions { hs256_secret: Vec::new(), ..options(&TestClock::new()) };
    // Signed with the empty secret, too.
    let empty = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": "HS256"}).to_string());
    assert_eq!(holder(keyless(), &hs256(&claims())).await, None);
    assert_eq!(
        holder(keyless(), &format!("{empty}.{}.", BASE64_URL_SAFE_NO_PAD.encode(claims().to_string()))).await,
        None
    );
    let signed_with_nothing = encode(&Header::default(), &claims(), &EncodingKey::from_secret(b"")).unwrap();
    assert_eq!(holder(keyless(), &signed_with_nothing).await, None);
    assert_eq!(holder(keyless(), &signed(Algorithm::EdDSA, None, &ed25519())).await, Some(organization()));
}

fn jwks() -> JwksDocument {
    let named = |kid: &str, key: &EncodingKey, algorithm| {
        let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        serde_json::to_value(jwk).unwrap()
    };
    let document = json!({"keys": [
        named("r", &rsa(), Algorithm::RS256),
        named("e", &ed25519(), Algorithm::EdDSA),
        {"kty": "oct", "kid": "o", "k": BASE64_URL_SAFE_NO_PAD.encode("published")},
        {"kty": "unheard of", "kid": "u"},
    ]});
    JwksDocument::parse(&document.to_string()).unwrap()
}

#[tokio::test]
async fn a_key_of_a_jwks_document_is_chosen_by_kid_and_checks_its_own_algorithm_only() {
    let published = EncodingKey::from_secret(b"published");
    let cases = [
        ("RSA", signed(Algorithm::RS256, Some("r"), &rsa()), true),
        ("Ed25519", signed(Algorithm::EdDSA, Some("e"), &ed25519()), true),
        ("no kid", signed(Algorithm::RS256, None, &rsa()), false),
        ("unknown kid", signed(Algorithm::RS256, Some("x"), &rsa()), false),
        ("kid of another key", signed(Algorithm::RS256, Some("e"), &rsa()), false),
        ("other algorithm", signed(Algorithm::RS384, Some("r"), &rsa()), false),
        ("a published secret", signed(Algorithm::HS256, Some("o"), &published), false),
    ];
    for (name, token, good) in cases {
        let options = CredentialOptions { public_keys: Vec::new(), jwks: Some(jwks()), ..options(&TestClock::new()) };
        assert_eq!(holder(options, &token).await.is_some(), good, "{name}");
    }
}

#[test]
fn what_is_no_public_key_is_refused_at_the_start() {
    assert!(matches!(PublicKey::from_pem(RSA), Err(KeyError::Private)));
    assert!(matches!(PublicKey::from_pem(ED25519), Err(KeyError::Private)));
    assert!(matches!(PublicKey::from_pem("ssh-ed25519 AAAA"), Err(KeyError::NotAPublicKey)));
    assert!(matches!(JwksDocument::parse("<html>"), Err(KeyError::NotAKeySet(_))));
    assert!(matches!(
        JwksDocument::parse(r#"{"keys":[{"kty":"oct","kid":"o","k":"c2VjcmV0"}]}"#),
        Err(KeyError::EmptyKeySet)
    ));
    assert!(PublicKey::from_pem(ED25519_PUBLIC).is_ok());
}

#[tokio::test]
async fn a_minted_token_is_accepted_for_the_same_caller_until_it_expires() {
    let flagged = Caller { feature_flags: vec!["beta".parse().unwrap()], ..application() };
    for caller in [organization(), application(), admin(), flagged] {
        let clock = TestClock::new();
        let credentials = Credentials::new(options(&clock));
        let mint_options = MintOptions { caller: &caller, now: clock.now(), expires_in: Duration::from_secs(3600) };
        let token = mint(SECRET, mint_options).unwrap();
        assert_eq!(credentials.authenticate(&token).await.unwrap().caller, caller);
        clock.advance_ms(3_660_000);
        assert!(credentials.authenticate(&token).await.is_err());
    }
}

#[test]
fn nothing_is_minted_that_would_not_be_accepted_as_it_was_meant() {
    let options = |caller| MintOptions { caller, now: TestClock::new().now(), expires_in: Duration::from_secs(60) };
    let person = Caller { scope: application().scope, ..admin() };
    assert!(matches!(mint(SECRET, options(&person)), Err(MintError::ApplicationWithRole)));
    let flagged = Caller { feature_flags: vec!["beta".parse().unwrap()], ..organization() };
    assert!(matches!(mint(SECRET, options(&flagged)), Err(MintError::OrganizationWithFlags)));
    assert!(matches!(mint(b"", options(&organization())), Err(MintError::EmptySecret)));
}

#[tokio::test]
async fn every_refusal_looks_the_same() {
    let credentials = Credentials::new(options(&TestClock::new()));
    let router = Router::new().route("/", get(async |_: tidings_http::Caller<AnyScope>| "in")).with_state(credentials);
    let mut answers = Vec::new();
    for token in ["", "x", "tdk_x", &format!("tdk_{}", "A".repeat(43)), &hs256(&with(&json!({"exp": 1})))] {
        answers.push(get_as(&router, "/", token).await);
    }
    answers.dedup();
    let mut text = String::new();
    for answer in answers {
        writeln!(text, "{answer}").unwrap();
    }
    assert_snapshot!(text, @r#"
    401 Unauthorized
    content-type: application/json
    www-authenticate: Bearer
    {"code":"authentication_failed","detail":"A valid bearer token or API key is needed."}
    "#);
}
