use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Once};

use axum::Router;
use axum::body::Body;
use futures::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tidings_domain::Timestamp;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::token::Revocation;
use tidings_http::credential::{CACHE_FOR, CredentialOptions, FindApiKey, FindRevocation, JwksDocument, PublicKey};
use tidings_http::{Credentials, finish};
use tidings_runtime::Clock;
use tower::ServiceExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) const SECRET: &[u8] = b"a secret of the tests, which is long enough";
pub(crate) const RSA: &str = include_str!("../fixtures/keys/rsa.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("../fixtures/keys/rsa.pub.pem");
pub(crate) const ED25519: &str = include_str!("../fixtures/keys/ed25519.pem");
pub(crate) const ED25519_PUBLIC: &str = include_str!("../fixtures/keys/ed25519.pub.pem");

/// A clock that a test moves.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }

    pub(crate) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::from_fn(move || clock.now())
    }
}

pub(crate) fn no_api_keys() -> FindApiKey {
    Arc::new(|_| async { Ok(None) }.boxed())
}

pub(crate) fn no_revocations() -> FindRevocation {
    Arc::new(|_, _, _| async { Ok(Revocation::default()) }.boxed())
}

pub(crate) fn options(clock: &TestClock) -> CredentialOptions {
    CredentialOptions {
        hs256_secret: SECRET.to_vec(),
        public_keys: vec![PublicKey::from_pem(RSA_PUBLIC).unwrap(), PublicKey::from_pem(ED25519_PUBLIC).unwrap()],
        jwks: None::<JwksDocument>,
        find_api_key: no_api_keys(),
        find_revocation: no_revocations(),
        clock: clock.clock(),
        cache_for: CACHE_FOR,
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new(options(&TestClock::new()))
}

pub(crate) fn organization() -> Caller {
    Caller {
        organization: OrganizationId::new(Timestamp::from_millis(1_700_000_000_000), [1; 15]),
        scope: Scope::Organization,
        role: Role::User,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
    }
}

pub(crate) fn application() -> Caller {
    let id = ApplicationId::new(Timestamp::from_millis(1_700_000_000_000), [2; 15]);
    Caller { scope: Scope::Application(id), ..organization() }
}

pub(crate) fn admin() -> Caller {
    Caller { role: Role::Admin, organizations: vec!["acme".to_owned()], ..organization() }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    Log::start();
    finish(router.clone()).oneshot(request).await.unwrap()
}

/// Status, headers and body, without what differs from request to request or is the same on each.
pub(crate) async fn shown(response: Response<Body>) -> String {
    let (parts, body) = response.into_parts();
    let mut text = format!("{}\n", parts.status);
    for (name, value) in &parts.headers {
        if !["x-request-id", "content-length", "x-content-type-options", "cache-control"].contains(&name.as_str()) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    text.push_str(std::str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap());
    text
}

pub(crate) async fn get(router: &Router, path: &str) -> String {
    shown(send(router, Request::get(path).body(Body::empty()).unwrap()).await).await
}

pub(crate) async fn get_as(router: &Router, path: &str, bearer: &str) -> String {
    let request = Request::get(path).header("authorization", format!("Bearer {bearer}"));
    shown(send(router, request.body(Body::empty()).unwrap()).await).await
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is logged on this thread, which is what this test does, from its capture on.
///
/// The subscriber is the whole process's, and there before the first request: one per test would race with
/// other tests for what `tracing` remembers of each place that logs.
pub(crate) struct Log;

impl Log {
    pub(crate) fn capture() -> Self {
        LOG.take();
        Self
    }

    fn start() {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(|| ThisThread).finish().init();
        });
    }

    #[expect(clippy::unused_self, reason = "nothing is there to be read without a capture")]
    pub(crate) fn text(&self) -> String {
        LOG.with_borrow(|log| String::from_utf8(log.clone()).unwrap())
    }
}

struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
