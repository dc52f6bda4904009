pub(crate) mod inbound;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use intake::State;
use tidings_domain::Timestamp;
use tidings_domain::application::Application;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::message::Route;
use tidings_domain::metadata::Metadata;
use tidings_egress::Egress;
use tidings_harness::{Table, TestClock};
use tidings_http::Credentials;
use tidings_http::credential::{MintOptions, mint};
use tidings_runtime::Settings;
use tidings_runtime::settings::Defaults;
use tidings_store::Created;
use tidings_vault::Vault;
use tower::ServiceExt as _;

pub(crate) const SECRET: &str = "a secret of the tests, which is long enough";
pub(crate) const ENCRYPTION_KEY: &str = "another secret of thirty-two bytes at least";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const GOOD: &str = r#"{"providers":["gas","internet"],"callbackUrl":"https://example.com/complete"}"#;

/// The function over a table of its own, at a time that the test moves.
pub(crate) struct Service {
    pub(crate) table: Table,
    pub(crate) clock: TestClock,
    pub(crate) router: Router,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        let settings = Settings::read(Defaults::Deployed, |name| {
            let set = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            set.or_else(|| (name == "TIDINGS_JWT_SECRET").then(|| SECRET.to_owned()))
        })
        .unwrap();
        let (table, clock) = (Table::start().await, TestClock::standing(NOW));
        let store = table.faulty_store().clone();
        let state = State {
            credentials: Credentials::from_settings(&settings, &store, &clock.clock()).unwrap(),
            egress: Egress::new(tidings_egress::Options { allow: settings.egress_allow, ..Default::default() })
                .unwrap(),
            vault: vault(),
            store,
            clock: clock.clock(),
            providers: settings.providers.into(),
            grace: settings.grace,
            route: if settings.svix.is_some() { Route::Provider } else { Route::Endpoints },
            inbound_organization: Some(organization(1).organization),
        };
        Self { router: tidings_http::finish(intake::router(state)), table, clock }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// What is answered to a request for a job, as text.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> String {
        shown(self.send(post().body(body.into()).unwrap()).await).await
    }

    /// What is answered to a request for a message of the application `acme`, as text.
    pub(crate) async fn message(&self, body: impl Into<Body>) -> String {
        shown(self.send(post_message("acme").body(body.into()).unwrap()).await).await
    }

    /// What is answered to a body that the admin of organization 1 posts to a path below `/api/webhooks`, as text.
    pub(crate) async fn platform(&self, path: &str, body: impl Into<Body>) -> String {
        shown(self.send(post_platform(&token(&admin(1)), path).body(body.into()).unwrap()).await).await
    }

    /// The application `acme` of organization 1.
    pub(crate) async fn acme(&self) -> Application {
        let id = ApplicationId::new(NOW, [1; 15]);
        let acme = Application {
            id,
            organization: organization(1).organization,
            uid: Some("acme".parse().unwrap()),
            name: "Acme".to_owned(),
            throttle_rate: None,
            metadata: Metadata::default(),
            tokens_valid_after: None,
            created_at: NOW,
            updated_at: NOW,
        };
        assert_eq!(self.table.store().create_application(&acme, None).await.unwrap(), Created::Written);
        acme
    }

    /// How many items of this kind the table holds.
    pub(crate) async fn count(&self, entity: &str) -> usize {
        self.written().await.matches(&format!("entity={entity}\n")).count()
    }

    /// Everything that the table holds.
    pub(crate) async fn written(&self) -> String {
        #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
        let answer = self.table.store().client().scan().table_name(Table::NAME).send().await.unwrap();
        let mut items: Vec<_> = answer.items().iter().map(item).map(|text| redact(&text)).collect();
        items.sort();
        items.join("\n")
    }

    /// How many jobs the table holds.
    pub(crate) async fn jobs(&self) -> usize {
        self.count("job").await
    }
}

fn item(attributes: &std::collections::HashMap<String, AttributeValue>) -> String {
    let sorted: BTreeMap<_, _> = attributes.iter().filter(|(name, _)| !["pk", "sk"].contains(&name.as_str())).collect();
    let mut text = format!("{} | {}\n", value(&attributes["pk"]), value(&attributes["sk"]));
    for (name, attribute) in sorted {
        writeln!(text, "  {name}={}", value(attribute)).unwrap();
    }
    text
}

fn value(attribute: &AttributeValue) -> String {
    match attribute {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::L(list) => format!("[{}]", list.iter().map(value).collect::<Vec<_>>().join(", ")),
        other => format!("{other:?}"),
    }
}

pub(crate) fn vault() -> Vault {
    Vault::new(&ENCRYPTION_KEY.parse().unwrap())
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

pub(crate) fn application() -> Caller {
    let id = ApplicationId::new(Timestamp::from_millis(1_700_000_000_000), [9; 15]);
    Caller { scope: Scope::Application(id), ..organization(1) }
}

/// A token that is good for a year from the tests' first moment on.
pub(crate) fn token(caller: &Caller) -> String {
    mint(SECRET.as_bytes(), MintOptions { caller, now: NOW, expires_in: Duration::from_hours(24 * 365) }).unwrap()
}

/// A request for a job by organization 1.
pub(crate) fn post() -> http::request::Builder {
    post_as(&token(&organization(1)))
}

pub(crate) fn post_as(bearer: &str) -> http::request::Builder {
    Request::post("/webhook")
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/json")
}

/// A request for a message of an application, by organization 1.
pub(crate) fn post_message(application: &str) -> http::request::Builder {
    post_message_as(&token(&organization(1)), application)
}

pub(crate) fn post_message_as(bearer: &str, application: &str) -> http::request::Builder {
    Request::post(format!("/api/v1/app/{application}/msg"))
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/json")
}

/// A request for a path below `/api/webhooks`.
pub(crate) fn post_platform(bearer: &str, path: &str) -> http::request::Builder {
    Request::post(format!("/api/webhooks/{path}"))
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/json")
}

/// Status, telling headers and body, without what is random.
pub(crate) async fn shown(response: Response<Body>) -> String {
    let (parts, body) = response.into_parts();
    let mut text = format!("{}\n", parts.status);
    for name in ["allow", "idempotent-replayed", "location", "retry-after", "www-authenticate"] {
        for value in parts.headers.get_all(name) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    text.push_str(std::str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap());
    redact(&text)
}

/// The job that an answer names.
pub(crate) async fn job_of(response: Response<Body>) -> String {
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(location, format!("/webhook/{}", body["jobId"].as_str().unwrap()));
    location
}

/// A text without random ids, and without the shard that follows from one.
pub(crate) fn redact(text: &str) -> String {
    let mut text = text.to_owned();
    for (before, length, after) in [
        ("app_", 27, "app_[id]"),
        ("job_", 27, "job_[id]"),
        ("msg_", 27, "msg_[id]"),
        ("org_", 27, "org_[id]"),
        ("src_", 27, "src_[id]"),
        ("terr_", 27, "terr_[id]"),
        ("txn_", 27, "txn_[id]"),
        ("DUE#", 2, "DUE#[shard]"),
    ] {
        let mut parts = text.split(before);
        let mut redacted = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let id = part.get(..length).is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            redacted.push_str(if id { after } else { before });
            redacted.push_str(if id { &part[length..] } else { part });
        }
        text = redacted;
    }
    text
}
