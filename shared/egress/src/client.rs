//! The client: one pool of connections, and the limits on what goes over them.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use ipnet::IpNet;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::error::{BuildError, ConnectFault, Phase, SendError};
use crate::guard::{Refused, check};
use crate::lookup::{Guarded, Lookup, SystemLookup};
use crate::message::{Request, Response};
use crate::progress::{Progress, WatchLayer};

/// How long an unused connection is kept. Short: the longer it is, the older is the check that it rests on, and the
/// likelier has the other side closed it.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// How the client is built.
#[derive(Clone)]
pub struct Options {
    /// Networks that may be reached although they are not public. Empty by default. To allow loopback takes both
    /// `127.0.0.0/8` and `::1/128`, as `localhost` usually resolves to both, and one refused address refuses all.
    pub allow: Vec<IpNet>,
    /// Limit for DNS, TCP and TLS together; 5 s by default. The time-out of a request ends it earlier.
    pub connect_timeout: Duration,
    /// The `user-agent` of requests that bring none; `Tidings/<version>` by default.
    pub user_agent: String,
    /// What resolves names; the system by default.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            user_agent: concat!("Tidings/", env!("CARGO_PKG_VERSION")).to_owned(),
            lookup: Arc::new(SystemLookup),
        }
    }
}

/// The way out. Clones share the connections: build one, at start.
#[derive(Clone)]
pub struct Egress {
    inner: Arc<Inner>,
}

struct Inner {
    /// Made at its first use: it reads and parses every certificate root of the machine, which takes longer than all
    /// else that a function does at its start, and who only checks URLs never needs it.
    client: OnceLock<reqwest::Client>,
    allow: Arc<[IpNet]>,
    connect_timeout: Duration,
    user_agent: HeaderValue,
    lookup: Arc<dyn Lookup>,
}

impl Egress {
    /// A way out that has opened nothing yet: the client is built by [`Self::prepare`], or else by the first request.
    pub fn new(options: Options) -> Result<Self, BuildError> {
        let Options { allow, connect_timeout, user_agent, lookup } = options;
        let user_agent = user_agent.try_into()?;
        let inner = Inner { client: OnceLock::new(), allow: allow.into(), connect_timeout, user_agent, lookup };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Builds the client, and reads the machine's certificate roots for it. A function that sends does this while it
    /// starts, so that its first request does not wait, and a machine without roots is found out at once.
    pub fn prepare(&self) -> Result<(), BuildError> {
        self.inner.client().map(|_| ())
    }

    /// Whether `url` may be registered, as far as that can be told without DNS.
    ///
    /// `http` or `https`; a host, which is neither a refused address in any spelling, nor a name for this machine; no
    /// credentials; a port that can be connected to. [`Self::send`] says the last word.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        check(url, &self.inner.allow)
    }

    /// Sends one request, once, and reads its answer within the request's limits.
    ///
    /// Any status is `Ok`. Dropping the future drops the connection.
    pub async fn send(&self, request: Request) -> Result<Response, SendError> {
        let Request { method, url, mut headers, body, timeout: limit, body_limit } = request;
        self.check(&url)?;
        leave_framing_to_the_client(&mut headers);
        let mut outgoing = reqwest::Request::new(method, url);
        *outgoing.headers_mut() = headers;
        *outgoing.body_mut() = Some(body.into());

        let client = self
            .inner
            .client()
            .map_err(|error| SendError::Connect { fault: ConnectFault::Other, source: error.into() })?;
        let started = Instant::now();
        let progress = Progress::default();
        let work = progress.watch(client.execute(outgoing));
        let mut answer = timeout(limit, work)
            .await
            .map_err(|_| SendError::Timeout {
                after: limit,
                phase: if progress.is_connecting() { Phase::Connect } else { Phase::Answer },
            })?
            .map_err(|error| SendError::from_client(error, self.inner.connect_timeout))?;

        let left = limit.saturating_sub(started.elapsed());
        let (body, truncated) = timeout(left, read_body(&mut answer, body_limit))
            .await
            .map_err(|_| SendError::Timeout { after: limit, phase: Phase::Body })?
            .map_err(|error| SendError::from_client(error, self.inner.connect_timeout))?;
        Ok(Response {
            status: answer.status(),
            headers: std::mem::take(answer.headers_mut()),
            body,
            truncated,
            elapsed: started.elapsed(),
        })
    }
}

impl Inner {
    fn client(&self) -> Result<&reqwest::Client, BuildError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let resolver = Guarded { lookup: Arc::clone(&self.lookup), allow: Arc::clone(&self.allow) };
        #[expect(clippy::disallowed_methods, reason = "this is the one client that the ban leads to")]
        let builder = reqwest::Client::builder();
        let client = builder
            .user_agent(self.user_agent.clone())
            .connect_timeout(self.connect_timeout)
            .dns_resolver(resolver)
            .connector_layer(WatchLayer)
            .pool_idle_timeout(POOL_IDLE)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            // Another crate's features must not switch these on.
            .no_hickory_dns()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .build()?;
        // Of two that were built at once, the first stays.
        Ok(self.client.get_or_init(|| client))
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("allow", &self.inner.allow).finish_non_exhaustive()
    }
}

/// The body up to `limit` bytes, and whether there was more.
async fn read_body(answer: &mut reqwest::Response, limit: usize) -> Result<(Bytes, bool), reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = limit.saturating_sub(body.len());
        if chunk.len() > room {
            body.extend_from_slice(&chunk.slice(..room));
            return Ok((body.freeze(), true));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body.freeze(), false))
}

fn leave_framing_to_the_client(headers: &mut HeaderMap) {
    let framing: [HeaderName; 8] = [CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    for name in framing {
        headers.remove(name);
    }
}
