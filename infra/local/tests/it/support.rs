//! A running service, and a client for it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use tidings_egress::{Egress, Options, Request, SendError};
use url::Url;

/// The command, with nothing of this process's environment that could change what it does.
pub(crate) fn tidings(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.env_clear().args(arguments);
    command
}

/// Runs a command that ends by itself.
pub(crate) fn run(command: &mut Command) -> (ExitStatus, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A service that listens.
pub(crate) struct Service {
    child: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) banner: String,
}

impl Service {
    /// Starts one on a free port, with its data in this folder.
    pub(crate) fn start(data: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = tidings(&["serve", "--port", "0", "--data", data.to_str().unwrap()]);
        command.envs(environment.iter().copied());
        Self::spawn(&mut command)
    }

    /// Starts what the command says, and reads its banner.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_with(command, Stdio::null())
    }

    /// The same, with its log going there.
    pub(crate) fn spawn_with(command: &mut Command, log: Stdio) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut banner = String::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            banner.push_str(&line);
            banner.push('\n');
            if line.contains("Ctrl-C") {
                break;
            }
        }
        let word = |start: &str| {
            let word = banner.split_whitespace().find(|word| word.starts_with(start));
            word.unwrap_or_else(|| panic!("no {start} in the banner: {banner}")).to_owned()
        };
        Self { child, url: word("http://"), token: word("eyJ"), banner }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the status that it ends with.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &self.token)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Speaks to a service.
#[derive(Clone)]
pub(crate) struct Client {
    egress: Egress,
    url: Url,
    token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let egress = Egress::new(Options { allow, ..Default::default() }).unwrap();
        Self { egress, url: Url::parse(url).unwrap(), token: token.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body), None).await.unwrap()
    }

    /// A request that may find nobody.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, SendError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", self.token)).unwrap());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = idempotency_key {
            headers.insert(HeaderName::from_static("idempotency-key"), HeaderValue::from_str(key).unwrap());
        }
        self.send_with(method, path, headers, body.map(Value::to_string).unwrap_or_default()).await
    }

    /// A request with headers of its own, and none besides.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<Answer, SendError> {
        let request = Request {
            method,
            url: self.url.join(path).unwrap(),
            headers,
            body: body.into(),
            timeout: Duration::from_secs(10),
            body_limit: 10 * 1024 * 1024,
        };
        let response = self.egress.send(request).await?;
        Ok(Answer { status: response.status, body: serde_json::from_slice(&response.body).unwrap_or_default() })
    }

    /// All elements of a list, through all its pages.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let page = self.get(&format!("{path}?limit=250{next}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            all.extend(page.body["data"].as_array().unwrap().iter().cloned());
            if page.body["done"] == true {
                return all;
            }
            next = format!("&iterator={}", page.body["iterator"].as_str().unwrap());
        }
    }

    /// Every job that there is, through all pages.
    pub(crate) async fn all_jobs(&self, query: &str) -> Vec<Value> {
        let mut jobs = Vec::new();
        let mut next = String::new();
        loop {
            let page = self.get(&format!("/webhook?limit=250&{query}{next}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            jobs.extend(page.body["data"].as_array().unwrap().iter().cloned());
            if page.body["done"] == true {
                return jobs;
            }
            next = format!("&iterator={}", page.body["iterator"].as_str().unwrap());
        }
    }
}

/// A job that asks both providers and calls this URL back.
pub(crate) fn job(callback_url: &str) -> Value {
    serde_json::json!({"providers": ["gas", "internet"], "callbackUrl": callback_url})
}
