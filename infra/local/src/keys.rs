//! `tidings keys`: API keys, in the table, or through the service that has the table open.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tidings_domain::Timestamp;
use tidings_domain::api_key::{ApiKey, ApiKeySecret};
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::{ApiKeyId, OrganizationId};
use tidings_egress::{Egress, Request};
use tidings_engine::OpenError;
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings, random};
use tidings_store::Store;
use url::Url;

use crate::data::{Identity, passing_identity};
use crate::engine::Place;
use crate::token::{Holder, token};

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make a key; it is shown this once.
    Create {
        #[command(flatten)]
        holder: Holder,
        /// To tell it from others.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List an organization's keys.
    List {
        /// The organization; the data folder's own if left out.
        #[arg(long)]
        org: Option<OrganizationId>,
    },
    /// Revoke a key.
    Revoke {
        /// Its id (`key_...`).
        id: ApiKeyId,
        /// The organization; the data folder's own if left out.
        #[arg(long)]
        org: Option<OrganizationId>,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { action, place } = arguments;
    let settings = Settings::from_env(Defaults::Local)?;
    let identity = match place.folder()? {
        Some(folder) => folder.identity(&settings)?,
        None => passing_identity(&settings)?,
    };
    match place.open(&settings.table_name).await {
        Ok(table) => in_table(action, &table.store, &identity).await,
        Err(error) if matches!(error.downcast_ref(), Some(OpenError::InUse { .. })) => {
            let address = place.folder()?.and_then(|folder| folder.address());
            let address = address.context("another process uses the data folder, and does not say where it answers")?;
            through_service(action, &address, &settings, &identity).await
        }
        Err(error) => Err(error),
    }
}

async fn in_table(action: Action, store: &Store, identity: &Identity) -> anyhow::Result<()> {
    match action {
        Action::Create { holder, description } => {
            let secret = ApiKeySecret::new(random::bytes());
            let now = Clock::system().now();
            let id = ApiKeyId::new(now, random::bytes());
            let caller = holder.caller(identity.organization);
            store.create_api_key(&ApiKey { id, description, caller, hash: secret.hash(), created_at: now }).await?;
            print_new(&id.to_string(), secret.reveal());
        }
        Action::List { org } => {
            for ApiKey { id, description, created_at, .. } in
                store.api_keys(org.unwrap_or(identity.organization)).await?
            {
                print_one(&id.to_string(), created_at, &description);
            }
        }
        Action::Revoke { id, org } => {
            if !store.revoke_api_key(org.unwrap_or(identity.organization), id).await? {
                bail!("the organization has no key {id}");
            }
            print_revoked(id);
        }
    }
    Ok(())
}

/// The service has the table open, so it is asked, with a token that its own secret signed.
async fn through_service(
    action: Action,
    address: &str,
    settings: &Settings,
    identity: &Identity,
) -> anyhow::Result<()> {
    let service = Service::new(address, settings)?;
    match action {
        Action::Create { holder, description } => {
            let caller = holder.caller(identity.organization);
            let Caller { organization, scope, role, organizations, feature_flags: _ } = caller;
            let mut body = json!({"description": description, "role": role, "organizations": organizations});
            if let (Scope::Application(application), Some(body)) = (scope, body.as_object_mut()) {
                body.insert("application".to_owned(), json!(application));
            }
            let answer = service.ask(identity, organization, http::Method::POST, "api/v1/api-key", Some(&body)).await?;
            print_new(text(&answer, "id"), text(&answer, "key"));
        }
        Action::List { org } => {
            let organization = org.unwrap_or(identity.organization);
            let answer = service.ask(identity, organization, http::Method::GET, "api/v1/api-key", None).await?;
            for key in answer.get("data").and_then(Value::as_array).into_iter().flatten() {
                let created_at = serde_json::from_value(key.get("createdAt").cloned().unwrap_or_default())
                    .context("the service's answer")?;
                print_one(text(key, "id"), created_at, text(key, "description"));
            }
        }
        Action::Revoke { id, org } => {
            let organization = org.unwrap_or(identity.organization);
            let path = format!("api/v1/api-key/{id}");
            service.ask(identity, organization, http::Method::DELETE, &path, None).await?;
            print_revoked(id);
        }
    }
    Ok(())
}

struct Service {
    address: Url,
    egress: Egress,
}

impl Service {
    fn new(address: &str, settings: &Settings) -> anyhow::Result<Self> {
        let egress =
            Egress::new(tidings_egress::Options { allow: settings.egress_allow.clone(), ..Default::default() })?;
        Ok(Self { address: Url::parse(address)?, egress })
    }

    async fn ask(
        &self,
        identity: &Identity,
        organization: OrganizationId,
        method: http::Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let caller = Caller {
            organization,
            scope: Scope::Organization,
            role: Role::Admin,
            organizations: Vec::new(),
            feature_flags: Vec::new(),
        };
        let bearer = token(identity, &caller, Duration::from_mins(1))?;
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, format!("Bearer {bearer}").parse()?);
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        let request = Request {
            method,
            url: self.address.join(path)?,
            headers,
            body: body.map(Value::to_string).unwrap_or_default().into(),
            timeout: Duration::from_secs(10),
            body_limit: 1024 * 1024,
        };
        let answer =
            self.egress.send(request).await.with_context(|| format!("asking the service at {}", self.address))?;
        if !answer.status.is_success() {
            bail!("the service answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        Ok(if answer.body.is_empty() { Value::Null } else { serde_json::from_slice(&answer.body)? })
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn print_new(id: &str, key: &str) {
    println!("{id}\n{key}\n\nThis is the only time that the key is shown.");
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn print_one(id: &str, created_at: Timestamp, description: &str) {
    println!("{id}  {created_at}  {description}");
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn print_revoked(id: ApiKeyId) {
    println!("revoked {id}; functions that have just seen it may take it for five seconds more");
}
