//! The benchmarks. Each measures something, and prints a section of Markdown; `docs/BENCHMARKS.md` holds all of them.
//!
//! Machines differ and are noisy, so what is compared is measured alternately in one run, several times, and shown as
//! medians with the least and the most. Nothing leaves loopback, and every load is bounded in number and in time.
//! None of this is a test: nothing fails because a machine is slow.

pub mod capacity;
pub mod cold_start;
pub mod cost;
pub mod inbound;
pub mod intake_path;
mod load;
pub mod local;
pub mod machine;
pub mod outbound;
mod process_time;
pub mod report;
pub mod sample;
mod service;
pub mod sizes;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::OrganizationId;
use tidings_harness::Function;
use tidings_http::credential::{MintOptions, mint};
use tidings_runtime::{Clock, random};

/// The functions that answer HTTP requests.
pub const HTTP_FUNCTIONS: [&str; 4] = ["intake", "api", "provider", "complete"];

/// Every function.
pub const FUNCTIONS: [&str; 5] = ["intake", "api", "processor", "provider", "complete"];

/// What the functions are compared with.
pub const BASELINE: &str = "hello";

/// Signs the benchmarks' tokens.
pub const SECRET: &str = "a secret of the benchmarks, long enough";

/// Time for a service to come to rest, after its start and before its memory is looked at.
const REST: Duration = Duration::from_secs(2);

/// Seals the benchmarks' endpoint secrets.
pub const ENCRYPTION_KEY: &str = "a key of the benchmarks that is long enough";

/// Where the binaries are, and how much is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the release binaries.
    pub binaries: PathBuf,
    /// Rounds of a measurement.
    pub rounds: usize,
    /// What the counts of a full run are divided by: 1, or more to see only that it works.
    pub divisor: usize,
    /// Another server of the outbound API, to be driven instead of `tidings serve`.
    pub server: Option<Other>,
}

/// A server of the outbound API that somebody else started.
#[derive(Debug, Clone)]
pub struct Other {
    /// Where it listens.
    pub address: SocketAddr,
    /// An organization's token.
    pub token: String,
    /// Processes whose CPU time and memory count as its own.
    pub pids: Vec<u32>,
}

impl Options {
    /// A count of the full run, made smaller.
    pub fn scaled(&self, count: usize) -> usize {
        count.div_ceil(self.divisor.max(1))
    }

    /// A binary's path.
    pub fn binary(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.binaries.join(name);
        anyhow::ensure!(path.is_file(), "there is no {name} in {}: build it first", self.binaries.display());
        Ok(path)
    }
}

/// A function configured as in `template.yaml`, without its table.
pub fn function(binary: &Path, service_endpoint: &str) -> Function {
    Function::new(binary)
        .env("STAGE", "bench")
        .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
        .env("TIDINGS_JWT_SECRET", SECRET)
        .env("TIDINGS_ENCRYPTION_KEY", ENCRYPTION_KEY)
        .env("EGRESS_ALLOW", "127.0.0.0/8,::1/128")
        .env("SERVICE_ENDPOINT", service_endpoint)
}

/// A token for an organization of its own, good for a day.
pub fn token() -> anyhow::Result<String> {
    token_of(new_organization())
}

/// An organization that nobody else has.
fn new_organization() -> OrganizationId {
    OrganizationId::new(Clock::system().now(), random::bytes())
}

/// A token for this organization, good for a day.
fn token_of(organization: OrganizationId) -> anyhow::Result<String> {
    let caller = Caller {
        organization,
        scope: Scope::Organization,
        role: Role::User,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
    };
    let now = Clock::system().now();
    mint(SECRET.as_bytes(), MintOptions { caller: &caller, now, expires_in: Duration::from_hours(24) })
        .context("the token cannot be made")
}

/// A job's body.
pub fn job(providers: &[&str], callback_url: &str) -> String {
    serde_json::json!({"providers": providers, "callbackUrl": callback_url}).to_string()
}
