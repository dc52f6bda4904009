//! HTTP requests as API Gateway hands them to a function, and the answers.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::{fixture, set};

/// An HTTP request, to be turned into an event.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl HttpRequest {
    /// One without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), query: Vec::new(), headers: Vec::new(), body: None }
    }

    /// A `GET`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` of JSON.
    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path).header("content-type", "application/json").body(body.to_string())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Adds a parameter; neither part may need escaping.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body. One that is no text travels as base64.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The event of an HTTP API (payload 2.0): names in lower case, repeated headers joined.
    pub fn http_api(&self) -> Value {
        let mut event = fixture(include_str!("fixtures/http-api-v2.json"));
        set(&mut event, "/rawPath", json!(self.path));
        set(&mut event, "/rawQueryString", json!(self.query_string()));
        set(&mut event, "/requestContext/http/method", json!(self.method));
        set(&mut event, "/requestContext/http/path", json!(self.path));
        let headers = self.all_headers().into_iter().map(|(name, values)| (name, json!(values.join(","))));
        set(&mut event, "/headers", headers.collect::<Map<_, _>>().into());
        if let Some(fields) = event.as_object_mut() {
            if !self.query.is_empty() {
                fields.insert("queryStringParameters".to_owned(), one_each(&self.query));
            }
            self.insert_body(fields);
        }
        event
    }

    /// The event of a REST API (payload 1.0): each header and parameter twice, once with all its values.
    pub fn rest_api(&self) -> Value {
        let mut event = fixture(include_str!("fixtures/rest-api-v1.json"));
        set(&mut event, "/path", json!(self.path));
        set(&mut event, "/httpMethod", json!(self.method));
        set(&mut event, "/pathParameters/proxy", json!(self.path.trim_start_matches('/')));
        set(&mut event, "/requestContext/httpMethod", json!(self.method));
        set(&mut event, "/requestContext/path", json!(format!("/prod{}", self.path)));
        let headers = self.all_headers();
        let last = headers.iter().map(|(name, values)| (name.clone(), json!(values.last())));
        set(&mut event, "/headers", last.collect::<Map<_, _>>().into());
        let all = headers.iter().map(|(name, values)| (name.clone(), json!(values)));
        set(&mut event, "/multiValueHeaders", all.collect::<Map<_, _>>().into());
        if !self.query.is_empty() {
            set(&mut event, "/queryStringParameters", one_each(&self.query));
            let mut all = Map::new();
            for (name, value) in &self.query {
                if let Some(values) = all.entry(name.clone()).or_insert_with(|| json!([])).as_array_mut() {
                    values.push(json!(value));
                }
            }
            set(&mut event, "/multiValueQueryStringParameters", all.into());
        }
        if let Some(fields) = event.as_object_mut() {
            self.insert_body(fields);
        }
        event
    }

    fn query_string(&self) -> String {
        self.query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    fn all_headers(&self) -> BTreeMap<String, Vec<String>> {
        let mut headers = BTreeMap::from([
            ("accept".to_owned(), vec!["*/*".to_owned()]),
            ("host".to_owned(), vec!["aaaaaaaaaa.execute-api.us-east-1.amazonaws.com".to_owned()]),
            ("x-forwarded-for".to_owned(), vec!["192.0.2.1".to_owned()]),
            ("x-forwarded-proto".to_owned(), vec!["https".to_owned()]),
        ]);
        for (name, value) in &self.headers {
            headers.entry(name.clone()).or_default().push(value.clone());
        }
        let length = self.body.as_ref().map_or(0, Vec::len);
        headers.insert("content-length".to_owned(), vec![length.to_string()]);
        headers
    }

    fn insert_body(&self, fields: &mut Map<String, Value>) {
        let Some(body) = &self.body else { return };
        let (text, is_base64) = match std::str::from_utf8(body) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (BASE64_STANDARD.encode(body), true),
        };
        fields.insert("body".to_owned(), text.into());
        fields.insert("isBase64Encoded".to_owned(), is_base64.into());
    }
}

/// The last value of each parameter, as a REST API gives it. An HTTP API joins them; no route takes one twice.
fn one_each(query: &[(String, String)]) -> Value {
    query.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>().into()
}

/// A function's answer to an HTTP event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case, the first value of each.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// Reads what a function answered. `None` if it is not in the form that API Gateway takes.
    pub fn read(answer: &Value) -> Option<Self> {
        let text = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let is_base64 = answer.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
        let body = if is_base64 { BASE64_STANDARD.decode(text).ok()? } else { text.as_bytes().to_vec() };
        let mut headers = BTreeMap::new();
        for (name, value) in answer.get("multiValueHeaders").and_then(Value::as_object).into_iter().flatten() {
            headers.insert(name.to_ascii_lowercase(), value.get(0)?.as_str()?.to_owned());
        }
        for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
            headers.insert(name.to_ascii_lowercase(), value.as_str()?.to_owned());
        }
        let status = answer.get("statusCode").and_then(Value::as_u64).and_then(|status| status.try_into().ok())?;
        Some(Self { status, headers, body })
    }

    /// The body as JSON; `Null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
