use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use futures::FutureExt as _;
use insta::assert_snapshot;
use tidings_domain::api_key::ApiKeySecret;
use tidings_domain::caller::Caller;
use tidings_http::credential::{CredentialOptions, FindApiKey};
use tidings_http::{AnyScope, Credentials, LookupFailed};

use crate::support::{TestClock, get_as, options, organization};

/// A store with one key, which can be taken away, and a count of how often it was asked.
#[derive(Clone, Default)]
struct Store {
    holder: Arc<Mutex<Option<Caller>>>,
    asked: Arc<AtomicUsize>,
}

impl Store {
    fn find(&self) -> FindApiKey {
        let store = self.clone();
        let known = key().hash();
        Arc::new(move |hash| {
            store.asked.fetch_add(1, Ordering::SeqCst);
            let found = store.holder.lock().unwrap().clone().filter(|_| hash == known);
            async move { Ok(found) }.boxed()
        })
    }

    fn set(&self, holder: Option<Caller>) {
        *self.holder.lock().unwrap() = holder;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn key() -> ApiKeySecret {
    ApiKeySecret::new([9; 32])
}

fn credentials(clock: &TestClock, find_api_key: FindApiKey) -> Credentials {
    Credentials::new(CredentialOptions { find_api_key, ..options(clock) })
}

#[tokio::test]
async fn a_key_is_looked_up_once_in_the_cache_time() {
    let (clock, store) = (TestClock::new(), Store::default());
    store.set(Some(organization()));
    let credentials = credentials(&clock, store.find());
    for _ in 0..3 {
        assert_eq!(credentials.authenticate(key().reveal()).await.unwrap().caller, organization());
        clock.advance_ms(1600);
    }
    assert_eq!(store.asked(), 1);
    clock.advance_ms(200);
    assert_eq!(credentials.authenticate(key().reveal()).await.unwrap().caller, organization());
    assert_eq!(store.asked(), 2);
}

#[tokio::test]
async fn a_revoked_key_works_no_longer_than_the_cache_time() {
    let (clock, store) = (TestClock::new(), Store::default());
    store.set(Some(organization()));
    let credentials = credentials(&clock, store.find());
    assert!(credentials.authenticate(key().reveal()).await.is_ok());
    store.set(None);
    clock.advance_ms(4999);
    assert!(credentials.authenticate(key().reveal()).await.is_ok());
    clock.advance_ms(1);
    assert!(credentials.authenticate(key().reveal()).await.is_err());
}

#[tokio::test]
async fn a_key_that_is_not_there_is_looked_up_once_in_the_cache_time_and_then_found() {
    let (clock, store) = (TestClock::new(), Store::default());
    let credentials = credentials(&clock, store.find());
    assert!(credentials.authenticate(key().reveal()).await.is_err());
    store.set(Some(organization()));
    assert!(credentials.authenticate(key().reveal()).await.is_err());
    assert_eq!(store.asked(), 1);
    clock.advance_ms(5000);
    assert!(credentials.authenticate(key().reveal()).await.is_ok());
}

#[tokio::test]
async fn a_text_that_cannot_be_a_key_is_not_looked_up() {
    let (clock, store) = (TestClock::new(), Store::default());
    let credentials = credentials(&clock, store.find());
    for text in ["tdk_", "tdk_short", &format!("{}x", key().reveal())] {
        assert!(credentials.authenticate(text).await.is_err(), "{text}");
    }
    assert_eq!(store.asked(), 0);
}

#[tokio::test]
async fn a_store_that_fails_is_no_wrong_key_and_is_asked_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let find: FindApiKey = Arc::new(move |_| {
        // It fails twice, in its two ways, and then answers.
        let answer = match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err(LookupFailed::new(io::Error::other("throttled at 10.0.0.7"), true)),
            1 => Err(LookupFailed::new(io::Error::other("no such table: tidings"), false)),
            _ => Ok(Some(organization())),
        };
        async move { answer }.boxed()
    });
    let credentials = credentials(&TestClock::new(), find);
    let router = Router::new().route("/", get(async |_: tidings_http::Caller<AnyScope>| "in")).with_state(credentials);
    let mut answers = String::new();
    for _ in 0..3 {
        answers.push_str(&get_as(&router, "/", key().reveal()).await);
        answers.push_str("\n\n");
    }
    assert_snapshot!(answers, @r#"
    503 Service Unavailable
    content-type: application/json
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}

    500 Internal Server Error
    content-type: application/json
    {"code":"server_error","detail":"Internal error."}

    200 OK
    content-type: text/plain; charset=utf-8
    in
    "#);
}
