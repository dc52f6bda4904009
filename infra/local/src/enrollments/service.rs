//! The service that is asked, until it answers.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_egress::{Egress, Request, Response};
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};
use tidings_telemetry::chain;
use url::{Host, Url};

use super::Target;
use super::progress::Progress;
use crate::data::{Folder, Identity};
use crate::token::token;

/// How often a request is sent at most.
const TRIES: u32 = 10;

/// Time before the second try; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The longest wait that it grows to.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// The longest wait that a service may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// Time for one answer: what API Gateway gives.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer: more than one of a page of rows has.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A token is made for each request.
const TOKEN_TIME: Duration = Duration::from_mins(1);

/// A service, and the right to ask it.
pub(super) struct Service {
    address: Url,
    credential: Credential,
    egress: Egress,
}

enum Credential {
    Given(String),
    /// Signed anew for each request: an import may last longer than a token.
    Own(Box<Identity>),
}

/// What is asked.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Bytes,
}

impl Service {
    /// What the command line names.
    pub(super) fn open(target: &Target) -> anyhow::Result<Self> {
        let Target { source: _, server, token, data } = target;
        let folder = || Folder::open(data);
        let address = if let Some(server) = server {
            server.clone()
        } else {
            let address = folder()?.address().with_context(|| {
                let data = data.display();
                format!("no service has used the data folder {data} yet (start one, or name it by --server)")
            })?;
            Url::parse(&address).context("the data folder's address")?
        };
        let credential = match token {
            Some(token) => Credential::Given(token.clone()),
            None if is_here(&address) => {
                Credential::Own(Box::new(folder()?.identity(&Settings::from_env(Defaults::Local)?)?))
            }
            None => bail!("{address} is not on this machine: it takes a --token"),
        };
        // Whoever runs this command names the server, and may reach whatever this machine may.
        let allow = vec!["0.0.0.0/0".parse()?, "::/0".parse()?];
        let egress = Egress::new(tidings_egress::Options { allow, ..Default::default() })?;
        Ok(Self { address, credential, egress })
    }

    /// Where a source's enrollments are.
    pub(super) fn enrollments(&self, source: &str, below: &[&str]) -> anyhow::Result<Url> {
        let mut url = self.address.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(["in", source, "enrollments"]).extend(below),
            Err(()) => bail!("{} cannot be a server's address", self.address),
        };
        Ok(url)
    }

    /// Asks until there is an answer that is not about the service's own state. Whatever is asked may be asked twice.
    pub(super) async fn ask(&self, ask: &Ask, progress: &Progress) -> anyhow::Result<Response> {
        let mut wait = FIRST_WAIT;
        let mut tries = 0;
        loop {
            let (why, asked_wait) = match self.once(ask).await? {
                Outcome::Answer(answer) if answer.status.is_success() => return Ok(answer),
                Outcome::Answer(answer) => bail!(refusal(&answer)),
                Outcome::Later(why, wait) => (why, wait),
            };
            tries += 1;
            if tries == TRIES {
                bail!("asked {} {TRIES} times: {why}", self.address);
            }
            let pause = asked_wait.map_or(wait, |asked| asked.clamp(wait, LONGEST_RETRY_AFTER));
            progress.note(&format!("{why}; trying again in {} s", pause.as_secs_f32()));
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn once(&self, ask: &Ask) -> anyhow::Result<Outcome> {
        let Ask { method, url, content_type, body } = ask;
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.bearer()?)).context("the token")?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let request = Request {
            method: method.clone(),
            url: url.clone(),
            headers,
            body: body.clone(),
            timeout: TIMEOUT,
            body_limit: ANSWER_BYTES,
        };
        let answer = match self.egress.send(request).await {
            Ok(answer) => answer,
            Err(tidings_egress::SendError::Refused(refused)) => return Err(refused).context(self.address.to_string()),
            Err(error) => return Ok(Outcome::Later(format!("no answer ({})", chain(&error)), None)),
        };
        let is_passing = matches!(
            answer.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        if is_passing {
            let wait = answer.retry_after(system_time());
            return Ok(Outcome::Later(format!("the service answered {}", answer.status), wait));
        }
        anyhow::ensure!(!answer.truncated, "the answer of {} is too long", self.address);
        Ok(Outcome::Answer(answer))
    }

    fn bearer(&self) -> anyhow::Result<String> {
        match &self.credential {
            Credential::Given(token) => Ok(token.clone()),
            Credential::Own(identity) => {
                let caller = Caller {
                    organization: identity.organization,
                    scope: Scope::Organization,
                    role: Role::Admin,
                    organizations: Vec::new(),
                    feature_flags: Vec::new(),
                };
                token(identity, &caller, TOKEN_TIME)
            }
        }
    }
}

fn system_time() -> SystemTime {
    let millis = u64::try_from(Clock::system().now().as_millis()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

enum Outcome {
    Answer(Response),
    /// Why there is none yet, and how long the service asks to be left alone.
    Later(String, Option<Duration>),
}

fn refusal(answer: &Response) -> String {
    format!("the service answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body))
}

/// Whether a token that the data folder's secret signed is for whom answers there.
fn is_here(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip == Ipv4Addr::UNSPECIFIED,
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip == Ipv6Addr::UNSPECIFIED,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
