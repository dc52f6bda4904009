//! `tidings token`: prints a JWT.

use std::time::Duration;

use anyhow::Context as _;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_http::credential::{MintOptions, mint};
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};

use crate::data::{DEFAULT_FOLDER, Folder, Identity};

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    holder: Holder,
    /// How long it is good, like `1h` or `30days`.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    expires: Duration,
    /// The data folder whose secret signs it, unless `TIDINGS_JWT_SECRET` is set.
    #[arg(long, default_value = DEFAULT_FOLDER, value_name = "FOLDER")]
    data: std::path::PathBuf,
}

/// Whom a credential is for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Holder {
    /// The organization (`org_...`); the data folder's own if left out.
    #[arg(long)]
    org: Option<OrganizationId>,
    /// One application of it only (`app_...`).
    #[arg(long)]
    app: Option<ApplicationId>,
    /// `user` or `admin`: what its holder is among the people of a platform.
    #[arg(long, default_value = "user", value_parser = parse_role)]
    role: Role,
    /// Platform organizations that a `user` belongs to, separated by commas.
    #[arg(long, value_delimiter = ',')]
    organizations: Vec<String>,
}

impl Holder {
    /// As the rest of the service knows it.
    pub(crate) fn caller(self, own: OrganizationId) -> Caller {
        let Self { org, app, role, organizations } = self;
        let scope = app.map_or(Scope::Organization, Scope::Application);
        Caller { organization: org.unwrap_or(own), scope, role, organizations, feature_flags: Vec::new() }
    }
}

fn parse_role(text: &str) -> Result<Role, &'static str> {
    match text {
        "user" => Ok(Role::User),
        "admin" => Ok(Role::Admin),
        _ => Err("must be `user` or `admin`"),
    }
}

/// Prints a token.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = Settings::from_env(Defaults::Local)?;
    let identity = Folder::open(&arguments.data)?.identity(&settings)?;
    let caller = arguments.holder.clone().caller(identity.organization);
    println!("{}", token(&identity, &caller, arguments.expires)?);
    Ok(())
}

/// A token for this caller.
pub(crate) fn token(identity: &Identity, caller: &Caller, expires_in: Duration) -> anyhow::Result<String> {
    let options = MintOptions { caller, now: Clock::system().now(), expires_in };
    mint(identity.secret.as_bytes(), options).context("the token cannot be made")
}
