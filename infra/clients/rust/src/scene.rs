//! The library under test, and the receiver that messages are delivered to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use svix::api::{Svix, SvixOptions};
use svix::models::{ApplicationIn, EndpointIn, EndpointOut, MessageIn, MessageOut};

use crate::tour::until;

/// A setting, which `infra/clients/run` gives.
#[expect(clippy::disallowed_methods, reason = "a tool's own settings, not the service's")]
pub(crate) fn setting(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: infra/clients/run sets it"))
}

/// Random text for what must be unique.
pub(crate) fn unique(prefix: &str) -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}-{:016x}", u64::from_be_bytes(bytes)))
}

/// A new secret that is shared with the receiver.
pub(crate) fn signing_secret() -> Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    Ok(format!("whsec_{}", BASE64_STANDARD.encode(bytes)))
}

/// A client that notes which operations were called. The client itself is as published.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) svix: Svix,
    called: Arc<Mutex<BTreeSet<String>>>,
}

impl Client {
    pub(crate) fn note(&self, group: &str, operation: &str) {
        self.called.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{group}.{operation}"));
    }

    pub(crate) fn called(&self) -> BTreeSet<String> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { svix: self.svix.with_token(token.to_owned()), called: Arc::clone(&self.called) }
    }
}

/// Calls an operation and notes it: `call!(client, application.get(id))`.
macro_rules! call {
    ($client:expr, $group:ident.$operation:ident($($given:expr),* $(,)?)) => {{
        $client.note(stringify!($group), stringify!($operation));
        $client.svix.$group().$operation($($given),*).await
    }};
}
pub(crate) use call;

/// What the sections get.
pub(crate) struct Scene {
    pub(crate) client: Client,
    url: String,
    token: String,
    receiver: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

impl Scene {
    pub(crate) fn from_env() -> Result<Self> {
        let (url, token) = (setting("TIDINGS_URL")?, setting("TIDINGS_TOKEN")?);
        let options = SvixOptions { server_url: Some(url.clone()), ..SvixOptions::default() };
        let client = Client { svix: Svix::new(token.clone(), Some(options)), called: Arc::default() };
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, url, token, receiver: setting("RECEIVER_URL")?, http })
    }

    /// A new application's id.
    pub(crate) async fn application(&self, name: &str) -> Result<String> {
        Ok(call!(self.client, application.create(ApplicationIn::new(name.to_owned()), None))?.id)
    }

    /// A new endpoint with this URL, otherwise as given.
    pub(crate) async fn endpoint(&self, app: &str, inbox: &Inbox<'_>) -> Result<EndpointOut> {
        let given = EndpointIn::new(inbox.url.clone());
        Ok(call!(self.client, endpoint.create(app.to_owned(), given, None))?)
    }

    /// Sends a message of a type that nobody asks about.
    pub(crate) async fn message(&self, app: &str, payload: Value) -> Result<MessageOut> {
        let given = MessageIn::new("order.placed".to_owned(), payload);
        Ok(call!(self.client, message.create(app.to_owned(), given, None))?)
    }

    /// What an endpoint's secret is shown as.
    pub(crate) async fn secret(&self, app: &str, endpoint: &str) -> Result<String> {
        Ok(call!(self.client, endpoint.get_secret(app.to_owned(), endpoint.to_owned()))?.key)
    }

    /// Posts a message as the text that it is.
    pub(crate) async fn post_message(&self, app: &str, body: String) -> Result<StatusCode> {
        let request = Request::post(format!("{}/api/v1/app/{app}/msg", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        Ok(self.send(request, body).await?.0)
    }

    async fn send(&self, request: http::request::Builder, body: String) -> Result<(StatusCode, Vec<u8>)> {
        let request = request.body(Full::new(Bytes::from(body)))?;
        let response = self.http.request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes().to_vec()))
    }

    /// A new place to deliver to.
    pub(crate) fn inbox(&self) -> Result<Inbox<'_>> {
        let key = unique("inbox")?;
        Ok(Inbox { scene: self, url: format!("{}/in/{key}", self.receiver), key })
    }
}

/// A place to deliver to, at `infra/clients/receiver.py`.
pub(crate) struct Inbox<'a> {
    scene: &'a Scene,
    pub(crate) url: String,
    key: String,
}

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) time: f64,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// The header's value, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Only the headers of a family.
    pub(crate) fn only(&self, family: &str) -> HeaderMap {
        let of_family = self.headers.iter().filter(|(name, _)| name.as_str().starts_with(family));
        of_family.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl Inbox<'_> {
    /// The answers to come, the last one for good.
    pub(crate) async fn script(&self, answers: Value) -> Result<()> {
        let request = Request::put(format!("{}/script/{}", self.scene.receiver, self.key));
        let (status, _) = self.scene.send(request, answers.to_string()).await?;
        ensure!(status == 204, "the receiver answered {status}");
        Ok(())
    }

    /// What came so far.
    pub(crate) async fn seen(&self) -> Result<Vec<Delivery>> {
        let request = Request::get(format!("{}/seen/{}", self.scene.receiver, self.key));
        let (_, body) = self.scene.send(request, String::new()).await?;
        let requests: Vec<Value> = serde_json::from_slice(&body)?;
        requests.iter().map(delivery).collect()
    }

    /// Waits until this many came, and gives them all.
    pub(crate) async fn wait(&self, count: usize) -> Result<Vec<Delivery>> {
        until(&format!("{count} deliveries"), async || {
            let seen = self.seen().await?;
            Ok((seen.len() >= count).then_some(seen))
        })
        .await
    }

    /// Waits for the only one.
    pub(crate) async fn only(&self) -> Result<Delivery> {
        self.wait(1).await?.into_iter().next().context("none")
    }
}

fn delivery(request: &Value) -> Result<Delivery> {
    let pairs: Vec<(String, String)> = serde_json::from_value(request["headers"].clone())?;
    let headers = pairs
        .iter()
        .map(|(name, value)| anyhow::Ok((name.parse::<HeaderName>()?, HeaderValue::from_bytes(value.as_bytes())?)));
    Ok(Delivery {
        time: request["time"].as_f64().context("time")?,
        headers: headers.collect::<Result<_>>()?,
        body: BASE64_STANDARD.decode(request["body"].as_str().context("body")?)?,
    })
}
