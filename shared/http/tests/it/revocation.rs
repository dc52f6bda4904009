use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use futures::FutureExt as _;
use tidings_domain::Timestamp;
use tidings_domain::caller::{Caller, Scope};
use tidings_domain::token::{Revocation, TokenHash};
use tidings_http::credential::{CredentialOptions, FindRevocation, LEEWAY, MintOptions, Token, mint};
use tidings_http::{AnyScope, Credentials, LookupFailed};

use crate::support::{SECRET, TestClock, admin, application, get_as, options, organization};

/// What the table says of every token, and whom it was asked about.
#[derive(Clone, Default)]
struct Table {
    says: Arc<Mutex<Revocation>>,
    asked: Arc<AtomicUsize>,
}

impl Table {
    fn find(&self) -> FindRevocation {
        let table = self.clone();
        Arc::new(move |_, organization, application| {
            let own = Caller { organization, scope: Scope::Application(application), ..crate::support::organization() };
            assert_eq!(own, crate::support::application(), "asked about somebody else");
            table.asked.fetch_add(1, Ordering::SeqCst);
            let says = *table.says.lock().unwrap();
            async move { Ok(says) }.boxed()
        })
    }

    fn set(&self, says: Revocation) {
        *self.says.lock().unwrap() = says;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn credentials(clock: &TestClock, table: &Table) -> Credentials {
    Credentials::new(CredentialOptions { find_revocation: table.find(), ..options(clock) })
}

fn token(caller: &Caller, now: Timestamp) -> String {
    mint(SECRET, MintOptions { caller, now, expires_in: Duration::from_secs(3600) }).unwrap()
}

const TAKEN_BACK: Revocation = Revocation { revoked: true, valid_after: None };

#[tokio::test]
async fn a_token_that_was_taken_back_works_no_longer_than_the_cache_time() {
    let (clock, table) = (TestClock::new(), Table::default());
    let credentials = credentials(&clock, &table);
    let token = token(&application(), clock.now());
    assert!(credentials.authenticate(&token).await.is_ok());
    table.set(TAKEN_BACK);
    clock.advance_ms(4999);
    assert!(credentials.authenticate(&token).await.is_ok());
    assert_eq!(table.asked(), 1);
    clock.advance_ms(1);
    assert!(credentials.authenticate(&token).await.is_err());
}

#[tokio::test]
async fn who_takes_a_token_back_need_not_wait() {
    let (clock, table) = (TestClock::new(), Table::default());
    let credentials = credentials(&clock, &table);
    let token = token(&application(), clock.now());
    assert!(credentials.authenticate(&token).await.is_ok());
    table.set(TAKEN_BACK);
    credentials.forget(&TokenHash::of(&token));
    assert!(credentials.authenticate(&token).await.is_err());
}

#[tokio::test]
async fn all_tokens_of_an_application_end_at_once_but_for_those_made_afterwards() {
    let (clock, table) = (TestClock::new(), Table::default());
    let credentials = credentials(&clock, &table);
    let before = token(&application(), clock.now());
    clock.advance_ms(7);
    table.set(Revocation { revoked: false, valid_after: Some(clock.now()) });
    let after = token(&application(), clock.now());
    assert!(credentials.authenticate(&before).await.is_err());
    assert!(credentials.authenticate(&after).await.is_ok(), "it was made within the same second");
}

#[tokio::test]
async fn nobody_but_an_application_pays_for_the_question() {
    let (clock, table) = (TestClock::new(), Table::default());
    table.set(TAKEN_BACK);
    let credentials = credentials(&clock, &table);
    for caller in [organization(), admin()] {
        let holder = credentials.authenticate(&token(&caller, clock.now())).await.unwrap();
        assert_eq!(holder.token, None);
    }
    // Nor is it asked for what is no good token at all.
    clock.advance_ms(3_660_000);
    let now = Timestamp::from_millis(clock.now().as_millis() - 3_660_000);
    assert!(credentials.authenticate(&token(&application(), now)).await.is_err());
    assert_eq!(table.asked(), 0);
}

#[tokio::test]
async fn an_application_s_token_is_known_by_its_hash_and_its_end() {
    let (clock, table) = (TestClock::new(), Table::default());
    let token = token(&application(), clock.now());
    let holder = credentials(&clock, &table).authenticate(&token).await.unwrap();
    let good_until = clock.now() + Duration::from_secs(3600) + LEEWAY;
    assert_eq!(holder.token, Some(Token { hash: TokenHash::of(&token), good_until }));
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_no_wrong_token() {
    let clock = TestClock::new();
    let failing: FindRevocation =
        Arc::new(|_, _, _| async { Err(LookupFailed::new(std::io::Error::other("10.0.0.7"), true)) }.boxed());
    let credentials = Credentials::new(CredentialOptions { find_revocation: failing, ..options(&clock) });
    let router = Router::new().route("/", get(async |_: tidings_http::Caller<AnyScope>| "in")).with_state(credentials);
    let answer = get_as(&router, "/", &token(&application(), clock.now())).await;
    assert!(answer.starts_with("503"), "{answer}");
    assert!(!answer.contains("10.0.0.7"));
}
