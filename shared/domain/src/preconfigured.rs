//! Preconfigured endpoints: those that each organization of a platform gets. The table of them is configuration; the one
//! that is committed holds where nobody sets another.

use serde_json::{Map, Value};
use url::Url;

use crate::names::{EventTypeName, Uid};
use crate::webhook_url::WebhookUrl;

/// The table that holds if none is set.
const COMMITTED: &str = include_str!("../preconfigured-endpoints.json");

/// What URLs start with if nothing else is set.
const COMMITTED_BASE: &str = "https://webhook.daytona.io/";

/// Stands for an organization in a URL that is for all of them.
const PLACEHOLDER: &str = "{organizationId}";

/// Most endpoints of the table: creating them all is one step of an initialization.
const MAX_ENDPOINTS: usize = 20;

/// Most characters of a suffix, and of a description.
const MAX_SUFFIX: usize = 128;
const MAX_DESCRIPTION: usize = 1024;

/// Longest base URL in bytes. An organization's id and a suffix fit behind it into the longest URL there is.
const MAX_BASE: usize = 2048;

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreconfiguredEndpoint {
    /// The end of its URL, unique in the table.
    pub suffix: String,
    /// For people.
    pub description: String,
    /// Types that it wants, at least one.
    pub event_types: Vec<EventTypeName>,
}

/// The table, and what its URLs start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preconfigured {
    base: Url,
    endpoints: Vec<PreconfiguredEndpoint>,
}

/// Everything that is wrong with a table: a line for each fault, naming the variable that it is set by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct PreconfiguredError(Vec<String>);

impl Preconfigured {
    /// The table and the base URL that are set, in the place of the committed ones.
    pub fn parse(json: Option<&str>, base: Option<&Url>) -> Result<Self, PreconfiguredError> {
        let mut faults = Vec::new();
        let base = base.cloned().unwrap_or_else(|| Url::parse(COMMITTED_BASE).expect("the committed base is a URL"));
        if let Err(fault) = check_base(&base) {
            faults.push(format!("PRECONFIGURED_BASE_URL: {fault}"));
        }
        let mut reader = Reader { faults: Vec::new() };
        let endpoints = reader.table(json.unwrap_or(COMMITTED));
        faults.extend(reader.faults.into_iter().map(|fault| format!("PRECONFIGURED_ENDPOINTS: {fault}")));
        if faults.is_empty() { Ok(Self { base, endpoints }) } else { Err(PreconfiguredError(faults)) }
    }

    /// The rows, in their order.
    pub fn endpoints(&self) -> &[PreconfiguredEndpoint] {
        &self.endpoints
    }

    /// Where an organization's requests go. Each organization and each row has a URL of its own.
    pub fn url_for(&self, endpoint: &PreconfiguredEndpoint, organization: &Uid) -> WebhookUrl {
        // A segment of dots would climb up the path instead of naming anything: it is written so that it does not.
        let organization = match organization.as_str() {
            dots @ ("." | "..") => format!("~{dots}"),
            name => name.to_owned(),
        };
        WebhookUrl::try_from(self.url(endpoint, &organization)).expect("names behind a base are a URL")
    }

    /// The URL with `{organizationId}` in the place of an organization's id.
    pub fn url_template(&self, endpoint: &PreconfiguredEndpoint) -> String {
        self.url(endpoint, PLACEHOLDER)
    }

    fn url(&self, endpoint: &PreconfiguredEndpoint, organization: &str) -> String {
        format!("{}/{organization}/{}", self.base.as_str().trim_end_matches('/'), endpoint.suffix)
    }
}

fn check_base(base: &Url) -> Result<(), &'static str> {
    if !matches!(base.scheme(), "http" | "https") {
        Err("must be an http or https URL")
    } else if base.query().is_some() || base.fragment().is_some() {
        Err("must have no query and no fragment")
    } else if base.as_str().len() > MAX_BASE {
        Err("must be at most 2048 bytes long")
    } else {
        Ok(())
    }
}

struct Reader {
    faults: Vec<String>,
}

impl Reader {
    fn table(&mut self, json: &str) -> Vec<PreconfiguredEndpoint> {
        let rows = match serde_json::from_str(json) {
            Ok(Value::Array(rows)) => rows,
            Ok(_) => {
                self.faults.push("must be a list of endpoints".to_owned());
                return Vec::new();
            }
            Err(error) => {
                self.faults.push(format!("must be JSON: {error}"));
                return Vec::new();
            }
        };
        if !(1..=MAX_ENDPOINTS).contains(&rows.len()) {
            self.faults.push(format!("must have 1 to {MAX_ENDPOINTS} endpoints"));
        }
        let mut endpoints: Vec<PreconfiguredEndpoint> = Vec::new();
        for (position, row) in rows.into_iter().take(MAX_ENDPOINTS).enumerate() {
            let Some(endpoint) = self.row(position, row) else { continue };
            if endpoints.iter().any(|other| other.suffix == endpoint.suffix) {
                self.fault(position, "suffix", "must not be there twice");
            }
            endpoints.push(endpoint);
        }
        endpoints
    }

    /// `None` if something is wrong, which is recorded.
    fn row(&mut self, position: usize, row: Value) -> Option<PreconfiguredEndpoint> {
        let Value::Object(mut row) = row else {
            self.faults.push(format!("[{position}] must be an object"));
            return None;
        };
        let suffix = self.text(position, &mut row, "suffix");
        let suffix = suffix.and_then(|suffix| {
            let problem = format!("must be 1 to {MAX_SUFFIX} letters, digits, `-`, `_` or `.`, and not only dots");
            self.check(position, "suffix", suffix, is_suffix, &problem)
        });
        let description = self.text(position, &mut row, "description");
        let description = description.and_then(|description| {
            let problem = format!("must be at most {MAX_DESCRIPTION} characters long");
            let fits = |text: &str| text.chars().count() <= MAX_DESCRIPTION;
            self.check(position, "description", description, fits, &problem)
        });
        let event_types = self.event_types(position, row.shift_remove("eventTypes"));
        for name in row.keys() {
            self.fault(position, name, "is not known here");
        }
        Some(PreconfiguredEndpoint { suffix: suffix?, description: description?, event_types: event_types? })
    }

    fn event_types(&mut self, position: usize, types: Option<Value>) -> Option<Vec<EventTypeName>> {
        const NAME: &str = "eventTypes";

        let Some(Value::Array(types)) = types else {
            self.fault(position, NAME, "must be a list of event types");
            return None;
        };
        if types.is_empty() {
            self.fault(position, NAME, "must name an event type");
            return None;
        }
        let mut good: Vec<EventTypeName> = Vec::with_capacity(types.len());
        let all = types.len();
        for (index, name) in types.into_iter().enumerate() {
            let name = match name {
                Value::String(text) => EventTypeName::try_from(text).map_err(|error| error.to_string()),
                _ => Err("must be a string".to_owned()),
            };
            match name {
                Ok(name) if good.contains(&name) => self.fault(position, &format!("{NAME}[{index}]"), "is there twice"),
                Ok(name) => good.push(name),
                Err(problem) => self.fault(position, &format!("{NAME}[{index}]"), &problem),
            }
        }
        (good.len() == all).then_some(good)
    }

    fn text(&mut self, position: usize, row: &mut Map<String, Value>, name: &str) -> Option<String> {
        match row.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.fault(position, name, "must be a string");
                None
            }
            None => {
                self.fault(position, name, "is required");
                None
            }
        }
    }

    fn check(
        &mut self,
        position: usize,
        name: &str,
        text: String,
        fits: impl Fn(&str) -> bool,
        problem: &str,
    ) -> Option<String> {
        if fits(&text) {
            return Some(text);
        }
        self.fault(position, name, problem);
        None
    }

    fn fault(&mut self, position: usize, name: &str, problem: &str) {
        self.faults.push(format!("[{position}].{name} {problem}"));
    }
}

fn is_suffix(text: &str) -> bool {
    (1..=MAX_SUFFIX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str, base: &str) -> Vec<String> {
        let base = Url::parse(base).unwrap();
        let error = Preconfigured::parse(Some(json), Some(&base)).unwrap_err();
        error.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_committed_table_has_the_five_endpoints() {
        let table = Preconfigured::parse(None, None).unwrap();
        let suffixes: Vec<_> = table.endpoints().iter().map(|row| row.suffix.as_str()).collect();
        assert_eq!(suffixes, ["sandbox-events", "snapshot-events", "volume-events", "audit-events", "all-events"]);
        let events: Vec<_> = table.endpoints().iter().map(|row| row.event_types.len()).collect();
        assert_eq!(events, [3, 3, 3, 2, 11]);
    }

    #[test]
    fn each_organization_and_each_row_has_a_url_of_its_own() {
        let table = Preconfigured::parse(None, None).unwrap();
        let first = table.endpoints().first().unwrap();
        let url = |organization: &str| table.url_for(first, &organization.parse().unwrap()).to_string();
        assert_eq!(url("acme"), "https://webhook.daytona.io/acme/sandbox-events");
        assert_eq!(url(".."), "https://webhook.daytona.io/~../sandbox-events");
        assert_eq!(table.url_template(first), "https://webhook.daytona.io/{organizationId}/sandbox-events");
    }

    #[test]
    fn another_table_and_another_base_replace_the_committed_ones() {
        let json = r#"[{"suffix": "all", "description": "", "eventTypes": ["a.b"]}]"#;
        let base = Url::parse("http://localhost:9/hooks/").unwrap();
        let table = Preconfigured::parse(Some(json), Some(&base)).unwrap();
        let all = table.endpoints().first().unwrap();
        assert_eq!(table.endpoints().len(), 1);
        assert_eq!(table.url_for(all, &"x".parse().unwrap()).to_string(), "http://localhost:9/hooks/x/all");
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let row = |suffix: &str| format!(r#"{{"suffix":"{suffix}","description":"","eventTypes":["a"]}}"#);
        let table = format!(
            r#"[1, {{"suffix":"..","description":7,"eventTypes":["a b","c","c",1],"url":""}}, {{}}, {}, {}]"#,
            row("a"),
            row("a")
        );
        assert_eq!(
            faults(&table, "ftp://example.com/"),
            [
                "PRECONFIGURED_BASE_URL: must be an http or https URL",
                "PRECONFIGURED_ENDPOINTS: [0] must be an object",
                "PRECONFIGURED_ENDPOINTS: [1].suffix must be 1 to 128 letters, digits, `-`, `_` or `.`, and not only dots",
                "PRECONFIGURED_ENDPOINTS: [1].description must be a string",
                "PRECONFIGURED_ENDPOINTS: [1].eventTypes[0] must be 1 to 256 letters, digits, `-`, `_` or `.`",
                "PRECONFIGURED_ENDPOINTS: [1].eventTypes[2] is there twice",
                "PRECONFIGURED_ENDPOINTS: [1].eventTypes[3] must be a string",
                "PRECONFIGURED_ENDPOINTS: [1].url is not known here",
                "PRECONFIGURED_ENDPOINTS: [2].suffix is required",
                "PRECONFIGURED_ENDPOINTS: [2].description is required",
                "PRECONFIGURED_ENDPOINTS: [2].eventTypes must be a list of event types",
                "PRECONFIGURED_ENDPOINTS: [4].suffix must not be there twice",
            ]
        );
        assert_eq!(
            faults("[]", "https://a/?b"),
            [
                "PRECONFIGURED_BASE_URL: must have no query and no fragment",
                "PRECONFIGURED_ENDPOINTS: must have 1 to 20 endpoints"
            ]
        );
        assert!(faults("{", "https://a/")[0].starts_with("PRECONFIGURED_ENDPOINTS: must be JSON"));
        assert_eq!(faults("{}", "https://a/"), ["PRECONFIGURED_ENDPOINTS: must be a list of endpoints"]);
    }
}
