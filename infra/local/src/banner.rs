//! What somebody who has just started the service wants to know.

use std::fmt;
use std::path::Path;

/// The facts.
pub(crate) struct Banner<'a> {
    /// Where the service answers.
    pub(crate) url: &'a str,
    /// An organization's token.
    pub(crate) token: &'a str,
    /// How long it is good.
    pub(crate) token_days: u64,
    /// Where the data is.
    pub(crate) data: Data<'a>,
    /// The share of requests that the mock provider fails.
    pub(crate) failure_probability: f64,
}

/// Where the data is.
pub(crate) enum Data<'a> {
    Folder(&'a Path),
    Memory,
    Endpoint(&'a str),
}

impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{} (it survives a restart, and a kill)", path.display()),
            Self::Memory => f.write_str("in memory (it ends with the process)"),
            Self::Endpoint(url) => write!(f, "{url} (no stream here: the schedule does all work)"),
        }
    }
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, token, token_days, data, failure_probability } = self;
        let version = env!("CARGO_PKG_VERSION");
        let percent = failure_probability * 100.0;
        write!(
            f,
            "
  Tidings {version} is listening on {url}

    API, readable   {url}/docs
    OpenAPI         {url}/openapi.json
    Webhooks in     {url}/in/<source>, Docebo's at {url}/transaction; first: POST {url}/api/v1/source
    Data            {data}
    Private hosts   loopback may be called back, since this is a local run (EGRESS_ALLOW)
    Token           good for {token_days} days, for one organization; more: tidings token --help

{token}

  Paste this. It asks two providers for data (a mock, which fails {percent} % of the time) and calls back
  a mock receiver of this service when all of it is there; put a URL of your own in its place.

curl -i {url}/webhook \\
  -H 'content-type: application/json' \\
  -H 'authorization: Bearer {token}' \\
  -d '{{\"providers\": [\"gas\", \"internet\"], \"callbackUrl\": \"{url}/complete\"}}'

  Then read the job at the `location` of the answer, with the same authorization. Ctrl-C stops the service.

"
        )
    }
}
