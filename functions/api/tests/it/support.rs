use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::preconfigured::Preconfigured;
use tidings_egress::Egress;
use tidings_harness::{Table, TestClock};
use tidings_http::Credentials;
use tidings_http::credential::{MintOptions, mint};
use tidings_outbound::endpoint::Endpoints;
use tidings_outbound::provider::Provider;
use tidings_runtime::Settings;
use tidings_runtime::settings::Defaults;
use tidings_store::Store;
use tidings_vault::Vault;
use tower::ServiceExt as _;

pub(crate) const SECRET: &str = "a secret of the tests, which is long enough";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// All functions over one table, at a time that the test moves.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) clock: TestClock,
    router: Router,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::over(Table::start().await.store().clone())
    }

    pub(crate) fn over(store: Store) -> Self {
        Self::with(store, &[])
    }

    /// With these variables set.
    pub(crate) fn with(store: Store, variables: &[(&str, &str)]) -> Self {
        let egress = Egress::new(tidings_egress::Options::default()).unwrap();
        let settings = Settings::read(Defaults::Deployed, |name| match name {
            "TIDINGS_JWT_SECRET" => Some(SECRET.to_owned()),
            "GRACE_SECONDS" => Some("30".to_owned()),
            name => variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()),
        })
        .unwrap();
        let clock = TestClock::standing(NOW);
        let credentials = Credentials::from_settings(&settings, &store, &clock.clock()).unwrap();
        let endpoints = Endpoints {
            store: store.clone(),
            egress: egress.clone(),
            vault: vault(),
            clock: clock.clock(),
            grace: settings.grace,
        };
        let provider = Provider::new(endpoints, settings.svix.as_ref());
        let route = provider.route();
        let router = Router::new()
            .merge(api::router(api::State {
                store: store.clone(),
                egress: egress.clone(),
                vault: vault(),
                credentials: credentials.clone(),
                clock: clock.clock(),
                secret: settings.jwt_secret.unwrap(),
                grace: settings.grace,
                provider,
                preconfigured: Preconfigured::parse(
                    settings.preconfigured_endpoints.as_deref(),
                    settings.preconfigured_base_url.as_ref(),
                )
                .unwrap()
                .into(),
            }))
            .merge(intake::router(intake::State {
                store: store.clone(),
                egress,
                vault: vault(),
                credentials,
                clock: clock.clock(),
                providers: settings.providers.into(),
                grace: settings.grace,
                route,
                inbound_organization: Some(organization(1).organization),
            }))
            .merge(provider::router(provider::State { failure_probability: 0.0 }))
            .merge(complete::router());
        Self { store, router: tidings_http::finish(router), clock }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8(body).unwrap() }
    }

    /// As the user of organization 1.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        self.ask_as(&token(&organization(1)), method, path).await
    }

    pub(crate) async fn ask_as(&self, bearer: &str, method: Method, path: &str) -> Answer {
        self.send(request(bearer, method, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// With a JSON body, as the user of organization 1.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.call_as(&token(&organization(1)), method, path, body).await
    }

    /// With a JSON body, as this caller.
    pub(crate) async fn call_as(&self, bearer: &str, method: Method, path: &str, body: &Value) -> Answer {
        let request = request(bearer, method, path).header("host", "tidings.example").body(body.to_string().into());
        self.send(request.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path).await
    }

    /// With a JSON body, as this caller.
    pub(crate) async fn post_as(&self, bearer: &str, path: &str, body: &Value) -> Answer {
        self.send(request(bearer, Method::POST, path).body(body.to_string().into()).unwrap()).await
    }
}

pub(crate) fn request(bearer: &str, method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("authorization", format!("Bearer {bearer}"))
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What [`Self::shown`] shows, without the ids of what was made.
    pub(crate) fn masked(&self) -> String {
        mask(&self.shown(), &[("app_", 27), ("ep_", 27), ("src_", 27)])
    }

    /// Every fault of a 422: where it is, and what it is.
    pub(crate) fn faults(&self) -> String {
        assert_eq!(self.status, 422, "{self:?}");
        let line = |fault: &Value| format!("  {} {} {}\n", fault["loc"], fault["type"].as_str().unwrap(), fault["msg"]);
        self.json()["detail"].as_array().unwrap().iter().map(line).collect()
    }

    /// Status, telling headers and body, without what is random.
    pub(crate) fn shown(&self) -> String {
        let mut text = format!("{}\n", self.status);
        for name in ["allow", "idempotent-replayed", "location", "retry-after", "www-authenticate"] {
            for value in self.headers.get_all(name) {
                writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
            }
        }
        redact(&(text + &self.body))
    }
}

fn redact(text: &str) -> String {
    mask(text, &[("key_", 27), ("tdk_", 43)])
}

/// Puts `[random]` in the place of so many characters after each of these beginnings.
fn mask(text: &str, beginnings: &[(&str, usize)]) -> String {
    let mut text = text.to_owned();
    for &(before, length) in beginnings {
        let mut parts = text.split(before);
        let mut masked = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let random = part
                .get(..length)
                .is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            masked.push_str(before);
            masked.push_str(if random { "[random]" } else { "" });
            masked.push_str(if random { &part[length..] } else { part });
        }
        text = masked;
    }
    text
}

/// What seals in all tests.
pub(crate) fn vault() -> Vault {
    Vault::new(&"an encryption key of the tests that is long enough".parse().unwrap())
}

pub(crate) fn organization(number: u8) -> Caller {
    Caller {
        organization: OrganizationId::new(Timestamp::from_millis(1_700_000_000_000), [number; 15]),
        scope: Scope::Organization,
        role: Role::User,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
    }
}

/// Somebody who reaches every organization of the platform of an organization.
pub(crate) fn admin(number: u8) -> Caller {
    Caller { role: Role::Admin, ..organization(number) }
}

/// Somebody who reaches one of them.
pub(crate) fn member(number: u8, of: &str) -> Caller {
    Caller { organizations: vec![of.to_owned()], ..organization(number) }
}

pub(crate) fn application() -> Caller {
    let id = ApplicationId::new(Timestamp::from_millis(1_700_000_000_000), [9; 15]);
    Caller { scope: Scope::Application(id), ..organization(1) }
}

/// A token that is good for a year from the tests' first moment on.
pub(crate) fn token(caller: &Caller) -> String {
    let expires_in = Duration::from_secs(365 * 24 * 3600);
    mint(SECRET.as_bytes(), MintOptions { caller, now: NOW, expires_in }).unwrap()
}

/// A token whose time was over a day before the tests' first moment.
pub(crate) fn expired_token(caller: &Caller) -> String {
    let now = Timestamp::from_millis(NOW.as_millis() - 2 * 24 * 3_600_000);
    mint(SECRET.as_bytes(), MintOptions { caller, now, expires_in: Duration::from_secs(24 * 3600) }).unwrap()
}
