//! Settings: environment variables, read in this one place, with every fault reported at once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use tidings_domain::ids::OrganizationId;
use tidings_domain::job::{ProviderId, ProviderIdError};
use tidings_domain::retry::RetrySchedule;
use url::Url;

/// Everything that can be set from outside. A function uses what it needs of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TABLE_NAME`: the DynamoDB table.
    pub table_name: String,
    /// `STAGE`: a deployment's name, in logs and metrics.
    pub stage: String,
    /// `TIDINGS_JWT_SECRET`: signs tokens (HS256), and what job callbacks are signed with is derived from it.
    pub jwt_secret: Option<Secret>,
    /// `TIDINGS_JWT_PUBLIC_KEY`: a PEM public key; tokens that its owner signed (RS256, `EdDSA`) are accepted, too.
    pub jwt_public_key: Option<String>,
    /// `TIDINGS_JWKS`: a JSON Web Key Set; tokens signed by one of its keys are accepted, too.
    pub jwks: Option<String>,
    /// `TIDINGS_ENCRYPTION_KEY`: what endpoints' secrets and headers are sealed with. Several are separated by commas: the
    /// first seals, all open.
    pub encryption_keys: Option<EncryptionKeys>,
    /// `SERVICE_ENDPOINT`: the providers API; a provider's id is appended.
    pub service_endpoint: Option<Url>,
    /// `PROVIDERS`: the providers that a job may ask.
    pub providers: Vec<ProviderId>,
    /// `FAILURE_PROBABILITY`: the share of requests that the mock provider fails on purpose, 0 to 1.
    pub failure_probability: f64,
    /// `JOB_RETRY_SCHEDULE`: delays between the tries of a job.
    pub job_retry_schedule: RetrySchedule,
    /// `RETRY_SCHEDULE`: delays between the attempts of a message at an endpoint that has no schedule of its own.
    pub retry_schedule: RetrySchedule,
    /// `REQUEST_TIMEOUT_MS`: the longest that a whole outbound request may take.
    pub request_timeout: Duration,
    /// `EGRESS_ALLOW`: networks that outbound requests may reach although private.
    pub egress_allow: Vec<IpNet>,
    /// `GRACE_SECONDS`: how long the fast lane owns a new record.
    pub grace: Duration,
    /// `GENERATORFREQUENCY`: time between two events of the order generator.
    pub generator_frequency: Duration,
    /// `GENERATOR_ORGANIZATION`: whose clients get them; the local service has one organization of its own.
    pub generator_organization: Option<OrganizationId>,
    /// `INBOUND_ORGANIZATION`: whose sources are known at the open doors (`/in/{source}`, `/transaction`) by their uids;
    /// those of every organization are known there by their ids. The local service has one organization of its own.
    pub inbound_organization: Option<OrganizationId>,
    /// `SVIX_AUTH_TOKEN` and `SVIX_SERVER_URL`: the server that delivers for a platform's organizations. Without a token
    /// Tidings does.
    pub svix: Option<SvixServer>,
    /// `PRECONFIGURED_ENDPOINTS`: the endpoints that each organization of a platform gets, as JSON.
    pub preconfigured_endpoints: Option<String>,
    /// `PRECONFIGURED_BASE_URL`: what their URLs start with.
    pub preconfigured_base_url: Option<Url>,
    /// `CONNECTIONS_ENDPOINT`: where API Gateway takes what WebSocket connections are to be sent.
    pub connections_endpoint: Option<Url>,
    /// `RUST_LOG`: which events are logged.
    pub log_filter: String,
}

/// Seven attempts after the first one, the last of them 27 hours and 35 minutes after it.
const RETRY_SCHEDULE: &str = "5,300,1800,7200,18000,36000,36000";

/// What holds where a variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// On somebody's own machine: loopback may be reached, and the grace is short.
    Local,
    /// In AWS: nothing private may be reached.
    Deployed,
}

/// A Svix server that delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvixServer {
    /// Its credential.
    pub token: SvixToken,
    /// Where it is; Svix's own service if unset.
    pub url: Option<Url>,
}

/// The credential of a Svix server. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SvixToken(String);

impl SvixToken {
    /// To send it to that server.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SvixToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret text. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Fewest bytes of a secret that signs tokens: HS256 asks for as many as its hash has.
    pub const MIN_BYTES: usize = 32;

    /// The secret's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Secret {
    type Err = SecretTooShort;

    fn from_str(text: &str) -> Result<Self, SecretTooShort> {
        if text.len() < Self::MIN_BYTES { Err(SecretTooShort) } else { Ok(Self(text.to_owned())) }
    }
}

/// A secret that could be guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be at least {} bytes long", Secret::MIN_BYTES)]
pub struct SecretTooShort;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The secrets that the vault derives its keys from, at least one. `Debug` does not show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionKeys {
    first: Secret,
    others: Vec<Secret>,
}

impl EncryptionKeys {
    /// The one that seals.
    pub fn first(&self) -> &Secret {
        &self.first
    }

    /// All that open, the one that seals first.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl FromStr for EncryptionKeys {
    type Err = EncryptionKeyTooShort;

    fn from_str(text: &str) -> Result<Self, EncryptionKeyTooShort> {
        let (first, rest) = text.split_once(',').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let parse = |text: &str| text.trim().parse().map_err(|SecretTooShort| EncryptionKeyTooShort);
        let others = rest.into_iter().flat_map(|rest| rest.split(',')).map(parse).collect::<Result<_, _>>()?;
        Ok(Self { first: parse(first)?, others })
    }
}

/// An encryption key that could be guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("each key must be at least {} bytes long; several are separated by commas", Secret::MIN_BYTES)]
pub struct EncryptionKeyTooShort;

/// Every fault of the settings: a line for each, naming the variable but never showing a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(Vec<String>);

impl Settings {
    /// From the process's environment.
    pub fn from_env(defaults: Defaults) -> Result<Self, SettingsError> {
        #[expect(clippy::disallowed_methods, reason = "the one place where settings come in")]
        Self::read(defaults, |name| std::env::var(name).ok())
    }

    /// From wherever `get` looks a variable up. An empty value is one that is not set.
    pub fn read(defaults: Defaults, get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader { get, faults: Vec::new() };
        let local = defaults == Defaults::Local;
        let settings = Self {
            table_name: reader.text("TABLE_NAME", "tidings"),
            stage: reader.text("STAGE", "local"),
            jwt_secret: reader.optional("TIDINGS_JWT_SECRET", str::parse),
            jwt_public_key: reader.lookup("TIDINGS_JWT_PUBLIC_KEY"),
            jwks: reader.lookup("TIDINGS_JWKS"),
            encryption_keys: reader.optional("TIDINGS_ENCRYPTION_KEY", str::parse),
            service_endpoint: reader.optional("SERVICE_ENDPOINT", parse_endpoint),
            providers: reader
                .optional("PROVIDERS", parse_providers)
                .unwrap_or_else(|| parse_providers("gas,internet").unwrap_or_default()),
            failure_probability: reader.optional("FAILURE_PROBABILITY", parse_probability).unwrap_or(0.5),
            job_retry_schedule: reader
                .optional("JOB_RETRY_SCHEDULE", str::parse)
                .unwrap_or_else(|| RetrySchedule::repeat(Duration::from_mins(1), 24 * 60)),
            retry_schedule: reader
                .optional("RETRY_SCHEDULE", str::parse)
                .unwrap_or_else(|| RETRY_SCHEDULE.parse().expect("the default is a schedule")),
            request_timeout: reader
                .optional("REQUEST_TIMEOUT_MS", |text| parse_bounded(text, 100, 30_000))
                .map_or(Duration::from_secs(15), Duration::from_millis),
            egress_allow: reader
                .optional("EGRESS_ALLOW", parse_networks)
                .unwrap_or_else(|| if local { loopback() } else { Vec::new() }),
            grace: reader
                .optional("GRACE_SECONDS", |text| parse_bounded(text, 1, 900))
                .map_or(Duration::from_secs(if local { 5 } else { 30 }), Duration::from_secs),
            generator_frequency: reader
                .optional("GENERATORFREQUENCY", |text| parse_bounded(text, 100, 3_600_000))
                .map_or(Duration::from_secs(5), Duration::from_millis),
            generator_organization: reader.optional("GENERATOR_ORGANIZATION", str::parse),
            inbound_organization: reader.optional("INBOUND_ORGANIZATION", str::parse),
            svix: reader.svix(),
            preconfigured_endpoints: reader.lookup("PRECONFIGURED_ENDPOINTS"),
            preconfigured_base_url: reader.optional("PRECONFIGURED_BASE_URL", parse_endpoint),
            connections_endpoint: reader.optional("CONNECTIONS_ENDPOINT", parse_base),
            log_filter: reader.text("RUST_LOG", "info"),
        };
        if reader.faults.is_empty() { Ok(settings) } else { Err(SettingsError(reader.faults)) }
    }
}

struct Reader<F> {
    get: F,
    faults: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn lookup(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str, default: &str) -> String {
        self.lookup(name).unwrap_or_else(|| default.to_owned())
    }

    fn optional<T, E: fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let value = self.lookup(name)?;
        parse(&value).map_err(|error| self.faults.push(format!("{name}: {error}"))).ok()
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn svix(&mut self) -> Option<SvixServer> {
        let url = self.optional("SVIX_SERVER_URL", parse_base);
        let token = self.lookup("SVIX_AUTH_TOKEN")?;
        Some(SvixServer { token: SvixToken(token), url })
    }
}

fn parse_base(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL")?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err("must be an http or https URL") }
}

fn parse_endpoint(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL")?;
    match (url.scheme(), text.ends_with('/')) {
        ("http" | "https", true) => Ok(url),
        _ => Err("must start with http:// or https:// and end with `/`"),
    }
}

fn parse_probability(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or("must be a number from 0 to 1")
}

fn parse_bounded(text: &str, min: u64, max: u64) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

fn parse_providers(text: &str) -> Result<Vec<ProviderId>, ProviderIdError> {
    text.split(',').map(|name| ProviderId::try_from(name.trim().to_owned())).collect()
}

fn parse_networks(text: &str) -> Result<Vec<IpNet>, &'static str> {
    let parse = |part: &str| part.parse().map_err(|_| "must be networks like 10.0.0.0/8, separated by commas");
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(parse).collect()
}

fn loopback() -> Vec<IpNet> {
    parse_networks("127.0.0.0/8,::1/128").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(defaults: Defaults, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(defaults, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_is_a_valid_configuration() {
        let settings = read(Defaults::Deployed, &[]).unwrap();
        assert_eq!(settings.job_retry_schedule.max_tries(), 1441);
        assert_eq!((settings.grace.as_secs(), settings.request_timeout.as_secs()), (30, 15));
        assert_eq!((settings.retry_schedule.max_tries(), settings.encryption_keys), (8, None));
    }

    #[test]
    fn only_a_local_service_may_reach_loopback_by_default() {
        assert!(read(Defaults::Deployed, &[]).unwrap().egress_allow.is_empty());
        assert!(read(Defaults::Deployed, &[("STAGE", "local")]).unwrap().egress_allow.is_empty());
        assert_eq!(read(Defaults::Local, &[]).unwrap().egress_allow.len(), 2);
    }

    #[test]
    fn every_fault_is_reported_at_once_and_no_value_is_shown() {
        let error = read(
            Defaults::Deployed,
            &[
                ("TIDINGS_JWT_SECRET", "hunter2"),
                ("TIDINGS_ENCRYPTION_KEY", "correct horse"),
                ("SERVICE_ENDPOINT", "http://example.com/providers"),
                ("RETRY_SCHEDULE", "later"),
                ("FAILURE_PROBABILITY", "2"),
                ("JOB_RETRY_SCHEDULE", "soon"),
                ("REQUEST_TIMEOUT_MS", "1"),
                ("EGRESS_ALLOW", "10.0.0.0/33"),
                ("GRACE_SECONDS", "-1"),
            ],
        )
        .unwrap_err();
        let text = error.to_string();
        assert_eq!(text.lines().count(), 9, "{text}");
        assert!(!text.contains("hunter2") && !text.contains("correct horse"));
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let secret = "s3cret".repeat(6);
        let variables = [("TIDINGS_JWT_SECRET", secret.as_str()), ("TIDINGS_ENCRYPTION_KEY", &secret)];
        let settings = read(Defaults::Local, &variables).unwrap();
        assert!(settings.jwt_secret.is_some() && settings.encryption_keys.is_some());
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn of_several_encryption_keys_the_first_one_seals() {
        let (one, two) = ("1".repeat(32), "2".repeat(32));
        let keys: EncryptionKeys = format!("{one}, {two}").parse().unwrap();
        assert_eq!(keys.first().as_bytes(), one.as_bytes());
        assert_eq!(keys.iter().map(Secret::as_bytes).collect::<Vec<_>>(), [one.as_bytes(), two.as_bytes()]);
        for faulty in [format!("{one},"), format!("{one},short"), format!(",{one}"), "short".to_owned()] {
            assert_eq!(faulty.parse::<EncryptionKeys>(), Err(EncryptionKeyTooShort), "{faulty}");
        }
    }
}
